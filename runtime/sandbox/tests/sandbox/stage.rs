//! What the tests play on: the guest, a sandbox, and a journal that remembers.

mod guest;
mod journal;
mod props;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_engine::port::{Calls, Invocation, Plugins as _, Work};
use evenkeel_engine::recording::{Made, Recording, Replayed};
use evenkeel_model::action::{Applied, Effect};
use evenkeel_model::call::{Answer, Call};
use evenkeel_model::grant::{Access, Capability, Entry};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Key, Outcome, Output, Phase, Stop};
use evenkeel_model::name::{RunId, StepId};
use evenkeel_model::plugin::Kind;
use evenkeel_model::role::{Database, Origin, Profile, Resource};
use evenkeel_model::run::Mode;
use evenkeel_model::tape::{Given, Seed, Tape};
use serde_json::{Value, json};
use tokio::sync::watch;

pub use self::guest::{attendant, compiler, guest, installed, pinned, sandbox};
pub use self::journal::{Journal, Line};
pub use self::props::{
    action, database, denied, effect, eventually, notice, origin, profile, root, scratch, shell, target,
};

/// An invocation of the guest, to be changed before it is made.
pub struct Scene {
    pub invocation: Invocation,
    pub journal: Arc<Journal>,
    pub cancel: watch::Sender<bool>,
}

impl Scene {
    pub fn new(work: Work, params: Value) -> Self {
        let (phase, kind) = match &work {
            Work::Check => (Phase::Check, Kind::Check),
            Work::Plan => (Phase::Plan, Kind::Remedy),
            Work::Apply(_) => (Phase::Apply, Kind::Remedy),
            Work::Rollback(..) => (Phase::Rollback, Kind::Remedy),
            Work::Collect => (Phase::Collect, Kind::Monitor),
            Work::Send(_) => (Phase::Send, Kind::Notifier),
        };
        let (cancel, cancelled) = watch::channel(false);
        let invocation = Invocation {
            run: RunId(7),
            runbook: "runbook".into(),
            mode: Mode::Live,
            key: Key {
                step: StepId::new("step"),
                phase,
                action: None,
                attempt: 1,
            },
            plugin: pinned(kind),
            work,
            resume: None,
            spent: Vec::new(),
            params,
            input: BTreeMap::new(),
            target: Arc::new(target()),
            access: Access::default(),
            timeout: Duration::from_secs(30),
            // Tests that trap share the sandbox with those that don't.
            limits: SandboxLimits {
                circuit: Duration::ZERO,
                ..SandboxLimits::default()
            },
            seed: Seed([1; 32]),
            cancelled,
        };
        Self {
            invocation,
            journal: Arc::default(),
            cancel,
        }
    }

    /// A check of these steps.
    pub fn check(steps: Value) -> Self {
        Self::new(Work::Check, json!({ "steps": steps }))
    }

    /// An approved action that makes these steps, and whose undoing makes the others.
    pub fn apply(effects: Vec<Effect>, steps: Value) -> Self {
        Self::new(
            Work::Apply(action(effects, Vec::new(), json!({ "steps": steps }))),
            json!({}),
        )
    }

    pub fn rollback(effects: Vec<Effect>, steps: Value) -> Self {
        let done = Applied {
            changed: true,
            summary: String::new(),
            output: None,
            undo: None,
        };
        Self::new(
            Work::Rollback(action(Vec::new(), effects, json!({ "back": steps })), Some(done)),
            json!({}),
        )
    }

    pub fn limits(mut self, change: impl FnOnce(&mut SandboxLimits)) -> Self {
        change(&mut self.invocation.limits);
        self
    }

    pub fn grant(mut self, capability: Capability, verbs: &[&str], name: &str, resource: Resource) -> Self {
        let verbs = verbs.iter().map(|verb| (*verb).to_owned()).collect();
        self.invocation
            .access
            .entries
            .insert((capability, name.to_owned()), Entry { verbs, resource });
        self
    }

    pub fn root(self, verbs: &[&str], name: &str, path: &Path) -> Self {
        self.grant(Capability::Files, verbs, name, root(path))
    }

    pub fn profile(self, name: &str, profile: Profile) -> Self {
        self.grant(Capability::Exec, &["run"], name, Resource::Profile(profile))
    }

    pub fn origin(self, methods: &[&str], name: &str, origin: Origin) -> Self {
        self.grant(Capability::Http, methods, name, Resource::Origin(origin))
    }

