//! The sandbox, as the engine calls it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use evenkeel_engine::port::{Calls, Invocation, Plugins as _, Work};
use evenkeel_model::asset::{Asset, Reach};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::Outcome;
use evenkeel_model::name::RunId;
use evenkeel_model::plugin::{Kind, Pinned};
use evenkeel_sandbox::{Attendant, Compiler, Ports, Sandbox, scan};
use tokio::sync::watch;

use crate::recorded;

pub struct Ours {
    sandbox: Sandbox,
    invocation: Invocation,
    // Keeps `cancelled` open.
    _cancel: watch::Sender<bool>,
}

impl Ours {
    /// The first plugin of that home, for so many instances at once.
    pub async fn load(home: &Path, concurrency: usize) -> Result<Self> {
        let limits = SandboxLimits {
            concurrency,
            ..SandboxLimits::default()
        };
        let sandbox = Sandbox::new(
            home,
            None,
            &limits,
            Compiler::in_process(),
            Ports::local(home, Attendant::nobody()),
        )?;
        let installed = scan(home).installed;
        sandbox.install(&installed);
        let plugin = installed.into_iter().next().context("the plugin was built")?;
        sandbox.load(&plugin.digest).await?;
        let cancel = watch::Sender::new(false);
        let invocation = Invocation {
            run: RunId(1),
            runbook: "noop".into(),
            mode: evenkeel_model::run::Mode::Live,
            key: recorded::key(),
            plugin: Pinned {
                name: plugin.manifest.name,
                version: plugin.manifest.version,
                digest: plugin.digest,
                kind: Kind::Check,
            },
            work: Work::Check,
            resume: None,
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

    /// One step that makes so many capability calls.
    pub async fn step(&self, calls: u32, recorded: Arc<dyn Calls>) -> Result<()> {
        let mut invocation = self.invocation.clone();
        if calls > 0 {
            invocation.params = serde_json::json!({ "calls": calls });
        }
        match self.sandbox.invoke(invocation, recorded).await {
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
