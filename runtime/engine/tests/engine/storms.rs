//! A small storm against each gate: what runs is bounded, what should run does in the end, and the
//! record explains the rest.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use chrono::TimeDelta;
use evenkeel_model::alert::{Alert, Change};
use evenkeel_model::hold::{Scope, What, Wish};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Summary, Verdict};
use evenkeel_model::runbook::{Batch, MaxRuns, Overlap, Runbook};
use evenkeel_model::window::{Freeze, Maintenance, Span, When};

use crate::limits::{counting, fleet};
use crate::world::alarms::alert;
use crate::world::home::{cooling, on_alert, runbook, step};
use crate::world::{World, noon};

const TARGETS: usize = 10;
const EACH: usize = 5;
const ALERTS: usize = TARGETS * EACH;

fn repair() -> Runbook {
    on_alert(runbook("repair", vec![step("fix")]), "Slow")
}

/// Several alerts for each target.
fn alerts() -> Vec<Alert> {
    let alert = |n: usize| {
        let (asset, n) = (format!("app-{}", n % TARGETS + 1), n.to_string());
        alert("Slow", &[("asset", &asset), ("n", &n)])
    };
    (0..ALERTS).map(alert).collect()
}

async fn storm(world: &World) {
    for alert in alerts() {
        world.alarms.edge(&world.engine, Change::Fired, &alert);
    }
    world
        .until("all are taken in", || (world.journal.count() >= ALERTS).then_some(()))
        .await;
}

async fn ended(world: &World) -> Vec<Summary> {
    let mut runs = Vec::new();
    for run in 1..=ALERTS as u64 {
        runs.push(world.until_finished(run).await);
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
        let world = World::new(fleet(TARGETS, repair()), script);
        world.serve();
        world.engine.hold(wish).await.unwrap();
        storm(&world).await;
        for run in 1..=ALERTS as u64 {
            world.until_waiting(run, gate).await;
            assert_eq!(world.waits(run).len(), 1);
        }
        let runs = ended(&world).await;
        assert_eq!(of(&runs, Verdict::Changed), ALERTS);
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
        let mut home = fleet(TARGETS, repair());
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
        assert_eq!(of(&runs, Verdict::Changed), ALERTS);
        assert!(runs.iter().all(|run| run.started_at.unwrap() >= span.until));
        assert!((1..=ALERTS as u64).all(|run| world.waits(run)[0].0 == gate));
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_against_skip_leaves_one_run_a_target_and_says_so_of_the_others() {
    let mut book = repair();
    book.limits.overlap = Overlap::Skip;
    let (script, _) = counting(Duration::from_secs(300));
    let world = World::new(fleet(TARGETS, book), script);
    world.serve();
    storm(&world).await;
    let runs = ended(&world).await;
    assert_eq!(
        (of(&runs, Verdict::Changed), of(&runs, Verdict::Rejected)),
        (TARGETS, ALERTS - TARGETS)
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
    let world = World::new(fleet(TARGETS, book), script);
    world.serve();
    world.engine.hold(paused()).await.unwrap();
    storm(&world).await;
    let runs = ended(&world).await;
    assert_eq!(
        (of(&runs, Verdict::Changed), of(&runs, Verdict::Cancelled)),
        (TARGETS, ALERTS - TARGETS)
    );
    let last = &runs[ALERTS - TARGETS..];
    assert_eq!(of(last, Verdict::Changed), TARGETS, "each was the latest of its target");
}

#[tokio::test(start_paused = true)]
async fn a_storm_against_the_cool_down_and_max_runs_is_spread_over_time() {
    let mut book = cooling(repair(), 10);
    book.limits.max_runs = Some(MaxRuns {
        count: NonZeroU32::new(2).unwrap(),
        within: Duration::from_secs(3_600),
    });
    let (script, _) = counting(Duration::from_secs(1));
    let world = World::new(fleet(TARGETS, book), script);
    world.serve();
    storm(&world).await;
    let runs = ended(&world).await;
    assert_eq!(of(&runs, Verdict::Changed), ALERTS);
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
        let waited = (1..=ALERTS as u64).any(|run| world.waits(run).iter().any(|(by, _)| by == gate));
        assert!(waited, "{gate}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_against_the_fleet_is_worked_off_a_few_at_a_time() {
    let mut book = repair();
    book.limits.fleet = Batch::Percent(30);
    let (script, most) = counting(Duration::from_secs(30));
    let world = World::new(fleet(TARGETS, book), script);
    world.serve();
    storm(&world).await;
    let runs = ended(&world).await;
    assert_eq!(of(&runs, Verdict::Changed), ALERTS);
    assert_eq!(most.load(SeqCst), 3);
    assert_eq!(most_on_one_target(&runs), 1);
}

#[tokio::test(start_paused = true)]
async fn a_storm_against_a_repair_that_never_helps_is_given_up_target_by_target() {
    use evenkeel_model::invocation::{Class, Phase};
    let mut book = repair();
    book.limits.strikes = NonZeroU32::new(2).unwrap();
    let script = crate::world::script::Script::default().always(
        "fix",
        Phase::Plan,
        crate::world::script::failed(Class::Permanent),
    );
    let world = World::new(fleet(TARGETS, book), script);
    world.serve();
    storm(&world).await;
    ended(&world).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let all: Vec<Summary> = (1..=world.journal.count() as u64)
        .filter_map(|run| world.journal.summary(RunId(run)))
        .collect();
    assert_eq!(of(&all, Verdict::Failed), 2 * TARGETS);
    assert_eq!(of(&all, Verdict::Rejected), all.len() - 2 * TARGETS);
    let refusals = all.iter().filter_map(|run| world.refusal(run.run.0));
    assert!(refusals.clone().count() > 0 && refusals.into_iter().all(|(gate, _)| gate == "strikes"));
    let told: usize = all
        .iter()
        .filter(|run| run.verdict == Some(Verdict::Rejected))
        .map(|run| world.escalations(run.run.0))
        .sum();
    assert_eq!(told, TARGETS, "once for each");
}
