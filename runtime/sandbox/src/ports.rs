//! What the capabilities act through.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use evenkeel_engine::port::memory::Memory;
use evenkeel_engine::port::metrics::{Metrics, MetricsError, Question, Series};
use evenkeel_engine::port::reach::Reach;
use evenkeel_engine::port::vault::Vault;
use evenkeel_model::call::Level;
use evenkeel_model::name::AssetId;
use evenkeel_model::role::Source;
use evenkeel_model::seal::Seal;
use evenkeel_model::secret::Value as Secret;

use crate::forgetful::Forgetful;
use crate::reach::local::{Attendant, Local};
use crate::reach::prometheus::Prometheus;
use crate::vault::HomeVault;

/// One of each; `cli` says which.
#[derive(Clone)]
pub struct Ports {
    pub reach: Arc<dyn Reach>,
    pub metrics: Arc<dyn Noting>,
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

/// A source of metrics that may have something to say beside its answer.
#[async_trait]
pub trait Noting: Metrics {
    async fn noting(&self, asset: &AssetId, source: &Source, token: Option<&Secret>, question: Question) -> Answered;
}

pub struct Answered {
    pub result: Result<Vec<Series>, MetricsError>,
    /// For people: the contract has no place for them. Of an error, the first says it more exactly.
    pub notes: Vec<Note>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub level: Level,
    pub text: String,
}

impl From<Result<Vec<Series>, MetricsError>> for Answered {
    fn from(result: Result<Vec<Series>, MetricsError>) -> Self {
        let notes = Vec::new();
        Self { result, notes }
    }
}
