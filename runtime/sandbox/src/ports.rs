//! What the capabilities act through.

use std::path::PathBuf;
use std::sync::Arc;

use evenkeel_engine::port::memory::Memory;
use evenkeel_engine::port::metrics::Metrics;
use evenkeel_engine::port::reach::Reach;
use evenkeel_engine::port::vault::Vault;
use evenkeel_model::seal::Seal;

use crate::forgetful::Forgetful;
use crate::reach::local::{Attendant, Local};
use crate::reach::prometheus::Prometheus;
use crate::vault::HomeVault;

/// One of each; `cli` says which.
#[derive(Clone)]
pub struct Ports {
    pub reach: Arc<dyn Reach>,
    pub metrics: Arc<dyn Metrics>,
    pub vault: Arc<dyn Vault>,
    pub memory: Arc<dyn Memory>,
    /// What references are made of, and what is revealed is journaled with.
    pub seal: Seal,
}

impl Ports {
    /// This machine; a memory and a key that end with the process; secrets out of files and commands
    /// alone, since who reads the environment has to say so.
    pub fn local(home: impl Into<PathBuf>, attendant: Attendant) -> Self {
        let home = home.into();
        let reach: Arc<dyn Reach> = Arc::new(Local::new(home.clone(), attendant.clone()));
        Self {
            metrics: Arc::new(Prometheus::over(Arc::clone(&reach))),
            reach,
            vault: Arc::new(HomeVault::new(home, attendant)),
            memory: Arc::new(Forgetful::default()),
            seal: Seal::new(&rand::random(), rand::random()),
        }
    }
}
