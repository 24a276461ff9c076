//! The sandbox as the other rooms see it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use evenkeel_engine::port::{Calls, Invocation, Plugins};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Outcome, Stop};
use evenkeel_model::plugin::{Digest, Installed, Kind};
use serde_json::Value;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::cache::Cache;
use crate::capability;
use crate::catalog::Catalog;
use crate::code;
use crate::component::{self, LoadError};
use crate::describe;
use crate::halt::Halt;
use crate::invoke;
use crate::loaded::Loaded;
use crate::ports::Ports;
use crate::state::State;

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("WebAssembly can't be run on this machine: {0}")]
    Engine(String),
    #[error("the cache of compiled plugins can't be opened: {0}")]
    Cache(#[from] std::io::Error),
}

/// Runs plugins, each call in a fresh instance.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<State>,
    catalog: Catalog,
    ports: Ports,
    /// In front of the pool of instances, so that too many at once wait instead of failing.
    slots: Semaphore,
}

impl Sandbox {
    /// `home` is where components are read from, `data` where compiled code is kept; none: it is
    /// not kept. Of the limits, `concurrency` and `memory_bytes` are fixed here for good, the
    /// others come with each invocation.
    pub fn new(home: &Path, data: Option<&Path>, limits: &SandboxLimits, ports: Ports) -> Result<Self, StartError> {
        let wrong = |error: wasmtime::Error| StartError::Engine(format!("{error:#}"));
        let engine = crate::engine::start(limits).map_err(wrong)?;
        let mut linker = Linker::new(&engine);
        capability::link(&mut linker).map_err(wrong)?;
        let cache = data.map(|data| Cache::open(data, &engine)).transpose()?;
        let catalog = Catalog::new(home.to_path_buf(), cache);
        Ok(Self {
            engine,
            linker,
            catalog,
            ports,
            slots: Semaphore::new(limits.concurrency.max(1)),
        })
    }

    /// Makes these plugins callable, by their digests. A run keeps what it began with.
    pub fn install(&self, installed: &[Installed]) {
        self.catalog.install(installed);
    }

    /// Compiles a plugin if that is needed, and checks it against the contract.
    pub async fn load(&self, digest: &Digest) -> Result<(), LoadError> {
        self.loaded(digest).await.map(drop)
    }

    /// Asks a component for the JSON schema of each kind that it exports, with every capability
    /// denied.
    pub async fn describe(&self, bytes: &[u8]) -> Result<BTreeMap<Kind, Value>, LoadError> {
        component::inspect(bytes)?;
        let (engine, owned) = (self.engine.clone(), bytes.to_vec());
        let compiled = tokio::task::spawn_blocking(move || {
            let code = code::compile(&engine, &owned)?;
            code::take(&engine, &code)
        });
        let component = compiled
            .await
            .unwrap_or_else(|error| Err(LoadError::Compile(error.to_string())))?;
        let loaded = Loaded::new(&self.linker, &component)?;
        let _slot = self.slots.acquire().await;
        describe::ask(&loaded, &self.ports).await
    }

    async fn loaded(&self, digest: &Digest) -> Result<Arc<Loaded>, LoadError> {
        match self.catalog.loaded(digest) {
            Some(loaded) => Ok(loaded),
            None => self.catalog.load(&self.engine, &self.linker, digest).await,
        }
    }
}

#[async_trait]
impl Plugins for Sandbox {
    async fn invoke(&self, invocation: Invocation, calls: Arc<dyn Calls>) -> Outcome {
        let timeout = invocation.timeout;
        // Its own time begins when it has a slot and its code; both waits are bounded as well.
        let waited = tokio::time::timeout(timeout, async {
            let loaded = self.loaded(&invocation.plugin.digest).await;
            (loaded, self.slots.acquire().await)
        });
        let Ok((loaded, slot)) = waited.await else {
            return Halt::new(
                Stop::Deadline,
                "its turn did not come in time: too many plugins run at once",
            )
            .into();
        };
        let loaded = match loaded {
            Ok(loaded) => loaded,
            Err(error) => return Halt::new(Stop::Load, format!("`{}`: {error}", invocation.plugin)).into(),
        };
        let _slot = slot.ok();
        invoke::run(&loaded, State::new(invocation, calls, self.ports.clone())).await
    }
}
