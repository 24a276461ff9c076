//! Whatever happens, in whatever order: nothing panics, every run comes to an end, and nothing
//! is applied that was not planned.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::decide::{Command, Invoke, Subject, decide, left, refusal};
use evenkeel_engine::port::Work;
use evenkeel_engine::run::{Reply, Run};
use evenkeel_engine::trigger;
use evenkeel_model::action::Risk;
use evenkeel_model::call::Answer;
use evenkeel_model::home::Home;
use evenkeel_model::invocation::{Class, Key, Outcome, Output, Phase, Severity, Stop};
use evenkeel_model::name::RoundId;
use evenkeel_model::run::{Body, Event, Mode, Verdict};
use evenkeel_model::runbook::{Each, List, OnFailure, Otherwise, Runbook, Tolerate};
use proptest::prelude::*;

use crate::world::home::{asking, healed, home, needing, only_when, runbook, step, step_as};
use crate::world::script::{action, applied, call, failed, found, gave_up, plan, stopped};
use crate::world::{noon, person};

mod books;
mod rules;

use self::books::books;

/// More decisions than any run of these needs.
const ENOUGH: usize = 3_000;

/// One run, whose world does what a list of numbers says; when the list is at its end, all is well.
struct Simulation {
    subject: Subject,
    /// The home that the next process may find: without a plugin, so that nothing of it can be called; and back.
    elsewhere: Arc<Home>,
    choices: std::vec::IntoIter<u8>,
    run: Run,
    events: Vec<Event>,
    now: DateTime<Utc>,
    /// What is approved, by the hashes of plans.
    approved: BTreeSet<String>,
    voided: u32,
    taken_back: u32,
    /// What the process is in the middle of, with the number of the next call of each.
    under_way: Vec<(Key, u32)>,
}

impl Simulation {
    fn new(book: Runbook, mode: Mode, choices: Vec<u8>) -> Self {
        let home = Arc::new(home(vec![book.clone()]));
        let start = trigger::from_person(&person("repair"), &home).unwrap();
        let mut request = start.round.request(RoundId(1), &start.round.targets[0]);
        request.mode = mode;
        let mut bare = Home::clone(&home);
        bare.plugins.retain(|plugin| plugin.manifest.name.as_str() != "fix");
        let mut simulation = Self {
            elsewhere: Arc::new(bare),
            subject: Subject {
                customer: None,
                target: home.assets.get(&"steel-1".into()).cloned(),
                home,
                runbook: Arc::new(book),
            },
            choices: choices.into_iter(),
            run: Run::default(),
            events: Vec::new(),
            now: noon(),
            approved: BTreeSet::new(),
            voided: 0,
            taken_back: 0,
            under_way: Vec::new(),
        };
        simulation.append(Body::Requested(Box::new(request)));
        simulation
    }

    fn choose(&mut self, of: u8) -> u8 {
        self.choices.next().unwrap_or(0) % of
    }

    fn append(&mut self, body: Body) {
        let resolved = matches!(body, Body::Resolved { .. } | Body::UndoRequested { .. });
        assert!(self.run.finished.is_none() || resolved, "{body:?} after the end");
        self.voided += u32::from(matches!(body, Body::PlanVoid { .. }));
        let event = Event {
            seq: self.events.len() as u64 + 1,
            at: self.now,
            body,
        };
        self.run.apply(&event);
        self.events.push(event);
    }

    fn play(&mut self) {
        for _ in 0..ENOUGH {
            if self.choose(60) == 7 && self.run.cancel.is_none() && self.run.finished.is_none() {
                self.append(Body::CancelRequested { why: "enough".into() });
            }
            if self.choose(120) == 9 && self.run.killed.is_none() && self.run.finished.is_none() {
                self.kill();
            }
            let mut commands = decide(&self.run, Ok(&self.subject), self.now);
            if commands.is_empty() && !self.resolve() && !self.take_back() {
                return;
            }
            let now = |command: &Command| {
                matches!(
                    command,
                    Command::Append(_) | Command::AskGates | Command::Query(_) | Command::Invoke(_)
                )
            };
            let at_once: Vec<usize> = (0..commands.len()).filter(|at| now(&commands[*at])).collect();
            if !self.under_way.is_empty() && (at_once.is_empty() || self.choose(2) == 0) {
                self.go_on();
            } else if at_once.is_empty() {
                self.wait(&commands);
            } else {
                let picked = usize::from(self.choose(8)) % at_once.len();
                self.perform(commands.swap_remove(at_once[picked]));
            }
        }
        panic!("it never ends");
    }

    /// Somebody ends it in the middle of whatever it does.
    fn kill(&mut self) {
        if self.run.started_at.is_none() {
            return;
        }
        let (who, why) = ("ben".to_owned(), String::new());
        self.append(Body::Killed { who, why });
        for (key, _) in std::mem::take(&mut self.under_way) {
            let outcome = stopped(Stop::Cancelled);
            self.append(Body::Ended { key, outcome });
        }
    }

