//! The plugins of a home, and which of them are loaded.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use evenkeel_model::plugin::{Digest, Installed};
use tokio::sync::OnceCell;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::cache::Cache;
use crate::code;
use crate::component::{self, LoadError, MAX_BYTES};
use crate::loaded::Loaded;
use crate::state::State;

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

fn installed(home: &Path, file: &str) -> Result<Installed, LoadError> {
    let bytes = read(home, file)?;
    let manifest = component::inspect(&bytes)?.into_manifest()?;
    Ok(Installed {
        manifest,
        digest: component::digest(&bytes),
        file: file.to_owned(),
    })
}

fn read(home: &Path, file: &str) -> Result<Vec<u8>, LoadError> {
    let unreadable = |error: std::io::Error| LoadError::Unreadable {
        file: file.to_owned(),
        cause: error.to_string(),
    };
    let path = home.join(file);
    let bytes = fs::metadata(&path).map_err(unreadable)?.len();
    if bytes > MAX_BYTES as u64 {
        return Err(LoadError::TooLarge(usize::try_from(bytes).unwrap_or(usize::MAX)));
    }
    fs::read(&path).map_err(unreadable)
}

type Slot = Arc<OnceCell<Arc<Loaded>>>;

/// Components by digest. What an invocation began with it keeps, whatever is installed meanwhile.
pub struct Catalog {
    home: PathBuf,
    cache: Option<Arc<Cache>>,
    entries: RwLock<HashMap<Digest, Entry>>,
}

struct Entry {
    file: String,
    /// Filled when it is first called; several that wait for it load it once.
    slot: Slot,
}

impl Catalog {
    pub fn new(home: PathBuf, cache: Option<Cache>) -> Self {
        Self {
            home,
            cache: cache.map(Arc::new),
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
                });
        }
    }

    /// The component, loaded if it was not yet.
    pub async fn load(
        &self,
        engine: &Engine,
        linker: &Linker<State>,
        digest: &Digest,
    ) -> Result<Arc<Loaded>, LoadError> {
        let (file, slot) = self.entry(digest);
        let loaded = slot.get_or_try_init(|| async {
            let component = self.component(engine, digest, file).await?;
            Loaded::new(linker, &component).map(Arc::new)
        });
        loaded.await.cloned()
    }

    /// Out of the registry alone: what most invocations find.
    pub fn loaded(&self, digest: &Digest) -> Option<Arc<Loaded>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(digest)?.slot.get().cloned()
    }

    fn entry(&self, digest: &Digest) -> (Option<String>, Slot) {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        match entries.get(digest) {
            Some(entry) => (Some(entry.file.clone()), Arc::clone(&entry.slot)),
            None => (None, Slot::default()),
        }
    }

    async fn component(&self, engine: &Engine, digest: &Digest, file: Option<String>) -> Result<Component, LoadError> {
        let (engine, digest) = (engine.clone(), digest.clone());
        let (home, cache) = (self.home.clone(), self.cache.clone());
        let work = tokio::task::spawn_blocking(move || {
            let cached = cache.as_ref().and_then(|cache| cache.load(&engine, &digest));
            cached.map_or_else(|| make(&engine, cache.as_deref(), &home, file, &digest), Ok)
        });
        // A panic of the compiler ends that task, and nothing else.
        work.await
            .unwrap_or_else(|error| Err(LoadError::Compile(error.to_string())))
    }
}

fn make(
    engine: &Engine,
    cache: Option<&Cache>,
    home: &Path,
    file: Option<String>,
    digest: &Digest,
) -> Result<Component, LoadError> {
    let file = file.ok_or_else(|| LoadError::NotInstalled(digest.clone()))?;
    let bytes = read(home, &file)?;
    let found = component::digest(&bytes);
    if found != *digest {
        return Err(LoadError::Changed {
            file,
            wanted: digest.clone(),
            found,
        });
    }
    component::inspect(&bytes)?;
    let code = code::compile(engine, &bytes)?;
    let Some(cache) = cache else {
        return code::take(engine, &code);
    };
    cache.store(digest, &code);
    // Mapped from the file, several plugins share its pages with the page cache.
    cache.load(engine, digest).map_or_else(|| code::take(engine, &code), Ok)
}
