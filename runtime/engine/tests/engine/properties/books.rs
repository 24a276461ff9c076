//! The runbooks that are played.

use super::*;

pub fn books() -> Vec<Runbook> {
    let careful = || only_when(step("fix"), "steps.look.severity == 'critical'");
    let all = || vec![step("look"), careful(), step("more"), step_as("after", "look")];
    let hanging = only_when(step_as("after", "look"), "steps.fix.changed");
    vec![
        runbook("repair", vec![step("look")]),
        runbook("repair", all()),
        runbook("repair", vec![step("fix"), hanging]),
        healed(runbook("repair", all()), Otherwise::Escalate),
        healed(runbook("repair", all()), Otherwise::Undo),
        healed(runbook("repair", vec![step("fix"), step("look")]), Otherwise::Ignore),
        asking(healed(runbook("repair", all()), Otherwise::Undo)),
        in_time(healed(runbook("repair", all()), Otherwise::Undo)),
        side_by_side(runbook("repair", all())),
        side_by_side(asking(healed(runbook("repair", all()), Otherwise::Undo))),
        side_by_side(in_time(healed(runbook("repair", all()), Otherwise::Escalate))),
        going_on(side_by_side(healed(runbook("repair", all()), Otherwise::Undo))),
        each_of_three(runbook("repair", all())),
        each_of_three(asking(healed(runbook("repair", all()), Otherwise::Undo))),
        each_of_three(side_by_side(in_time(healed(
            runbook("repair", all()),
            Otherwise::Escalate,
        )))),
    ]
}

/// `look` first, then `fix` and `more`, and `after` once `more` is through.
fn side_by_side(book: Runbook) -> Runbook {
    needing(needing(book, "more", &["look"]), "after", &["more"])
}

/// All but `after` are done for three items, two at once, and one may fail.
fn each_of_three(mut book: Runbook) -> Runbook {
    for step in &mut book.steps[..3] {
        step.each = Some(Each {
            list: List::Expression("['x', 'y', 'z']".into()),
            concurrency: NonZeroU32::new(2).unwrap(),
            tolerate: Tolerate::Percent(50),
        });
    }
    book
}

/// `fix` may fail.
fn going_on(mut book: Runbook) -> Runbook {
    book.steps[1].on_failure = OnFailure::Continue;
    book
}

/// With less time than most runs of it would take.
fn in_time(book: Runbook) -> Runbook {
    let mut book = book;
    book.limits.deadline = Some(std::time::Duration::from_secs(4));
    book
}
