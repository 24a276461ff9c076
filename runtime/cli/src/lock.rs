//! One process at a time works on a home's data.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};

/// Held until dropped; the kernel lets go of it when the process dies.
pub struct HomeLock {
    _file: Flock<File>,
}

impl HomeLock {
    /// Locks the home, or says which process does.
    pub fn take(data: &Path) -> Result<Self> {
        fs::create_dir_all(data).with_context(|| format!("can't make `{}`", data.display()))?;
        let path = data.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options
            .open(&path)
            .with_context(|| format!("can't open `{}`", path.display()))?;
        let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => file,
            Err((file, nix::errno::Errno::EWOULDBLOCK)) => bail!("{}", held(file)),
            Err((_, errno)) => bail!("can't lock `{}`: {}", path.display(), errno.desc()),
        };
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

fn held(mut file: File) -> String {
    let mut pid = String::new();
    // A lock whose pid can't be read is held all the same.
    let _ = file.read_to_string(&mut pid);
    let who = if pid.trim().is_empty() {
        "another process".to_owned()
    } else {
        format!("process {}", pid.trim())
    };
    format!("{who} works on this home; stop it, or ask it: commands talk to a daemon by themselves")
}
