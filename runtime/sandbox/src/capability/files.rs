//! `files`: what is under a root that the operator named.

use std::time::Duration;

use evenkeel_engine::port::reach::{EntryKind, FilesError, Identity, Walk};
use evenkeel_model::action::hex;
use evenkeel_model::call::Call;
use evenkeel_model::grant::Capability;
use evenkeel_model::name::AssetId;
use evenkeel_model::role::{Resource, Root};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::subject::{files as subject, plain as file};
use super::{asset, granted, journal};
use crate::allowance::Use;
use crate::bindings::evenkeel::cap::files;
use crate::state::State;

/// Entries of one page of `walk`.
const PAGE: u32 = 10_000;
/// Paths of one `remove`.
const PATHS: usize = 10_000;
/// Left to the plugin of its time when a call of it takes too long.
const MARGIN: Duration = Duration::from_millis(500);

type Answer<T> = wasmtime::Result<Result<T, files::FilesError>>;

impl files::Host for State {
    async fn space(&mut self, root: String) -> Answer<files::Capacity> {
        let call = call("space", root.clone(), json!({ "root": root }));
        let granted = self.root("read", &root);
        let ((at, root), ticket) = admitted!(self.admit(call, &[], granted).await?, files::FilesError);
        let answer = in_time(self.disk_patience(), self.ports.reach.clone().space(&at, &root)).await;
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map(Into::into).map_err(Into::into))
    }

    async fn walk(
        &mut self,
        root: String,
        path: String,
        after: Option<String>,
        limit: u32,
    ) -> Answer<Vec<files::Entry>> {
        let request = json!({ "root": root, "path": path, "after": after, "limit": limit });
        let call = call("walk", subject(&root, &path), request);
        let granted = directory(&path).and_then(|()| self.root("read", &root));
        let ((at, root), ticket) = admitted!(self.admit(call, &[], granted).await?, files::FilesError);
        let walk = Walk {
            path,
            after,
            limit: limit.min(PAGE),
        };
        let answer = in_time(self.disk_patience(), self.ports.reach.clone().walk(&at, &root, walk)).await;
        for what in answer.iter().flat_map(|page| &page.left_out) {
            self.log.write(evenkeel_model::call::Level::Warn, what, Vec::new());
        }
        let answer = self.finish(ticket, answer).await?;
        Ok(answer
            .map(|page| page.entries.into_iter().map(Into::into).collect())
            .map_err(Into::into))
    }

    async fn read(&mut self, root: String, path: String, offset: u64, limit: u32) -> Answer<Vec<u8>> {
        let request = json!({ "root": root, "path": path, "offset": offset, "limit": limit });
        let call = call("read", subject(&root, &path), request);
        let granted = file(&path).and_then(|()| self.root("read", &root));
        let ((at, root), ticket) = admitted!(self.admit(call, &[], granted).await?, files::FilesError);
        let limit = limit.min(u32::try_from(self.invocation.limits.answer_bytes).unwrap_or(u32::MAX));
        let answer = in_time(
            self.disk_patience(),
            self.ports.reach.clone().read(&at, &root, &path, offset, limit),
        )
        .await;
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map_err(Into::into))
    }

    async fn write(&mut self, root: String, path: String, content: Vec<u8>) -> Answer<()> {
        let request = json!({ "root": root, "path": path, "content": journal::bytes(&content) });
        let mut call = effect("write", subject(&root, &path), request);
        call.content = Some(hex(&Sha256::digest(&content)));
        let granted = file(&path).and_then(|()| self.root("write", &root));
        let subject = call.subject.clone();
        let uses = [Use {
            capability: "files",
            operation: "write",
            subject,
            content: &content,
        }];
        let ((at, root), mut ticket) = admitted!(self.admit(call, &uses, granted).await?, files::FilesError);
        self.intend(&mut ticket).await?;
        let answer = self.ports.reach.clone().write(&at, &root, &path, content).await;
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map_err(Into::into))
    }

    async fn remove(&mut self, root: String, paths: Vec<String>) -> Answer<files::Removed> {
        let first = paths.first().map_or("", String::as_str);
        let call = effect("remove", subject(&root, first), json!({ "root": root, "paths": paths }));
        let granted = removable(&paths).and_then(|()| self.root("remove", &root));
        let uses: Vec<Use<'_>> = paths
            .iter()
            .map(|path| Use {
                capability: "files",
                operation: "remove",
                subject: subject(&root, path),
                content: b"",
            })
            .collect();
        let ((at, root), mut ticket) = admitted!(self.admit(call, &uses, granted).await?, files::FilesError);
        let reach = self.ports.reach.clone();
        let what = match in_time(self.disk_patience(), reach.identify(&at, &root, &paths)).await {
            Ok(found) => present(paths, found),
            Err(error) => {
                return Ok(self
                    .finish(ticket, Err(error))
                    .await?
                    .map(to_removed)
                    .map_err(Into::into));
            }
        };
        ticket.call.request["identities"] = what.iter().map(|(path, is)| identity(path, is)).collect();
        self.intend(&mut ticket).await?;
        let answer = reach.remove(&at, &root, what).await;
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map(to_removed).map_err(Into::into))
    }
}

