//! The sandbox, with calls that are recorded nowhere.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use evenkeel_engine::port::{Calls, Invocation, JournalError, Plugins as _, Work};
use evenkeel_model::asset::{Asset, Reach};
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Key, Outcome, Phase};
use evenkeel_model::name::RunId;
use evenkeel_model::plugin::{Kind, Pinned};
use evenkeel_sandbox::{Compiler, Ports, Sandbox, scan};
use tokio::sync::watch;

pub struct Ours {
    sandbox: Sandbox,
    invocation: Invocation,
    // Keeps `cancelled` open.
    _cancel: watch::Sender<bool>,
}

impl Ours {
    pub async fn load(home: &Path) -> Result<Self> {
        let limits = SandboxLimits::default();
        let sandbox = Sandbox::new(home, None, &limits, Compiler::in_process(), Ports::local(home))?;
        let installed = scan(home).installed;
        sandbox.install(&installed);
        let plugin = installed.into_iter().next().context("the plugin was built")?;
        sandbox.load(&plugin.digest).await?;
        let cancel = watch::Sender::new(false);
        let invocation = Invocation {
            run: RunId(1),
            runbook: "noop".into(),
            mode: evenkeel_model::run::Mode::Live,
            key: Key {
                step: "noop".into(),
                phase: Phase::Check,
                action: None,
                attempt: 1,
            },
            plugin: Pinned {
                name: plugin.manifest.name,
                version: plugin.manifest.version,
                digest: plugin.digest,
                kind: Kind::Check,
            },
            work: Work::Check,
            spent: Vec::new(),
            params: serde_json::json!({}),
            input: Default::default(),
            target: Arc::new(local()),
            access: Default::default(),
            timeout: Duration::from_secs(60),
            limits,
            seed: Default::default(),
            cancelled: cancel.subscribe(),
        };
        Ok(Self {
            sandbox,
            invocation,
            _cancel: cancel,
        })
    }

    pub async fn once(&self) -> Result<()> {
        match self.sandbox.invoke(self.invocation.clone(), Arc::new(Nowhere)).await {
            Outcome::Done(_) => Ok(()),
            other => bail!("the no-op step came to {other:?}"),
        }
    }
}

fn local() -> Asset {
    Asset {
        id: "local".into(),
        customer: "local".into(),
        role: None,
        address: None,
        labels: Default::default(),
        vars: Default::default(),
        depends_on: Vec::new(),
        reach: Reach::Local,
    }
}

struct Nowhere;

#[async_trait]
impl Calls for Nowhere {
    async fn intend(&self, _: u32, _: &Call) -> Result<(), JournalError> {
        Ok(())
    }
    async fn answered(&self, _: u32, _: Option<&Call>, _: &Answer, _: Duration) -> Result<(), JournalError> {
        Ok(())
    }
    fn log(&self, _: Level, _: String, _: Vec<(String, String)>) {}
    fn logs_dropped(&self, _: u64) {}
    fn progress(&self, _: u16, _: String) {}
}
