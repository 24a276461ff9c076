//! Files of this machine, under a directory that is opened once a call.
//!
//! *Invariant:* every path is resolved from that directory's handle, so nothing outside of it is
//! reached by whatever links or renames happen meanwhile; and nothing is changed through a link.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, FileTypeExt as _, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use evenkeel_engine::port::reach::{Capacity, FilesError, Identity, Removed};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, fchmod};
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{Gid, Uid, fchown};

use super::disk::Asked;

/// Of the file system, as a user without privileges sees it.
pub fn space(root: &Path) -> Result<Capacity, FilesError> {
    let dir = open_root(root)?;
    let stat = fstatvfs(dir.as_fd()).map_err(|error| FilesError::Io(error.desc().into()))?;
    Ok(Capacity {
        total_bytes: stat.blocks().saturating_mul(stat.fragment_size()),
        free_bytes: stat.blocks_available().saturating_mul(stat.fragment_size()),
        total_inodes: stat.files(),
        free_inodes: stat.files_available(),
    })
}

/// Regular files with one name only: reading a pipe or a device may block or never end, and a
/// file with a second name may be one from outside of the root.
pub fn read(root: &Path, path: &str, offset: u64, limit: u32) -> Result<Vec<u8>, FilesError> {
    let dir = open_root(root)?;
    // Opening a device can have effects of its own, so it is looked at first.
    regular(path, &dir.metadata(path).map_err(|error| fault(path, &error))?)?;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits());
    let file = dir.open_with(path, &options).map_err(|error| fault(path, &error))?;
    regular(path, &file.metadata().map_err(|error| fault(path, &error))?)?;
    read_at(&file.into_std(), offset, limit as usize).map_err(|error| fault(path, &error))
}

fn read_at(file: &File, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
    let mut content = vec![0; limit.min(64 << 10)];
    let mut filled = 0;
    loop {
        let at = offset.checked_add(filled as u64).ok_or(io::ErrorKind::InvalidInput)?;
        match file.read_at(&mut content[filled..], at) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled == content.len() {
            content.resize((content.len() * 2).min(limit), 0);
        }
    }
    content.truncate(filled);
    Ok(content)
}

fn regular(path: &str, metadata: &Metadata) -> Result<(), FilesError> {
    if metadata.is_dir() {
        return Err(FilesError::Invalid(format!("`{path}` is a directory")));
    }
    if !metadata.is_file() {
        return Err(FilesError::Denied(format!(
            "`{path}` is {}, and only files are read",
            special(metadata)
        )));
    }
    if metadata.nlink() > 1 {
        let names = metadata.nlink();
        return Err(FilesError::Denied(format!(
            "`{path}` has {names} names, and the others may be outside of the root"
        )));
    }
    Ok(())
}

fn special(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    match () {
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () if kind.is_symlink() => "a link",
        () => "a device",
    }
}

/// A new file takes the name of the old one, with its mode and owner, once it is on disk.
pub fn write(root: &Path, path: &str, content: &[u8], asked: &Asked) -> Result<(), FilesError> {
    let (parent, name) = parent(&open_root(root)?, path)?;
    let old = replaceable(&parent, name, path)?;
    let temporary = format!(".evenkeel-{:016x}", rand::random::<u64>());
    let written = prepare(&parent, &temporary, old.as_ref(), content)
        .map_err(|error| fault(path, &error))
        .and_then(|()| asked.still())
        .and_then(|()| take_over(&parent, &temporary, name).map_err(|error| fault(path, &error)));
    if written.is_err() {
        let _ = parent.remove_file(&temporary);
    }
    written
}

fn replaceable(parent: &Dir, name: &str, path: &str) -> Result<Option<Metadata>, FilesError> {
    match parent.symlink_metadata(name) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(metadata) if metadata.is_dir() => Err(FilesError::Invalid(format!("`{path}` is a directory"))),
        Ok(metadata) => Err(FilesError::Denied(format!(
            "`{path}` is {}, and only files are replaced",
            special(&metadata)
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault(path, &error)),
    }
}

fn prepare(parent: &Dir, temporary: &str, old: Option<&Metadata>, content: &[u8]) -> io::Result<()> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    // Until it has the mode of the old one, nobody else reads it; a new one gets the usual mode.
    let mode = if old.is_some() { 0o600 } else { 0o666 };
    let mut file = File::from(openat(parent, temporary, flags, Mode::from_bits_truncate(mode))?);
    file.write_all(content)?;
    if let Some(old) = old {
        let (uid, gid) = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
        fchown(&file, Some(uid), Some(gid))?;
        fchmod(&file, Mode::from_bits_truncate(old.mode() & 0o777))?;
    }
    file.sync_all()
}

fn take_over(parent: &Dir, temporary: &str, name: &str) -> io::Result<()> {
    parent.rename(temporary, parent, name)?;
    // The file is replaced by now, so a file system that can't sync a directory makes no error.
    let _ = enter(parent, ".").and_then(|directory| directory.into_std_file().sync_all());
    Ok(())
}

/// What is there now. A link is itself, not what it points to.
pub fn identify(root: &Path, paths: &[String]) -> Result<Vec<Option<Identity>>, FilesError> {
    let dir = open_root(root)?;
    paths
        .iter()
        .map(|path| Ok(find(&dir, path)?.map(|found| identity(&found.metadata))))
        .collect()
}

