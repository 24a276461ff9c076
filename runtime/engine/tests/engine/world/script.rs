//! Plugins that do as they are told, and remember what they were told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use evenkeel_engine::port::metrics::{MetricsError, Point, Question, Series};
use evenkeel_engine::port::{Calls, Invocation, JournalError, Plugins, Work};
use evenkeel_engine::recording::Recording;
use evenkeel_model::action::{Action, Applied, Effect, Risk};
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::grant::Capability;
use evenkeel_model::invocation::{Class, Failure, Finding, Key, Outcome, Output, Phase, Severity, Stop};
use evenkeel_model::name::AssetId;
use evenkeel_model::role::Source;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

type Act = Arc<dyn Fn(Invocation, Arc<dyn Calls>) -> BoxFuture<'static, Outcome> + Send + Sync>;

#[derive(Default, Clone)]
pub struct Script {
    acts: BTreeMap<(String, String), Act>,
    log: Arc<Mutex<Vec<Invocation>>>,
    answers: Arc<Mutex<Answers>>,
}

impl Script {
    /// What a plugin does in a phase.
    pub fn on<F, R>(mut self, plugin: &str, phase: Phase, act: F) -> Self
    where
        F: Fn(Invocation, Arc<dyn Calls>) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let key = (plugin.to_owned(), phase.to_string());
        self.acts
            .insert(key, Arc::new(move |invocation, calls| act(invocation, calls).boxed()));
        self
    }

    /// The same outcome each time.
    pub fn always(self, plugin: &str, phase: Phase, outcome: Outcome) -> Self {
        self.on(plugin, phase, move |_, _| {
            let outcome = outcome.clone();
            async { outcome }
        })
    }

    /// One outcome after the other; the last for ever.
    pub fn in_turn(self, plugin: &str, phase: Phase, outcomes: Vec<Outcome>) -> Self {
        let next = Mutex::new(0);
        self.on(plugin, phase, move |_, _| {
            let mut n = next.lock().unwrap();
            let outcome = outcomes[(*n).min(outcomes.len() - 1)].clone();
            *n += 1;
            async { outcome }
        })
    }

    /// What a source answers, in turn; none: it is not there.
    pub fn answers(self, values: &[Option<f64>]) -> Self {
        let answer = |value: &Option<f64>| match value {
            Some(value) => Ok(vec![Series {
                labels: vec![],
                points: vec![Point {
                    at_ms: 0,
                    value: *value,
                }],
            }]),
            None => Err(MetricsError::Unavailable("the connection failed".into())),
        };
        self.answers.lock().unwrap().next = values.iter().map(answer).collect();
        self
    }

    pub fn asked(&self) -> Vec<String> {
        self.answers.lock().unwrap().asked.clone()
    }

    /// What was called, as `look/check`, `fix/apply a`.
    pub fn called(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap()
            .iter()
            .map(|call| name(&call.plugin.name, &call.key))
            .collect()
    }

    pub fn invocations(&self) -> Vec<Invocation> {
        self.log.lock().unwrap().clone()
    }
}

fn name(plugin: &str, key: &Key) -> String {
    match &key.action {
        Some(action) => format!("{plugin}/{} {action}", key.phase),
        None => format!("{plugin}/{}", key.phase),
    }
}

#[async_trait]
impl Plugins for Script {
    async fn invoke(&self, invocation: Invocation, calls: Arc<dyn Calls>) -> Outcome {
        self.log.lock().unwrap().push(invocation.clone());
        let key = (invocation.plugin.name.clone(), invocation.key.phase.to_string());
        let act = self
            .acts
            .get(&key)
            .unwrap_or_else(|| panic!("nobody said what {key:?} does"));
        let calls: Arc<dyn Calls> = match &invocation.resume {
            Some(recording) => Arc::new(Again {
                recording: Arc::clone(recording),
                calls,
            }),
            None => calls,
        };
        act(invocation, calls).await
    }

    async fn ask(&self, _: &AssetId, source: &Source, question: Question) -> Result<Vec<Series>, MetricsError> {
        let mut answers = self.answers.lock().unwrap();
        answers.asked.push(format!("{}: {}", source.url, question.expr));
        let answer = answers.next.pop_front();
        answer.unwrap_or_else(|| Err(MetricsError::Unavailable("nobody told it what to answer".into())))
    }
}

/// What a source is asked, and answers in turn.
#[derive(Default)]
struct Answers {
    asked: Vec<String>,
    next: VecDeque<Result<Vec<Series>, MetricsError>>,
}

/// As the sandbox goes on with an invocation: what was recorded is not made again.
struct Again {
    recording: Arc<Recording>,
    calls: Arc<dyn Calls>,
}

