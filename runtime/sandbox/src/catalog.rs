//! The plugins of a home, and which of them are loaded.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use evenkeel_model::plugin::{Digest, Installed};
use tokio::sync::OnceCell;

use crate::component::{self, LoadError};
use crate::loaded::Loaded;
use crate::loader::{self, Loader};

/// Where components are, relative to a home.
pub const DIRECTORY: &str = "plugins";

/// What a look into a home's `plugins/` found.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// In order of their files.
    pub installed: Vec<Installed>,
    /// Files that are no plugins, each with the reason.
    pub refused: Vec<(String, LoadError)>,
}

/// Reads the manifests of `plugins/*.wasm`. Nothing is compiled and nothing runs.
pub fn scan(home: &Path) -> Scan {
    let mut scan = Scan::default();
    for file in files(&home.join(DIRECTORY)) {
        match installed(home, &file) {
            Ok(installed) => scan.installed.push(installed),
            Err(error) => scan.refused.push((file, error)),
        }
    }
    scan
}

fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let wasm = names.filter(|name| name.ends_with(".wasm") && !name.starts_with('.'));
    let mut files: Vec<String> = wasm.map(|name| format!("{DIRECTORY}/{name}")).collect();
    files.sort_unstable();
    files
}

/// What a component is, without compiling it. `file` is its path from the home.
///
/// # Errors
/// It can't be read, or is no plugin of this contract.
pub fn installed(home: &Path, file: &str) -> Result<Installed, LoadError> {
    let bytes = loader::read(home, file)?;
    let manifest = component::inspect(&bytes)?.into_manifest()?;
    Ok(Installed {
        manifest,
        digest: component::digest(&bytes),
        file: file.to_owned(),
    })
}

type Slot = Arc<OnceCell<Arc<Loaded>>>;

/// Components by digest. What an invocation began with it keeps, whatever is installed meanwhile.
pub struct Catalog {
    loader: Arc<Loader>,
    entries: RwLock<HashMap<Digest, Entry>>,
}

struct Entry {
    file: String,
    /// Filled when it is first called; several that wait for it load it once.
    slot: Slot,
    /// Since its idle pages were looked for the last time.
    called: AtomicBool,
}

impl Catalog {
    pub fn new(loader: Arc<Loader>) -> Self {
        Self {
            loader,
            entries: RwLock::default(),
        }
    }

    /// From now on these can be called. Others that were installed before stay as long as
    /// something of them runs; later they come out of the cache of compiled code, if at all.
    pub fn install(&self, installed: &[Installed]) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let stays = |digest: &Digest, entry: &Entry| {
            let in_use = entry.slot.get().is_some_and(|loaded| Arc::strong_count(loaded) > 1);
            in_use || Arc::strong_count(&entry.slot) > 1 || installed.iter().any(|new| new.digest == *digest)
        };
        entries.retain(|digest, entry| stays(digest, entry));
        for new in installed {
            let entry = entries.entry(new.digest.clone());
            entry
                .and_modify(|entry| entry.file.clone_from(&new.file))
                .or_insert_with(|| Entry {
                    file: new.file.clone(),
                    slot: Slot::default(),
                    called: AtomicBool::new(false),
                });
        }
    }

    /// The component, loaded if it was not yet. Who gives up waiting for it doesn't end the
    /// loading: the next one finds it done, or waits for the rest.
    pub async fn load(&self, digest: &Digest) -> Result<Arc<Loaded>, LoadError> {
        let (file, slot) = self.entry(digest);
        let (loader, digest) = (Arc::clone(&self.loader), digest.clone());
        let loading = tokio::spawn(async move {
            let loaded = slot.get_or_try_init(|| loader.load(&digest, file));
            loaded.await.cloned()
        });
        loading
            .await
            .unwrap_or_else(|error| Err(LoadError::Compile(error.to_string())))
    }

    /// The same, if it is to be called later.
    pub async fn prepare(&self, digest: &Digest) -> Result<(), LoadError> {
        if self.with(digest, |entry| entry.slot.initialized()) != Some(true) {
            self.load(digest).await?.code.release();
        }
        Ok(())
    }

    /// Out of the registry alone: what most invocations find.
    pub fn loaded(&self, digest: &Digest) -> Option<Arc<Loaded>> {
        self.with(digest, |entry| {
            // Read first: written each time, its cache line would go from core to core.
            if !entry.called.load(Ordering::Relaxed) {
                entry.called.store(true, Ordering::Relaxed);
            }
            entry.slot.get().cloned()
        })?
    }

    /// Lets go of the code that was not called since this was done the last time.
    pub fn release_idle(&self) {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let idle = entries
            .values()
            .filter(|entry| !entry.called.swap(false, Ordering::Relaxed));
        idle.filter_map(|entry| entry.slot.get())
            .for_each(|loaded| loaded.code.release());
    }

    fn with<T>(&self, digest: &Digest, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(digest).map(look)
    }

    fn entry(&self, digest: &Digest) -> (Option<String>, Slot) {
        self.with(digest, |entry| (Some(entry.file.clone()), Arc::clone(&entry.slot)))
            .unwrap_or_default()
    }
}
