//! A storm within a minute against each gate: what runs is bounded, what should run does in the end, and the
//! record explains the rest. `EVENKEEL_STORM=500` makes it 10,000 alerts for 500 targets; if nothing is said,
//! it is a tenth of that.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_model::action::Risk;
use evenkeel_model::alert::{Alert, Change};
use evenkeel_model::hold::{Scope, What, Wish};
use evenkeel_model::home::Home;
use evenkeel_model::invocation::{Class, Outcome, Output, Phase};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Summary, Verdict};
use evenkeel_model::runbook::{Batch, MaxRuns, Overlap, Runbook};
use evenkeel_model::window::{Freeze, Maintenance, Span, When};

use crate::approvals::{asking, no, yes};
use crate::limits::{counting, fleet};
use crate::world::alarms::alert;
use crate::world::home::{cooling, on_alert, runbook, selecting, step};
use crate::world::script::{Script, action, failed};
use crate::world::{World, noon};

/// Alerts for each target.
const EACH: usize = 20;
/// They come in so many parts, and this much apart.
const PARTS: usize = 10;
const APART: Duration = Duration::from_secs(6);

/// `[engine] runs` of the home: far fewer than there are targets.
const AT_ONCE: usize = 16;

#[expect(
    clippy::disallowed_methods,
    reason = "how large it is to be is for who starts it to say"
)]
fn targets() -> usize {
    let said = std::env::var("EVENKEEL_STORM").ok();
    said.map_or(50, |said| said.parse().expect("EVENKEEL_STORM is a number of targets"))
}

fn count() -> usize {
    targets() * EACH
}

fn numbers() -> std::ops::RangeInclusive<u64> {
    1..=count() as u64
}

fn repair() -> Runbook {
    on_alert(runbook("repair", vec![step("fix")]), "Slow")
}

fn home(book: Runbook) -> Home {
    let mut home = fleet(targets(), book);
    home.settings.runs = AT_ONCE;
    home
}

/// One for each target, and then the next for each.
fn alerts() -> Vec<Alert> {
    let targets = targets();
    let alert = |n: usize| {
        let (asset, n) = (format!("app-{}", n % targets + 1), n.to_string());
        alert("Slow", &[("asset", &asset), ("n", &n)])
    };
    (0..count()).map(alert).collect()
}

/// Each alert starts `each` runs.
async fn storm_of(world: &World, each: usize) {
    let began = world.now();
    let alerts = alerts();
    for part in alerts.chunks(alerts.len() / PARTS) {
        for alert in part {
            world.alarms.edge(Change::Fired, alert);
        }
        tokio::time::sleep(APART).await;
    }
    let all = || (world.journal.count() >= each * count()).then_some(());
    world.until("all are taken in", all).await;
    assert!(world.now() - began <= TimeDelta::seconds(61), "it was a minute");
}

async fn storm(world: &World) {
    storm_of(world, 1).await;
}

async fn ended(world: &World) -> Vec<Summary> {
    end_of(world, 1).await
}

