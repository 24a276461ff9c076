//! What the tests play on: the guest, a sandbox, and a journal that remembers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use evenkeel_engine::port::{Calls, Invocation, JournalError, Plugins as _, Work};
use evenkeel_engine::recording::{Made, Recording, Replayed};
use evenkeel_model::action::{Action, Applied, Effect, Risk};
use evenkeel_model::alert::Labels;
use evenkeel_model::asset::{Asset, Reach};
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::grant::{Access, Capability, Entry};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Key, Notice, Outcome, Output, Phase, Severity, Stop};
use evenkeel_model::name::{AssetId, CustomerId, RunId, StepId};
use evenkeel_model::plugin::{Digest, Installed, Kind, Manifest, Pinned};
use evenkeel_model::role::{Database, Origin, Profile, Resource, Root};
use evenkeel_model::run::Mode;
use evenkeel_model::tape::{Given, Seed, Tape};
use evenkeel_sandbox::{Attendant, Compiler, Ports, Sandbox, digest, embed};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The guest, built once.
pub fn guest() -> &'static [u8] {
    static GUEST: OnceLock<Vec<u8>> = OnceLock::new();
    GUEST.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests");
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest/Cargo.toml");
        evenkeel_tests::plugins::ensure_target().unwrap_or_else(|error| panic!("{error:#}"));
        #[expect(
            clippy::disallowed_methods,
            reason = "the guest is built for another target than the test"
        )]
        let status = std::process::Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--target", "wasm32-wasip2", "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(&target)
            .env_remove("RUSTFLAGS")
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the guest does not build");
        let wasm = std::fs::read(target.join("wasm32-wasip2/debug/evenkeel_sandbox_guest.wasm")).expect("the guest");
        embed(&wasm, &manifest_of_guest()).expect("the guest is a component")
    })
}

pub fn manifest_of_guest() -> Manifest {
    serde_json::from_value(json!({
        "name": "guest",
        "version": "1.0.0",
        "summary": "does what it is told",
        "kinds": { "check": {}, "remedy": {}, "monitor": {}, "notifier": {} },
    }))
    .expect("a manifest")
}

/// One sandbox for all tests, so that the guest is compiled once.
pub fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<(tempfile::TempDir, Sandbox)> = OnceLock::new();
    let (_, sandbox) = SANDBOX.get_or_init(|| {
        let home = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(home.path().join("plugins")).expect("a directory");
        std::fs::write(home.path().join("plugins/guest.wasm"), guest()).expect("the guest is installed");
        let limits = SandboxLimits {
            concurrency: 16,
            ..SandboxLimits::default()
        };
        let sandbox = Sandbox::new(
            home.path(),
            None,
            &limits,
            compiler(),
            Ports::local(home.path(), attendant()),
        )
        .expect("a sandbox");
        let scan = evenkeel_sandbox::scan(home.path());
        assert!(scan.refused.is_empty(), "{:?}", scan.refused);
        sandbox.install(&scan.installed);
        (home, sandbox)
    });
    sandbox
}

/// A process of its own, as the daemon compiles.
pub fn compiler() -> Compiler {
    Compiler::child(env!("CARGO_BIN_EXE_evenkeel-sandbox-child"), [""; 0])
}

/// A process of its own for each command, as the daemon attends them.
pub fn attendant() -> Attendant {
    Attendant::child(env!("CARGO_BIN_EXE_evenkeel-sandbox-child"), ["attend"])
}

pub fn pinned(kind: Kind) -> Pinned {
    Pinned {
        name: "guest".into(),
        version: semver::Version::new(1, 0, 0),
        digest: digest(guest()),
        kind,
    }
}

pub fn installed(file: &str, digest: Digest) -> Installed {
    Installed {
        manifest: manifest_of_guest(),
        digest,
        file: file.into(),
    }
}

/// What the host wrote down, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    Intended(u32, Call),
    Answered(u32, Option<Call>, Answer),
    Logged(Level, String),
    Dropped(u64),
    Progressed(u16, String),
    Sensed(Tape),
}

#[derive(Default)]
pub struct Journal {
    pub lines: Mutex<Vec<Line>>,
    /// Fails when it is to be written to.
    pub broken: bool,
}

impl Journal {
    fn push(&self, line: Line) {
        self.lines.lock().unwrap().push(line);
    }

