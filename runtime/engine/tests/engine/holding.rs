//! Pauses, silences, maintenance windows and freezes.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::gate::{self, Answer, Ask};
use evenkeel_engine::holds::Held;
use evenkeel_engine::{HoldError, PersonRequest, trigger};
use evenkeel_model::alert::{Change, Grade};
use evenkeel_model::hold::{Hold, Scope, What, Wish};
use evenkeel_model::home::Home;
use evenkeel_model::invocation::Severity;
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Occurrence, Request, Verdict};
use evenkeel_model::runbook::{Runbook, Selector};
use evenkeel_model::window::{Freeze, Maintenance, Span, When};

use crate::world::alarms::alert;
use crate::world::home::{home, on_alert, on_cron, runbook, selecting, step};
use crate::world::script::System;
use crate::world::{World, noon, person};

fn repair() -> Runbook {
    on_alert(
        selecting(runbook("repair", vec![step("look"), step("fix")]), "role", "app"),
        "Slow",
    )
}

fn watch() -> Runbook {
    on_alert(selecting(runbook("watch", vec![step("look")]), "role", "app"), "Slow")
}

fn world(home: Home) -> World {
    let world = World::new(home, System::new(Severity::Critical).script());
    world.serve();
    world
}

fn minutes(count: i64) -> DateTime<Utc> {
    noon() + TimeDelta::minutes(count)
}

fn wish(what: What, until: Option<DateTime<Utc>>) -> Wish {
    Wish {
        what,
        why: "the move".into(),
        who: "ada".into(),
        until,
    }
}

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

