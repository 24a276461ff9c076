//! What a run began and did not bring to its end is known as long as the run is.

use evenkeel_engine::port::Journal as _;
use evenkeel_engine::run::Run;
use evenkeel_model::action::Applied;
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::grant::Capability;
use evenkeel_model::invocation::{Class, Failure, Key, Outcome, Output, Phase, Stop};
use evenkeel_model::name::{RunId, StepId};
use evenkeel_model::plugin::{Digest, Kind, Pinned};
use evenkeel_model::run::{Body, Event, Verdict};
use proptest::prelude::*;
use serde_json::Value;

use crate::compact::{append, compact, days, events, keep, open};
use crate::home::{Home, finished};

/// What became of an effect that was begun.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Made,
    Denied,
    /// Its answer leaves open whether it was made.
    Open,
    Unanswered,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Done(bool),
    Failed,
    Cancelled,
    Diverged,
    Interrupted,
    /// It was interrupted, and a person said what became of it.
    Resolved(bool),
}

#[derive(Clone, Debug)]
struct Course {
    effects: Vec<Effect>,
    resumed: usize,
    end: End,
}

fn call(effect: bool) -> Call {
    Call {
        capability: Capability::Exec,
        operation: "run".into(),
        subject: "fix []".into(),
        request: Value::Null,
        content: None,
        effect,
        repeatable: false,
    }
}

fn answer(effect: Effect) -> Option<Answer> {
    match effect {
        Effect::Made => Some(Answer::Ok(Value::Null)),
        Effect::Denied => Some(Answer::Denied("it is not declared".into())),
        Effect::Open => Some(Answer::Err {
            error: "timed-out".into(),
            message: "it took too long".into(),
            open: true,
        }),
        Effect::Unanswered => None,
    }
}

/// A read comes before each effect.
fn calls(key: &Key, effects: &[Effect]) -> Vec<Body> {
    let mut bodies = Vec::new();
    let called = |n, call, answer| Body::Called {
        key: key.clone(),
        n,
        call,
        answer,
        took_ms: 1,
    };
    for (n, effect) in (0..).step_by(2).zip(effects) {
        bodies.push(called(n, Some(call(false)), Answer::Ok(Value::Null)));
        bodies.push(Body::Intended {
            key: key.clone(),
            n: n + 1,
            call: call(true),
        });
        bodies.extend(answer(*effect).map(|answer| called(n + 1, None, answer)));
    }
    bodies.push(Body::Logged {
        key: key.clone(),
        level: Level::Info,
        message: "so far".into(),
        fields: vec![],
    });
    bodies
}

fn output(phase: Phase, changed: bool) -> Output {
    match phase {
        Phase::Rollback => Output::RolledBack,
        _ => Output::Applied(Applied {
            changed,
            summary: "fixed".into(),
            output: None,
            undo: None,
        }),
    }
}

fn outcome(phase: Phase, end: End) -> Option<Outcome> {
    let stopped = |stop| Outcome::Stopped {
        stop,
        message: "it was stopped".into(),
    };
    match end {
        End::Done(changed) => Some(Outcome::Done(output(phase, changed))),
        End::Failed => Some(Outcome::Failed(Failure {
            class: Class::Transient,
            code: String::new(),
            message: "no".into(),
            details: None,
        })),
        End::Cancelled => Some(stopped(Stop::Cancelled)),
        End::Diverged => Some(stopped(Stop::Diverged)),
        End::Interrupted | End::Resolved(_) => None,
    }
}

fn attempt(key: &Key, course: &Course) -> Vec<Body> {
    let mut bodies = vec![Body::Invoked {
        key: key.clone(),
        plugin: Pinned {
            name: "command".into(),
            version: "1.0.0".parse().unwrap(),
            digest: Digest("abc".into()),
            kind: Kind::Remedy,
        },
        params: Value::Null,
        given: None,
        before: None,
    }];
    bodies.extend(calls(key, &course.effects));
    bodies.extend(vec![Body::Resumed { key: key.clone() }; course.resumed]);
    bodies.extend(outcome(key.phase, course.end).map(|outcome| Body::Ended {
        key: key.clone(),
        outcome,
    }));
    if let End::Resolved(done) = course.end {
        bodies.push(Body::Resolved {
            key: key.clone(),
            n: 1,
            done,
            who: "ann".into(),
            why: String::new(),
        });
    }
    bodies
}

/// Attempts at one export: what came well to its end is not tried again.
fn attempts(step: &str, phase: Phase, courses: &[Course]) -> Vec<Body> {
    let mut bodies = Vec::new();
    for (number, course) in (1..).zip(courses) {
        let key = Key {
            step: step.into(),
            phase,
            action: Some("a".into()),
            attempt: number,
        };
        bodies.extend(attempt(&key, course));
        if matches!(course.end, End::Done(_) | End::Resolved(true)) {
            break;
        }
    }
    bodies
}

