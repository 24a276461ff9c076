use std::collections::BTreeMap;

use crate::files::{Capacity, Entry, FilesError, Kind};

/// The roots, with what is below them by the names on the way.
#[derive(Default)]
pub(crate) struct Tree(BTreeMap<String, Root>);

#[derive(Default)]
struct Root {
    capacity: Option<Capacity>,
    nodes: BTreeMap<Vec<String>, Node>,
}

struct Node {
    entry: Entry,
    content: Vec<u8>,
}

impl Tree {
    pub fn set_capacity(&mut self, root: &str, capacity: Capacity) {
        self.0.entry(root.to_owned()).or_default().capacity = Some(capacity);
    }

    pub fn put(&mut self, root: &str, path: &str, content: &[u8], modified_ms: u64) {
        let entry = Entry {
            path: path.to_owned(),
            kind: Kind::File,
            bytes: content.len() as u64,
            modified_ms,
            mode: 0o644,
            uid: 0,
            gid: 0,
        };
        self.put_entry(root, entry);
        if let Some(node) = self.0.get_mut(root).and_then(|root| root.nodes.get_mut(&names(path))) {
            node.content = content.to_vec();
        }
    }

    /// With the directories on the way to it.
    pub fn put_entry(&mut self, root: &str, entry: Entry) {
        let nodes = &mut self.0.entry(root.to_owned()).or_default().nodes;
        let names = names(&entry.path);
        for depth in 1..names.len() {
            let parent = Entry {
                path: names[..depth].join("/"),
                kind: Kind::Directory,
                bytes: 0,
                modified_ms: entry.modified_ms,
                mode: 0o755,
                uid: entry.uid,
                gid: entry.gid,
            };
            nodes.entry(names[..depth].to_vec()).or_insert(Node {
                entry: parent,
                content: Vec::new(),
            });
        }
        nodes.insert(
            names,
            Node {
                entry,
                content: Vec::new(),
            },
        );
    }

    pub fn take(&mut self, root: &str, path: &str) {
        if let Some(root) = self.0.get_mut(root) {
            root.nodes.remove(&names(path));
        }
    }

    pub fn content(&self, root: &str, path: &str) -> Option<Vec<u8>> {
        let node = self.0.get(root)?.nodes.get(&names(path))?;
        (node.entry.kind == Kind::File).then(|| node.content.clone())
    }

    pub fn paths(&self, root: &str) -> Vec<String> {
        let nodes = self.0.get(root).into_iter().flat_map(|root| root.nodes.values());
        nodes.map(|node| node.entry.path.clone()).collect()
    }
}

/// What the capability answers.
impl Tree {
    pub fn space(&self, root: &str) -> Result<Capacity, FilesError> {
        self.root(root)?
            .capacity
            .ok_or_else(|| FilesError::Io("the mock host was not told this root's capacity".into()))
    }

    pub fn walk(&self, root: &str, path: &str, after: Option<&str>, limit: u32) -> Result<Vec<Entry>, FilesError> {
        let nodes = &self.root(root)?.nodes;
        let below = names(path);
        if !below.is_empty() {
            let start = nodes.get(&below).ok_or(FilesError::Missing)?;
            if start.entry.kind != Kind::Directory {
                return Err(FilesError::Invalid("it is not a directory".into()));
            }
        }
        let after = after.map(names);
        let entries = nodes
            .iter()
            .filter(|(names, _)| names.len() > below.len() && names.starts_with(&below));
        let entries = entries.filter(|(names, _)| after.as_ref().is_none_or(|after| *names > after));
        Ok(entries
            .take(limit as usize)
            .map(|(_, node)| node.entry.clone())
            .collect())
    }

    pub fn read(&self, root: &str, path: &str, offset: u64, limit: u32) -> Result<Vec<u8>, FilesError> {
        let node = self.root(root)?.nodes.get(&names(path)).ok_or(FilesError::Missing)?;
        if node.entry.kind != Kind::File {
            return Err(FilesError::Invalid("it is not a file".into()));
        }
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(node.content.len());
        let to = from.saturating_add(limit as usize).min(node.content.len());
        Ok(node.content[from..to].to_vec())
    }

    /// The bytes that were freed; nothing if it was gone already.
    pub fn remove(&mut self, root: &str, path: &str) -> Result<Option<u64>, FilesError> {
        self.root(root)?;
        let names = names(path);
        let Some(root) = self.0.get_mut(root) else {
            return Ok(None);
        };
        if root
            .nodes
            .keys()
            .any(|other| other.len() > names.len() && other.starts_with(&names))
        {
            return Err(FilesError::Io(format!("`{path}` is not empty")));
        }
        Ok(root.nodes.remove(&names).map(|node| node.entry.bytes))
    }

    fn root(&self, root: &str) -> Result<&Root, FilesError> {
        self.0
            .get(root)
            .ok_or_else(|| FilesError::Denied(format!("there is no root `{root}` on the mock host")))
    }
}

fn names(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}
