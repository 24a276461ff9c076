//! Files under a root that the operator named.

use std::collections::VecDeque;
use std::fmt;

use super::{Calls, Host};
pub use crate::bindings::base::evenkeel::cap::files::{Capacity, Entry, FilesError, Kind, Removed};
use crate::{CallError, Cause, Class, Error, subject};

/// Entries asked for at once by [`Files::walk`].
const PAGE: u32 = 4_000;
/// Bytes asked for at once by [`Files::read`].
const CHUNK: u32 = 1 << 20;

/// A root.
#[derive(Clone, Copy)]
pub struct Files<'h> {
    host: &'h Host,
    root: &'h str,
}

impl<'h> Files<'h> {
    pub(super) fn new(host: &'h Host, root: &'h str) -> Self {
        Self { host, root }
    }

    /// Of the file system that holds the root.
    pub fn space(&self) -> Result<Capacity, CallError<FilesError>> {
        self.host.backend.space(self.root).map_err(CallError::about(self.root))
    }

    /// Everything below a directory, in name order; an empty path is the root itself. Asks page by page, so it may be
    /// stopped early; what changes meanwhile may or may not be seen.
    pub fn walk(&self, path: impl Into<String>) -> Walk<'h> {
        Walk {
            files: *self,
            path: path.into(),
            after: None,
            page: VecDeque::new(),
            last: false,
        }
    }

    /// A whole file of at most so many bytes.
    pub fn read(&self, path: &str, at_most: u64) -> Result<Vec<u8>, CallError<FilesError>> {
        let mut content = Vec::new();
        loop {
            // The host may answer less than it was asked for, so only nothing is the end.
            let chunk = self.read_at(path, content.len() as u64, CHUNK)?;
            if chunk.is_empty() {
                return Ok(content);
            }
            content.extend(chunk);
            if content.len() as u64 > at_most {
                return Err(self.about(path)(FilesError::TooLarge));
            }
        }
    }

    /// A whole text file of at most so many bytes.
    pub fn read_text(&self, path: &str, at_most: u64) -> Result<String, Error> {
        let content = self.read(path, at_most)?;
        String::from_utf8(content).map_err(|error| Error::from(error).context(self.subject(path)))
    }

    /// A part of a file; nothing means that it ends before `offset`.
    pub fn read_at(&self, path: &str, offset: u64, limit: u32) -> Result<Vec<u8>, CallError<FilesError>> {
        self.host
            .backend
            .read(self.root, path, offset, limit)
            .map_err(self.about(path))
    }

    /// Replaces a file whole, or leaves it as it was. An effect.
    pub fn write(&self, path: &str, content: &[u8]) -> Result<(), CallError<FilesError>> {
        self.host
            .backend
            .write(self.root, path, content)
            .map_err(self.about(path))
    }

    /// Removes files and empty directories. An effect. What is replaced while the call is under way is left alone; what
    /// was replaced since the plan is not known to the host: keep what was seen in the action's body, and look again.
    pub fn remove(&self, paths: &[String]) -> Result<Removed, CallError<FilesError>> {
        let about = match paths {
            [path] => self.subject(path),
            _ => format!("{}: {} paths", self.root, paths.len()),
        };
        self.host
            .backend
            .remove(self.root, paths)
            .map_err(CallError::about(about))
    }

    fn subject(&self, path: &str) -> String {
        subject::files(self.root, path)
    }

    fn about(&self, path: &str) -> impl FnOnce(FilesError) -> CallError<FilesError> + use<> {
        CallError::about(self.subject(path))
    }
}

/// A number of bytes for people, in the binary units that `df -h` prints: `1.2 GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    #[allow(clippy::cast_precision_loss, reason = "it is rounded to one decimal")]
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1024 {
            return write!(out, "{} B", self.0);
        }
        let mut value = self.0 as f64 / 1024.0;
        for unit in ["KiB", "MiB", "GiB", "TiB"] {
            // 1023.95 would print as 1024.0.
            if value < 1023.95 {
                return write!(out, "{value:.1} {unit}");
            }
            value /= 1024.0;
        }
        write!(out, "{value:.1} PiB")
    }
}

/// What [`Files::walk`] goes through. After an error it ends.
pub struct Walk<'h> {
    files: Files<'h>,
    path: String,
    after: Option<String>,
    page: VecDeque<Entry>,
    last: bool,
}

impl Walk<'_> {
    /// Starts behind a path, which may be gone by now.
    #[must_use]
    pub fn after(mut self, path: impl Into<String>) -> Self {
        self.after = Some(path.into());
        self
    }

    fn next_page(&mut self) -> Result<(), CallError<FilesError>> {
        let after = self.after.as_deref();
        let answer = self.files.host.backend.walk(self.files.root, &self.path, after, PAGE);
        self.page = answer.map_err(self.files.about(&self.path))?.into();
        // The host may answer less than it was asked for, so only nothing is the end.
        match self.page.back() {
            Some(last) => self.after = Some(last.path.clone()),
            None => self.last = true,
        }
        Ok(())
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Entry, CallError<FilesError>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty()
            && !self.last
            && let Err(error) = self.next_page()
        {
            self.last = true;
            return Some(Err(error));
        }
        self.page.pop_front().map(Ok)
    }
}

impl Capacity {
    /// What is not free, in percent of the total; nothing if the file system doesn't count bytes.
    pub fn used_percent(&self) -> Option<f64> {
        percent(self.total_bytes, self.free_bytes)
    }

    /// The same of inodes.
    pub fn used_inodes_percent(&self) -> Option<f64> {
        percent(self.total_inodes, self.free_inodes)
    }
}

#[allow(clippy::cast_precision_loss, reason = "a percentage needs no more than 52 bits")]
fn percent(total: u64, free: u64) -> Option<f64> {
    (total > 0).then(|| total.saturating_sub(free) as f64 * 100.0 / total as f64)
}

impl Cause for FilesError {
    fn verdict(&self) -> (Class, &'static str, String) {
        match self {
            Self::Denied(why) => (Class::Denied, "files-denied", why.clone()),
            Self::Missing => (
                Class::Permanent,
                "file-missing",
                "there is no such file or directory".into(),
            ),
            Self::Invalid(why) => (Class::Invalid, "files-invalid", why.clone()),
            Self::TooLarge => (Class::Permanent, "file-too-large", "it is larger than the limit".into()),
            Self::Io(why) => (Class::Permanent, "files-io", why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_df_prints_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX, "16384.0 PiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    #[test]
    fn a_percentage_needs_a_total() {
        let space = Capacity {
            total_bytes: 200,
            free_bytes: 50,
            total_inodes: 0,
            free_inodes: 0,
        };
        assert_eq!(space.used_percent(), Some(75.0));
        assert_eq!(space.used_inodes_percent(), None);
    }
}
