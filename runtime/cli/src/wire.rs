//! Builds the rooms of a home and connects them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use evenkeel_engine::Engine;
use evenkeel_engine::Ports;
use evenkeel_model::home::Home;
use evenkeel_sandbox::{HomeVault, Sandbox};
use evenkeel_store::{Options, Store};

use crate::clock::SystemClock;
use crate::home::{self, Files};
use crate::lock::HomeLock;

/// A home at work in this process. The lock is held as long as it lives.
pub struct House {
    pub dir: PathBuf,
    pub engine: Arc<Engine>,
    pub store: Arc<Store>,
    pub sandbox: Arc<Sandbox>,
    pub clock: Arc<SystemClock>,
    /// Of the files, before they were read.
    pub stamp: home::Stamp,
    _lock: HomeLock,
}

impl House {
    /// Checks the home, locks it, opens the journal and loads the plugins.
    pub async fn open(dir: &Path) -> Result<Self> {
        let data = home::data(dir);
        let lock = HomeLock::take(&data)?;
        let stamp = home::stamp(dir)?;
        let home = Files::read(dir)?.check()?.home;
        let store = Arc::new(open_store(dir)?);
        let sandbox = Arc::new(Sandbox::new(
            dir,
            Some(&data),
            &home.settings.sandbox,
            sandbox_ports(dir),
        )?);
        install(&sandbox, &home).await?;
        let clock = Arc::new(SystemClock);
        let ports = Ports {
            journal: store.clone(),
            alerts: store.clone(),
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
            _lock: lock,
        })
    }

    /// The home as it is on disk now, if it checks clean, with its plugins loaded.
    pub async fn next(&self) -> Result<Home> {
        let home = Files::read(&self.dir)?.check()?.home;
        install(&self.sandbox, &home).await?;
        Ok(home)
    }
}

/// The journal of a home; made if there is none.
pub fn open_store(dir: &Path) -> Result<Store> {
    let data = home::data(dir);
    std::fs::create_dir_all(&data)?;
    Ok(Store::open(&data.join("evenkeel.db"), Options::default())?)
}

fn sandbox_ports(dir: &Path) -> evenkeel_sandbox::Ports {
    let vault = HomeVault::new(dir).with_environment(|name| std::env::var_os(name));
    evenkeel_sandbox::Ports {
        vault: Arc::new(vault),
        ..evenkeel_sandbox::Ports::local(dir)
    }
}

/// Makes the plugins callable, and loads those that a runbook uses: what can't be loaded is said
/// before anything depends on it.
async fn install(sandbox: &Sandbox, home: &Home) -> Result<()> {
    sandbox.install(&home.plugins);
    let steps = home.runbooks.values().flat_map(|runbook| &runbook.steps);
    let used: BTreeMap<_, _> = steps.map(|step| (&step.plugin.digest, &step.plugin)).collect();
    for (digest, plugin) in used {
        sandbox
            .load(digest)
            .await
            .with_context(|| format!("plugin {plugin} can't be loaded"))?;
    }
    Ok(())
}
