//! What only the pure part can be asked directly.

use std::sync::Arc;

use evenkeel_engine::decide::{Command, Subject, decide};
use evenkeel_engine::run::Run;
use evenkeel_model::run::Body;

use crate::world::home::{home, runbook, step};
use crate::world::noon;

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