fn fold(bodies: &[Body]) -> Run {
    let events = (1..).zip(bodies).map(|(seq, body)| Event {
        seq,
        at: days(0),
        body: body.clone(),
    });
    Run::fold(&events.collect::<Vec<_>>())
}

/// One action a step; only what was begun is rolled back.
fn story(actions: &[(Vec<Course>, Vec<Course>)]) -> Vec<Body> {
    let mut bodies = vec![Body::Started];
    for (n, (apply, rollback)) in actions.iter().enumerate() {
        let step = format!("s{n}");
        bodies.extend(attempts(&step, Phase::Apply, apply));
        if fold(&bodies).changed_by(&StepId::from(step.as_str())) {
            bodies.extend(attempts(&step, Phase::Rollback, rollback));
        }
    }
    bodies
}

/// All that an undo asks of the record.
#[derive(Debug, PartialEq)]
struct Known {
    changed: bool,
    doubts: Vec<(Key, u32)>,
    actions: Vec<(Key, Asked)>,
}

#[derive(Debug, PartialEq)]
enum Asked {
    Done(Output),
    /// Whether it had begun to change something, and whether it can be gone on with.
    Else {
        touched: bool,
        goes_on: bool,
        spent: usize,
    },
}

fn known(events: &[Event]) -> Known {
    let run = Run::fold(events);
    let doubts = run.doubts_left();
    let doubts = doubts.map(|(attempt, intent)| (attempt.key.clone(), intent.n));
    let actions = run.attempts.values().map(|attempt| {
        let asked = match attempt.output() {
            Some(output) => Asked::Done(output.clone()),
            None => Asked::Else {
                touched: attempt.has_touched(),
                goes_on: attempt.goes_on(),
                spent: attempt.spent().len(),
            },
        };
        (attempt.key.clone(), asked)
    });
    Known {
        changed: run.changed(),
        doubts: doubts.collect(),
        actions: actions.collect(),
    }
}

async fn known_of(store: &evenkeel_store::Store, run: RunId) -> Known {
    known(&events(store, run).await)
}

#[tokio::test]
async fn a_half_made_action_is_to_be_undone_after_its_calls_were_dropped() {
    let home = Home::new();
    let store = home.open();
    let run = open(&store, "1", 0).await;
    let half = Course {
        effects: vec![Effect::Made],
        resumed: 0,
        end: End::Failed,
    };
    append(&store, run, days(0), story(&[(vec![half], vec![])])).await;
    append(&store, run, days(0), vec![finished(Verdict::Failed)]).await;
    assert_eq!(compact(&store, keep(90, 730), days(100)).await.compacted, 1);
    assert!(store.run(run).await.unwrap().unwrap().compacted);
    let left = events(&store, run).await;
    let run = Run::fold(&left);
    let attempt = run.attempt(&"s0".into(), Phase::Apply, Some("a")).unwrap();
    assert!(attempt.has_touched() && run.changed());
    assert!(run.doubt_left().is_none(), "its answer is kept with it");
    let read = |event: &Event| matches!(event.body, Body::Called { call: Some(_), .. } | Body::Logged { .. });
    assert!(!left.iter().any(read), "only what it changed is kept");
}

fn courses() -> impl Strategy<Value = Vec<Course>> {
    let effect = prop_oneof![
        Just(Effect::Made),
        Just(Effect::Denied),
        Just(Effect::Open),
        Just(Effect::Unanswered)
    ];
    let end = prop_oneof![
        any::<bool>().prop_map(End::Done),
        Just(End::Failed),
        Just(End::Cancelled),
        Just(End::Diverged),
        Just(End::Interrupted),
        any::<bool>().prop_map(End::Resolved),
    ];
    let course = (prop::collection::vec(effect, 0..3), 0..4_usize, end).prop_map(|(effects, resumed, end)| Course {
        effects,
        resumed,
        end,
    });
    prop::collection::vec(course, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was tried, and however it ended: what is asked before an undo has the same answers.
    #[test]
    fn a_run_without_its_calls_knows_what_it_changed(
        stories in prop::collection::vec(prop::collection::vec((courses(), courses()), 1..4), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let home = Home::new();
            let store = home.open();
            let mut all = Vec::new();
            for (n, actions) in stories.iter().enumerate() {
                let run = open(&store, &n.to_string(), 0).await;
                append(&store, run, days(0), story(actions)).await;
                append(&store, run, days(0), vec![finished(Verdict::Failed)]).await;
                all.push((run, known_of(&store, run).await));
            }
            let progress = compact(&store, keep(90, 730), days(100)).await;
            assert_eq!(progress.compacted, stories.len() as u64);
            for (run, before) in all {
                assert_eq!(known_of(&store, run).await, before, "{run}");
            }
        });
    }
}
