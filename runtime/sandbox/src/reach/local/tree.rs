//! What is below a directory of this machine, page by page.

use std::cmp::Ordering;
use std::path::Path;

use cap_std::fs::{Dir, Metadata, MetadataExt as _};
use evenkeel_engine::port::reach::{Entry, EntryKind, FilesError, Page, Walk};

use super::files::{enter, fault, open_root};

/// Names that one page looks at: directories are read whole, to be in order.
const NAMES: usize = 1_000_000;
/// Each open directory on the way down takes a file descriptor.
const DEPTH: usize = 128;
/// Things left out that are told one by one.
const TOLD: usize = 10;

/// Depth first, the names of a directory in the order of their bytes. Links are entries, and
/// never entered.
pub fn walk(root: &Path, walk: &Walk) -> Result<Page, FilesError> {
    let root = open_root(root)?;
    let dir = match walk.path.as_str() {
        "" => root,
        path => root.open_dir(path).map_err(|error| fault(path, &error))?,
    };
    let after = after(walk)?;
    let mut walker = Walker {
        limit: walk.limit as usize,
        names: 0,
        page: Page::default(),
    };
    walker.directory(&dir, &walk.path, &after, 0)?;
    Ok(walker.page)
}

/// The names on the way from the directory to the last entry of the page before.
fn after(walk: &Walk) -> Result<Vec<&str>, FilesError> {
    let Some(after) = &walk.after else {
        return Ok(Vec::new());
    };
    let below = match walk.path.as_str() {
        "" => Some(after.as_str()),
        path => after.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')),
    };
    let below = below.ok_or_else(|| FilesError::Invalid(format!("`{after}` is not below `{}`", walk.path)))?;
    Ok(below.split('/').collect())
}

struct Walker {
    limit: usize,
    names: usize,
    page: Page,
}

impl Walker {
    fn full(&self) -> bool {
        self.page.entries.len() >= self.limit
    }

    fn directory(&mut self, dir: &Dir, path: &str, after: &[&str], depth: usize) -> Result<(), FilesError> {
        for name in self.names(dir, path)? {
            if self.full() {
                break;
            }
            match after
                .first()
                .map_or(Ordering::Greater, |after| name.as_str().cmp(after))
            {
                Ordering::Less => {}
                Ordering::Equal => self.entry(dir, path, &name, Some(&after[1..]), depth)?,
                Ordering::Greater => self.entry(dir, path, &name, None, depth)?,
            }
        }
        Ok(())
    }

    /// `after` is set if the entry itself was on an earlier page.
    fn entry(
        &mut self,
        dir: &Dir,
        parent: &str,
        name: &str,
        after: Option<&[&str]>,
        depth: usize,
    ) -> Result<(), FilesError> {
        let path = if parent.is_empty() {
            name.to_owned()
        } else {
            format!("{parent}/{name}")
        };
        // Gone since its name was read: it is not there.
        let Ok(metadata) = dir.symlink_metadata(name) else {
            return Ok(());
        };
        let is_directory = metadata.is_dir();
        if after.is_none() {
            self.page.entries.push(entry(path.clone(), &metadata));
        }
        if !is_directory || self.full() {
            return Ok(());
        }
        if depth >= DEPTH {
            self.leave_out(|| format!("`{path}` is deeper than {DEPTH} directories"));
            return Ok(());
        }
        match enter(dir, name) {
            Ok(entered) => self.directory(&entered, &path, after.unwrap_or_default(), depth + 1),
            Err(error) => {
                self.leave_out(|| format!("`{path}` can't be looked into: {error}"));
                Ok(())
            }
        }
    }

    fn names(&mut self, dir: &Dir, path: &str) -> Result<Vec<String>, FilesError> {
        let entries = match dir.entries() {
            Ok(entries) => entries,
            Err(error) => {
                self.leave_out(|| format!("`{path}` can't be read: {error}"));
                return Ok(Vec::new());
            }
        };
        let mut names = Vec::new();
        for entry in entries {
            self.names += 1;
            if self.names > NAMES {
                return Err(FilesError::TooLarge);
            }
            match entry.map_err(|error| fault(path, &error))?.file_name().into_string() {
                Ok(name) => names.push(name),
                Err(name) => {
                    self.leave_out(|| format!("`{}` in `{path}` is not UTF-8, and can't be named", name.display()));
                }
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn leave_out(&mut self, what: impl FnOnce() -> String) {
        if self.page.left_out.len() < TOLD {
            self.page.left_out.push(what());
        }
    }
}

fn entry(path: String, metadata: &Metadata) -> Entry {
    let modified = i128::from(metadata.mtime()) * 1_000 + i128::from(metadata.mtime_nsec()) / 1_000_000;
    Entry {
        path,
        kind: match () {
            () if metadata.is_file() => EntryKind::File,
            () if metadata.is_dir() => EntryKind::Directory,
            () if metadata.is_symlink() => EntryKind::Link,
            () => EntryKind::Other,
        },
        bytes: metadata.len(),
        modified_ms: u64::try_from(modified).unwrap_or(0),
        mode: metadata.mode(),
        uid: metadata.uid(),
        gid: metadata.gid(),
    }
}
