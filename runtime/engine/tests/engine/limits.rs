//! `[limits]`: how often, how many at once, and what becomes of a second run.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_engine::gate::{self, Answer, Ask, Other};
use evenkeel_engine::port::gates::Record;
use evenkeel_engine::{PersonRequest, trigger};
use evenkeel_model::alert::{Alert, Change};
use evenkeel_model::home::Home;
use evenkeel_model::invocation::Phase;
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, Mode, Occurrence, Request, State, Summary, Verdict};
use evenkeel_model::runbook::{Batch, MaxRuns, Overlap, Runbook};

use crate::world::alarms::alert;
use crate::world::home::{asset, home, on_alert, runbook, selecting, step, with_assets};
use crate::world::script::{Script, applied, plan};
use crate::world::{World, noon, person};

fn count(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn repair() -> Runbook {
    on_alert(runbook("repair", vec![step("fix")]), "Slow")
}

fn overlapping(overlap: Overlap) -> Runbook {
    let mut book = repair();
    book.limits.overlap = overlap;
    book
}

fn request(home: &Home, alert: &Alert) -> Request {
    let start = trigger::from_alert(alert, home).remove(0);
    start.round.request(RoundId(1), &start.round.targets[0])
}

fn slow(n: &str) -> Alert {
    alert("Slow", &[("n", n)])
}

fn ended(run: u64, verdict: Verdict, minutes_ago: i64) -> Summary {
    let request = request(&home(vec![repair()]), &slow("1"));
    Summary {
        run: RunId(run),
        round: RoundId(run),
        runbook: request.runbook,
        target: request.target,
        customer: request.customer,
        mode: Mode::Live,
        occurrence: request.occurrence,
        state: State::Finished,
        verdict: Some(verdict),
        changed: true,
        why: String::new(),
        requested_at: noon(),
        started_at: Some(noon()),
        finished_at: Some(noon() - TimeDelta::minutes(minutes_ago)),
        compacted: false,
    }
}

// ---- max_runs ----------------------------------------------------------------------------

#[test]
fn so_many_runs_may_change_something_in_a_while() {
    let mut book = repair();
    book.limits.max_runs = Some(MaxRuns {
        count: count(2),
        within: Duration::from_secs(3_600),
    });
    let home = home(vec![book]);
    let request = request(&home, &slow("1"));
    let mut unchanged = ended(9, Verdict::Failed, 1);
    unchanged.changed = false;
    let history = [
        unchanged,
        ended(8, Verdict::Changed, 10),
        ended(7, Verdict::Changed, 40),
    ];
    let said = |history: &[Summary], minutes| {
        let ask = Ask {
            history,
            ..Ask::plain(RunId(10), &request, &home.runbooks[&"repair".into()], &home)
        };
        gate::ask(&ask, noon() + TimeDelta::minutes(minutes))
    };
    let wait = Answer::Wait {
        gate: "max-runs",
        why: "2 runs changed something here within 1h (`max_runs`); the next may at 2026-11-23T12:20:00Z".into(),
        until: Some(noon() + TimeDelta::minutes(20)),
    };
    assert_eq!(said(&history, 0), wait);
    assert_eq!(said(&history, 20), Answer::Pass);
    assert_eq!(said(&history[..2], 0), Answer::Pass);
}

// ---- strikes -----------------------------------------------------------------------------

#[test]
fn failures_in_a_row_are_given_up_and_that_is_said_once() {
    let mut book = repair();
    book.limits.strikes = count(2);
    let home = home(vec![book]);
    let said = |record: &Record, occurrence: Option<Occurrence>| {
        let mut request = request(&home, &slow("1"));
        request.occurrence = occurrence.unwrap_or(request.occurrence);
        let ask = Ask {
            record,
            ..Ask::plain(RunId(10), &request, &home.runbooks[&"repair".into()], &home)
        };
        gate::ask(&ask, noon())
    };
    let record = |outcomes: &[Summary], told: Option<i64>| Record {
        outcomes: outcomes.to_vec(),
        told_at: told.map(|minutes| noon() - TimeDelta::minutes(minutes)),
    };
    let struck = [ended(9, Verdict::NotRepaired, 5), ended(8, Verdict::Failed, 20)];
    let Answer::GiveUp { gate: "strikes", why } = said(&record(&struck, None), None) else {
        panic!()
    };
    assert_eq!(
        why,
        "2 runs in a row did not repair `local`, the last was run 9; it is given up until a run of a person does, \
         or `evenkeel strikes clear repair local`"
    );
    assert!(
        matches!(said(&record(&struck, Some(4)), None), Answer::Refuse { .. }),
        "it was said after run 9"
    );
    assert!(
        matches!(said(&record(&struck, Some(6)), None), Answer::GiveUp { .. }),
        "that was about earlier ones"
    );
    let person = Occurrence::Person {
        runbook: "repair".into(),
        request: "1".into(),
        who: "ada".into(),
    };
    assert_eq!(said(&record(&struck, None), Some(person)), Answer::Pass);
    for well in [Verdict::Repaired, Verdict::Healthy, Verdict::Changed] {
        let mended = [
            ended(9, Verdict::Failed, 5),
            ended(8, well, 9),
            ended(7, Verdict::Failed, 20),
        ];
        assert_eq!(said(&record(&mended, None), None), Answer::Pass, "{well}");
    }
}

// ---- overlap -----------------------------------------------------------------------------

fn other(run: u64, started: bool, changing: bool) -> Other {
    let home = home(vec![repair()]);
    Other {
        run: RunId(run),
        occurrence: request(&home, &slow("other")).occurrence,
        started,
        changing,
        cancelled: false,
        waits_for: None,
    }
}

fn asked(overlap: Overlap, others: &[Other]) -> Answer {
    let home = home(vec![overlapping(overlap)]);
    let request = request(&home, &slow("1"));
    let ask = Ask {
        others,
        ..Ask::plain(RunId(5), &request, &home.runbooks[&"repair".into()], &home)
    };
    gate::ask(&ask, noon())
}

fn waits_for(run: u64) -> Answer {
    Answer::Wait {
        gate: "overlap",
        why: format!("run {run} of this runbook is at work on `local`"),
        until: None,
    }
}

#[test]
fn skip_refuses_the_later_one_and_says_for_which() {
    let refused = |does: &str| Answer::Refuse {
        gate: "overlap",
        why: format!("run 3 of this runbook {does} `local` (`overlap = \"skip\"`)"),
    };
    assert_eq!(asked(Overlap::Skip, &[other(3, false, false)]), refused("waits for"));
    assert_eq!(asked(Overlap::Skip, &[other(3, true, true)]), refused("is at work on"));
    assert_eq!(
        asked(Overlap::Skip, &[other(7, false, false)]),
        Answer::Pass,
        "that one is the later"
    );
    assert_eq!(asked(Overlap::Skip, &[other(7, true, false)]), waits_for(7));
}

#[test]
fn who_waits_for_an_alert_that_is_not_heard_of_is_not_in_the_way() {
    let mut unheard = other(3, false, false);
    unheard.waits_for = Some("alert".into());
    assert_eq!(asked(Overlap::Skip, &[unheard]), Answer::Pass);
}

#[test]
fn a_new_firing_of_the_same_alert_is_never_skipped() {
    let home = home(vec![repair()]);
    let same = |started| Other {
        occurrence: request(&home, &slow("1")).occurrence,
        ..other(3, started, false)
    };
    assert_eq!(
        asked(Overlap::Skip, &[same(false)]),
        Answer::Pass,
        "it takes that one's place"
    );
    assert_eq!(asked(Overlap::Skip, &[same(true)]), waits_for(3));
}

#[test]
fn queue_waits_and_is_bounded() {
    assert_eq!(asked(Overlap::Queue, &[other(3, true, true)]), waits_for(3));
    assert_eq!(
        asked(Overlap::Queue, &[other(3, false, false)]),
        Answer::Pass,
        "the target decides who is next"
    );
    let many: Vec<Other> = (0..=100).map(|_| other(3, false, false)).collect();
    assert!(matches!(asked(Overlap::Queue, &many[..100]), Answer::Pass));
    assert!(matches!(
        asked(Overlap::Queue, &many),
        Answer::Refuse { gate: "overlap", .. }
    ));
}

#[test]
fn replace_cancels_what_has_changed_nothing_yet() {
    let replaced = Answer::Replace {
        gate: "overlap",
        runs: vec![RunId(3), RunId(4)],
        why: "run 5 replaces it (`overlap = \"replace\"`)".into(),
    };
    let others = [other(3, false, false), other(4, true, false)];
    assert_eq!(asked(Overlap::Replace, &others), replaced);
    let beside_a_change = [other(2, true, true), other(3, false, false), other(4, true, false)];
    assert_eq!(asked(Overlap::Replace, &beside_a_change), replaced);
    assert_eq!(asked(Overlap::Replace, &[other(3, true, true)]), waits_for(3));
    assert_eq!(asked(Overlap::Replace, &[other(7, false, false)]), Answer::Pass);
}

/// `fix` plans at once, and applies for a minute.
fn slow_script() -> Script {
    Script::default()
        .always("fix", Phase::Plan, plan(&["a"]))
        .on("fix", Phase::Apply, |_, _| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            applied(true)
        })
}

