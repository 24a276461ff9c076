//! Every gate passes, waits or refuses, and says why.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_engine::gate::{self, Answer, Ask};
use evenkeel_engine::port::NewRun;
use evenkeel_engine::{Holder, trigger};
use evenkeel_model::alert::{Alert, Change, Grade};
use evenkeel_model::hold::{Scope, What, Wish};
use evenkeel_model::home::Home;
use evenkeel_model::invocation::{Phase, Severity};
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, Mode, Request, State, Summary, Verdict};
use evenkeel_model::runbook::{Overlap, Runbook};

use crate::approvals::{asking, risky, yes};
use crate::world::alarms::alert;
use crate::world::home::{asset, cooling, home, on_alert, on_cron, runbook, selecting, step, with_assets};
use crate::world::script::{Script, System, applied, found, hang, plan};
use crate::world::{World, noon, person};

fn repair() -> Runbook {
    cooling(runbook("repair", vec![step("fix")]), 10)
}

fn waits(world: &World, run: u64) -> Vec<(String, String)> {
    let of = |body| match body {
        Body::Waiting { gate, why, .. } => Some((gate, why)),
        _ => None,
    };
    world.bodies(run).into_iter().filter_map(of).collect()
}

fn refusal(world: &World, run: u64) -> Option<(String, String)> {
    let of = |body| match body {
        Body::Refused { gate, why } => Some((gate, why)),
        _ => None,
    };
    world.bodies(run).into_iter().find_map(of)
}

// ---- pure --------------------------------------------------------------------------------

fn request(home: &Home, mode: Mode) -> Request {
    let runbook = &home.runbooks[&"repair".into()];
    let start = trigger::from_person(&person("repair"), home).unwrap();
    let mut request = start.round.request(RoundId(1), &start.round.targets[0]);
    request.mode = mode;
    assert_eq!(request.runbook, runbook.name);
    request
}

fn past(home: &Home, changed: bool, minutes_ago: i64) -> Summary {
    let request = request(home, Mode::Live);
    Summary {
        run: RunId(7),
        round: RoundId(7),
        runbook: request.runbook,
        target: request.target,
        customer: request.customer,
        mode: Mode::Live,
        occurrence: request.occurrence,
        state: State::Finished,
        verdict: Some(Verdict::Changed),
        changed,
        why: String::new(),
        requested_at: noon(),
        started_at: Some(noon()),
        finished_at: Some(noon() - TimeDelta::minutes(minutes_ago)),
        compacted: false,
    }
}

fn answer(history: &[Summary], holder: Option<Holder>, mode: Mode) -> Answer {
    let home = home(vec![repair()]);
    let request = request(&home, mode);
    let ask = Ask {
        history,
        holder,
        ..Ask::plain(RunId(9), &request, &home.runbooks[&"repair".into()], &home)
    };
    gate::ask(&ask, noon())
}

#[test]
fn the_cool_down_counts_from_the_end_of_a_run_that_changed_something() {
    let home = home(vec![repair()]);
    let refused = Answer::Refuse {
        gate: "cooldown",
        why: "run 7 changed something here; the cool-down of 10m ends at 2026-11-23T12:01:00Z".into(),
    };
    assert_eq!(answer(&[past(&home, true, 9)], None, Mode::Live), refused);
    assert_eq!(answer(&[past(&home, true, 10)], None, Mode::Live), Answer::Pass);
    assert_eq!(answer(&[past(&home, false, 1)], None, Mode::Live), Answer::Pass);
}

#[test]
fn the_latest_change_counts_whatever_came_after_it() {
    let home = home(vec![repair()]);
    let history = [past(&home, false, 1), past(&home, true, 3), past(&home, true, 9)];
    let Answer::Refuse { why, .. } = answer(&history, None, Mode::Live) else {
        panic!()
    };
    assert!(why.ends_with("2026-11-23T12:07:00Z"), "{why}");
}

#[test]
fn a_dry_run_passes_the_cool_down_and_the_lock() {
    let home = home(vec![repair()]);
    let holder = Holder {
        run: RunId(3),
        runbook: "other".into(),
    };
    let history = [past(&home, true, 1)];
    assert_eq!(answer(&history, Some(holder), Mode::DryRun), Answer::Pass);
}