    /// Nothing is under way, and nothing can be begun.
    fn wait(&mut self, commands: &[Command]) {
        let sleeps = commands.iter().filter_map(|command| match command {
            Command::SleepUntil(at) | Command::NotAfter(at) => Some(*at),
            _ => None,
        });
        let people = commands.iter().find_map(|command| match command {
            Command::AwaitDecision(until) => Some(*until),
            _ => None,
        });
        match (sleeps.min(), people) {
            (None, Some(until)) => self.decide(until),
            (Some(at), _) => {
                assert!(at > self.now);
                self.now = at;
            }
            (None, None) => assert!(commands.is_empty(), "it waits for nothing: {commands:?}"),
        }
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Append(bodies) => bodies.into_iter().for_each(|body| self.append(body)),
            Command::SleepUntil(_) | Command::NotAfter(_) | Command::AwaitDecision(_) | Command::AwaitWork => {
                unreachable!("it waits")
            }
            Command::OpenRun(_) | Command::AwaitRun(_) => unreachable!("none of these runs another"),
            Command::AskGates => match self.choose(16) {
                3 => self.append(Body::Waiting {
                    gate: "cooldown".into(),
                    why: "not yet".into(),
                    until: None,
                }),
                4 => refusal("cooldown", "no", None)
                    .into_iter()
                    .for_each(|body| self.append(body)),
                _ => self.append(Body::Started),
            },
            Command::Invoke(invoke) => self.invoke(*invoke),
            Command::Query(query) => {
                assert_eq!(query.question.expr, "up{job=\"steel-1\"} == bool 1");
                self.now += TimeDelta::seconds(1);
                let healed = self.choose(3) == 0;
                self.append(Body::Queried {
                    expr: query.question.expr,
                    healed,
                    told: "so it says".into(),
                    took_ms: 1,
                });
            }
        }
    }

    /// A person wants undone what was done, twice at most.
    fn take_back(&mut self) -> bool {
        let wanted = self.choose(3) == 1 && self.taken_back < 2;
        let known = self
            .run
            .finished
            .as_ref()
            .is_some_and(|end| end.verdict != Verdict::Unknown);
        if !wanted || !known || self.run.dry() || left(&self.run, &self.subject).is_empty() {
            return false;
        }
        self.taken_back += 1;
        let (who, why) = ("ben".to_owned(), String::new());
        self.append(Body::UndoRequested {
            who,
            why,
            override_freeze: None,
        });
        true
    }

    /// A person says yes or no, or nobody says anything.
    fn decide(&mut self, until: DateTime<Utc>) {
        assert!(until > self.now);
        let (step, approval) = self.run.waiting_for_approval().next().expect("somebody is asked");
        let (step, binding) = (step.clone(), approval.binding.clone());
        let hash = self.run.plan(&step).unwrap().hash.as_str().to_owned();
        let (who, why) = ("ben".to_owned(), String::new());
        match self.choose(4) {
            0 | 1 => {
                self.approved.insert(hash);
                self.append(Body::Approved {
                    step,
                    binding,
                    who,
                    why,
                    enough: true,
                });
            }
            2 => self.append(Body::Declined { step, who, why }),
            _ => self.now = until,
        }
    }

    /// A person has looked at what is unknown.
    fn resolve(&mut self) -> bool {
        let found = self.choose(4);
        let Some((attempt, intent)) = self.run.doubt_left().filter(|_| found > 1) else {
            return false;
        };
        let (key, n) = (attempt.key.clone(), intent.n);
        let (who, why, done) = ("ben".to_owned(), String::new(), found == 2);
        self.append(Body::Resolved { key, n, done, who, why });
        true
    }

    fn invoke(&mut self, invoke: Invoke) {
        self.check_invoke(&invoke);
        let key = invoke.key.clone();
        let begun = if invoke.resumes {
            self.append(Body::Resumed { key: key.clone() });
            self.finish_pending(&key)
        } else {
            self.append(Body::Invoked {
                key: key.clone(),
                plugin: invoke.plugin,
                params: invoke.params,
                given: None,
                before: invoke.before,
            });
            0
        };
        self.run.at_work.push(key.clone());
        self.under_way.push((key, begun));
    }

    /// One of those under way does something, or comes to its end.
    fn go_on(&mut self) {
        let picked = usize::from(self.choose(8)) % self.under_way.len();
        let (key, n) = self.under_way[picked].clone();
        self.now += TimeDelta::seconds(1);
        if self.is_unanswered(&key, n) {
            return self.answer_call(&key, n - 1);
        }
        let mut open = false;
        if matches!(key.phase, Phase::Apply | Phase::Rollback) && self.choose(3) > 0 && n < 3 {
            open = self.effect(&key, n);
            self.under_way[picked].1 += 1;
            if !open {
                return;
            }
        }
        let outcome = match self.choose(24) {
            // The process dies.
            8 => {
                self.under_way.clear();
                self.run.at_work.clear();
                if self.choose(4) == 3 {
                    std::mem::swap(&mut self.subject.home, &mut self.elsewhere);
                }
                return;
            }
            _ if open => stopped(Stop::Deadline),
            7 => stopped(if self.run.cancel.is_some() {
                Stop::Cancelled
            } else {
                Stop::Trap
            }),
            6 => failed(Class::Transient),
            5 => failed(Class::Permanent),
            4 => Outcome::Done(Output::Samples(vec![])),
            _ => self.answer(key.phase),
        };
        self.under_way.swap_remove(picked);
        self.append(Body::Ended { key, outcome });
    }

    /// What was about to be made is made now; answers the number of the next call.
    fn finish_pending(&mut self, key: &Key) -> u32 {
        let attempt = self.run.attempt(&key.step, key.phase, key.action.as_deref());
        let Some(last) = attempt.and_then(|attempt| attempt.intents.values().last().cloned()) else {
            return 0;
        };
        if last.reply == Reply::Missing {
            assert!(last.call.repeatable, "it may not be made twice");
            self.append(Body::Called {
                key: key.clone(),
                n: last.n,
                call: None,
                answer: Answer::Ok(serde_json::Value::Null),
                took_ms: 1,
            });
        }
        last.n + 1
    }

    /// True if it is not answered.
    fn effect(&mut self, key: &Key, n: u32) -> bool {
        let call = call(self.choose(2) == 0);
        let key = key.clone();
        self.append(Body::Intended {
            key: key.clone(),
            n,
            call,
        });
        match self.choose(5) {
            // It takes its time.
            2 => {}
            3 => return true,
            _ => self.answer_call(&key, n),
        }
        false
    }

    fn answer_call(&mut self, key: &Key, n: u32) {
        let answer = match self.choose(4) {
            3 => gave_up(),
            _ => Answer::Ok(serde_json::Value::Null),
        };
        self.append(Body::Called {
            key: key.clone(),
            n,
            call: None,
            answer,
            took_ms: 1,
        });
    }

    fn is_unanswered(&self, key: &Key, next: u32) -> bool {
        let attempt = self.run.attempt(&key.step, key.phase, key.action.as_deref());
        let last = attempt.and_then(|attempt| attempt.intents.get(&next.checked_sub(1)?));
        last.is_some_and(|intent| intent.reply == Reply::Missing)
    }

    fn answer(&mut self, phase: Phase) -> Outcome {
        match phase {
            Phase::Check => found(
                [Severity::Ok, Severity::Critical, Severity::Warning, Severity::Critical][usize::from(self.choose(4))],
            ),
            Phase::Plan => match self.choose(5) {
                3 => plan(&[]),
                0 => plan(&["a"]),
                1 | 2 => plan(&["a", "b"]),
                4 if self.choose(4) == 3 => plan(&["a", "a"]),
                _ => Outcome::Done(Output::Plan(vec![action("a", Risk::Low), action("b", Risk::High)])),
            },
            Phase::Apply => applied(self.choose(2) == 0),
            _ => Outcome::Done(Output::RolledBack),
        }
    }
}

