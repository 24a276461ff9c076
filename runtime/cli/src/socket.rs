//! Where the daemon of a home listens for its command line.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::{fs, io};

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
        let dir = File::open(data)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", dir.as_raw_fd()));
        Ok(Self { _data: dir, path })
    }
}

/// Listens; what a daemon that died has left is replaced. The caller holds the home's lock.
pub fn listen(data: &Path) -> io::Result<UnixListener> {
    let place = Place::of(data)?;
    match fs::remove_file(&place.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&place.path)?;
    fs::set_permissions(&place.path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
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