async fn end_of(world: &World, each: usize) -> Vec<Summary> {
    let mut runs = Vec::new();
    for minute in 0.. {
        let summaries = (runs.len() as u64 + 1..).map_while(|run| world.journal.summary(RunId(run)));
        let ended = summaries.take_while(|run| run.verdict.is_some());
        runs.extend(ended.take(each * count() - runs.len()));
        if runs.len() == each * count() {
            break;
        }
        let next = runs.len() as u64 + 1;
        assert!(
            minute < 3 * 24 * 60,
            "run {next} does not end: {:#?}",
            world.bodies(next)
        );
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    runs
}

fn of(runs: &[Summary], verdict: Verdict) -> usize {
    runs.iter().filter(|run| run.verdict == Some(verdict)).count()
}

/// Of one target at once, by what the record says.
fn most_on_one_target(runs: &[Summary]) -> usize {
    let mut marks: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for run in runs {
        if let (Some(from), Some(to)) = (run.started_at, run.finished_at) {
            let marks = marks.entry(run.target.clone()).or_default();
            marks.extend([(from, 1), (to, -1)]);
        }
    }
    let most = marks.into_values().map(|mut marks| {
        marks.sort_unstable();
        let mut at_work = 0;
        let counts = marks.iter().map(|(_, step)| {
            at_work += step;
            at_work
        });
        counts.max().unwrap_or(0)
    });
    usize::try_from(most.max().unwrap_or(0)).unwrap()
}

fn paused() -> Wish {
    Wish {
        what: What::Pause(Scope::All),
        why: "the move".into(),
        who: "ada".into(),
        until: Some(noon() + TimeDelta::hours(2)),
    }
}

#[tokio::test(start_paused = true)]
async fn paused_and_silenced_storms_wait_and_then_run() {
    let silenced = Wish {
        what: What::Silence {
            matchers: r#"alertname="Slow""#.into(),
        },
        ..paused()
    };
    for (wish, gate) in [(paused(), "pause"), (silenced, "silence")] {
        let (script, _) = counting(Duration::from_secs(1));
        let world = World::new(home(repair()), script);
        world.serve();
        world.engine.hold(wish).await.unwrap();
        storm(&world).await;
        for run in numbers() {
            world.until_waiting(run, gate).await;
            assert_eq!(world.waits(run).len(), 1);
        }
        let runs = ended(&world).await;
        assert_eq!(of(&runs, Verdict::Changed), count());
        assert!(
            runs.iter()
                .all(|run| run.started_at.unwrap() >= noon() + TimeDelta::hours(2))
        );
        assert_eq!(most_on_one_target(&runs), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_in_a_window_or_a_freeze_waits_for_its_end() {
    let span = Span {
        from: noon(),
        until: noon() + TimeDelta::hours(2),
    };
    for gate in ["maintenance", "freeze"] {
        let (script, _) = counting(Duration::from_secs(1));
        let mut home = home(repair());
        if gate == "freeze" {
            home.settings.windows.freezes.push(Freeze {
                name: "move".into(),
                select: None,
                span,
                except: None,
            });
        } else {
            home.settings.windows.maintenance.push(Maintenance {
                name: "move".into(),
                select: None,
                when: When::Once(span),
                schedules_wait: false,
            });
        }
        let world = World::new(home, script);
        world.serve();
        storm(&world).await;
        let runs = ended(&world).await;
        assert_eq!(of(&runs, Verdict::Changed), count());
        assert!(runs.iter().all(|run| run.started_at.unwrap() >= span.until));
        assert!(numbers().all(|run| world.waits(run)[0].0 == gate));
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_against_skip_leaves_one_run_a_target_and_says_so_of_the_others() {
    let mut book = repair();
    book.limits.overlap = Overlap::Skip;
    let (script, _) = counting(Duration::from_secs(300));
    let world = World::new(home(book), script);
    world.serve();
    storm(&world).await;
    let runs = ended(&world).await;
    assert_eq!(
        (of(&runs, Verdict::Changed), of(&runs, Verdict::Rejected)),
        (targets(), count() - targets())
    );
    for run in runs.iter().filter(|run| run.verdict == Some(Verdict::Rejected)) {
        let (gate, why) = world.refusal(run.run.0).unwrap();
        assert!(gate == "overlap" && why.starts_with("run "), "{gate}: {why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_against_replace_runs_the_last_of_each_target() {
    let mut book = repair();
    book.limits.overlap = Overlap::Replace;
    let (script, _) = counting(Duration::from_secs(300));
    let world = World::new(home(book), script);
    world.serve();
    world.engine.hold(paused()).await.unwrap();
    storm(&world).await;
    let runs = ended(&world).await;
    assert_eq!(
        (of(&runs, Verdict::Changed), of(&runs, Verdict::Cancelled)),
        (targets(), count() - targets())
    );
    let last = &runs[count() - targets()..];
    assert_eq!(
        of(last, Verdict::Changed),
        targets(),
        "each was the latest of its target"
    );
}

#[tokio::test(start_paused = true)]
async fn a_storm_against_the_cool_down_and_max_runs_is_spread_over_time() {
    let mut book = cooling(repair(), 10);
    book.limits.max_runs = Some(MaxRuns {
        count: NonZeroU32::new(2).unwrap(),
        within: Duration::from_secs(3_600),
    });
    let (script, _) = counting(Duration::from_secs(1));
    let world = World::new(home(book), script);
    world.serve();
    storm(&world).await;
    let runs = ended(&world).await;
    assert_eq!(of(&runs, Verdict::Changed), count());
    let mut starts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for run in &runs {
        starts
            .entry(run.target.clone())
            .or_default()
            .push(run.started_at.unwrap());
    }
    for starts in starts.values_mut() {
        starts.sort_unstable();
        assert!(
            starts
                .windows(2)
                .all(|pair| pair[1] - pair[0] >= TimeDelta::minutes(10))
        );
        assert!(
            starts
                .windows(3)
                .all(|three| three[2] - three[0] >= TimeDelta::hours(1))
        );
    }
    for gate in ["cooldown", "max-runs"] {
        let waited = numbers().any(|run| world.waits(run).iter().any(|(by, _)| by == gate));
        assert!(waited, "{gate}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_against_the_fleet_is_worked_off_a_few_at_a_time() {
    let mut book = repair();
    book.limits.fleet = Batch::Count(NonZeroU32::new(8).unwrap());
    let (script, most) = counting(Duration::from_secs(30));
    let world = World::new(home(book), script);
    world.serve();
    storm(&world).await;
    let runs = ended(&world).await;
    assert_eq!(of(&runs, Verdict::Changed), count());
    assert_eq!(most.load(SeqCst), 8);
    let waited = |run| world.waits(run).iter().any(|(gate, _)| gate == "fleet");
    assert!(numbers().any(waited));
    assert_eq!(most_on_one_target(&runs), 1);
}

#[tokio::test(start_paused = true)]
async fn a_storm_against_a_repair_that_never_helps_is_given_up_target_by_target() {
    let mut book = repair();
    book.limits.strikes = NonZeroU32::new(2).unwrap();
    let script = Script::default().always("fix", Phase::Plan, failed(Class::Permanent));
    let world = World::new(home(book), script);
    world.serve();
    storm(&world).await;
    ended(&world).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let all: Vec<Summary> = (1..=world.journal.count() as u64)
        .filter_map(|run| world.journal.summary(RunId(run)))
        .collect();
    assert_eq!(of(&all, Verdict::Failed), 2 * targets());
    assert_eq!(of(&all, Verdict::Rejected), all.len() - 2 * targets());
    let refusals = all.iter().filter_map(|run| world.refusal(run.run.0));
    assert!(refusals.clone().count() > 0 && refusals.into_iter().all(|(gate, _)| gate == "strikes"));
    let told: usize = all
        .iter()
        .filter(|run| run.verdict == Some(Verdict::Rejected))
        .map(|run| world.escalations(run.run.0))
        .sum();
    assert_eq!(told, targets(), "once for each");
}

#[tokio::test(start_paused = true)]
async fn two_runbooks_that_storm_at_the_same_targets_take_turns_there() {
    let other = on_alert(runbook("other", vec![step("fix")]), "Slow");
    let (script, most) = counting(Duration::from_secs(1));
    let mut home = home(repair());
    let other = selecting(other, "role", "app");
    home.runbooks.insert(other.name.clone(), Arc::new(other));
    let world = World::new(home, script);
    world.serve();
    storm_of(&world, 2).await;
    let runs = end_of(&world, 2).await;
    assert_eq!(of(&runs, Verdict::Changed), 2 * count());
    assert_eq!(most_on_one_target(&runs), 1);
    assert!(most.load(SeqCst) <= AT_ONCE);
    let locked = runs.iter().filter(|run| {
        let mut waits = world.waits(run.run.0).into_iter();
        waits.any(|(gate, why)| gate == "target-lock" && why.contains("is at work on"))
    });
    let locked: BTreeSet<_> = locked.map(|run| run.target.clone()).collect();
    assert_eq!(
        locked.len(),
        targets(),
        "of each target one waited for the other runbook's"
    );
}

#[tokio::test(start_paused = true)]
async fn a_storm_that_is_over_before_it_may_run_starts_nothing() {
    let (script, most) = counting(Duration::from_secs(1));
    let world = World::new(home(repair()), script);
    world.serve();
    world.engine.hold(paused()).await.unwrap();
    storm(&world).await;
    // Two of three are told to be over; of the rest one half is never heard of again.
    for (n, alert) in alerts().iter().enumerate() {
        match n % 6 {
            0..4 => world.alarms.edge(Change::Resolved, alert),
            4 => world.alarms.forget(alert),
            _ => {}
        }
    }
    let runs = ended(&world).await;
    let still_firing = (0..count()).filter(|n| n % 6 == 5).count();
    assert_eq!(of(&runs, Verdict::Changed), still_firing);
    assert_eq!(of(&runs, Verdict::Cancelled), count() - still_firing);
    assert!(most.load(SeqCst) >= 1 && most_on_one_target(&runs) == 1);
    for (n, run) in runs.iter().enumerate().filter(|(n, _)| n % 6 != 5) {
        let why = match n % 6 {
            4 => "its alert `Slow` was not heard of for 24 hours",
            _ => "its alert `Slow` resolved",
        };
        assert!(run.started_at.is_none() && run.why == why, "{}", run.why);
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_plans_to_approve_asks_once_a_target_and_changes_what_was_approved() {
    let mut book = repair();
    book.steps[0] = asking(Some("duty"));
    let (script, most) = counting(Duration::from_secs(1));
    let plan = vec![action("hard", Risk::High)];
    let script = script.always("fix", Phase::Plan, Outcome::Done(Output::Plan(plan)));
    let world = World::new(home(book), script);
    world.serve();
    storm(&world).await;
    let mut said = BTreeSet::new();
    let mut asked_at_once = 0;
    while said.len() < count() {
        let pending = world.engine.pending();
        asked_at_once = asked_at_once.max(pending.len());
        for run in pending
            .iter()
            .map(|pending| pending.run)
            .filter(|run| !said.contains(run))
        {
            match run.0 % 3 {
                0 => world.engine.decide(run, None, &yes("ben")).await.unwrap(),
                1 => world.engine.decide(run, None, &no("ben")).await.unwrap(),
                // Nobody says anything of it.
                _ => {}
            }
        }
        said.extend(pending.iter().map(|pending| pending.run));
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let runs = ended(&world).await;
    assert_eq!(asked_at_once, targets(), "others wait for the first of their target");
    assert!((1..=AT_ONCE).contains(&most.load(SeqCst)));
    for run in &runs {
        let (verdict, why) = match run.run.0 % 3 {
            0 => (Verdict::Changed, ""),
            1 => (Verdict::Rejected, "ben"),
            _ => (Verdict::Rejected, "nobody"),
        };
        assert!(run.verdict == Some(verdict) && run.why.contains(why), "{run:?}");
    }
}
