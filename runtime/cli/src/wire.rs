//! Builds the rooms of a home and connects them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use evenkeel_engine::Engine;
use evenkeel_engine::Ports;
use evenkeel_model::home::Home;
use evenkeel_sandbox::Sandbox;
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
    _lock: HomeLock,
}

impl House {
    /// Checks the home, locks it, opens the journal and loads the plugins.
    pub async fn open(dir: &Path) -> Result<Self> {
        let data = home::data(dir);
        let lock = HomeLock::take(&data)?;
        let home = Files::read(dir)?.check()?.home;
        let store = Arc::new(open_store(dir)?);
        let sandbox = Arc::new(Sandbox::new(&data, &home.settings.sandbox)?);
        install(&sandbox, dir, &home).await?;
        let clock = Arc::new(SystemClock);
        let ports = Ports {
            journal: store.clone(),
            alerts: store.clone(),
            plugins: sandbox.clone(),
            clock: clock.clone(),
        };
        let engine = Engine::new(ports, Arc::new(home));
        Ok(Self { dir: dir.to_owned(), engine, store, sandbox, clock, _lock: lock })
    }

    /// The home as it is on disk now, if it checks clean, with its plugins loaded.
    pub async fn next(&self) -> Result<Home> {
        let home = Files::read(&self.dir)?.check()?.home;
        install(&self.sandbox, &self.dir, &home).await?;
        Ok(home)
    }
}

/// The journal of a home; made if there is none.
pub fn open_store(dir: &Path) -> Result<Store> {
    let data = home::data(dir);
    std::fs::create_dir_all(&data)?;
    Ok(Store::open(&data.join("evenkeel.db"), Options::default())?)
}
