//! What the story needs: evenkeel and its plugins built, a home of its own, the board and the
//! daemon running.

use std::{
    env, fs, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    cargo,
    daemon::{Cli, Daemon},
    process::Process,
    terminal,
    traffic::Traffic,
};

/// What the home's runbook uses.
const PLUGINS: [&str; 2] = ["http-probe", "cache-clean"];

/// Where the home says that the board is; the copy says where it really is.
const BOARD: &str = "127.0.0.1:8077";

/// What a user makes of the home while playing with it, and what the copy makes anew.
const NOT_COPIED: [&str; 4] = ["board", "data", "plugins", "evenkeel.lock"];

/// How long the board may take to listen, or to end.
const BOARD_READY: Duration = Duration::from_secs(30);

/// Ports of 127.0.0.1; 0 is any that is free.
#[derive(Args)]
pub struct Ports {
    /// The port that evenkeel takes alerts on; a free one if not given.
    #[arg(
        id = "port",
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    evenkeel: u16,
    /// The port of the task board; a free one if not given.
    #[arg(
        id = "board-port",
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    board: u16,
}

/// Dropping it ends the programs at once, and then removes the directory.
pub struct Stage {
    pub daemon: Daemon,
    pub traffic: Traffic,
    /// `http://ADDRESS`
    pub board_url: String,
    board: Process,
    directory: TempDir,
}

/// Builds evenkeel and tells where it is.
pub async fn build() -> anyhow::Result<PathBuf> {
    terminal::title("Building evenkeel; the first time takes some minutes");
    cargo::has_target().await?;
    cargo::evenkeel().await
}

impl Ports {
    /// A port that is asked for and taken is better said before anything is built.
    pub fn ensure_free(&self) -> anyhow::Result<()> {
        ensure_free(self.evenkeel, "--port")?;
        ensure_free(self.board, "--board-port")
    }
}

impl Stage {
    /// Copies the home into a fresh directory, installs its plugins, and starts all.
    pub async fn set(evenkeel: &Path, ports: &Ports) -> anyhow::Result<Self> {
        let directory = fresh_directory()?;
        let home = directory.path().join("home");
        copy(&cargo::root().join("examples/demo/home"), &home)?;
        for plugin in PLUGINS {
            cargo::plugin(evenkeel, plugin, &home).await?;
        }
        let (board, board_url) = start_board(&home.join("board"), ports.board, directory.path()).await?;
        name_board(&home.join("assets.toml"), board_url.trim_start_matches("http://"))?;
        let cli = Cli {
            program: evenkeel.to_owned(),
            home,
        };
        cli.say(&["lock"]).await?;
        Ok(Self {
            daemon: Daemon::start(cli, ports.evenkeel, directory.path()).await?,
            traffic: Traffic::to(&board_url)?,
            board_url,
            board,
            directory,
        })
    }

    /// The board's `HOST:PORT`, as a Prometheus names its target.
    pub fn instance(&self) -> &str {
        self.board_url.trim_start_matches("http://")
    }

    pub fn cli(&self) -> &Cli {
        &self.daemon.cli
    }

    pub fn processes(&self) -> [&Process; 2] {
        [&self.board, self.daemon.process()]
    }

    /// The names of the files in the board's session cache.
    pub fn sessions(&self) -> anyhow::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.cli().home.join("board/cache"))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// The board's tasks as they are on disk.
    pub fn tasks(&self) -> io::Result<String> {
        fs::read_to_string(self.cli().home.join("board/tasks.json"))
    }

    /// Ends all in order, and removes what was made.
    pub async fn strike(self) -> anyhow::Result<()> {
        self.daemon.stop().await?;
        self.board.stop(BOARD_READY).await?;
        self.directory.close().context("what the demo made can't be removed")
    }
}

fn fresh_directory() -> anyhow::Result<TempDir> {
    let all = cargo::target_dir()?.join("demo");
    fs::create_dir_all(&all).with_context(|| format!("can't make {}", all.display()))?;
    Ok(tempfile::Builder::new().prefix("run-").tempdir_in(all)?)
}

fn ensure_free(port: u16, option: &str) -> anyhow::Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            bail!("port {port} is taken; `{option}` names another, and without it a free one is used")
        }
        Err(error) => Err(error).context(format!("can't listen on port {port}")),
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("can't read {}", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if NOT_COPIED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).with_context(|| format!("can't copy {}", source.display()))?;
        }
    }
    Ok(())
}

/// The demo is the board's program too.
async fn start_board(data: &Path, port: u16, logs: &Path) -> anyhow::Result<(Process, String)> {
    fs::create_dir_all(data)?;
    let mut command = Command::new(env::current_exe()?);
    command
        .args(["board", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(data);
    let mut board = Process::spawn("board", &mut command, logs)?;
    let listening = |line: &str| line.strip_prefix("task board listening on ").map(str::to_owned);
    let url = board.line(BOARD_READY, listening).await?;
    Ok((board, url))
}

fn name_board(assets: &Path, address: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(assets)?;
    ensure!(text.contains(BOARD), "{} does not say `{BOARD}`", assets.display());
    Ok(fs::write(assets, text.replace(BOARD, address))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_the_way_out() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let said = ensure_free(port, "--port").unwrap_err().to_string();
        assert!(
            said.starts_with(&format!("port {port} is taken; `--port` names another")),
            "{said}"
        );
        assert!(ensure_free(0, "--port").is_ok());
    }

    #[test]
    fn a_copied_home_has_no_past() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir_all(from.join("data")).unwrap();
        fs::create_dir_all(from.join("runbooks")).unwrap();
        fs::write(from.join("data/evenkeel.db"), "").unwrap();
        fs::write(from.join("runbooks/one.toml"), "").unwrap();

        copy(&from, &to).unwrap();

        assert!(to.join("runbooks/one.toml").exists());
        assert!(!to.join("data").exists());
    }

    #[test]
    fn the_home_names_the_board_where_the_copy_replaces_it() {
        let directory = tempfile::tempdir().unwrap();
        let assets = directory.path().join("assets.toml");
        fs::copy(cargo::root().join("examples/demo/home/assets.toml"), &assets).unwrap();

        name_board(&assets, "127.0.0.1:4711").unwrap();

        assert!(
            fs::read_to_string(&assets)
                .unwrap()
                .contains("address = \"127.0.0.1:4711\"")
        );
    }
}
