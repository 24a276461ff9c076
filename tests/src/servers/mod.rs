//! Real servers beside evenkeel: a Prometheus, an Alertmanager, a PostgreSQL, a MariaDB and a MySQL as other people run them.
//!
//! A program on the PATH is taken if it is new enough. Otherwise Debian sid's package is fetched
//! from where the machine's apt gets its own Debian packages, checked by apt against the same
//! keys, and unpacked under the target directory. That needs no root and installs nothing. What
//! is there already is used again without a network.

mod alertmanager;
mod apt_sources;
mod debian;
mod mariadb;
mod mysql;
mod postgres;
mod prometheus;
mod promtool;
mod remote_write;
mod unprivileged;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

pub use self::{
    alertmanager::Alertmanager, mariadb::MariaDb, mysql::MySql, postgres::Postgres, prometheus::Prometheus,
    promtool::Judged, promtool::Promtool, remote_write::Written, unprivileged::Account,
};
use crate::workspace;

/// Something that can be fetched and run.
struct Wanted {
    /// Debian's package.
    package: &'static str,
    /// The names that the program goes by.
    programs: &'static [&'static str],
    /// The first version, major and minor, that speaks as the tests expect.
    since: (u32, u32),
}

/// A program that is ready to be started.
#[derive(Clone, Debug)]
struct Installed {
    /// The program, or the loader that starts it with the program as its last argument.
    command: Vec<OsString>,
    /// The `usr/share` of its package, when it isn't the system's.
    share: Option<PathBuf>,
}

impl Installed {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command
    }
}

/// Finds or fetches it.
///
/// # Errors
/// When neither works, with what to install.
fn installed(wanted: &Wanted) -> anyhow::Result<Installed> {
    if let Some(program) = on_path(wanted) {
        return Ok(program);
    }
    fetched(wanted).with_context(|| {
        let (major, minor) = wanted.since;
        format!(
            "this test needs `{}` {major}.{minor} or newer: install it so that it is on the PATH, \
             or run on Debian, where the test fetches it by itself with apt-get and dpkg-deb",
            wanted.programs[0]
        )
    })
}

fn on_path(wanted: &Wanted) -> Option<Installed> {
    wanted.programs.iter().find_map(|program| {
        let installed = Installed {
            command: vec![program.into()],
            share: None,
        };
        let version = version(&said_version(&installed).ok()?)?;
        (version >= wanted.since).then_some(installed)
    })
}

fn fetched(wanted: &Wanted) -> anyhow::Result<Installed> {
    let servers = workspace::target_dir().join("servers");
    fs::create_dir_all(&servers)?;
    let _lock = workspace::lock("servers")?;
    let package = debian::unpacked(wanted.package, &servers)?;
    let program = wanted
        .programs
        .iter()
        .map(|program| package.join("usr/bin").join(program))
        .find(|program| program.exists())
        .with_context(|| format!("{} holds no such program", package.display()))?;
    Ok(Installed {
        command: runnable(program, &servers)?,
        share: Some(package.join("usr/share")),
    })
}

/// A program from sid may want a C library that is newer than the machine's. Then sid's own
/// loader and C library start it.
fn runnable(program: PathBuf, servers: &Path) -> anyhow::Result<Vec<OsString>> {
    let alone = vec![program.clone().into_os_string()];
    let said = said_version(&Installed {
        command: alone.clone(),
        share: None,
    });
    match said {
        Ok(_) => Ok(alone),
        Err(error) if error.to_string().contains("GLIBC_") => {
            let mut command = debian::loader(servers)?;
            command.push(program.into_os_string());
            Ok(command)
        }
        Err(error) => Err(error),
    }
}

fn said_version(program: &Installed) -> anyhow::Result<String> {
    let output = program.command().arg("--version").output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    anyhow::ensure!(output.status.success(), "`--version` failed: {said}");
    Ok(said)
}

/// Major and minor out of a first line such as `prometheus, version 3.5.3+ds1 (branch: …)`.
fn version(said: &str) -> Option<(u32, u32)> {
    let (_, version) = said.lines().next()?.split_once("version ")?;
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_what_the_program_says() {
        let said = "prometheus, version 3.5.3+ds1 (branch: debian/sid)\n  go version: go1.27\n";
        assert_eq!(version(said), Some((3, 5)));
        assert_eq!(version("alertmanager, version 0.33.1 (…)"), Some((0, 33)));
        assert_eq!(version("no such option"), None);
    }
}
