//! In a freeze nothing is changed. Checks go on, and so does what a person wants in spite of it and
//! gives a reason for, and what an alert starts that matters enough (`except`).

use chrono::{DateTime, Utc};
use evenkeel_model::run::Occurrence;
use evenkeel_model::window::Freeze;

use super::{Answer, Ask};
use crate::words;

pub const NAME: &str = "freeze";

pub fn ask(ask: &Ask<'_>, now: DateTime<Utc>) -> Answer {
    if !ask.runbook.may_change() || overridden(ask) {
        return Answer::Pass;
    }
    let Some(asset) = ask.asset() else {
        return Answer::Pass;
    };
    let open = ask.windows.freezes.iter().filter_map(|freeze| {
        let until = freeze.span.open(now)?;
        (freeze.covers(asset) && !excepts(freeze, ask)).then_some((freeze, until))
    });
    let Some((freeze, until)) = open.max_by_key(|(_, until)| *until) else {
        return Answer::Pass;
    };
    let why = format!(
        "`{}` is frozen by `{}` until {}",
        asset.id,
        freeze.name,
        words::time(until)
    );
    match ask.request.occurrence {
        Occurrence::Alert { .. } | Occurrence::After { .. } => Answer::Wait {
            gate: NAME,
            why,
            until: Some(until),
        },
        Occurrence::Tick { .. } | Occurrence::Step { .. } => Answer::Refuse { gate: NAME, why },
        Occurrence::Person { .. } => Answer::Refuse {
            gate: NAME,
            why: format!("{why}; --override-freeze WHY runs it all the same, and is recorded"),
        },
    }
}

fn overridden(ask: &Ask<'_>) -> bool {
    let occurrence = &ask.request.occurrence;
    let asked = matches!(
        occurrence,
        Occurrence::Person { .. } | Occurrence::Step { .. } | Occurrence::After { .. }
    );
    asked && ask.request.override_freeze.is_some()
}

fn excepts(freeze: &Freeze, ask: &Ask<'_>) -> bool {
    let (Occurrence::Alert { .. } | Occurrence::Step { .. }, Some(alert)) =
        (&ask.request.occurrence, &ask.request.alert)
    else {
        return false;
    };
    // Of what a person asked for, the alert is only what it is about.
    ask.request.person().is_none() && freeze.except.is_some_and(|least| alert.grade >= least)
}
