//! All that is under a directory, byte for byte, to tell whether anything changed.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What was under a directory at one moment. Two of them are equal if nothing changed: no
/// content, no link, no mode, no owner, and no time of a change.
#[derive(PartialEq, Eq)]
pub struct Tree(BTreeMap<PathBuf, Node>);

#[derive(PartialEq, Eq)]
struct Node {
    inode: u64,
    mode: u32,
    owner: (u32, u32),
    /// Of the content and of the inode, in nanoseconds since 1970.
    changed: (i128, i128),
    content: Content,
}

#[derive(PartialEq, Eq)]
enum Content {
    Bytes(Vec<u8>),
    Link(PathBuf),
    Directory,
    /// A socket, a FIFO or a device: never opened.
    Special,
}

impl Tree {
    /// Reads it, links not followed.
    ///
    /// # Errors
    /// When something can't be read.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let mut nodes = BTreeMap::new();
        walk(directory, &mut nodes)?;
        Ok(Self(nodes))
    }

    /// The names of the files in it, sorted, relative to `directory`.
    pub fn files(&self, directory: &Path) -> Vec<String> {
        let is_file = |node: &Node| matches!(node.content, Content::Bytes(_));
        let files = self.0.iter().filter(|(_, node)| is_file(node));
        files
            .map(|(path, _)| path.strip_prefix(directory).unwrap_or(path).display().to_string())
            .collect()
    }
}

/// What `assert_eq!` shows: the names are enough to see what came and went.
impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (path, node) in &self.0 {
            map.entry(
                path,
                &format_args!("inode {}, mode {:o}, changed {:?}", node.inode, node.mode, node.changed),
            );
        }
        map.finish()
    }
}

fn walk(path: &Path, nodes: &mut BTreeMap<PathBuf, Node>) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = metadata.file_type();
    let content = if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), nodes)?;
        }
        Content::Directory
    } else if kind.is_symlink() {
        Content::Link(fs::read_link(path)?)
    } else if kind.is_file() {
        Content::Bytes(fs::read(path)?)
    } else {
        Content::Special
    };
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let node = Node {
        inode: metadata.ino(),
        mode: metadata.mode(),
        owner: (metadata.uid(), metadata.gid()),
        changed: (
            nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        ),
        content,
    };
    nodes.insert(path.to_owned(), node);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_written_again_with_the_same_bytes_is_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a/b");
        fs::create_dir(directory.path().join("a")).unwrap();
        fs::write(&file, "same").unwrap();
        let before = Tree::of(directory.path()).unwrap();
        assert_eq!(before, Tree::of(directory.path()).unwrap());

        fs::remove_file(&file).unwrap();
        fs::write(&file, "same").unwrap();

        assert_ne!(before, Tree::of(directory.path()).unwrap());
        assert_eq!(before.files(directory.path()), ["a/b"]);
    }
}