    pub fn database(self, verbs: &[&str], name: &str, database: Database) -> Self {
        self.grant(Capability::Sql, verbs, name, Resource::Database(database))
    }

    pub async fn play(&self) -> Outcome {
        sandbox()
            .invoke(self.invocation.clone(), Arc::clone(&self.journal) as Arc<dyn Calls>)
            .await
    }

    /// What was recorded of it, with this end.
    pub fn recording(&self, outcome: Outcome) -> Recording {
        let invocation = &self.invocation;
        let mut recording = Recording {
            run: invocation.run,
            runbook: invocation.runbook.clone(),
            mode: invocation.mode,
            key: invocation.key.clone(),
            plugin: invocation.plugin.clone(),
            work: invocation.work.clone(),
            spent: invocation.spent.clone(),
            params: invocation.params.clone(),
            given: Given {
                seed: invocation.seed,
                timeout: invocation.timeout,
                limits: invocation.limits.clone(),
            },
            tape: Tape::default(),
            calls: Vec::new(),
            logged: 0,
            elapsed: Duration::ZERO,
            outcome: Some(outcome),
        };
        for line in self.journal.lines.lock().unwrap().iter() {
            record(&mut recording, line);
        }
        recording
    }

    /// Plays it, and what was recorded after it.
    pub async fn again(&self) -> (Outcome, Replayed) {
        let outcome = self.play().await;
        (outcome.clone(), replay(self.recording(outcome)).await)
    }

    /// What came of each step of a check.
    pub async fn told(&self) -> Vec<Value> {
        match self.play().await {
            Outcome::Done(Output::Findings(findings)) => findings
                .iter()
                .map(|finding| serde_json::from_str(&finding.summary).expect("JSON"))
                .collect(),
            Outcome::Done(Output::Applied(applied)) => applied
                .output
                .and_then(|output| output.as_array().cloned())
                .expect("a list"),
            Outcome::Done(Output::Samples(samples)) => samples
                .iter()
                .map(|sample| serde_json::from_str(&sample.labels["told"]).expect("JSON"))
                .collect(),
            Outcome::Done(Output::Sent(Some(receipt))) => {
                let [_, _, told]: [Value; 3] = serde_json::from_str(&receipt).expect("JSON");
                told.as_array().cloned().expect("a list")
            }
            Outcome::Done(Output::Plan(actions)) => serde_json::from_str(&actions[0].summary).expect("JSON"),
            other => panic!("not done: {other:?}"),
        }
    }

    /// What came of each call of an action that fails because it tried what it did not declare, as the journal has it.
    pub async fn undeclared(&self) -> Vec<Value> {
        match self.play().await {
            Outcome::Failed(failure) => assert_eq!(failure.code, "undeclared-effect", "{failure:?}"),
            other => panic!("not failed: {other:?}"),
        }
        let answers = self.journal.answers().into_iter();
        let told = answers.map(|answer| match answer {
            Answer::Ok(value) => json!({ "ok": value }),
            Answer::Err { message, .. } => json!({ "err": message }),
            Answer::Denied(reason) => json!({ "err": format!("Denied({reason:?})") }),
        });
        told.collect()
    }

    /// How the host ended it.
    pub async fn stopped(&self) -> (Stop, String) {
        match self.play().await {
            Outcome::Stopped { stop, message } => (stop, message),
            other => panic!("not stopped: {other:?}"),
        }
    }
}

fn record(recording: &mut Recording, line: &Line) {
    let sensed = recording.tape.0.len();
    let mut made = |call: &Call, answer: Option<&Answer>| {
        recording.calls.push(Made {
            call: call.clone(),
            answer: answer.cloned(),
            intended: answer.is_none(),
            sensed,
        });
    };
    match line {
        Line::Intended(_, call) => made(call, None),
        Line::Answered(_, Some(call), answer) => made(call, Some(answer)),
        Line::Answered(n, None, answer) => recording.calls[*n as usize].answer = Some(answer.clone()),
        Line::Sensed(tape) => recording.tape.0.extend_from_slice(&tape.0),
        Line::Logged(..) | Line::Dropped(_) | Line::Progressed(..) => {}
    }
}

pub async fn replay(recording: Recording) -> Replayed {
    let digest = recording.plugin.digest.clone();
    sandbox().replay(recording, &digest).await.expect("the guest is loaded")
}
