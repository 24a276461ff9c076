//! A PostgreSQL of the test's own.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;
use tempfile::TempDir;

use super::{
    debian::{Suite, put_beside, unpacked_of},
    unprivileged::Account,
};
use crate::{
    process::{Process, free_port},
    wait::wait_until,
    workspace,
};

const BOUND: Duration = Duration::from_secs(60);
/// Debian's packages of a server, by major version, newest first.
const VERSIONS: [u8; 5] = [18, 17, 16, 15, 14];

/// A running server. Its administrator is `postgres`, without a password, over its socket; whoever else comes needs one.
pub struct Postgres {
    pub port: u16,
    bin: PathBuf,
    directory: TempDir,
    account: Account,
    _process: Process,
}

impl Postgres {
    /// # Errors
    /// When there is no PostgreSQL and none can be fetched, or it doesn't become ready.
    pub fn start() -> anyhow::Result<Self> {
        let bin = bin()?;
        let account = Account::find()?;
        let directory = TempDir::with_prefix("evenkeel-postgres-")?;
        account.owns(directory.path())?;
        let data = directory.path().join("data");
        let mut init = Command::new(bin.join("initdb"));
        init.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        account.done(init.arg(&data).current_dir(directory.path()))?;
        fs::write(
            data.join("pg_hba.conf"),
            "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n",
        )?;
        let port = free_port()?;
        let mut command = Command::new(bin.join("postgres"));
        command
            .current_dir(directory.path())
            .arg("-D")
            .arg(&data)
            .args(["-F", "-h", "127.0.0.1", "-p", &port.to_string(), "-k"])
            .arg(directory.path());
        let mut process = Process::spawn("postgres", account.runs(&mut command), directory.path())?;
        process.wait_for_line(BOUND, "PostgreSQL is ready", |line| {
            line.contains("ready to accept connections").then_some(())
        })?;
        Ok(Self {
            port,
            bin,
            directory,
            account,
            _process: process,
        })
    }

    /// Shows this certificate (both in PEM) from now on to whoever wants TLS.
    ///
    /// # Errors
    /// When it can't be read, or is not taken in time.
    pub fn show(&self, certificate: &str, key: &str) -> anyhow::Result<()> {
        let before = self.sql("postgres", "select pg_conf_load_time()")?;
        let data = self.directory.path().join("data");
        self.account.keeps(&data.join("server.crt"), certificate)?;
        self.account.keeps(&data.join("server.key"), key)?;
        self.sql("postgres", "alter system set ssl = on")?;
        self.sql("postgres", "select pg_reload_conf()")?;
        wait_until(BOUND, "PostgreSQL takes the certificate", || {
            let loaded = self.sql("postgres", "select pg_conf_load_time()")?;
            anyhow::ensure!(loaded != before, "it has not read its settings");
            let ssl = self.sql("postgres", "show ssl")?;
            anyhow::ensure!(ssl.trim() == "on", "its TLS is {ssl}");
            Ok(())
        });
        Ok(())
    }

    /// The directory of its Unix socket.
    pub fn socket(&self) -> &Path {
        self.directory.path()
    }

    /// Runs statements as the administrator; what they answer, a line a row.
    ///
    /// # Errors
    /// When one fails.
    pub fn sql(&self, database: &str, text: &str) -> anyhow::Result<String> {
        let mut command = Command::new(self.bin.join("psql"));
        command
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-d",
                database,
            ])
            .args(["-p", &self.port.to_string(), "-c", text, "-h"])
            .arg(self.directory.path())
            .current_dir(self.directory.path());
        let output = self.account.runs(&mut command).output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// Where `postgres`, `initdb` and `psql` are.
fn bin() -> anyhow::Result<PathBuf> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    fetched().context(
        "this test needs PostgreSQL 14 or newer: install the package `postgresql`, or put `postgres`, `initdb` and \
         `psql` on the PATH; on Debian the test fetches them by itself with apt-get and dpkg-deb",
    )
}

fn installed() -> Option<PathBuf> {
    let debian = VERSIONS.map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let path = env::var_os("PATH").unwrap_or_default();
    debian.into_iter().chain(env::split_paths(&path)).find(|bin| {
        ["postgres", "initdb", "psql"]
            .iter()
            .all(|program| bin.join(program).exists())
    })
}

fn fetched() -> anyhow::Result<PathBuf> {
    let servers = workspace::target_dir().join("servers");
    fs::create_dir_all(&servers)?;
    let _lock = workspace::lock("servers")?;
    let mut error = anyhow::anyhow!("no version was tried");
    for version in VERSIONS {
        match whole(version, &servers) {
            Ok(bin) => return Ok(bin),
            Err(cause) => error = cause,
        }
    }
    Err(error)
}

/// The server finds its share beside itself, so the client is put there.
fn whole(version: u8, servers: &Path) -> anyhow::Result<PathBuf> {
    let server = unpacked_of(Suite::Own, &format!("postgresql-{version}"), servers)?;
    let client = unpacked_of(Suite::Own, &format!("postgresql-client-{version}"), servers)?;
    let bin = format!("usr/lib/postgresql/{version}/bin");
    put_beside(&client.join(&bin).join("psql"), &server.join(&bin).join("psql"))?;
    Ok(server.join(bin))
}
