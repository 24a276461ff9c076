//! A program for which a name leads wherever a test says, also while it runs, and to nobody else.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    os::unix::fs::FileExt as _,
    process::Command,
};

use anyhow::ensure;
use tempfile::TempDir;

/// Gives the program files of its own in place of the system's.
const SCRIPT: &str = "mount --bind \"$1\" /etc/hosts; \
    [ ! -e /etc/nsswitch.conf ] || mount --bind \"$2\" /etc/nsswitch.conf; shift 2; exec \"$@\"";

const NEEDS: &str = "this test gives the daemon an /etc/hosts of its own, for which it needs `unshare` of util-linux and \
    user namespaces for all users: `sysctl user.max_user_namespaces=10000`, and on Ubuntu \
    `sysctl kernel.apparmor_restrict_unprivileged_userns=0`";

/// One name, and the file that says where it leads.
pub struct Names {
    name: &'static str,
    directory: TempDir,
    hosts: File,
}

impl Names {
    /// # Errors
    /// When the system lets no program have names of its own.
    pub fn of(name: &'static str) -> anyhow::Result<Self> {
        let tried = unshare().args(["mount", "--bind", "/etc/hosts", "/etc/hosts"]).output();
        ensure!(tried.is_ok_and(|tried| tried.status.success()), NEEDS);
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("nsswitch.conf"), "hosts: files\n")?;
        let hosts = File::create(directory.path().join("hosts"))?;
        Ok(Self { name, directory, hosts })
    }

    /// In one write of always the same length, so that nobody reads half of it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn lead_to(&self, address: Ipv4Addr) -> std::io::Result<()> {
        let line = format!("{:<16} {}\n", address.to_string(), self.name);
        self.hosts.write_all_at(line.as_bytes(), 0)
    }

    /// The same command, for which the name leads there.
    #[must_use]
    pub fn known_to(&self, command: &Command) -> Command {
        let mut known = unshare();
        known.args(["sh", "-e", "-c", SCRIPT, "sh"]);
        known.args(["hosts", "nsswitch.conf"].map(|file| self.directory.path().join(file)));
        known.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => known.env(name, value),
                None => known.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            known.current_dir(directory);
        }
        known
    }
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "--"]);
    command
}
