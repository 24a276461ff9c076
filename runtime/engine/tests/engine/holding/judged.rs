//! What the gates say of pauses, silences, windows and freezes: pure.

use chrono::TimeDelta;
use evenkeel_engine::gate::{self, Answer, Ask};
use evenkeel_engine::holds::Held;
use evenkeel_engine::trigger;
use evenkeel_model::alert::Grade;
use evenkeel_model::hold::{Hold, Scope, What};
use evenkeel_model::home::Home;
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Occurrence, Request};

use super::{frozen, in_maintenance, minutes, repair, silence, watch};
use crate::world::alarms::alert;
use crate::world::home::home;
use crate::world::noon;

fn held(id: u64, what: What, until: Option<i64>) -> Held {
    Held::new(Hold {
        id,
        what,
        why: "the move".into(),
        who: "ada".into(),
        since: noon() - TimeDelta::minutes(1),
        until: until.map(minutes),
        ended: None,
    })
}

/// What the gates say to the run that a slow `steel-1` starts, or to a tick, or to a person.
fn asked(home: &Home, occurrence: fn(Occurrence) -> Occurrence, grade: Grade, holds: &[Held]) -> Answer {
    let mut slow = alert("Slow", &[("asset", "steel-1")]);
    slow.grade = grade;
    let start = trigger::from_alert(&slow, home).remove(0);
    let mut request: Request = start.round.request(RoundId(1), &start.round.targets[0]);
    request.occurrence = occurrence(request.occurrence);
    let ask = Ask {
        holds,
        ..Ask::plain(RunId(9), &request, &start.runbook, home)
    };
    gate::ask(&ask, noon())
}

fn of_alert(occurrence: Occurrence) -> Occurrence {
    occurrence
}

fn of_tick(_: Occurrence) -> Occurrence {
    Occurrence::Tick {
        runbook: "repair".into(),
        schedule: "* * * * * UTC".into(),
        at: noon(),
    }
}

fn of_person(_: Occurrence) -> Occurrence {
    Occurrence::Person {
        runbook: "repair".into(),
        request: "1".into(),
        who: "bob".into(),
    }
}

fn waits(gate: &'static str, why: &str, until: Option<i64>) -> Answer {
    Answer::Wait {
        gate,
        why: why.into(),
        until: until.map(minutes),
    }
}

#[test]
fn a_pause_holds_what_it_names_and_says_who_why_and_until_when() {
    let home = home(vec![repair()]);
    let paused = |scope, until| asked(&home, of_alert, Grade::Low, &[held(1, What::Pause(scope), until)]);
    assert_eq!(
        paused(Scope::All, Some(60)),
        waits(
            "pause",
            "ada paused everything until 2026-11-23T13:00:00Z: the move",
            Some(60)
        )
    );
    assert_eq!(
        paused(Scope::Customer("steel".into()), None),
        waits("pause", "ada paused customer `steel`: the move", None)
    );
    assert!(matches!(
        paused(Scope::Runbook("repair".into()), None),
        Answer::Wait { .. }
    ));
    assert_eq!(paused(Scope::Customer("paper".into()), None), Answer::Pass);
    assert_eq!(paused(Scope::Runbook("watch".into()), None), Answer::Pass);
    assert_eq!(paused(Scope::All, Some(0)), Answer::Pass, "its time is over");
}

#[test]
fn the_pause_that_lasts_longest_is_waited_for() {
    let home = home(vec![repair()]);
    let holds = [
        held(1, What::Pause(Scope::All), Some(60)),
        held(2, What::Pause(Scope::Customer("steel".into())), None),
        held(3, What::Pause(Scope::All), Some(30)),
    ];
    assert!(matches!(
        asked(&home, of_tick, Grade::Low, &holds),
        Answer::Wait { until: None, .. }
    ));
    let Answer::Wait { until, .. } = asked(&home, of_person, Grade::Low, &[holds[0].clone(), holds[2].clone()]) else {
        panic!()
    };
    assert_eq!(until, Some(minutes(60)));
}

#[test]
fn a_silence_is_over_the_labels_of_the_alert_and_its_customer() {
    let home = home(vec![repair()]);
    let silenced = |matchers| {
        let holds = [held(4, silence(matchers), Some(5))];
        asked(&home, of_alert, Grade::Low, &holds)
    };
    assert_eq!(
        silenced(r#"alertname="Slow", asset=~"steel-.*""#),
        waits(
            "silence",
            "ada silenced its alert until 2026-11-23T12:05:00Z (silence 4): the move",
            Some(5)
        )
    );
    assert!(matches!(silenced(r#"customer="steel""#), Answer::Wait { .. }));
    assert_eq!(silenced(r#"customer="paper""#), Answer::Pass);
    assert_eq!(silenced(r#"alertname="Slow", asset="steel-2""#), Answer::Pass);
    let holds = [held(4, silence(r#"alertname="Slow""#), Some(5))];
    assert_eq!(
        asked(&home, of_tick, Grade::Low, &holds),
        Answer::Pass,
        "no alert started it"
    );
}

#[test]
fn in_a_maintenance_window_runs_of_alerts_wait() {
    let wait = waits(
        "maintenance",
        "`steel-1` is in the maintenance window `move` until 2026-11-23T13:00:00Z",
        Some(60),
    );
    let home = in_maintenance(Some(r#"customer="steel""#), false);
    assert_eq!(asked(&home, of_alert, Grade::High, &[]), wait);
    assert_eq!(asked(&home, of_tick, Grade::Low, &[]), Answer::Pass);
    assert_eq!(asked(&home, of_person, Grade::Low, &[]), Answer::Pass);
    assert_eq!(asked(&in_maintenance(None, true), of_tick, Grade::Low, &[]), wait);
    let other = in_maintenance(Some(r#"customer="paper""#), true);
    assert_eq!(asked(&other, of_alert, Grade::Low, &[]), Answer::Pass);
}

#[test]
fn in_a_freeze_nothing_is_changed() {
    let why = "`steel-1` is frozen by `year-end` until 2026-11-23T13:00:00Z";
    let home = frozen(repair(), None);
    assert_eq!(asked(&home, of_alert, Grade::High, &[]), waits("freeze", why, Some(60)));
    let refused = |answer| match answer {
        Answer::Refuse { gate: "freeze", why } => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(asked(&home, of_tick, Grade::Low, &[])), why);
    let to_a_person = refused(asked(&home, of_person, Grade::Low, &[]));
    assert!(to_a_person.contains("--override-freeze"), "{to_a_person}");
    assert_eq!(
        asked(&frozen(watch(), None), of_tick, Grade::Low, &[]),
        Answer::Pass,
        "a check changes nothing"
    );
}

#[test]
fn a_freeze_lets_alerts_through_that_matter_enough() {
    let home = frozen(repair(), Some(Grade::High));
    assert_eq!(asked(&home, of_alert, Grade::High, &[]), Answer::Pass);
    assert!(matches!(
        asked(&home, of_alert, Grade::Medium, &[]),
        Answer::Wait { .. }
    ));
    assert!(
        matches!(asked(&home, of_person, Grade::High, &[]), Answer::Refuse { .. }),
        "no alert started it"
    );
}
