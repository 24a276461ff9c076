//! The session cache: a file for each visitor, and the habit of reading all of them.

use std::{
    ffi::OsStr,
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::tasks::Task;

/// A visitor counts as being here for this long after a request, in seconds.
const HERE_FOR: u64 = 300;

/// How many of the pages that a visitor saw are kept for the way back.
const PAGES_KEPT: usize = 8;

/// What is kept of a visitor between two requests.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Session {
    /// Seconds since 1970.
    last_seen: u64,
    pages: Vec<SeenPage>,
}

/// The board as a visitor saw it, so that the next page can mark what is new.
#[derive(Debug, Serialize, Deserialize)]
struct SeenPage {
    at: u64,
    tasks: Vec<Task>,
}

/// What the cache holds; of no interest to visitors, of much to whoever looks after the service.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub files: u64,
    pub bytes: u64,
}

/// The directory with a file for each session. Nothing here ever removes one.
pub struct Sessions {
    cache: PathBuf,
}

impl Sessions {
    pub fn open(cache: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(cache).with_context(|| format!("can't make the session cache {}", cache.display()))?;
        Ok(Self {
            cache: cache.to_owned(),
        })
    }

    /// Notes what a visitor is shown, under the session that the request named or a new one.
    /// Returns the session's name.
    pub fn visit(&self, named: Option<&str>, now: u64, tasks: &[Task]) -> io::Result<String> {
        let name = named.filter(|name| is_name(name)).map_or_else(new_name, str::to_owned);
        let file = self.cache.join(format!("{name}.session"));
        let mut session = read(&file).unwrap_or_default();
        session.last_seen = now;
        session.pages.push(SeenPage {
            at: now,
            tasks: tasks.to_vec(),
        });
        let surplus = session.pages.len().saturating_sub(PAGES_KEPT);
        session.pages.drain(..surplus);
        fs::write(file, serde_json::to_vec_pretty(&session)?)?;
        Ok(name)
    }

    /// How many visitors are here. This is the fault that makes the board slow: it reads the
    /// file of every session there ever was.
    pub fn visitors(&self, now: u64) -> io::Result<usize> {
        Ok(self
            .files()?
            .filter_map(|file| read(&file))
            .filter(|session| session.last_seen + HERE_FOR >= now)
            .count())
    }

    pub fn size(&self) -> io::Result<Size> {
        Ok(self
            .files()?
            // A file that went since it was listed is not in the cache any more.
            .filter_map(|file| fs::metadata(file).ok())
            .fold(Size::default(), |size, file| Size {
                files: size.files + 1,
                bytes: size.bytes + file.len(),
            }))
    }

    fn files(&self) -> io::Result<impl Iterator<Item = PathBuf>> {
        let session = OsStr::new("session");
        Ok(fs::read_dir(&self.cache)?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(move |file| file.extension() == Some(session)))
    }
}

/// Sessions that can't be read are none: the file may be half written, or gone since it was listed.
fn read(file: &Path) -> Option<Session> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// Only names of the board's own making become file names.
fn is_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn new_name() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> (tempfile::TempDir, Sessions) {
        let data = tempfile::tempdir().expect("a temporary directory");
        let sessions = Sessions::open(&data.path().join("cache")).expect("a new cache");
        (data, sessions)
    }

    #[test]
    fn a_new_visitor_leaves_one_more_file() {
        let (_data, sessions) = sessions();
        let first = sessions.visit(None, 100, &[]).unwrap();
        sessions.visit(None, 100, &[]).unwrap();
        sessions.visit(Some(&first), 101, &[]).unwrap();

        assert_eq!(sessions.size().unwrap().files, 2);
        assert_eq!(sessions.visitors(101).unwrap(), 2);
    }

    #[test]
    fn visitors_leave_but_their_files_stay() {
        let (_data, sessions) = sessions();
        sessions.visit(None, 100, &[]).unwrap();

        assert_eq!(sessions.visitors(100 + HERE_FOR + 1).unwrap(), 0);
        assert_eq!(sessions.size().unwrap().files, 1);
    }

    #[test]
    fn a_cookie_never_names_a_file_outside_the_cache() {
        let (data, sessions) = sessions();
        let name = sessions.visit(Some("../../../etc/passwd"), 100, &[]).unwrap();

        assert!(is_name(&name));
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_session_is_not_counted() {
        let (data, sessions) = sessions();
        fs::write(data.path().join("cache/notes.txt"), "hello").unwrap();
        fs::write(data.path().join("cache/half.session"), "{\"last_se").unwrap();

        assert_eq!(sessions.visitors(100).unwrap(), 0);
        assert_eq!(sessions.size().unwrap().files, 1);
    }
}
