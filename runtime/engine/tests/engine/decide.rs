//! What only the pure part can be asked directly.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_engine::decide::{Command, Subject, decide};
use evenkeel_engine::run::Run;
use evenkeel_engine::trigger;
use evenkeel_model::invocation::{Key, Phase};
use evenkeel_model::name::RoundId;
use evenkeel_model::run::{Body, Event, StepResult, StepStatus};
use serde_json::{Value, json};

use crate::world::home::{home, pinned, runbook, step};
use crate::world::{noon, person};

#[test]
fn a_run_that_was_never_requested_has_nothing_to_do() {
    let book = runbook("watch", vec![step("look")]);
    let subject = Subject {
        runbook: Arc::new(book.clone()),
        home: Arc::new(home(vec![book])),
        target: None,
        customer: None,
    };
    assert!(decide(&Run::default(), Ok(&subject), noon()).is_empty());
    let commands = decide(&Run::default(), Err("it is gone"), noon());
    assert!(!commands.iter().any(
        |command| matches!(command, Command::Append(bodies) if bodies.iter().any(|body| matches!(body, Body::Started)))
    ));
}

/// An item that the step left open when it had its result is not gone on with, and so no reason to be late.
#[test]
fn what_a_step_left_open_keeps_off_no_deadline() {
    let mut book = runbook("repair", vec![step("look"), step("fix")]);
    book.limits.deadline = Some(Duration::from_secs(3_600));
    let home = Arc::new(home(vec![book]));
    let start = trigger::from_person(&person("repair"), &home).unwrap();
    let request = start.round.request(RoundId(1), &start.round.targets[0]);
    let key = Key {
        step: "look".into(),
        phase: Phase::Check,
        action: Some("1".into()),
        attempt: 1,
    };
    let invoked = Body::Invoked {
        key,
        plugin: pinned("look"),
        params: json!({}),
        given: None,
        before: None,
    };
    let result = StepResult {
        status: StepStatus::Ok,
        severity: None,
        changed: false,
        summary: String::new(),
        output: Value::Null,
    };
    let step = "look".into();
    let mut bodies = vec![
        Body::Requested(Box::new(request)),
        Body::Started,
        invoked,
        Body::StepFinished { step, result },
    ];
    let late = |bodies: &[Body]| {
        let events = (1..).zip(bodies.iter().cloned());
        let events: Vec<Event> = events.map(|(seq, body)| Event { seq, at: noon(), body }).collect();
        let run = Run::fold(&events);
        let subject = Subject::find(&run, &start.runbook, &home);
        let commands = decide(
            &run,
            subject.as_ref().map_err(String::as_str),
            noon() + TimeDelta::hours(2),
        );
        commands
            .iter()
            .any(|command| matches!(command, Command::Append(bodies) if matches!(bodies[..], [Body::Overdue { .. }])))
    };
    assert!(late(&bodies));
    bodies.pop();
    assert!(!late(&bodies), "what was interrupted is taken up first");
}