fn silence(matchers: &str) -> What {
    What::Silence {
        matchers: matchers.into(),
    }
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

// ---- pure --------------------------------------------------------------------------------

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

fn in_maintenance(select: Option<&str>, schedules_wait: bool) -> Home {
    let mut home = home(vec![repair()]);
    home.settings.windows.maintenance.push(Maintenance {
        name: "move".into(),
        select: select.map(|text| Selector::parse(text).unwrap()),
        when: When::Once(span()),
        schedules_wait,
    });
    home
}

fn span() -> Span {
    Span {
        from: minutes(-60),
        until: minutes(60),
    }
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

fn frozen(book: Runbook, except: Option<Grade>) -> Home {
    let mut home = home(vec![book]);
    home.settings.windows.freezes.push(Freeze {
        name: "year-end".into(),
        select: None,
        span: span(),
        except,
    });
    home
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

// ---- driven ------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_paused_run_starts_when_it_is_unpaused_and_not_before() {
    let world = world(home(vec![repair()]));
    let hold = world.engine.hold(wish(What::Pause(Scope::All), None)).await.unwrap();
    world
        .alarms
        .edge(&world.engine, Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
    world.until_waiting(1, "pause").await;
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert_eq!(world.script.called().len(), 0);
    assert_eq!(world.waits(1).len(), 1, "it is said once");
    world.engine.release(vec![hold.id], "bob").await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_whose_alert_resolved_meanwhile_never_starts() {
    let world = world(home(vec![repair()]));
    let slow = alert("Slow", &[("asset", "steel-1")]);
    let pause = wish(What::Pause(Scope::Runbook("repair".into())), Some(minutes(60)));
    world.engine.hold(pause).await.unwrap();
    world.alarms.edge(&world.engine, Change::Fired, &slow);
    world.until_waiting(1, "pause").await;
    world.alarms.edge(&world.engine, Change::Resolved, &slow);
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Cancelled));
    assert_eq!(world.script.called().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_by_itself() {
    let world = world(home(vec![repair()]));
    world
        .engine
        .hold(wish(What::Pause(Scope::All), Some(minutes(60))))
        .await
        .unwrap();
    world
        .alarms
        .edge(&world.engine, Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
    let run = world.until_finished(1).await;
    assert!(run.started_at.unwrap() >= minutes(60), "{run:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_at_work_is_not_touched_by_a_pause() {
    let script =
        System::new(Severity::Critical)
            .script()
            .on("fix", evenkeel_model::invocation::Phase::Apply, |_, _| async {
                tokio::time::sleep(Duration::from_secs(300)).await;
                crate::world::script::applied(true)
            });
    let world = World::new(home(vec![repair()]), script);
    world.serve();
    world
        .alarms
        .edge(&world.engine, Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
    world
        .until("it is applied", || {
            world.script.called().contains(&"fix/apply a".to_owned()).then_some(())
        })
        .await;
    world.engine.hold(wish(What::Pause(Scope::All), None)).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn a_pause_outlives_the_process() {
    let world = world(home(vec![repair()]));
    let hold = world.engine.hold(wish(What::Pause(Scope::All), None)).await.unwrap();
    world
        .alarms
        .edge(&world.engine, Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
    world.until_waiting(1, "pause").await;
    let world = world.crash(home(vec![repair()]), System::new(Severity::Critical).script());
    world.serve();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(world.script.called().len(), 0);
    world.engine.release(vec![hold.id], "bob").await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn a_silenced_alert_starts_its_run_when_the_silence_is_ended_and_it_still_fires() {
    let world = world(home(vec![repair()]));
    let quiet = wish(silence(r#"asset="steel-1""#), Some(minutes(600)));
    let hold = world.engine.hold(quiet).await.unwrap();
    for asset in ["steel-1", "steel-2"] {
        world
            .alarms
            .edge(&world.engine, Change::Fired, &alert("Slow", &[("asset", asset)]));
    }
    world.until_waiting(1, "silence").await;
    assert_ne!(
        world.until_finished(2).await.verdict,
        Some(Verdict::Rejected),
        "nobody silenced that one"
    );
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.journal.summary(RunId(1)).unwrap().started_at.is_none());
    world.engine.release(vec![hold.id], "bob").await.unwrap();
    assert!(world.until_finished(1).await.started_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_taken_out_of_the_home_lets_its_runs_go() {
    let world = world(in_maintenance(None, false));
    world
        .alarms
        .edge(&world.engine, Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
    world.until_waiting(1, "maintenance").await;
    world.engine.reload(std::sync::Arc::new(home(vec![repair()])));
    let run = world.until_finished(1).await;
    assert!(run.started_at.unwrap() < minutes(60));
}

#[tokio::test(start_paused = true)]
async fn a_person_may_change_something_in_a_freeze_and_that_is_recorded() {
    let world = world(frozen(repair(), None));
    let request = PersonRequest {
        target: Some("steel-1".into()),
        override_freeze: Some("the shop is down".into()),
        ..person("repair")
    };
    let plain = PersonRequest {
        override_freeze: None,
        ..PersonRequest {
            request: "another".into(),
            ..request.clone()
        }
    };
    assert_eq!(world.run_as(plain).await[0].verdict, Some(Verdict::Rejected));
    assert_eq!(world.run_as(request).await[0].verdict, Some(Verdict::Changed));
    let evenkeel_model::run::Body::Requested(recorded) = &world.bodies(2)[0] else {
        panic!()
    };
    assert_eq!(recorded.override_freeze.as_deref(), Some("the shop is down"));
}

#[tokio::test(start_paused = true)]
async fn only_one_of_many_ticks_waits_for_the_end_of_a_pause() {
    let mut book = on_cron(repair(), "* * * * *", Default::default());
    book.targets.select = Some(Selector::parse(r#"asset="steel-1""#).unwrap());
    book.limits.overlap = Default::default();
    let world = world(home(vec![book]));
    world
        .engine
        .hold(wish(What::Pause(Scope::All), Some(minutes(30))))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(25 * 60)).await;
    let waiting = world.engine.under_way();
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    assert_eq!(world.refusal(2).unwrap().0, "overlap");
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_is_not_held() {
    let world = world(home(vec![repair()]));
    let cases = [
        (
            wish(What::Pause(Scope::Customer("stel".into())), None),
            "there is no customer `stel`; did you mean `steel`?",
        ),
        (
            wish(What::Pause(Scope::Runbook("repare".into())), None),
            "there is no runbook `repare`; did you mean `repair`?",
        ),
        (
            wish(What::Pause(Scope::All), Some(noon() - TimeDelta::seconds(1))),
            "it would end before it begins",
        ),
        (
            wish(silence("a="), Some(minutes(5))),
            "`a=` is no list of matchers: column 3: expected a value in quotes",
        ),
        (
            wish(silence(r#"a!="b""#), Some(minutes(5))),
            "`a!=\"b\"` would silence every alert; name a label that must be there",
        ),
        (wish(silence(r#"a="b""#), None), "a silence has an end"),
    ];
    for (wish, why) in cases {
        let refused = world.engine.hold(wish).await.unwrap_err();
        assert_eq!(refused.to_string(), why);
    }
    let silent = Wish {
        why: " ".into(),
        ..wish(What::Pause(Scope::All), None)
    };
    assert!(matches!(world.engine.hold(silent).await, Err(HoldError::Wrong(_))));
    assert!(world.engine.holds().await.unwrap().is_empty());
}