impl State {
    /// Where the root is, if it may be used so.
    fn root(&self, verb: &str, name: &str) -> Result<(AssetId, Root), String> {
        let resource = granted(&self.invocation.access, Capability::Files, verb, name)?;
        let Resource::Root(root) = resource else {
            return Err(format!("`{name}` is no root"));
        };
        Ok((asset(name, &self.invocation.target.id), root.clone()))
    }

    fn disk_patience(&self) -> Duration {
        self.patience(Duration::MAX, MARGIN)
    }
}

/// A disk or a network file system that hangs must not hold the plugin.
async fn in_time<T>(patience: Duration, work: impl Future<Output = Result<T, FilesError>>) -> Result<T, FilesError> {
    tokio::time::timeout(patience, work)
        .await
        .unwrap_or_else(|_| Err(FilesError::Io("it took too long".into())))
}

fn call(operation: &str, subject: String, request: Value) -> Call {
    Call {
        capability: Capability::Files,
        operation: operation.to_owned(),
        subject,
        request,
        content: None,
        effect: false,
        repeatable: true,
    }
}

fn effect(operation: &str, subject: String, request: Value) -> Call {
    Call {
        effect: true,
        ..call(operation, subject, request)
    }
}

/// The root itself too, as an empty path.
fn directory(path: &str) -> Result<(), String> {
    if path.is_empty() { Ok(()) } else { file(path) }
}

fn removable(paths: &[String]) -> Result<(), String> {
    if paths.is_empty() || paths.len() > PATHS {
        return Err(format!("{} paths: 1 to {PATHS} can be removed at once", paths.len()));
    }
    paths.iter().try_for_each(|path| file(path))
}

fn present(paths: Vec<String>, found: Vec<Option<Identity>>) -> Vec<(String, Identity)> {
    paths
        .into_iter()
        .zip(found)
        .filter_map(|(path, identity)| Some((path, identity?)))
        .collect()
}

fn identity(path: &str, is: &Identity) -> Value {
    let modified = i64::try_from(is.modified_ns).unwrap_or_default();
    json!({ "path": path, "bytes": is.bytes, "modified-ns": modified, "device": is.device, "inode": is.inode })
}

fn to_removed(removed: evenkeel_engine::port::reach::Removed) -> files::Removed {
    files::Removed {
        files: removed.files,
        bytes: removed.bytes,
    }
}

impl From<evenkeel_engine::port::reach::Capacity> for files::Capacity {
    fn from(capacity: evenkeel_engine::port::reach::Capacity) -> Self {
        Self {
            total_bytes: capacity.total_bytes,
            free_bytes: capacity.free_bytes,
            total_inodes: capacity.total_inodes,
            free_inodes: capacity.free_inodes,
        }
    }
}

impl From<evenkeel_engine::port::reach::Entry> for files::Entry {
    fn from(entry: evenkeel_engine::port::reach::Entry) -> Self {
        Self {
            path: entry.path,
            kind: match entry.kind {
                EntryKind::File => files::Kind::File,
                EntryKind::Directory => files::Kind::Directory,
                EntryKind::Link => files::Kind::Link,
                EntryKind::Other => files::Kind::Other,
            },
            bytes: entry.bytes,
            modified_ms: entry.modified_ms,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
        }
    }
}

impl From<FilesError> for files::FilesError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Denied(why) => Self::Denied(why),
            FilesError::Missing => Self::Missing,
            FilesError::Invalid(why) => Self::Invalid(why),
            FilesError::TooLarge => Self::TooLarge,
            FilesError::Io(why) => Self::Io(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_have_one_plain_form() {
        for path in ["a", "a/b", "a b/ä", "...", "**", "a\nb", "-rf"] {
            assert_eq!(file(path), Ok(()), "{path}");
        }
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a/..",
            "a/",
            "a//b",
            "./a",
            "a/.",
            "a\0b",
        ] {
            assert!(file(path).is_err(), "{path:?}");
        }
        assert_eq!(directory(""), Ok(()));
        assert_eq!(
            file("a/../../etc").unwrap_err(),
            "`a/../../etc` is not a plain path within the root: no `..`, `.`, empty name, or slash at an end"
        );
    }

    proptest! {
        #[test]
        fn an_accepted_path_stays_below_its_root(path in "[a./]{0,12}") {
            if file(&path).is_ok() {
                let joined = std::path::Path::new("/root").join(&path);
                let names: Vec<_> = joined.components().collect();
                prop_assert!(names.iter().all(|name| *name != std::path::Component::ParentDir));
                prop_assert!(joined.starts_with("/root") && names.len() > 2);
            }
        }
    }
}
