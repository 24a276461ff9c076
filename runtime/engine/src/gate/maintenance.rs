//! While somebody works on a target, what its alerts say proves nothing: their runs wait until the
//! window ends. Runs of schedules go on, unless the window says `schedules = "wait"`; a person
//! knows.

use chrono::{DateTime, Utc};
use evenkeel_model::run::Occurrence;
use evenkeel_model::window::Maintenance;

use super::{Answer, Ask};
use crate::words;

pub const NAME: &str = "maintenance";

pub fn ask(ask: &Ask<'_>, now: DateTime<Utc>) -> Answer {
    let Some(asset) = ask.asset() else {
        return Answer::Pass;
    };
    let concerned = |window: &&Maintenance| match ask.request.occurrence {
        Occurrence::Alert { .. } => true,
        Occurrence::Tick { .. } => window.schedules_wait,
        Occurrence::Person { .. } | Occurrence::Step { .. } | Occurrence::After { .. } => false,
    };
    let windows = ask.windows.maintenance.iter().filter(concerned);
    let open = windows.filter_map(|window| {
        let until = window.when.open(now)?;
        window.covers(asset).then_some((window, until))
    });
    match open.max_by_key(|(_, until)| *until) {
        None => Answer::Pass,
        Some((window, until)) => Answer::Wait {
            gate: NAME,
            why: format!(
                "`{}` is in the maintenance window `{}` until {}",
                asset.id,
                window.name,
                words::time(until)
            ),
            until: Some(until),
        },
    }
}
