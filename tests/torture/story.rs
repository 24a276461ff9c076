//! One run as its journal has it, made ready to be compared with what is seen outside.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use serde_json::Value;

/// An effect as it stands in the journal.
pub struct Effect {
    pub n: u64,
    pub token: String,
    pub repeatable: bool,
    pub answer: Option<Value>,
    /// How often its invocation was gone on with while it had no answer.
    pub again: u64,
    /// A person said that it was not made, and it may be made anew.
    pub taken_back: bool,
    /// It was there when a person said that the action is done.
    pub taken_for_done: bool,
}

/// One invocation.
#[derive(Default)]
pub struct Invocation {
    pub step: String,
    pub phase: String,
    pub action: String,
    pub effects: Vec<Effect>,
    /// From when to when a process was at work on it; none: it was not seen to end.
    pub spans: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
    /// In a row, without coming any further.
    pub resumed: u64,
    pub resumes: u64,
    pub ended: Option<Value>,
    pub resolved: bool,
}

pub struct Story {
    pub invocations: BTreeMap<String, Invocation>,
    /// Effects that each action declared, as tokens.
    pub declared: BTreeMap<(String, String), Vec<String>>,
    pub verdicts: Vec<String>,
    /// Those which ended it as unknown: token, and whether that is truly so.
    pub unknown: Vec<Doubt>,
    /// Runs that its steps had run.
    pub below: u64,
    pub below_failed: bool,
}

pub struct Doubt {
    /// What the journal can't tell; none: the daemon gave up, having been interrupted too often in the same place.
    pub token: Option<String>,
    pub given_up: bool,
}

impl Story {
    pub fn of(events: &[Value]) -> anyhow::Result<Self> {
        let mut story = Self {
            invocations: BTreeMap::new(),
            declared: BTreeMap::new(),
            verdicts: Vec::new(),
            unknown: Vec::new(),
            below: 0,
            below_failed: false,
        };
        for (place, event) in events.iter().enumerate() {
            ensure!(event["seq"] == place as u64 + 1, "event {} is missing", place + 1);
            let at: DateTime<Utc> = event["at"].as_str().context("no time")?.parse()?;
            let (kind, body) = match &event["body"] {
                Value::String(kind) => (kind.as_str(), &Value::Null),
                Value::Object(fields) => {
                    let (kind, body) = fields.iter().next().context("an empty body")?;
                    (kind.as_str(), body)
                }
                other => bail!("an event is {other}"),
            };
            story
                .take(kind, body, at)
                .with_context(|| format!("event {}: {event}", place + 1))?;
        }
        Ok(story)
    }

