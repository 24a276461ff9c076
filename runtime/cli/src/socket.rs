//! Where the daemon of a home listens for its command line.

use std::fs::{File, OpenOptions, Permissions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::fcntl::OFlag;
use nix::unistd::{Group, chown};

const NAME: &str = "evenkeel.sock";

/// A Unix socket's address holds 107 bytes (unix(7)), and homes may lie deeper than that. The
/// directory is opened and named by its descriptor, which is short wherever the home is.
struct Place {
    // Keeps the descriptor in `path` open.
    _data: File,
    path: PathBuf,
}

impl Place {
    fn of(data: &Path) -> io::Result<Self> {
        // Enough to pass through; who is let in by a group may not read it.
        let flags = (OFlag::O_PATH | OFlag::O_DIRECTORY).bits();
        let dir = OpenOptions::new().read(true).custom_flags(flags).open(data)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", dir.as_raw_fd()));
        Ok(Self { _data: dir, path })
    }
}

/// Listens; what a daemon that died has left is replaced. The caller holds the home's lock. Besides
/// this user, those of `group` may connect.
pub fn listen(data: &Path, group: Option<&str>) -> io::Result<UnixListener> {
    let place = Place::of(data)?;
    match fs::remove_file(&place.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&place.path)?;
    fs::set_permissions(&place.path, Permissions::from_mode(0o600))?;
    if let Some(group) = group {
        open_to(group, data, &place.path)?;
    }
    listener.set_nonblocking(true)?;
    Ok(listener)
}

pub fn is_group(name: &str) -> bool {
    matches!(Group::from_name(name), Ok(Some(_)))
}

/// They may pass through the directory, which they can't list, and talk to the socket.
fn open_to(group: &str, data: &Path, socket: &Path) -> io::Result<()> {
    let found = Group::from_name(group)?;
    let unknown = || {
        io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no group `{group}` (`[server] group`)"),
        )
    };
    let gid = Some(found.ok_or_else(unknown)?.gid);
    for (path, mode) in [(data, 0o710), (socket, 0o660)] {
        chown(path, None, gid)?;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// A connection to the daemon of this home; none: no daemon runs.
pub fn connect(data: &Path) -> io::Result<Option<UnixStream>> {
    let place = match Place::of(data) {
        Ok(place) => place,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match UnixStream::connect(&place.path) {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => Ok(None),
        Err(error) => Err(error),
    }
}

pub fn remove(data: &Path) {
    if let Ok(place) = Place::of(data) {
        // A socket that stays is replaced by the next daemon.
        let _ = fs::remove_file(place.path);
    }
}