#[async_trait]
impl Calls for Again {
    async fn intend(&self, n: u32, call: &Call) -> Result<(), JournalError> {
        match self.recording.calls.get(n as usize) {
            Some(_) => Ok(()),
            None => self.calls.intend(n, call).await,
        }
    }
    async fn answered(&self, n: u32, call: Option<&Call>, answer: &Answer, took: Duration) -> Result<(), JournalError> {
        match self.recording.calls.get(n as usize) {
            Some(made) if made.answer.is_some() => Ok(()),
            _ => self.calls.answered(n, call, answer, took).await,
        }
    }
    fn log(&self, level: Level, message: String, fields: Vec<(String, String)>) {
        self.calls.log(level, message, fields);
    }
    fn logs_dropped(&self, lines: u64) {
        self.calls.logs_dropped(lines);
    }
    fn progress(&self, _: u16, _: String) {}
}

/// A system with one trouble, which `look` sees and `fix` (action `a`) ends.
#[derive(Clone)]
pub struct System {
    pub severity: Arc<Mutex<Severity>>,
}

impl System {
    pub fn new(severity: Severity) -> Self {
        Self {
            severity: Arc::new(Mutex::new(severity)),
        }
    }

    pub fn script(&self) -> Script {
        let (seen, ended) = (self.severity.clone(), self.severity.clone());
        Script::default()
            .on("look", Phase::Check, move |_, _| {
                let outcome = found(*seen.lock().unwrap());
                async { outcome }
            })
            .always("fix", Phase::Plan, plan(&["a"]))
            .on("fix", Phase::Apply, move |_, calls| {
                let ended = ended.clone();
                async move {
                    effect(&*calls, 0, false).await;
                    *ended.lock().unwrap() = Severity::Ok;
                    applied(true)
                }
            })
            .always("fix", Phase::Rollback, Outcome::Done(Output::RolledBack))
    }
}

// ---- outcomes ----------------------------------------------------------------------------

pub fn found(severity: Severity) -> Outcome {
    let finding = Finding {
        code: "trouble".into(),
        severity,
        subject: "it".into(),
        summary: format!("it is {severity}"),
        labels: BTreeMap::new(),
        details: None,
    };
    Outcome::Done(Output::Findings(vec![finding]))
}

pub fn plan(actions: &[&str]) -> Outcome {
    Outcome::Done(Output::Plan(actions.iter().map(|id| action(id, Risk::Low)).collect()))
}

pub fn action(id: &str, risk: Risk) -> Action {
    Action {
        id: id.into(),
        summary: format!("does {id}"),
        risk,
        effects: vec![],
        undo: Some(format!("undoes {id}")),
        undo_effects: vec![],
        body: Value::Null,
    }
}

pub fn restart_effect() -> Effect {
    Effect {
        capability: "exec".into(),
        operation: "run".into(),
        subject: "restart []".into(),
        content: None,
        at_most: 1,
    }
}

pub fn applied(changed: bool) -> Outcome {
    Outcome::Done(Output::Applied(Applied {
        changed,
        summary: "did it".into(),
        output: Some(json!({ "done": true })),
        undo: Some(json!("how it was")),
    }))
}

pub fn failed(class: Class) -> Outcome {
    Outcome::Failed(Failure {
        class,
        code: "broken".into(),
        message: "it would not".into(),
        details: None,
    })
}

pub fn stopped(stop: Stop) -> Outcome {
    Outcome::Stopped {
        stop,
        message: "it took too long".into(),
    }
}

pub fn call(repeatable: bool) -> Call {
    Call {
        capability: Capability::Exec,
        operation: "run".into(),
        subject: "restart []".into(),
        request: json!({}),
        content: None,
        effect: true,
        repeatable,
    }
}

/// Makes one effect, answered at once.
pub async fn effect(calls: &dyn Calls, n: u32, repeatable: bool) {
    intend(calls, n, repeatable).await;
    let answer = Answer::Ok(json!(null));
    calls
        .answered(n, None, &answer, Duration::from_millis(1))
        .await
        .unwrap();
}

/// What the host says of a command that it ended because it took too long.
pub fn gave_up() -> Answer {
    Answer::Err {
        error: json!("timed-out"),
        message: "the command took too long".into(),
        open: true,
    }
}

/// Begins one that is never answered.
pub async fn intend(calls: &dyn Calls, n: u32, repeatable: bool) {
    calls.intend(n, &call(repeatable)).await.unwrap();
}

/// Stays for ever, as far as the test is concerned.
pub async fn hang() -> Outcome {
    std::future::pending().await
}

pub fn action_of(invocation: &Invocation) -> &str {
    match &invocation.work {
        Work::Apply(action) | Work::Rollback(action, _) => &action.id,
        Work::Check | Work::Plan | Work::Collect | Work::Send(_) => "",
    }
}
