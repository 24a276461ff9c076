//! A MariaDB of the test's own.

use std::{
    ffi::OsString,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::{
    debian::{Suite, put_beside, unpacked_of},
    unprivileged::Account,
};
use crate::{
    process::{Process, free_port},
    workspace,
};

const BOUND: Duration = Duration::from_secs(60);
/// The server, what it is linked with and a system without it lacks, and the client.
const PACKAGES: [&str; 6] = [
    "mariadb-server-core",
    "mariadb-client-core",
    "libmariadb3",
    "liburing2",
    "libaio1",
    "libsnappy1v5",
];
/// The tables that a server can't do without, in the order in which they are made.
const TABLES: [&str; 3] = [
    "mysql_system_tables.sql",
    "mysql_system_tables_data.sql",
    "mysql_performance_tables.sql",
];

/// A running server. Its administrator is `root`, without a password, over its socket.
pub struct MariaDb {
    pub port: u16,
    parts: Parts,
    directory: TempDir,
    account: Account,
    _process: Process,
}

impl MariaDb {
    /// # Errors
    /// When there is no MariaDB and none can be fetched, or it doesn't become ready.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_showing(None)
    }

    /// One that shows a certificate, given with its key in PEM, to whoever wants TLS.
    ///
    /// # Errors
    /// The same, and when it can't use them.
    pub fn start_showing(pair: Option<(&str, &str)>) -> anyhow::Result<Self> {
        let parts = Parts::find()?;
        let account = Account::find()?;
        let directory = TempDir::with_prefix("evenkeel-mariadb-")?;
        let data = directory.path().join("data");
        fs::create_dir(&data)?;
        account.owns(directory.path())?;
        account.owns(&data)?;
        parts.bootstrap(&data, account)?;
        let port = free_port()?;
        let mut command = parts.server(&data);
        command
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve"])
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", directory.path().join("socket").display()));
        if let Some((certificate, key)) = pair {
            let (crt, pem) = (directory.path().join("server.crt"), directory.path().join("server.key"));
            account.keeps(&crt, certificate)?;
            account.keeps(&pem, key)?;
            command.arg(format!("--ssl-cert={}", crt.display()));
            command.arg(format!("--ssl-key={}", pem.display()));
        }
        let mut process = Process::spawn("mariadb", account.runs(&mut command), directory.path())?;
        process.wait_for_line(BOUND, "MariaDB is ready", |line| {
            line.contains("ready for connections").then_some(())
        })?;
        Ok(Self {
            port,
            parts,
            directory,
            account,
            _process: process,
        })
    }

    /// Shows another certificate from now on.
    ///
    /// # Errors
    /// When it can't use it.
    pub fn show(&self, certificate: &str, key: &str) -> anyhow::Result<()> {
        self.account
            .keeps(&self.directory.path().join("server.crt"), certificate)?;
        self.account.keeps(&self.directory.path().join("server.key"), key)?;
        self.sql("flush ssl").map(drop)
    }

    /// The file of its Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Runs statements as the administrator; what they answer, a line a row.
    ///
    /// # Errors
    /// When one fails.
    pub fn sql(&self, text: &str) -> anyhow::Result<String> {
        let mut command = self.parts.command("usr/bin/mariadb");
        command
            .args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"])
            .arg("--default-character-set=utf8mb4")
            .arg(format!("--socket={}", self.socket().display()))
            .args(["--execute", text]);
        let output = command.output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// A MariaDB's files: the system's, or those of unpacked packages.
struct Parts {
    root: PathBuf,
    libraries: Option<OsString>,
}

impl Parts {
    fn find() -> anyhow::Result<Self> {
        let system = Path::new("/");
        if ["usr/sbin/mariadbd", "usr/bin/mariadb"]
            .iter()
            .all(|program| system.join(program).exists())
        {
            return Ok(Self {
                root: system.to_owned(),
                libraries: None,
            });
        }
        fetched().context(
            "this test needs MariaDB 10.5 or newer: install the packages `mariadb-server` and `mariadb-client`; on \
             Debian the test fetches them by itself with apt-get and dpkg-deb",
        )
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.root.join(program));
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    fn server(&self, data: &Path) -> Command {
        let share = self.root.join("usr/share/mysql");
        let mut command = self.command("usr/sbin/mariadbd");
        command
            .current_dir(data)
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            // A server that starts removes what it takes for leftovers in the system's.
            .arg(format!("--tmpdir={}", data.display()))
            .arg(format!("--lc-messages-dir={}", share.display()))
            .arg(format!("--character-sets-dir={}", share.join("charsets").display()))
            .arg(format!(
                "--plugin-dir={}",
                self.root.join("usr/lib/mysql/plugin").display()
            ));
        command
    }

    /// What `mariadb-install-db` does, but for what only a user's server needs.
    fn bootstrap(&self, data: &Path, account: Account) -> anyhow::Result<()> {
        let mut statements = b"create database mysql;\nuse mysql;\n".to_vec();
        for table in TABLES {
            statements.extend(fs::read(self.root.join("usr/share/mysql").join(table))?);
        }
        let log = fs::File::create(data.join("bootstrap.log"))?;
        let mut command = self.server(data);
        command
            .args(["--bootstrap", "--skip-networking"])
            .stdin(Stdio::piped())
            .stderr(log);
        let mut child = account.runs(&mut command).stdout(Stdio::null()).spawn()?;
        child.stdin.take().context("it has a stdin")?.write_all(&statements)?;
        let status = child.wait()?;
        let log = fs::read_to_string(data.join("bootstrap.log"))?;
        ensure!(status.success(), "MariaDB's tables can't be made ({status}):\n{log}");
        Ok(())
    }
}

fn fetched() -> anyhow::Result<Parts> {
    let servers = workspace::target_dir().join("servers");
    fs::create_dir_all(&servers)?;
    let _lock = workspace::lock("servers")?;
    let mut roots = Vec::new();
    for package in PACKAGES {
        match unpacked_of(Suite::Own, package, &servers) {
            Ok(root) => roots.push(root),
            // Releases differ in what they link.
            Err(_) if package.starts_with("lib") => {}
            Err(error) => return Err(error),
        }
    }
    let whole = roots[0].clone();
    let client = "usr/bin/mariadb";
    fs::create_dir_all(whole.join("usr/bin"))?;
    put_beside(&roots[1].join(client), &whole.join(client))?;
    let mut directories = Vec::new();
    for root in &roots {
        directories.extend(libraries(&root.join("usr/lib")));
    }
    Ok(Parts {
        root: whole,
        libraries: Some(std::env::join_paths(directories)?),
    })
}

/// `usr/lib/x86_64-linux-gnu`, or what it is called on another machine.
fn libraries(lib: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(lib).into_iter().flatten().filter_map(Result::ok);
    entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with("-linux-gnu"))
        .collect()
}
