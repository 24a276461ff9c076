//! The way from a component's file to something that can be instantiated: out of the cache of
//! compiled code, or by way of the compiler.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use evenkeel_model::plugin::Digest;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::cache::Cache;
use crate::code::{self, Code};
use crate::compiler::{Bounds, Cause, Compiler, Failure};
use crate::component::{self, LoadError, MAX_BYTES};
use crate::failures::Failures;
use crate::loaded::Loaded;
use crate::state::State;

pub struct Loader {
    engine: Engine,
    linker: Linker<State>,
    home: PathBuf,
    /// None: what is compiled is not kept.
    cache: Option<Cache>,
    compiler: Compiler,
    bounds: RwLock<Bounds>,
    failures: Failures,
}

impl Loader {
    pub fn new(
        engine: Engine,
        linker: Linker<State>,
        home: PathBuf,
        cache: Option<Cache>,
        compiler: Compiler,
        bounds: Bounds,
    ) -> Self {
        Self {
            engine,
            linker,
            home,
            cache,
            compiler,
            bounds: RwLock::new(bounds),
            failures: Failures::default(),
        }
    }

    /// From now on compiling is bounded by these, and what failed for reasons outside of the
    /// component may be tried again.
    pub fn bound(&self, bounds: Bounds) {
        *self.bounds.write().unwrap_or_else(PoisonError::into_inner) = bounds;
        self.failures.forget_the_machine_s();
    }

    /// `file` is where the component was installed; none: only compiled code can serve.
    pub async fn load(self: &Arc<Self>, digest: &Digest, file: Option<String>) -> Result<Arc<Loaded>, LoadError> {
        let of = digest.clone();
        if let Some(loaded) = self.apart(move |loader| loader.cached(&of)).await? {
            return Ok(loaded);
        }
        let file = file.ok_or_else(|| LoadError::NotInstalled(digest.clone()))?;
        let bounds = self.bounds();
        if let Some(error) = self.failures.known(self.cache.as_ref(), digest, &bounds) {
            return Err(error);
        }
        let of = digest.clone();
        let bytes = self
            .apart(move |loader| read_unchanged(&loader.home, file, &of))
            .await?;
        let compiled = self.compiler.compile(&self.engine, bytes, bounds).await;
        let of = digest.clone();
        let taken = match compiled {
            // What can't be taken is for the engine as it was started: too small a pool, say.
            Ok(code) => self
                .apart(move |loader| loader.take(&of, &code))
                .await
                .map_err(|error| Failure {
                    error,
                    cause: Cause::Machine,
                }),
            Err(failure) => Err(failure),
        };
        taken.map_err(|failure| {
            self.failures.remember(self.cache.as_ref(), digest, &failure, bounds);
            failure.error
        })
    }

    /// A component that is neither looked for in the cache nor put there.
    pub async fn load_once(self: &Arc<Self>, bytes: Vec<u8>) -> Result<Arc<Loaded>, LoadError> {
        let compiled = self.compiler.compile(&self.engine, bytes, self.bounds()).await;
        let code = compiled.map_err(|failure| failure.error)?;
        self.apart(move |loader| loader.link(code::take(&loader.engine, &code)?))
            .await
    }

    fn bounds(&self) -> Bounds {
        *self.bounds.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn cached(&self, digest: &Digest) -> Result<Option<Arc<Loaded>>, LoadError> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let code = cache.load(&self.engine, digest)?;
        code.map(|code| self.link(code)).transpose()
    }

    fn take(&self, digest: &Digest, code: &[u8]) -> Result<Arc<Loaded>, LoadError> {
        if let Some(cache) = &self.cache {
            cache.store(digest, code);
            // Mapped from the file, several processes share its pages, and none holds a copy.
            if let Some(code) = cache.load(&self.engine, digest)? {
                return self.link(code);
            }
        }
        self.link(code::take(&self.engine, code)?)
    }

    fn link(&self, code: Code) -> Result<Arc<Loaded>, LoadError> {
        Loaded::new(&self.linker, code).map(Arc::new)
    }

    /// On a thread where it may take its time: it reads files, hashes and maps.
    async fn apart<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, LoadError> + Send + 'static,
    ) -> Result<T, LoadError> {
        let loader = Arc::clone(self);
        let work = tokio::task::spawn_blocking(move || work(&loader));
        work.await
            .unwrap_or_else(|error| Err(LoadError::Compile(error.to_string())))
    }
}

/// A component's bytes, not more than one may have.
pub fn read(home: &Path, file: &str) -> Result<Vec<u8>, LoadError> {
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

/// The same if they are those that were installed, and parse.
fn read_unchanged(home: &Path, file: String, digest: &Digest) -> Result<Vec<u8>, LoadError> {
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
    Ok(bytes)
}