    pub fn answers(&self) -> Vec<Answer> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter_map(|line| {
                if let Line::Answered(_, _, answer) = line {
                    Some(answer.clone())
                } else {
                    None
                }
            })
            .collect()
    }

    pub fn intents(&self) -> Vec<Call> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter_map(|line| {
                if let Line::Intended(_, call) = line {
                    Some(call.clone())
                } else {
                    None
                }
            })
            .collect()
    }

    pub fn logs(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .filter_map(|line| {
                if let Line::Logged(_, text) = line {
                    Some(text.clone())
                } else {
                    None
                }
            })
            .collect()
    }

    pub fn dropped(&self) -> u64 {
        let lines = self.lines.lock().unwrap();
        lines
            .iter()
            .map(|line| if let Line::Dropped(lines) = line { *lines } else { 0 })
            .sum()
    }
}

#[async_trait]
impl Calls for Journal {
    async fn intend(&self, n: u32, call: &Call) -> Result<(), JournalError> {
        if self.broken {
            return Err(JournalError {
                action: "written",
                cause: "the disk is full".into(),
            });
        }
        self.push(Line::Intended(n, call.clone()));
        Ok(())
    }
    async fn answered(&self, n: u32, call: Option<&Call>, answer: &Answer, _: Duration) -> Result<(), JournalError> {
        self.push(Line::Answered(n, call.cloned(), answer.clone()));
        Ok(())
    }
    fn sensed(&self, tape: Tape) {
        self.push(Line::Sensed(tape));
    }
    fn log(&self, level: Level, message: String, _: Vec<(String, String)>) {
        self.push(Line::Logged(level, message));
    }
    fn logs_dropped(&self, lines: u64) {
        self.push(Line::Dropped(lines));
    }
    fn progress(&self, permille: u16, note: String) {
        self.push(Line::Progressed(permille, note));
    }
}

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

pub fn target() -> Asset {
    Asset {
        id: AssetId::new("app-1"),
        customer: CustomerId::new("steel"),
        role: None,
        address: None,
        labels: Labels::new(),
        vars: BTreeMap::new(),
        depends_on: Vec::new(),
        reach: Reach::Local,
    }
}

pub fn action(effects: Vec<Effect>, undo_effects: Vec<Effect>, body: Value) -> Action {
    Action {
        id: "the-action".into(),
        summary: "does it".into(),
        risk: Risk::Low,
        effects,
        undo: None,
        undo_effects,
        body,
    }
}

pub fn notice() -> Notice {
    Notice {
        id: "incident-7/1".into(),
        severity: Severity::Critical,
        title: "disk full".into(),
        text: "the disk of app-1 is full".into(),
        labels: Labels::new(),
        link: None,
        details: Some(json!({ "html": "<b>full</b>" })),
    }
}

pub fn effect(capability: &str, operation: &str, subject: &str) -> Effect {
    Effect {
        capability: capability.into(),
        operation: operation.into(),
        subject: subject.into(),
        content: None,
        at_most: 1,
    }
}

pub fn root(path: &Path) -> Resource {
    Resource::Root(Root {
        path: path.to_path_buf(),
        allow: Vec::new(),
        risk: Risk::Low,
    })
}

/// `sh -c SCRIPT`, as an operator would never write it.
pub fn shell(script: &str) -> Profile {
    profile(&["sh", "-c", script], &[])
}

pub fn profile(command: &[&str], args: &[&str]) -> Profile {
    let strings = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
    Profile {
        command: strings(command),
        args: strings(args),
        read_only: true,
        risk: Risk::Low,
        env: BTreeMap::new(),
        cwd: None,
        timeout: Duration::from_secs(20),
    }
}

pub fn origin(url: &str) -> Origin {
    Origin {
        url: url.into(),
        allow: Vec::new(),
        read_only: Vec::new(),
        private: false,
        ca: None,
        risk: Risk::Low,
        timeout: Duration::from_secs(10),
    }
}

pub fn database(url: &str) -> Database {
    Database {
        url: url.into(),
        socket: None,
        password: None,
        reader: None,
        tls: false,
        server_name: None,
        ca: None,
        allow: Vec::new(),
        risk: Risk::Low,
        timeout: Duration::from_secs(20),
    }
}

/// The reason why a step was denied.
pub fn denied(told: &Value) -> &str {
    let error = told["err"].as_str().unwrap_or_else(|| panic!("not refused: {told}"));
    assert!(error.contains("Denied("), "not denied: {error}");
    error
}

/// Waits for what another process is about to do.
pub async fn eventually(mut condition: impl FnMut() -> bool) {
    let patience = Duration::from_secs(20);
    let waited = tokio::time::timeout(patience, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("it happens in time");
}

pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_path_buf();
    (dir, path)
}
