//! A MySQL of the test's own: Oracle's, from Debian's sid, and not MariaDB.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::{debian, unprivileged::Account};
use crate::{
    process::{Process, free_port},
    workspace,
};

const BOUND: Duration = Duration::from_secs(120);
const PACKAGES: [&str; 2] = ["mysql-server-core", "mysql-client-core"];

/// A running server. Its administrator is `root`, without a password, over its socket. Whoever has a password has it
/// with `caching_sha2_password`, which MySQL has alone since 9.0.
pub struct MySql {
    pub port: u16,
    parts: Parts,
    directory: TempDir,
    account: Account,
    _process: Process,
}

impl MySql {
    /// One that shows a certificate, given with its key in PEM, to whoever wants TLS. It takes no other one later than
    /// those of `authority`.
    ///
    /// # Errors
    /// When there is no MySQL and none can be fetched, or it doesn't become ready.
    pub fn start(certificate: &str, key: &str, authority: &str) -> anyhow::Result<Self> {
        let parts = Parts::fetched().context(
            "this test needs Debian's MySQL, which it fetches by itself on Debian with apt-get and dpkg-deb",
        )?;
        let account = Account::find()?;
        let directory = TempDir::with_prefix("evenkeel-mysql-")?;
        account.owns(directory.path())?;
        account.done(parts.server(directory.path()).arg("--initialize-insecure"))?;
        let port = free_port()?;
        account.keeps(&directory.path().join("server.crt"), certificate)?;
        account.keeps(&directory.path().join("server.key"), key)?;
        account.keeps(&directory.path().join("ca.pem"), authority)?;
        let mut command = parts.server(directory.path());
        command
            .args([
                "--ssl-ca=../ca.pem",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--mysqlx=0",
            ])
            .args(["--ssl-cert=../server.crt", "--ssl-key=../server.key"])
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}", directory.path().join("socket").display()));
        let mut process = Process::spawn("mysql", account.runs(&mut command), directory.path())?;
        process.wait_for_line(BOUND, "MySQL is ready", |line| {
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
        self.sql("alter instance reload tls").map(drop)
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
        let mut command = self.parts.command("usr/bin/mysql");
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

/// Its files, and what they are started with: sid's own C library.
struct Parts {
    root: PathBuf,
    loader: Vec<OsString>,
}

impl Parts {
    fn fetched() -> anyhow::Result<Self> {
        let servers = workspace::target_dir().join("servers");
        fs::create_dir_all(&servers)?;
        let _lock = workspace::lock("servers")?;
        let root = debian::with_libraries("mysql", &PACKAGES, &servers)?;
        let loader = debian::loader_of(&root)?;
        Ok(Self { root, loader })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(&self.loader[0]);
        command.args(&self.loader[1..]).arg(self.root.join(program));
        command
    }

    fn server(&self, directory: &Path) -> Command {
        let share = self.root.join("usr/share/mysql");
        let mut command = self.command("usr/sbin/mysqld");
        command
            .current_dir(directory)
            .args(["--no-defaults", "--secure-file-priv=NULL"])
            .arg(format!("--datadir={}", directory.join("data").display()))
            // A server that starts removes what it takes for leftovers in the system's.
            .arg(format!("--tmpdir={}", directory.display()))
            .arg(format!("--lc-messages-dir={}", share.display()))
            .arg(format!("--character-sets-dir={}", share.join("charsets").display()))
            .arg(format!(
                "--plugin-dir={}",
                self.root.join("usr/lib/mysql/plugin").display()
            ));
        command
    }
}
