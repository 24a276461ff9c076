//! Asks a component what parameters its kinds take: the one thing that is run at build time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use evenkeel_engine::port::{Calls, Invocation, JournalError, Work};
use evenkeel_model::alert::Labels;
use evenkeel_model::asset::{self, Asset};
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::grant::Access;
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Key, Phase};
use evenkeel_model::name::{AssetId, CustomerId, RunId, RunbookName, StepId};
use evenkeel_model::plugin::{Digest, Kind, Pinned};
use evenkeel_model::run::Mode;
use evenkeel_model::tape::Seed;
use semver::Version;
use serde_json::Value;
use tokio::sync::watch;

use crate::component::LoadError;
use crate::invoke;
use crate::loaded::Loaded;
use crate::ports::Ports;
use crate::state::State;

/// For each kind.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One instance a kind, with nothing granted.
pub async fn ask(loaded: &Loaded, ports: &Ports) -> Result<BTreeMap<Kind, Value>, LoadError> {
    let mut schemas = BTreeMap::new();
    for kind in loaded.kinds() {
        let wrong = |why: String| LoadError::Describe(format!("asked for the parameters of its `{kind}`, {why}"));
        let state = State::new(nothing(kind), Arc::new(Unheard), ports.clone());
        let answer = invoke::params_schema(loaded, kind, state)
            .await
            .map_err(|halt| wrong(halt.message))?;
        let schema = answer.ok_or_else(|| wrong("it answers nothing".into()))?;
        let schema = serde_json::from_str(&schema).map_err(|error| wrong(format!("it answers no JSON: {error}")))?;
        schemas.insert(kind, schema);
    }
    Ok(schemas)
}

/// An invocation that may do nothing.
pub fn nothing(kind: Kind) -> Invocation {
    let target = Asset {
        id: AssetId::new("local"),
        customer: CustomerId::new("local"),
        role: None,
        address: None,
        labels: Labels::new(),
        vars: BTreeMap::new(),
        depends_on: Vec::new(),
        reach: asset::Reach::Local,
    };
    let plugin = Pinned {
        name: "describe".into(),
        version: Version::new(0, 0, 0),
        digest: Digest(String::new()),
        kind,
    };
    Invocation {
        run: RunId(0),
        runbook: RunbookName::from("describe"),
        mode: Mode::DryRun,
        key: Key {
            step: StepId::new("describe"),
            phase: Phase::Check,
            action: None,
            attempt: 1,
        },
        plugin,
        work: Work::Check,
        spent: Vec::new(),
        resume: None,
        params: Value::Null,
        input: BTreeMap::new(),
        target: Arc::new(target),
        access: Access::default(),
        timeout: TIMEOUT,
        limits: SandboxLimits::default(),
        seed: Seed::default(),
        cancelled: watch::channel(false).1,
    }
}

/// There is no run to record anything in.
pub struct Unheard;

#[async_trait]
impl Calls for Unheard {
    async fn intend(&self, _: u32, _: &Call) -> Result<(), JournalError> {
        Ok(())
    }
    async fn answered(&self, _: u32, _: Option<&Call>, _: &Answer, _: Duration) -> Result<(), JournalError> {
        Ok(())
    }
    fn log(&self, level: Level, message: String, _: Vec<(String, String)>) {
        tracing::debug!(?level, message, "said while describing itself");
    }
    fn logs_dropped(&self, _: u64) {}
    fn progress(&self, _: u16, _: String) {}
}