#[test]
fn a_target_that_somebody_works_on_is_waited_for() {
    let holder = Holder {
        run: RunId(3),
        runbook: "other".into(),
    };
    let waited = Answer::Wait {
        gate: "target-lock",
        why: "run 3 of `other` is at work on `local`".into(),
        until: None,
    };
    assert_eq!(answer(&[], Some(holder), Mode::Live), waited);
}

#[test]
fn a_run_without_a_target_is_refused_and_says_where_it_was_looked_for() {
    let home = home(vec![on_alert(selecting(repair(), "role", "app"), "Slow")]);
    let why_of = |labels: &[(&str, &str)]| {
        let alert = alert("Slow", labels);
        let start = trigger::from_alert(&alert, &home).remove(0);
        let run: &NewRun = &start.round.targets[0];
        assert_eq!(run.target, None);
        let request = start.round.request(RoundId(1), run);
        let ask = Ask::plain(RunId(9), &request, &start.runbook, &home);
        match gate::ask(&ask, noon()) {
            Answer::Refuse { gate: "target", why } => why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        why_of(&[("instance", "10.9.9.9:80")]),
        "no asset of customer `steel` that `role=\"app\"` selects is named by the alert's labels (instance=\"10.9.9.9:80\")"
    );
    assert_eq!(
        why_of(&[("job", "web")]),
        "no asset of customer `steel` that `role=\"app\"` selects is named by the alert's labels \
         (it has neither `asset` nor `instance`)"
    );
}

#[test]
fn a_run_whose_alert_is_not_heard_of_waits_a_day_for_it() {
    let home = home(vec![on_alert(repair(), "Slow")]);
    let start = trigger::from_alert(&alert("Slow", &[]), &home).remove(0);
    let request = start.round.request(RoundId(1), &start.round.targets[0]);
    let history = [past(&home, true, 1)];
    let ask = |alert_fires, unheard_until| Ask {
        history: &history,
        alert_fires,
        unheard_until,
        ..Ask::plain(RunId(9), &request, &start.runbook, &home)
    };
    let until = noon() + TimeDelta::hours(24);
    let unheard = Answer::Wait {
        gate: "alert",
        why: "its alert `Slow` is not heard of any more".into(),
        until: Some(until),
    };
    assert_eq!(gate::ask(&ask(false, None), noon()), unheard);
    let asked_again = gate::ask(&ask(false, Some(until)), until - TimeDelta::seconds(1));
    assert_eq!(asked_again, unheard, "the day is not begun anew");
    let cancelled = Answer::Cancel {
        why: "its alert `Slow` was not heard of for 24 hours".into(),
    };
    assert_eq!(gate::ask(&ask(false, Some(until)), until), cancelled);
    let cooling = gate::ask(&ask(true, Some(until)), noon());
    assert!(matches!(cooling, Answer::Wait { gate: "cooldown", .. }));
}

// ---- driven ------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_person_is_refused_in_the_cool_down_and_told_when_it_ends() {
    let world = World::new(home(vec![repair()]), System::new(Severity::Critical).script());
    assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(verdict, Verdict::Rejected);
    assert!(
        why.starts_with("run 1 changed something here; the cool-down of 10m ends at 2026-11-23T12:10:0"),
        "{why}"
    );
    assert_eq!(refusal(&world, 2).unwrap().0, "cooldown");
    assert!(!world.bodies(2).contains(&Body::Started));

    assert_eq!(world.dry_run("repair").await.verdict, Some(Verdict::Planned));

    tokio::time::sleep(Duration::from_secs(601)).await;
    assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_changed_nothing_starts_no_cool_down() {
    let script = Script::default().always("fix", Phase::Plan, plan(&[]));
    let world = World::new(home(vec![repair()]), script);
    for _ in 0..3 {
        assert_eq!(world.verdict("repair").await.0, Verdict::Healthy);
    }
}

#[tokio::test(start_paused = true)]
async fn an_alerts_run_waits_for_the_cool_down_and_starts_if_it_still_fires() {
    let home = home(vec![on_alert(repair(), "Slow")]);
    let world = World::new(home, System::new(Severity::Critical).script());
    world.serve();
    world.verdict("repair").await;
    world.alarms.edge(Change::Fired, &alert("Slow", &[]));
    let run = world.until_finished(2).await;
    assert_eq!(run.verdict, Some(Verdict::Changed));
    assert_eq!(waits(&world, 2).len(), 1);
    assert!((run.started_at.unwrap() - noon()).num_seconds() >= 600);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_run_whose_alert_resolves_is_cancelled_and_says_so() {
    let home = home(vec![on_alert(repair(), "Slow")]);
    let world = World::new(home, System::new(Severity::Critical).script());
    world.serve();
    world.verdict("repair").await;
    let slow = alert("Slow", &[]);
    world.alarms.edge(Change::Fired, &slow);
    world
        .until("it waits", || (waits(&world, 2).len() == 1).then_some(()))
        .await;
    world.alarms.edge(Change::Resolved, &slow);
    let run = world.until_finished(2).await;
    assert_eq!(
        (run.verdict, run.why.as_str()),
        (Some(Verdict::Cancelled), "its alert `Slow` resolved")
    );
    assert!((run.finished_at.unwrap() - noon()).num_seconds() < 600);
}

#[tokio::test(start_paused = true)]
async fn two_runs_never_work_on_one_target_at_once() {
    let busy = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = busy.clone();
    let script = Script::default()
        .always("fix", Phase::Plan, plan(&["a"]))
        .on("fix", Phase::Apply, move |_, _| {
            let busy = seen.clone();
            async move {
                use std::sync::atomic::Ordering::SeqCst;
                assert_eq!(busy.fetch_add(1, SeqCst), 0);
                tokio::time::sleep(Duration::from_secs(5)).await;
                busy.fetch_sub(1, SeqCst);
                applied(true)
            }
        });
    let books = ["one", "two", "three"].map(|name| runbook(name, vec![step("fix")]));
    let world = World::new(home(books.to_vec()), script);
    let (one, two, three) = tokio::join!(world.run("one"), world.run("two"), world.run("three"));
    for run in [one, two, three] {
        assert_eq!(run[0].verdict, Some(Verdict::Changed));
    }
    let waited: usize = (1..=3).map(|run| waits(&world, run).len()).sum();
    assert!(waited >= 2, "two of them had to wait, and said so");
    let (gate, why) = (1..=3).find_map(|run| waits(&world, run).into_iter().next()).unwrap();
    assert_eq!(gate, "target-lock");
    assert!(why.contains("is at work on `local`"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_does_not_wait_for_the_target() {
    let script = Script::default()
        .always("look", Phase::Check, found(Severity::Ok))
        .on("fix", Phase::Plan, |_, _| hang());
    let books = vec![
        runbook("stuck", vec![step("fix")]),
        runbook("watch", vec![step("look")]),
    ];
    let world = World::new(home(books), script);
    world.ask(person("stuck")).await.unwrap();
    world
        .until("it hangs", || (world.script.called().len() == 1).then_some(()))
        .await;
    assert_eq!(world.dry_run("watch").await.verdict, Some(Verdict::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_finds_it_too_waits_and_is_then_refused_by_the_cool_down() {
    let book = on_cron(on_alert(repair(), "Slow"), "1 12 * * *", Default::default());
    let script = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, |_, _| async {
            tokio::time::sleep(Duration::from_secs(50)).await;
            applied(true)
        });
    let world = World::new(home(vec![book]), script);
    world.serve();
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.alarms.edge(Change::Fired, &alert("Slow", &[]));
    let first = world.until_finished(1).await;
    let second = world.until_finished(2).await;
    assert_eq!(first.verdict, Some(Verdict::Changed));
    assert_eq!(second.verdict, Some(Verdict::Rejected));
    assert_eq!(waits(&world, 2)[0].0, "overlap");
    assert_eq!(refusal(&world, 2).unwrap().0, "cooldown");
    let applies = world.script.called().into_iter().filter(|call| call == "fix/apply a");
    assert_eq!(applies.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_full_engine_lets_runs_wait_and_says_so() {
    let mut home = home(vec![selecting(runbook("slow", vec![step("look")]), "role", "app")]);
    home.settings.runs = 1;
    let script = Script::default().on("look", Phase::Check, |_, _| async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        found(Severity::Ok)
    });
    let world = World::new(home, script);
    let began = world.now();
    let runs = world.run("slow").await;
    assert!(runs.iter().all(|run| run.verdict == Some(Verdict::Healthy)));
    assert_eq!((world.now() - began).num_seconds(), 15);
    let waited: Vec<String> = (1..=3)
        .flat_map(|run| waits(&world, run))
        .map(|(gate, _)| gate)
        .collect();
    assert!(
        waited.iter().all(|gate| gate == "capacity") && waited.len() >= 2,
        "{waited:?}"
    );
}

/// One run goes at once, and that of `slow` takes three days.
fn small(book: Runbook, script: Script) -> World {
    let three_days = Duration::from_secs(3 * 86_400);
    let mut slow = runbook("slow", vec![step("look")]);
    slow.steps[0].timeout = three_days;
    let mut home = home(vec![book, slow]);
    home.settings.runs = 1;
    let script = script.on("look", Phase::Check, move |_, _| async move {
        tokio::time::sleep(three_days).await;
        found(Severity::Ok)
    });
    let world = World::new(home, script);
    world.serve();
    world
}

fn overlapping(overlap: Overlap) -> World {
    let mut repair = on_alert(selecting(repair(), "role", "app"), "Slow");
    repair.limits.overlap = overlap;
    let fixes = Script::default()
        .always("fix", Phase::Plan, plan(&["a"]))
        .always("fix", Phase::Apply, applied(true));
    small(repair, fixes)
}

fn slow(n: &str) -> Alert {
    alert("Slow", &[("asset", "steel-1"), ("n", n)])
}

#[tokio::test(start_paused = true)]
async fn what_a_gate_refuses_is_refused_before_there_is_a_place_for_it() {
    let world = overlapping(Overlap::Skip);
    world.ask(person("slow")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for n in ["1", "2"] {
        world.alarms.edge(Change::Fired, &slow(n));
    }
    world.until_waiting(2, "capacity").await;
    assert_eq!(world.until_finished(3).await.verdict, Some(Verdict::Rejected));
    assert_eq!(refusal(&world, 3).unwrap().0, "overlap");
    assert!(world.now() - noon() < TimeDelta::hours(1));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_place_is_not_replaced_before_either_has_one() {
    let world = overlapping(Overlap::Replace);
    world.ask(person("slow")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    for n in 0..10 {
        world.alarms.edge(Change::Fired, &slow(&n.to_string()));
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
    world.until_waiting(2, "capacity").await;
    world.engine.kill(RunId(1), "ada", "enough").await.unwrap();
    assert_eq!(world.until_finished(2).await.verdict, Some(Verdict::Changed));
}

/// Its place is the only one.
#[tokio::test(start_paused = true)]
async fn what_has_a_place_and_changes_nothing_yet_is_replaced_by_what_has_none() {
    let mut book = on_alert(
        selecting(runbook("repair", vec![step("look"), step("fix")]), "role", "app"),
        "Slow",
    );
    book.limits.overlap = Overlap::Replace;
    let mut home = home(vec![book]);
    home.settings.runs = 1;
    let looks = Arc::new(AtomicUsize::new(0));
    let script = Script::default()
        .on("look", Phase::Check, move |mut invocation, _| {
            let first = looks.fetch_add(1, SeqCst) == 0;
            async move {
                if first {
                    let _ = invocation.cancelled.wait_for(|cancelled| *cancelled).await;
                }
                found(Severity::Critical)
            }
        })
        .always("fix", Phase::Plan, plan(&["a"]))
        .always("fix", Phase::Apply, applied(true));
    let world = World::new(home, script);
    world.serve();
    for n in ["1", "2"] {
        world.alarms.edge(Change::Fired, &slow(n));
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Cancelled));
    assert_eq!(world.until_finished(2).await.verdict, Some(Verdict::Changed));
    assert!(world.now() - noon() < TimeDelta::minutes(1));
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_is_not_heard_of_is_waited_for_a_day_though_there_is_no_place() {
    let world = overlapping(Overlap::Skip);
    let pause = Wish {
        what: What::Pause(Scope::All),
        why: "the move".into(),
        who: "ada".into(),
        until: Some(noon() + TimeDelta::hours(1)),
    };
    world.engine.hold(pause).await.unwrap();
    world.alarms.edge(Change::Fired, &slow("1"));
    world.until_waiting(1, "pause").await;
    world.alarms.forget(&slow("1"));
    world.until_waiting(1, "alert").await;
    world.ask(person("slow")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(24 * 3_600)).await;
    let run = world.until_finished(1).await;
    assert_eq!(run.why, "its alert `Slow` was not heard of for 24 hours");
    assert!(world.now() - noon() < TimeDelta::hours(26));
}

#[tokio::test(start_paused = true)]
async fn a_kill_ends_the_wait_for_a_place_to_go_on() {
    let mut book = selecting(repair(), "asset", "steel-1");
    book.steps[0] = asking(Some("duty"));
    let world = small(book, risky());
    world.ask(person("repair")).await.unwrap();
    let asked = || (world.engine.pending().len() == 1).then_some(());
    world.until("it asks", asked).await;
    world.ask(person("slow")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.engine.kill(RunId(1), "ben", "enough").await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Cancelled));
    assert!(world.now() - noon() < TimeDelta::hours(1));
    assert!(!world.script.called().contains(&"fix/apply easy".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_customer_whose_runs_all_hang_leaves_a_place_to_another() {
    let script = Script::default().on("look", Phase::Check, |invocation, _| async move {
        if invocation.target.customer.as_str() == "steel" {
            return hang().await;
        }
        found(Severity::Ok)
    });
    let mut assets: Vec<_> = (1..=6).map(|n| asset(&format!("steel-{n}"), "steel", None)).collect();
    assets.extend([asset("local", "local", None), asset("zinc-1", "zinc", None)]);
    let book = selecting(runbook("watch", vec![step("look")]), "role", "app");
    let mut home = with_assets(vec![book], assets);
    home.settings.runs = 4;
    let world = World::new(home, script);
    let accepted = world.ask(person("watch")).await.unwrap();
    let of = |run: &RunId| world.journal.summary(*run).unwrap().target.unwrap();
    let zinc = accepted.runs.iter().find(|run| of(run).as_str() == "zinc-1").unwrap();
    let summary = world.engine.wait(*zinc).await.unwrap();
    assert_eq!(summary.verdict, Some(Verdict::Healthy));
    assert_eq!(world.script.called().len(), 4, "three of steel's, and zinc's");
    let waits = |run: &&RunId| waits(&world, run.0).iter().any(|(gate, _)| gate == "capacity");
    let waiting = || accepted.runs.iter().filter(waits).count();
    let rest = || (waiting() == 3).then_some(());
    world.until("the rest of steel's wait", rest).await;
}

#[tokio::test(start_paused = true)]
async fn a_stuck_run_does_not_delay_another() {
    let script = Script::default().on("look", Phase::Check, |invocation, _| async move {
        if invocation.target.id.as_str() == "steel-1" {
            return hang().await;
        }
        found(Severity::Ok)
    });
    let book = selecting(runbook("watch", vec![step("look")]), "role", "app");
    let world = World::new(home(vec![book]), script);
    let accepted = world.ask(person("watch")).await.unwrap();
    let stuck = accepted
        .runs
        .iter()
        .filter(|run| world.journal.summary(**run).unwrap().target.unwrap().as_str() == "steel-1");
    let stuck: Vec<_> = stuck.copied().collect();
    for run in accepted.runs.iter().filter(|run| !stuck.contains(run)) {
        let summary = world.engine.wait(*run).await.unwrap();
        assert_eq!(summary.verdict, Some(Verdict::Healthy));
    }
    assert_eq!(world.engine.under_way(), stuck);
}

#[tokio::test(start_paused = true)]
async fn refusing_what_an_alert_of_high_grade_started_escalates() {
    let home = home(vec![on_alert(selecting(repair(), "role", "app"), "Slow")]);
    let world = World::new(home, Script::default());
    world.serve();
    let mut slow = alert("Slow", &[("asset", "nowhere")]);
    slow.grade = Grade::High;
    world.alarms.edge(Change::Fired, &slow);
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Rejected));
    assert!(
        world
            .bodies(1)
            .iter()
            .any(|body| matches!(body, Body::Escalated { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_takes_no_place_from_another() {
    let book = on_alert(repair(), "Slow");
    let mut home = home(vec![book, runbook("watch", vec![step("look")])]);
    home.settings.runs = 1;
    let world = World::new(home, System::new(Severity::Ok).script());
    world.serve();
    world.verdict("repair").await;
    world.alarms.edge(Change::Fired, &alert("Slow", &[]));
    world
        .until("it waits", || (waits(&world, 2).len() == 1).then_some(()))
        .await;
    assert_eq!(world.verdict("watch").await.0, Verdict::Healthy);
    assert!(world.journal.summary(RunId(2)).unwrap().started_at.is_none());
}