/// Those that are still what they were. One that was replaced, or is gone, is passed over.
pub fn remove(root: &Path, what: &[(String, Identity)], asked: &Asked) -> Result<Removed, FilesError> {
    let dir = open_root(root)?;
    let mut removed = Removed::default();
    for (path, wanted) in what {
        let freed = asked.still().and_then(|()| remove_one(&dir, path, wanted));
        let freed = freed.map_err(|error| after(removed, error))?;
        if let Some(bytes) = freed {
            removed.files += 1;
            removed.bytes += bytes;
        }
    }
    Ok(removed)
}

fn remove_one(dir: &Dir, path: &str, wanted: &Identity) -> Result<Option<u64>, FilesError> {
    let Some(found) = find(dir, path)?.filter(|found| identity(&found.metadata) == *wanted) else {
        return Ok(None);
    };
    let (gone, bytes) = if found.metadata.is_dir() {
        (found.parent.remove_dir(found.name), 0)
    } else {
        (found.parent.remove_file(found.name), found.metadata.len())
    };
    match gone {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Err(FilesError::Invalid(format!(
            "`{path}` is a directory that is not empty"
        ))),
        Err(error) => Err(fault(path, &error)),
    }
}

/// What was done before it went wrong must not get lost with the error.
fn after(removed: Removed, error: FilesError) -> FilesError {
    match (removed.files, error) {
        (0, error) => error,
        (files, FilesError::Invalid(why)) => FilesError::Invalid(format!("{why}; {files} were removed before")),
        (files, error) => FilesError::Io(format!("{error}; {files} were removed before")),
    }
}

struct Found<'p> {
    parent: Dir,
    name: &'p str,
    metadata: Metadata,
}

fn find<'p>(dir: &Dir, path: &'p str) -> Result<Option<Found<'p>>, FilesError> {
    let (parent, name) = match self::parent(dir, path) {
        Ok(found) => found,
        Err(FilesError::Missing) => return Ok(None),
        Err(error) => return Err(error),
    };
    match parent.symlink_metadata(name) {
        Ok(metadata) => Ok(Some(Found { parent, name, metadata })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault(path, &error)),
    }
}

fn identity(metadata: &Metadata) -> Identity {
    Identity {
        bytes: metadata.len(),
        modified_ns: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
        device: metadata.dev(),
        inode: metadata.ino(),
    }
}

/// The directory that holds `path`, with no link on the way, and its name there.
fn parent<'p>(dir: &Dir, path: &'p str) -> Result<(Dir, &'p str), FilesError> {
    let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut parent = dir.try_clone().map_err(|error| fault(path, &error))?;
    for name in directories.split('/').filter(|name| !name.is_empty()) {
        parent = enter(&parent, name).map_err(|error| {
            let is_link = parent
                .symlink_metadata(name)
                .is_ok_and(|metadata| metadata.is_symlink());
            if is_link {
                FilesError::Denied(format!(
                    "`{name}` in `{path}` is a link, and nothing is changed through a link"
                ))
            } else {
                fault(path, &error)
            }
        })?;
    }
    Ok((parent, name))
}

/// A directory right within another, which must not be a link to one.
pub fn enter(dir: &Dir, name: &str) -> io::Result<Dir> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let entered = openat(dir, name, flags, Mode::empty())?;
    Ok(Dir::from_std_file(File::from(entered)))
}

pub fn open_root(root: &Path) -> Result<Dir, FilesError> {
    Dir::open_ambient_dir(root, ambient_authority()).map_err(|error| {
        FilesError::Io(format!(
            "the root's directory {} can't be opened: {error}",
            root.display()
        ))
    })
}

/// An error of the system in the words of the contract.
pub fn fault(path: &str, error: &io::Error) -> FilesError {
    match error.kind() {
        io::ErrorKind::NotFound => FilesError::Missing,
        // `cap-std` says so with an error of its own, the system with a number.
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
            FilesError::Denied(format!("`{path}` leads out of the root"))
        }
        io::ErrorKind::NotADirectory => FilesError::Missing,
        _ if error.raw_os_error() == Some(nix::libc::ELOOP) => FilesError::Denied(format!("`{path}` is a link")),
        _ => FilesError::Io(format!("`{path}`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_changed_for_a_caller_that_left() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::write(root.join("a"), "old").unwrap();
        std::fs::write(root.join("b"), "old").unwrap();
        let paths = ["a".to_owned(), "b".to_owned()];
        let found = identify(root, &paths).unwrap().into_iter().map(Option::unwrap);
        let what: Vec<(String, Identity)> = paths.into_iter().zip(found).collect();

        let asked = Asked::default();
        asked.abandon();
        assert!(write(root, "a", b"new", &asked).is_err());
        assert!(remove(root, &what, &asked).is_err());
        assert_eq!(names(root), ["a", "b"], "no temporary file is left either");
        assert_eq!(std::fs::read(root.join("a")).unwrap(), b"old");

        let asked = Asked::default();
        assert_eq!(remove(root, &what, &asked).unwrap().files, 2);
        write(root, "a", b"new", &asked).unwrap();
        assert_eq!(names(root), ["a"]);
    }
}
