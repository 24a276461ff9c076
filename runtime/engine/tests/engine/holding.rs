//! Pauses, silences, maintenance windows and freezes.

mod judged;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::{HoldError, PersonRequest};
use evenkeel_model::alert::{Change, Grade};
use evenkeel_model::hold::{Scope, What, Wish};
use evenkeel_model::home::Home;
use evenkeel_model::invocation::Severity;
use evenkeel_model::name::RunId;
use evenkeel_model::run::Verdict;
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

fn silence(matchers: &str) -> What {
    What::Silence {
        matchers: matchers.into(),
    }
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

#[tokio::test(start_paused = true)]
async fn a_paused_run_starts_when_it_is_unpaused_and_not_before() {
    let world = world(home(vec![repair()]));
    let hold = world.engine.hold(wish(What::Pause(Scope::All), None)).await.unwrap();
    world
        .alarms
        .edge(Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
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
    world.alarms.edge(Change::Fired, &slow);
    world.until_waiting(1, "pause").await;
    world.alarms.edge(Change::Resolved, &slow);
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
        .edge(Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
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
        .edge(Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
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
        .edge(Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
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
        world.alarms.edge(Change::Fired, &alert("Slow", &[("asset", asset)]));
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
        .edge(Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
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
