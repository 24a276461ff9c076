//! Builds the rooms of a home and connects them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};
use evenkeel_alerting::rules::definition;
use evenkeel_engine::Engine;
use evenkeel_engine::Ports;
use evenkeel_engine::port::Clock as _;
use evenkeel_engine::port::reach::Reach;
use evenkeel_model::home::Home;
use evenkeel_model::seal::Seal;
use evenkeel_sandbox::{Attendant, Compiler, HomeVault, Sandbox};
use evenkeel_store::{Options, Store};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::archive;
use crate::clock::SystemClock;
use crate::home::{self, Clean, Files};
use crate::key;
use crate::lock::HomeLock;
use crate::own_series::OwnSeries;

/// A home at work in this process. The lock is held as long as it lives.
pub struct House {
    pub dir: PathBuf,
    pub engine: Arc<Engine>,
    pub store: Arc<Store>,
    pub sandbox: Arc<Sandbox>,
    pub clock: Arc<SystemClock>,
    /// Of the files, before they were read.
    pub stamp: home::Stamp,
    /// How assets are acted on, and asked.
    pub reach: Arc<dyn Reach>,
    /// Answers for the sources that are the daemon's own series, once there is one.
    pub own_series: Arc<OwnSeries>,
    /// Rules, as they were read with the home.
    pub rules: Vec<definition::Group>,
    _lock: HomeLock,
}

impl House {
    /// Checks the home, locks it, opens the journal and loads the plugins.
    pub async fn open(dir: &Path) -> Result<Self> {
        let data = home::data(dir);
        let lock = HomeLock::take(&data)?;
        let stamp = home::stamp(dir)?;
        let Clean { mut home, rules, .. } = Files::read(dir)?.check()?;
        home.archived = archive::keep(dir, &home, SystemClock.now().into());
        let seal = key::seal(&data)?;
        let store = Arc::new(open_sealed(dir, seal.clone())?);
        let mut ports = sandbox_ports(dir, seal, &store);
        let reach = ports.reach.clone();
        let own_series = Arc::new(OwnSeries::beside(ports.metrics));
        ports.metrics = own_series.clone();
        let sandbox = Arc::new(Sandbox::new(
            dir,
            Some(&data),
            &home.settings.sandbox,
            compiler(),
            ports,
        )?);
        // What works goes on: one customer's plugin doesn't keep the others' from being run. Its
        // own runs fail, and say the same.
        for why in install(&sandbox, &home).await {
            warn!("{why}");
        }
        let clock = Arc::new(SystemClock);
        let ports = Ports {
            journal: store.clone(),
            ledger: store.clone(),
            alerts: store.clone(),
            outbox: store.clone(),
            plugins: sandbox.clone(),
            clock: clock.clone(),
        };
        let engine = Engine::new(ports, Arc::new(home));
        Ok(Self {
            dir: dir.to_owned(),
            engine,
            store,
            sandbox,
            clock,
            stamp,
            reach,
            own_series,
            rules,
            _lock: lock,
        })
    }

    /// The home as it is on disk now, if it checks clean, with its plugins loaded.
    pub async fn next(&self) -> Result<(Home, Vec<definition::Group>)> {
        let Clean { mut home, rules, .. } = Files::read(&self.dir)?.check()?;
        home.archived = archive::keep(&self.dir, &home, self.clock.now().into());
        let failed = install(&self.sandbox, &home).await;
        ensure!(failed.is_empty(), failed.join("\n"));
        Ok((home, rules))
    }
}

/// Plugins loaded at once: each takes a thread for it, and what a thread allocated stays its own.
const LOADS: usize = 4;

/// What follows it on the command line of this program is for [`compile_as_child`].
///
/// [`compile_as_child`]: evenkeel_sandbox::compile_as_child
pub const COMPILE: &str = "compile-a-component";

/// This same program, also if its file was replaced since it was started.
pub fn compiler() -> Compiler {
    Compiler::child("/proc/self/exe", [COMPILE])
}

/// What follows it on the command line of this program is for [`attend_as_child`].
///
/// [`attend_as_child`]: evenkeel_sandbox::attend_as_child
pub const ATTEND: &str = "attend-a-command";

pub fn attendant() -> Attendant {
    Attendant::child("/proc/self/exe", [ATTEND])
}

/// The journal of a home; made if there is none.
pub fn open_store(dir: &Path) -> Result<Store> {
    let data = home::data(dir);
    std::fs::create_dir_all(&data)?;
    open_sealed(dir, key::seal(&data)?)
}

fn open_sealed(dir: &Path, seal: Seal) -> Result<Store> {
    let options = Options {
        seal: Some(seal),
        ..Options::default()
    };
    Ok(Store::open(&home::data(dir).join("evenkeel.db"), options)?)
}

fn sandbox_ports(dir: &Path, seal: Seal, store: &Arc<Store>) -> evenkeel_sandbox::Ports {
    let vault = HomeVault::new(dir, attendant()).with_environment(|name| std::env::var_os(name));
    evenkeel_sandbox::Ports {
        vault: Arc::new(vault),
        seal,
        memory: store.clone(),
        ..evenkeel_sandbox::Ports::local(dir, attendant())
    }
}

/// Makes the plugins callable, and loads those that a runbook uses; answers why some can't be,
/// each as a sentence.
async fn install(sandbox: &Sandbox, home: &Home) -> Vec<String> {
    sandbox.bound_compiling(&home.settings.sandbox);
    let installed: Vec<_> = home.plugins.iter().chain(&home.archived).cloned().collect();
    sandbox.install(&installed);
    let steps = home.runbooks.values().flat_map(|runbook| runbook.all_steps());
    let steps = steps.filter_map(|step| step.plugin());
    let notifiers = home.routing.notifiers.values().map(|notifier| &notifier.plugin);
    let used: BTreeMap<_, _> = steps.chain(notifiers).map(|plugin| (&plugin.digest, plugin)).collect();
    let turns = Semaphore::new(LOADS);
    let loads = used.into_iter().map(async |(digest, plugin)| {
        let _turn = turns.acquire().await;
        let loaded = sandbox.load(digest).await;
        loaded
            .err()
            .map(|why| format!("plugin {plugin} can't be loaded: {why}"))
    });
    let failed = futures::future::join_all(loads).await;
    failed.into_iter().flatten().collect()
}