#[tokio::test(start_paused = true)]
async fn a_second_trigger_of_the_same_trouble_is_skipped() {
    let world = World::new(home(vec![overlapping(Overlap::Skip)]), slow_script());
    world.serve();
    for n in ["1", "2"] {
        world.alarms.edge(Change::Fired, &slow(n));
    }
    assert_eq!(world.until_finished(2).await.verdict, Some(Verdict::Rejected));
    assert_eq!(world.refusal(2).unwrap().0, "overlap");
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_replaced_and_what_changes_something_is_waited_for() {
    let world = World::new(home(vec![overlapping(Overlap::Replace)]), slow_script());
    world.serve();
    world.alarms.edge(Change::Fired, &slow("1"));
    world
        .until("it changes something", || {
            world.script.called().contains(&"fix/apply a".to_owned()).then_some(())
        })
        .await;
    world.alarms.edge(Change::Fired, &slow("2"));
    world.until_waiting(2, "overlap").await;
    world.alarms.edge(Change::Fired, &slow("3"));
    let replaced = world.until_finished(2).await;
    assert_eq!(replaced.verdict, Some(Verdict::Cancelled));
    assert_eq!(replaced.why, "run 3 replaces it (`overlap = \"replace\"`)");
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
    assert_eq!(world.until_finished(3).await.verdict, Some(Verdict::Changed));
}

// ---- fleet -------------------------------------------------------------------------------

/// So many assets of the role `app`, and `local`.
pub fn fleet(targets: usize, book: Runbook) -> Home {
    let mut assets: Vec<_> = (1..=targets)
        .map(|n| asset(&format!("app-{n}"), "steel", None))
        .collect();
    assets.push(asset("local", "local", None));
    let mut home = with_assets(vec![selecting(book, "role", "app")], assets);
    home.settings.runs = 64;
    home
}

#[test]
fn a_share_of_the_fleet_is_rounded_down_and_at_least_one() {
    let most = |fleet, targets| gate::fleet::most(fleet, targets);
    assert_eq!(most(Batch::Percent(20), 500), 100);
    assert_eq!(most(Batch::Percent(20), 9), 1);
    assert_eq!(most(Batch::Percent(20), 0), 1);
    assert_eq!(most(Batch::Count(count(3)), 500), 3);
}

/// The most that were at work at once.
pub fn counting(took: Duration) -> (Script, Arc<AtomicUsize>) {
    let most = Arc::new(AtomicUsize::new(0));
    let (seen, now) = (most.clone(), Arc::new(AtomicUsize::new(0)));
    let script = Script::default()
        .always("fix", Phase::Plan, plan(&["a"]))
        .on("fix", Phase::Apply, move |_, _| {
            let (seen, now) = (seen.clone(), now.clone());
            async move {
                seen.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::time::sleep(took).await;
                now.fetch_sub(1, SeqCst);
                applied(true)
            }
        });
    (script, most)
}

/// Two targets at once; of two runs for one target the second waits for the first, which lasts, and for no place.
#[tokio::test(start_paused = true)]
async fn a_place_in_the_fleet_is_not_kept_by_what_waits_for_something_else() {
    let mut book = repair();
    book.limits.fleet = Batch::Count(count(2));
    let script = Script::default().always("fix", Phase::Plan, plan(&["a"])).on(
        "fix",
        Phase::Apply,
        |invocation, _| async move {
            let seconds = match invocation.target.id.as_str() {
                "app-1" => 5,
                "app-2" => 10,
                _ => 50,
            };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            applied(true)
        },
    );
    let world = World::new(fleet(4, book), script);
    world.serve();
    for (n, asset) in ["app-1", "app-2", "app-3", "app-3", "app-4"].iter().enumerate() {
        let slow = alert("Slow", &[("asset", asset), ("n", &n.to_string())]);
        world.alarms.edge(Change::Fired, &slow);
    }
    let other = world.until_finished(5).await;
    let seconds = (other.finished_at.unwrap() - noon()).num_seconds();
    assert!(
        (60..70).contains(&seconds),
        "it began when the second place was free, and not after {seconds} s"
    );
    assert_eq!(world.until_finished(4).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_fleet_is_told_when_what_a_restart_found_ends() {
    let home = || {
        let mut book = repair();
        book.limits.fleet = Batch::Count(count(1));
        let mut home = fleet(2, book);
        home.settings.runs = 1;
        home
    };
    let script = |seconds| {
        Script::default()
            .always("fix", Phase::Plan, plan(&["a"]))
            .on("fix", Phase::Apply, move |_, _| async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                applied(true)
            })
    };
    let world = World::new(home(), script(300));
    world.serve();
    for asset in ["app-1", "app-2"] {
        world.alarms.edge(Change::Fired, &alert("Slow", &[("asset", asset)]));
    }
    world.until_waiting(2, "fleet").await;
    let world = world.crash(home(), script(100));
    world.serve();
    for run in [1, 2] {
        assert_eq!(world.until_finished(run).await.verdict, Some(Verdict::Changed));
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_share_of_the_targets_is_worked_on_at_once_over_all_rounds() {
    let mut book = repair();
    book.limits.fleet = Batch::Percent(20);
    let (script, most) = counting(Duration::from_secs(5));
    let world = World::new(fleet(20, book), script);
    world.serve();
    for n in 1..=10 {
        let asset = format!("app-{n}");
        world.alarms.edge(Change::Fired, &alert("Slow", &[("asset", &asset)]));
    }
    let others = world
        .ask(PersonRequest {
            all: true,
            ..person("repair")
        })
        .await
        .unwrap();
    for run in others.runs {
        assert_eq!(world.engine.wait(run).await.unwrap().verdict, Some(Verdict::Changed));
    }
    assert_eq!(most.load(SeqCst), 4);
    let waited = (1..=30).any(|run| {
        let waits = world.waits(run);
        waits
            .iter()
            .any(|(gate, why)| gate == "fleet" && why.contains("is at work on 4 targets"))
    });
    assert!(waited);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_in_the_queue_does_not_hold_up_the_next() {
    let mut book = repair();
    book.limits.fleet = Batch::Count(count(1));
    let (script, most) = counting(Duration::from_secs(300));
    let world = World::new(fleet(4, book), script);
    world.serve();
    for n in 1..=4 {
        let asset = format!("app-{n}");
        world.alarms.edge(Change::Fired, &alert("Slow", &[("asset", &asset)]));
    }
    for run in 2..=4 {
        world.until_waiting(run, "fleet").await;
    }
    world.engine.cancel(RunId(2), "not wanted").await.unwrap();
    for run in [1, 3, 4] {
        assert_eq!(world.until_finished(run).await.verdict, Some(Verdict::Changed));
    }
    assert_eq!(most.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_at_work_before_a_crash_still_counts() {
    let mut book = repair();
    book.limits.fleet = Batch::Count(count(1));
    let (script, _) = counting(Duration::from_secs(300));
    let world = World::new(fleet(4, book.clone()), script);
    world.serve();
    world.alarms.edge(Change::Fired, &alert("Slow", &[("asset", "app-1")]));
    world
        .until("it begins", || world.bodies(1).contains(&Body::Started).then_some(()))
        .await;
    let (script, most) = counting(Duration::from_secs(300));
    let world = world.crash(fleet(4, book), script);
    world.serve();
    world.alarms.edge(Change::Fired, &alert("Slow", &[("asset", "app-2")]));
    world.until_waiting(2, "fleet").await;
    assert!(world.until_finished(1).await.finished_at <= world.until_finished(2).await.started_at);
    assert_eq!(most.load(SeqCst), 1);
}

#[test]
fn checks_are_not_bounded() {
    let mut book = runbook("watch", vec![step("look")]);
    assert!(!book.may_change());
    book.steps.push(step("fix"));
    assert!(book.may_change());
}

/// Their plans are made ahead, and each waits for its turn: nobody holds a place while it does.
#[tokio::test(start_paused = true)]
async fn batches_and_the_fleet_do_not_wait_for_each_other() {
    let mut book = repair();
    book.limits.fleet = Batch::Count(count(2));
    book.targets.batch = Batch::Count(count(3));
    let (script, most) = counting(Duration::from_secs(30));
    let world = World::new(fleet(12, book), script);
    let runs = world
        .run_as(PersonRequest {
            all: true,
            ..person("repair")
        })
        .await;
    assert!(
        runs.iter().all(|run| run.verdict == Some(Verdict::Changed)),
        "{runs:#?}"
    );
    assert_eq!((runs.len(), most.load(SeqCst)), (12, 2));
}