fn simulations() -> impl Strategy<Value = (usize, bool, Vec<u8>)> {
    (
        0..books().len(),
        any::<bool>(),
        prop::collection::vec(prop_oneof![1 => 0..3_u8, 1 => any::<u8>()], 0..300),
    )
}

fn played(book: usize, dry: bool, choices: Vec<u8>) -> Simulation {
    let mode = if dry { Mode::DryRun } else { Mode::Live };
    let mut simulation = Simulation::new(books().remove(book), mode, choices);
    simulation.play();
    simulation
}

/// The long form has `EVENKEEL_CASES` of them.
#[expect(clippy::disallowed_methods, reason = "nothing else tells a test what it is to do")]
fn cases() -> u32 {
    let wanted = std::env::var("EVENKEEL_CASES");
    wanted.ok().and_then(|cases| cases.parse().ok()).unwrap_or(4_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_comes_to_an_end_and_keeps_the_rules((book, dry, choices) in simulations()) {
        played(book, dry, choices).check_end();
    }

    #[test]
    fn events_in_any_order_never_make_it_panic(
        (book, dry, choices) in simulations(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let simulation = played(book, dry, choices);
        let mut run = Run::default();
        for pick in picks {
            run.apply(pick.get(&simulation.events));
            let commands = decide(&run, Ok(&simulation.subject), simulation.now);
            let applies = commands.iter().any(|command| matches!(
                command,
                Command::Invoke(invoke) if invoke.key.phase == Phase::Apply
            ));
            prop_assert!(!applies || run.steps.values().any(|step| step.plan.is_some()));
            decide(&run, Err("the home has changed"), simulation.now);
        }
    }
}
