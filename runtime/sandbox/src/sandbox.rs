//! The sandbox as the other rooms see it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use evenkeel_engine::port::metrics::{MetricsError, Question, Series};
use evenkeel_engine::port::{Calls, Invocation, Plugins};
use evenkeel_engine::recording::{Recording, Replayed};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Outcome, Stop};
use evenkeel_model::name::AssetId;
use evenkeel_model::plugin::{Digest, Installed, Kind, Pinned};
use evenkeel_model::role::Source;
use semver::Version;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wasmtime::component::Linker;

use crate::cache::Cache;
use crate::capability;
use crate::catalog::Catalog;
use crate::circuit::{Circuits, Open as OpenCircuit};
use crate::compiler::Compiler;
use crate::component::{self, LoadError};
use crate::describe;
use crate::halt::Halt;
use crate::invoke;
use crate::loaded::Loaded;
use crate::loader::Loader;
use crate::ports::Ports;
use crate::replay::{self, Replay};
use crate::state::State;
use crate::wait;

/// A replay may take so many times the CPU time of the invocation, which may have run on a faster
/// machine.
const REPLAY_CPU: u32 = 4;

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
    loader: Arc<Loader>,
    catalog: Catalog,
    ports: Ports,
    circuits: Circuits,
    /// In front of the pool of instances, so that too many at once wait instead of failing.
    slots: Semaphore,
}

impl Sandbox {
    /// `home` is where components are read from, `data` where compiled code is kept; none: it is
    /// not kept. Of the limits, `concurrency` and `memory_bytes` are fixed here for good, those of
    /// compiling until [`Sandbox::bound_compiling`]; the others come with each invocation.
    pub fn new(
        home: &Path,
        data: Option<&Path>,
        limits: &SandboxLimits,
        compiler: Compiler,
        ports: Ports,
    ) -> Result<Self, StartError> {
        let wrong = |error: wasmtime::Error| StartError::Engine(format!("{error:#}"));
        let engine = crate::engine::start(limits).map_err(wrong)?;
        let mut linker = Linker::new(&engine);
        capability::link(&mut linker).map_err(wrong)?;
        let cache = data.map(|data| Cache::open(data, &engine)).transpose()?;
        let loader = Loader::new(engine, linker, home.to_path_buf(), cache, compiler, limits.into());
        let loader = Arc::new(loader);
        Ok(Self {
            catalog: Catalog::new(Arc::clone(&loader)),
            loader,
            ports,
            circuits: Circuits::default(),
            slots: Semaphore::new(limits.concurrency.max(1)),
        })
    }

    /// From now on compiling is bounded by the limits of a home that was read anew.
    pub fn bound_compiling(&self, limits: &SandboxLimits) {
        self.loader.bound(limits.into());
    }

    /// Makes these plugins callable, by their digests. A run keeps what it began with.
    pub fn install(&self, installed: &[Installed]) {
        self.catalog.install(installed);
    }

    /// Compiles a plugin if that is needed, and checks it against the contract. Its code becomes
    /// resident when it is called.
    pub async fn load(&self, digest: &Digest) -> Result<(), LoadError> {
        self.catalog.prepare(digest).await
    }

    /// Plugins that were not called since this was done the last time stay callable, but take no
    /// memory for their code until they are.
    pub fn release_idle(&self) {
        self.catalog.release_idle();
    }

    /// Asks a component for the JSON schema of each kind that it exports, with every capability
    /// denied.
    pub async fn describe(&self, bytes: &[u8]) -> Result<BTreeMap<Kind, Value>, LoadError> {
        component::inspect(bytes)?;
        let loaded = self.loader.load_once(bytes.to_vec()).await?;
        let _slot = self.slots.acquire().await;
        describe::ask(&loaded, &self.ports).await
    }

    /// Plugins that are not called for a while because they trapped too often.
    pub fn open_circuits(&self) -> Vec<OpenCircuit> {
        self.circuits.open(Instant::now())
    }

    /// Calls this plugin again, in one version or in all; answers how many circuits were open.
    pub fn close_circuits(&self, plugin: &str, version: Option<&Version>) -> usize {
        self.circuits.close(plugin, version)
    }

    /// Runs a recorded invocation again with the plugin of this digest, which may be another version
    /// of the one that was recorded. Nothing is asked, changed or waited for; it ends at the first
    /// difference.
    ///
    /// # Errors
    /// There is no such plugin, or it can't be loaded.
    pub async fn replay(&self, recording: Recording, with: &Digest) -> Result<Replayed, LoadError> {
        let loaded = self.loaded(with).await?;
        let plugin = Pinned {
            digest: with.clone(),
            ..recording.plugin.clone()
        };
        let invocation = replay::invocation(&recording, &plugin);
        let looped = matches!(recording.outcome, Some(Outcome::Stopped { stop: Stop::Cpu, .. }));
        let cpu = invocation
            .limits
            .cpu
            .saturating_mul(if looped { 1 } else { REPLAY_CPU });
        let state = State::replaying(invocation, self.ports.clone(), Replay::new(recording), cpu);
        let _slot = self.slots.acquire().await;
        let replayed = invoke::replay(&loaded, state).await;
        Ok(replayed.expect("it was a replay"))
    }

    async fn loaded(&self, digest: &Digest) -> Result<Arc<Loaded>, LoadError> {
        match self.catalog.loaded(digest) {
            Some(loaded) => Ok(loaded),
            None => self.catalog.load(digest).await,
        }
    }
}

#[async_trait]
impl Plugins for Sandbox {
    async fn invoke(&self, invocation: Invocation, calls: Arc<dyn Calls>) -> Outcome {
        let pass = match self.circuits.enter(&invocation, Instant::now()) {
            Ok(pass) => pass,
            Err(halt) => return halt.into(),
        };
        let outcome = self.call(invocation, calls).await;
        pass.leave(&outcome, Instant::now());
        outcome
    }

    async fn ask(&self, asset: &AssetId, source: &Source, question: Question) -> Result<Vec<Series>, MetricsError> {
        let timeout = question.timeout;
        let asked = async {
            let token = match &source.token {
                Some(secret) => match self.ports.vault.value(secret).await {
                    Ok(Some(token)) => Some(token),
                    Ok(None) => return Err(MetricsError::Unavailable("the source's token is not there".into())),
                    Err(why) => return Err(MetricsError::Unavailable(why)),
                },
                None => None,
            };
            let answered = self.ports.metrics.query(asset, source, token.as_ref(), question).await;
            // What a server says of a request may repeat it.
            answered.map_err(|error| match (error, &token) {
                (MetricsError::Unavailable(why), Some(token)) => {
                    MetricsError::Unavailable(why.replace(token.expose(), "***"))
                }
                (MetricsError::Invalid(why), Some(token)) => MetricsError::Invalid(why.replace(token.expose(), "***")),
                (error, _) => error,
            })
        };
        let late = || MetricsError::Unavailable("it did not answer in time".into());
        let answered = tokio::time::timeout(timeout, asked).await;
        answered.unwrap_or_else(|_| Err(late()))
    }
}

impl Sandbox {
    async fn call(&self, invocation: Invocation, calls: Arc<dyn Calls>) -> Outcome {
        let timeout = invocation.timeout;
        // Its own time begins when it has a slot and its code; both waits are bounded as well.
        let waited = async {
            let loaded = self.loaded(&invocation.plugin.digest).await;
            (loaded, self.slots.acquire().await)
        };
        let Some((loaded, slot)) = wait::within(waited, || timeout).await else {
            return Halt::new(
                Stop::Deadline,
                "its turn did not come in time: too many plugins run at once, or it is still being compiled",
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