    fn take(&mut self, kind: &str, body: &Value, at: DateTime<Utc>) -> anyhow::Result<()> {
        match kind {
            "planned" => self.planned(body),
            "run-ended" => self.below_failed |= body["ended"]["verdict"] == "failed",
            "run-opened" => self.below += 1,
            "finished" => return self.finished(body),
            _ => {}
        }
        if body["key"].is_null() {
            return Ok(());
        }
        let name = body["key"].to_string();
        let n = body["n"].as_u64().unwrap_or_default();
        let invocation = self.invocations.entry(name).or_default();
        match kind {
            "invoked" => {
                invocation.step = text(&body["key"]["step"]);
                invocation.phase = text(&body["key"]["phase"]);
                invocation.action = text(&body["key"]["action"]);
                invocation.spans.push((at, None));
            }
            "resumed" => invocation.resume(at),
            "intended" => invocation.intend(n, &body["call"])?,
            "called" => invocation.answer(n, body),
            "resolved" => invocation.resolve(n, body["done"] == true)?,
            "ended" => {
                invocation.ended = Some(body["outcome"].clone());
                if let Some(span) = invocation.spans.last_mut() {
                    span.1 = Some(at);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn planned(&mut self, body: &Value) {
        let step = text(&body["step"]);
        for action in body["actions"].as_array().into_iter().flatten() {
            let effects = action["effects"].as_array().into_iter().flatten();
            let tokens = effects.filter_map(|effect| token(&text(&effect["subject"]))).collect();
            self.declared.insert((step.clone(), text(&action["id"])), tokens);
        }
    }

    /// Each end is held against what was known then.
    fn finished(&mut self, body: &Value) -> anyhow::Result<()> {
        let verdict = text(&body["verdict"]);
        let open: Vec<String> = self
            .invocations
            .values()
            .flat_map(Invocation::open)
            .map(|effect| effect.token.clone())
            .collect();
        let given_up = self.invocations.values().any(Invocation::given_up);
        if verdict == "unknown" {
            ensure!(!open.is_empty() || given_up, "it is unknown, and nothing is open");
            self.unknown.push(Doubt {
                given_up: open.is_empty(),
                token: open.first().cloned(),
            });
        } else {
            ensure!(open.is_empty(), "it ended as `{verdict}`, and nobody knows of {open:?}");
        }
        self.verdicts.push(verdict);
        Ok(())
    }

    /// The effect of which a person has to say whether it was made.
    pub fn doubtful(&self) -> Option<(String, &str)> {
        let mut over: Vec<_> = self
            .invocations
            .values()
            .filter(|invocation| !invocation.is_done())
            .collect();
        // As `resolve` takes them, if there are several.
        over.sort_by_key(|invocation| (&invocation.step, invocation.phase == "rollback", &invocation.action));
        over.iter().find_map(|invocation| {
            let open = invocation.open().last();
            let last = invocation.effects.last().filter(|effect| !effect.taken_back);
            let doubt = open.or(last.filter(|_| invocation.ended.is_none()))?;
            Some((
                format!("{}/{}", invocation.step, invocation.action),
                doubt.token.as_str(),
            ))
        })
    }

    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        self.invocations.values().flat_map(|invocation| &invocation.effects)
    }
}

impl Invocation {
    fn resume(&mut self, at: DateTime<Utc>) {
        self.spans.push((at, None));
        self.resumed += 1;
        self.resumes += 1;
        let pending = self.effects.iter_mut().filter(|effect| effect.answer.is_none());
        pending.for_each(|effect| effect.again += 1);
    }

    fn intend(&mut self, n: u64, call: &Value) -> anyhow::Result<()> {
        self.resumed = 0;
        let token = token(&text(&call["subject"])).context("an effect without a token")?;
        let twice = self
            .effects
            .iter()
            .any(|effect| effect.token == token && !effect.taken_back);
        ensure!(!twice, "`{token}` was intended twice");
        let later = self.effects.iter().any(|effect| effect.n >= n && !effect.taken_back);
        ensure!(!later, "call {n} comes after a later one");
        self.effects.push(Effect {
            n,
            token,
            repeatable: call["repeatable"] == true,
            answer: None,
            again: 0,
            taken_back: false,
            taken_for_done: false,
        });
        Ok(())
    }

    fn answer(&mut self, n: u64, body: &Value) {
        self.resumed = 0;
        let made = self.effects.iter_mut().rfind(|effect| effect.n == n);
        if let Some(effect) = made.filter(|_| body["call"].is_null()) {
            effect.answer = Some(body["answer"].clone());
        }
    }

    fn resolve(&mut self, n: u64, done: bool) -> anyhow::Result<()> {
        self.resolved |= done;
        self.ended = None;
        self.resumed = 0;
        if done {
            let pending = self.effects.iter_mut().filter(|effect| effect.answer.is_none());
            pending.for_each(|effect| effect.taken_for_done = true);
            return Ok(());
        }
        let effect = self.effects.iter_mut().rfind(|effect| effect.n == n);
        let effect = effect.context("a person was asked about what was never begun")?;
        // What has its answer keeps it.
        effect.taken_back = effect.answer.is_none();
        Ok(())
    }

    fn open(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter().filter(|effect| effect.is_open())
    }

    fn is_done(&self) -> bool {
        self.resolved || self.ended.as_ref().is_some_and(|outcome| !outcome["done"].is_null())
    }

    /// It was interrupted again and again without coming any further.
    fn given_up(&self) -> bool {
        self.ended.is_none() && !self.effects.is_empty() && self.resumed >= 2
    }
}

impl Effect {
    /// Nobody knows whether it was made, and it may not be made again.
    fn is_open(&self) -> bool {
        self.answer.is_none() && !self.repeatable && !self.taken_back && !self.taken_for_done
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The name of the effect in what a call is about.
fn token(subject: &str) -> Option<String> {
    let mut words = subject.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'));
    let found = words.find(|word| word.starts_with("a-") || word.starts_with("u-"))?;
    Some(found.to_owned())
}
