//! Programs that refuse to run as root.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::Path,
    process::Command,
};

use anyhow::ensure;
use nix::unistd::{Group, Uid, User};

/// The user that every system has for those who need nothing.
const NOBODY: &str = "nobody";

/// Whom a server runs as: us, unless we are root.
#[derive(Clone, Copy, Debug)]
pub struct Account(Option<(u32, u32)>);

impl Account {
    /// # Errors
    /// When we are root and there is no other user.
    pub fn find() -> anyhow::Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        let nobody = User::from_name(NOBODY)?.ok_or_else(|| anyhow::anyhow!("this system has no user `{NOBODY}`"))?;
        Ok(Self(Some((nobody.uid.as_raw(), nobody.gid.as_raw()))))
    }

    /// Another user than we are, by name; none: we are not root, and can be nobody else.
    pub fn name(self) -> Option<&'static str> {
        self.0.map(|_| NOBODY)
    }

    /// The name of its group.
    ///
    /// # Errors
    /// When it can't be looked up.
    pub fn group(self) -> anyhow::Result<Option<String>> {
        let Self(Some((_, group))) = self else { return Ok(None) };
        Ok(Group::from_gid(group.into())?.map(|group| group.name))
    }

    /// Gives it a directory.
    ///
    /// # Errors
    /// When that can't be done.
    pub fn owns(self, directory: &Path) -> anyhow::Result<()> {
        if let Self(Some((user, group))) = self {
            chown(directory, Some(user), Some(group))?;
        }
        Ok(())
    }

    /// Gives it a file that nobody else may read.
    ///
    /// # Errors
    /// When that can't be done.
    pub fn keeps(self, file: &Path, text: &str) -> anyhow::Result<()> {
        fs::write(file, text)?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
        self.owns(file)
    }

    pub fn runs(self, command: &mut Command) -> &mut Command {
        if let Self(Some((user, group))) = self {
            command.uid(user).gid(group);
        }
        command
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn done(self, command: &mut Command) -> anyhow::Result<()> {
        let output = self.runs(command).output()?;
        ensure!(
            output.status.success(),
            "{command:?} failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}
