//! What a replay needs is in the events of a run, and what is not there is said.

use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_engine::port::Work;
use evenkeel_engine::recording::{Unrecorded, recordings};
use evenkeel_model::call::Answer;
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Key, Outcome, Output, Phase, Severity};
use evenkeel_model::name::{RunId, StepId};
use evenkeel_model::run::{Body, Event, Mode};
use evenkeel_model::tape::{Given, Seed, Tape};
use serde_json::{Value, json};

use crate::world::home::{home, pinned, runbook, step};
use crate::world::script::{System, call, hang};
use crate::world::{World, noon, person};

fn key(phase: Phase, attempt: u32) -> Key {
    Key {
        step: StepId::new("look"),
        phase,
        action: None,
        attempt,
    }
}

fn begins(attempt: u32, given: bool) -> Body {
    Body::Invoked {
        key: key(Phase::Check, attempt),
        plugin: pinned("look"),
        params: json!({ "attempt": attempt }),
        given: given.then(|| {
            Box::new(Given {
                seed: Seed([9; 32]),
                timeout: Duration::from_secs(5),
                limits: SandboxLimits::default(),
            })
        }),
        before: None,
    }
}

fn senses(attempt: u32, bytes: &[u8]) -> Body {
    Body::Sensed {
        key: key(Phase::Check, attempt),
        tape: Tape(bytes.to_vec()),
    }
}

fn calls(attempt: u32, n: u32, answer: &str) -> Body {
    Body::Called {
        key: key(Phase::Check, attempt),
        n,
        call: Some(call(false)),
        answer: Answer::Ok(Value::from(answer)),
        took_ms: 1,
    }
}

fn ends(attempt: u32) -> Body {
    Body::Ended {
        key: key(Phase::Check, attempt),
        outcome: Outcome::Done(Output::Findings(Vec::new())),
    }
}

/// A run's own beginning, and then these.
async fn events(bodies: Vec<Body>) -> Vec<Event> {
    let script = System::new(Severity::Critical)
        .script()
        .on("look", Phase::Check, |_, _| hang());
    let world = World::new(home(vec![runbook("repair", vec![step("look")])]), script);
    world.ask(person("repair")).await.unwrap();
    world
        .until("it looks", || (!world.script.called().is_empty()).then_some(()))
        .await;
    let mut events = world.journal.all(RunId(1));
    events.retain(|event| !matches!(event.body, Body::Invoked { .. }));
    let next = events.last().unwrap().seq + 1;
    events.extend((next..).zip(bodies).map(|(seq, body)| Event {
        seq,
        at: noon() + TimeDelta::seconds(1),
        body,
    }));
    events
}

#[tokio::test(start_paused = true)]
async fn an_invocation_is_what_was_recorded_between_its_begin_and_its_end() {
    let bodies = vec![
        begins(1, true),
        senses(1, &[1, 2]),
        calls(1, 0, "first"),
        senses(1, &[3]),
        calls(1, 1, "second"),
        senses(1, &[4]),
        begins(2, true),
        calls(2, 0, "again"),
        ends(2),
    ];
    let found = recordings(RunId(1), &events(bodies).await);
    assert_eq!(found.len(), 2);
    let first = found[0].1.as_ref().unwrap();
    assert_eq!((first.run, first.mode), (RunId(1), Mode::Live));
    assert!(matches!(first.work, Work::Check));
    assert_eq!(first.params, json!({ "attempt": 1 }));
    assert_eq!(first.tape, Tape(vec![1, 2, 3, 4]));
    assert_eq!(first.given.seed, Seed([9; 32]));
    let sensed: Vec<usize> = first.calls.iter().map(|made| made.sensed).collect();
    assert_eq!(sensed, [2, 3], "the tape is divided by the calls");
    assert_eq!(first.outcome, None, "it was interrupted");
    let second = found[1].1.as_ref().unwrap();
    assert_eq!((second.calls.len(), second.outcome.is_some()), (1, true));
}

#[tokio::test(start_paused = true)]
async fn an_effect_has_its_answer_once_that_is_known() {
    let effect = |answered: bool| {
        let mut bodies = vec![
            begins(1, true),
            Body::Intended {
                key: key(Phase::Check, 1),
                n: 0,
                call: call(true),
            },
        ];
        if answered {
            bodies.push(Body::Called {
                key: key(Phase::Check, 1),
                n: 0,
                call: None,
                answer: Answer::Ok(Value::Null),
                took_ms: 1,
            });
        }
        bodies
    };
    for answered in [true, false] {
        let found = recordings(RunId(1), &events(effect(answered)).await);
        let made = &found[0].1.as_ref().unwrap().calls;
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].answer.is_some(), answered);
    }
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_replayed_says_why() {
    let why = |bodies| async {
        let found = recordings(RunId(1), &events(bodies).await);
        found[0].1.clone().unwrap_err()
    };
    assert_eq!(why(vec![begins(1, false), ends(1)]).await, Unrecorded::Older);
    let gap = vec![begins(1, true), calls(1, 0, "first"), calls(1, 2, "third")];
    assert_eq!(why(gap).await, Unrecorded::Gap(1));
    let unasked = vec![
        begins(1, true),
        Body::Called {
            key: key(Phase::Check, 1),
            n: 3,
            call: None,
            answer: Answer::Ok(Value::Null),
            took_ms: 1,
        },
    ];
    assert_eq!(why(unasked).await, Unrecorded::Gap(3));
}

#[tokio::test(start_paused = true)]
async fn a_run_without_its_beginning_is_no_recording() {
    let mut events = events(vec![begins(1, true)]).await;
    events.retain(|event| matches!(event.body, Body::Invoked { .. }));
    assert_eq!(
        recordings(RunId(1), &events)[0].1.clone().unwrap_err(),
        Unrecorded::Work
    );
}
