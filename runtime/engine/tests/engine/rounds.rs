//! Rounds go over their targets in batches.

use std::num::NonZeroU32;
use std::time::Duration;

use evenkeel_engine::rounds::{Member, Next, Progress, next};
use evenkeel_engine::{Decision, trigger};
use evenkeel_model::action::Risk;
use evenkeel_model::invocation::{Class, Phase, Severity};
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::runbook::{Batch, Runbook, Step, Targets};

use crate::world::home::{asset, home, runbook, selecting, step, with_assets};
use crate::world::script::{Script, System, applied, failed, found, hang};
use crate::world::{World, person};

fn targets(batch: Batch, per_customer: Option<u32>, stop_after: u32) -> Targets {
    Targets {
        select: None,
        batch,
        per_customer: per_customer.and_then(NonZeroU32::new),
        stop_after: NonZeroU32::new(stop_after).unwrap(),
    }
}

fn watch(targets: Targets) -> Runbook {
    let book = selecting(runbook("watch", vec![step("look")]), "role", "app");
    Runbook {
        targets: Targets {
            select: book.targets.select.clone(),
            ..targets
        },
        ..book
    }
}

/// Ten assets, of two customers in turn.
fn ten(book: Runbook) -> evenkeel_model::home::Home {
    let assets = (0..10).map(|n| asset(&format!("app-{n}"), ["steel", "paper"][n % 2], None));
    with_assets(vec![book], assets.collect())
}

#[test]
fn a_batch_is_a_share_rounded_up_and_at_least_one() {
    let batches = |batch| -> Vec<u32> {
        let home = ten(watch(targets(batch, None, 1)));
        let start = trigger::from_person(&person("watch"), &home).unwrap();
        start.round.targets.iter().map(|run| run.batch).collect()
    };
    assert_eq!(batches(Batch::All), [0; 10]);
    assert_eq!(batches(Batch::Percent(25)), [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]);
    assert_eq!(batches(Batch::Percent(1)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(batches(Batch::Percent(100)), [0; 10]);
    assert_eq!(
        batches(Batch::Count(NonZeroU32::new(4).unwrap())),
        [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    );
}

// ---- pure --------------------------------------------------------------------------------

fn members(all: &[(u32, &str, Progress)]) -> Vec<Member> {
    let member = |(n, (batch, customer, progress)): (usize, &(u32, &str, Progress))| Member {
        run: RunId(n as u64 + 1),
        customer: Some((*customer).into()),
        batch: *batch,
        progress: *progress,
        cancelled: false,
    };
    all.iter().enumerate().map(member).collect()
}

fn runs(numbers: &[u64]) -> Vec<RunId> {
    numbers.iter().copied().map(RunId).collect()
}

use Progress::{Ahead, AtTurn, Begun, Driven, Finished, Held, Left};

#[test]
fn the_next_batch_starts_when_the_one_before_is_through() {
    let all = targets(Batch::All, None, 1);
    let begun = members(&[(0, "a", Finished(Verdict::Healthy)), (0, "a", Driven), (1, "a", Held)]);
    let Next {
        start, hold, refuse, ..
    } = next(&begun, &all, false);
    assert_eq!((start, refuse), (vec![], None));
    assert_eq!(hold, [(RunId(3), "batch 2 starts when batch 1 is through".into())]);

    let through = members(&[
        (0, "a", Finished(Verdict::Unhealthy)),
        (0, "a", Finished(Verdict::Rejected)),
        (1, "a", Held),
        (2, "a", Held),
    ]);
    assert_eq!(next(&through, &all, false).start, runs(&[3]));
}

#[test]
fn a_run_that_was_left_keeps_its_batch_open() {
    let members = members(&[(0, "a", Left), (1, "a", Held)]);
    assert!(next(&members, &targets(Batch::All, None, 1), false).start.is_empty());
}

#[test]
fn so_many_failures_stop_the_round() {
    let failing = |verdict| members(&[(0, "a", Finished(verdict)), (0, "a", Held), (1, "a", Held)]);
    for verdict in [Verdict::Failed, Verdict::NotRepaired, Verdict::Unknown] {
        let stopped = next(&failing(verdict), &targets(Batch::All, None, 1), false);
        assert!(stopped.start.is_empty());
        assert_eq!(stopped.refuse.unwrap(), "1 run of this round failed (`stop_after = 1`)");
        assert_eq!(
            next(&failing(verdict), &targets(Batch::All, None, 2), false).start,
            runs(&[2])
        );
    }
    for verdict in [
        Verdict::Unhealthy,
        Verdict::Rejected,
        Verdict::Cancelled,
        Verdict::Planned,
    ] {
        assert_eq!(
            next(&failing(verdict), &targets(Batch::All, None, 1), false).refuse,
            None
        );
    }
}

#[test]
fn a_run_that_had_started_is_neither_held_nor_refused() {
    let failed = members(&[(0, "a", Finished(Verdict::Failed)), (0, "a", Begun), (0, "a", Held)]);
    let stopped = next(&failed, &targets(Batch::All, None, 1), false);
    assert_eq!(stopped.start, runs(&[2]));
    assert!(stopped.refuse.is_some(), "the third never starts");

    let bound = members(&[(0, "a", Held), (0, "a", Begun), (1, "a", Begun)]);
    let Next { start, hold, .. } = next(&bound, &targets(Batch::All, Some(1), 1), false);
    assert_eq!(start, runs(&[2, 3]));
    assert_eq!(hold[0].0, RunId(1), "its customer has two at work");
}

#[test]
fn no_customer_has_more_than_its_bound_at_once() {
    let all = targets(Batch::All, Some(1), 1);
    let some = members(&[(0, "a", Driven), (0, "a", Held), (0, "b", Held), (0, "b", Held)]);
    let next = next(&some, &all, false);
    assert_eq!(next.start, runs(&[3]));
    let why = "`per_customer = 1`, and as many of customer `a` are under way";
    assert_eq!(next.hold[0], (RunId(2), why.into()));
    assert_eq!(next.hold[1].0, RunId(4));
}

#[test]
fn a_cancelled_run_need_not_wait_for_its_turn() {
    let mut some = members(&[(0, "a", Driven), (3, "a", Held), (4, "a", Held)]);
    some[2].cancelled = true;
    assert_eq!(next(&some, &targets(Batch::All, Some(1), 1), false).start, runs(&[3]));
}

// ---- driven ------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_round_goes_batch_by_batch() {
    let script = Script::default().on("look", Phase::Check, |_, _| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        found(Severity::Warning)
    });
    let world = World::new(ten(watch(targets(Batch::Percent(40), None, 1))), script);
    let runs = world.run("watch").await;
    assert!(runs.iter().all(|run| run.verdict == Some(Verdict::Unhealthy)));
    let started: Vec<i64> = runs
        .iter()
        .map(|run| (run.started_at.unwrap() - run.requested_at).num_seconds())
        .collect();
    assert_eq!(started, [0, 0, 0, 0, 10, 10, 10, 10, 20, 20]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_refuses_the_targets_that_are_left() {
    let script = Script::default().on("look", Phase::Check, |invocation, _| async move {
        match invocation.target.id.as_str() {
            "app-3" => failed(Class::Permanent),
            _ => found(Severity::Ok),
        }
    });
    let book = watch(targets(Batch::Count(NonZeroU32::new(2).unwrap()), None, 1));
    let world = World::new(ten(book), script);
    let runs = world.run("watch").await;
    let verdicts: Vec<Verdict> = runs.iter().map(|run| run.verdict.unwrap()).collect();
    assert_eq!(
        verdicts[..4],
        [Verdict::Healthy, Verdict::Healthy, Verdict::Healthy, Verdict::Failed]
    );
    assert_eq!(verdicts[4..], [Verdict::Rejected; 6]);
    let refused = Body::Refused {
        gate: "round".into(),
        why: "1 run of this round failed (`stop_after = 1`)".into(),
    };
    assert!(world.bodies(10).contains(&refused));
}

#[tokio::test(start_paused = true)]
async fn a_customer_is_not_worked_on_everywhere_at_once() {
    let script = Script::default().on("look", Phase::Check, |_, _| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        found(Severity::Ok)
    });
    let world = World::new(ten(watch(targets(Batch::All, Some(1), 1))), script);
    let began = world.now();
    world.run("watch").await;
    assert_eq!(
        (world.now() - began).num_seconds(),
        50,
        "five of each of two customers, one after the other"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_later_batch_can_be_cancelled_at_once() {
    let script = Script::default().on("look", Phase::Check, |_, _| hang());
    let book = watch(targets(Batch::Count(NonZeroU32::MIN), None, 1));
    let world = World::new(home(vec![book]), script);
    let runs = world.ask(person("watch")).await.unwrap().runs;
    world
        .until("the first hangs", || (world.script.called().len() == 1).then_some(()))
        .await;
    world.engine.cancel(runs[2], "not today").await.unwrap();
    let run = world.engine.wait(runs[2]).await.unwrap();
    assert_eq!((run.verdict, run.why.as_str()), (Some(Verdict::Cancelled), "not today"));
}

// ---- planning ahead ----------------------------------------------------------------------

#[test]
fn who_planned_ahead_applies_when_its_turn_comes() {
    let targets = targets(Batch::Count(NonZeroU32::MIN), None, 1);
    let planned = members(&[(0, "steel", AtTurn), (1, "steel", AtTurn), (2, "steel", Held)]);
    let next_ = next(&planned, &targets, true);
    assert_eq!((next_.start, next_.turn), (runs(&[3]), runs(&[1])));
    assert_eq!(next_.hold.len(), 1, "the second waits for the first batch");
    let ahead = members(&[(0, "steel", Ahead), (1, "steel", AtTurn)]);
    assert!(
        next(&ahead, &targets, true).turn.is_empty(),
        "the first batch waits for its approval"
    );
    let through = members(&[(0, "steel", Finished(Verdict::Changed)), (1, "steel", AtTurn)]);
    assert_eq!(next(&through, &targets, true).turn, runs(&[2]));
}

/// Three assets, one after the other, whose repair has to be approved.
fn rollout() -> Runbook {
    let fix = Step {
        ask_from: Some(Risk::Low),
        ..step("fix")
    };
    let book = selecting(runbook("repair", vec![step("look"), fix]), "role", "app");
    let targets = Targets {
        select: book.targets.select.clone(),
        ..targets(Batch::Count(NonZeroU32::MIN), None, 1)
    };
    Runbook { targets, ..book }
}

async fn planned(script: Script) -> World {
    let world = World::new(home(vec![rollout()]), script);
    world.ask(person("repair")).await.unwrap();
    world
        .until("all have planned", || (world.engine.pending().len() == 3).then_some(()))
        .await;
    world
}

fn ben() -> Decision {
    Decision {
        approve: true,
        who: "ben".into(),
        why: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn one_approval_is_for_all_plans_of_a_round_and_they_are_applied_in_batches() {
    let slow = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, |_, _| async {
            tokio::time::sleep(Duration::from_secs(300)).await;
            applied(true)
        });
    let world = planned(slow).await;
    assert_eq!(
        world.engine.decide_round(RoundId(1), None, &ben()).await.unwrap().len(),
        3
    );
    for run in 1..=3 {
        assert_eq!(world.until_finished(run).await.verdict, Some(Verdict::Changed));
    }
    let ends: Vec<_> = (1..=3)
        .map(|run| world.journal.summary(RunId(run)).unwrap().finished_at.unwrap())
        .collect();
    for (before, after) in [(0, 1), (1, 2)] {
        assert!(
            ends[after] - ends[before] >= chrono::TimeDelta::seconds(300),
            "one after the other"
        );
    }
    let looks = world
        .script
        .called()
        .iter()
        .filter(|call| *call == "look/check")
        .count();
    assert_eq!(looks, 6, "each looks again when its turn has come");
}

#[tokio::test(start_paused = true)]
async fn when_too_many_fail_what_was_planned_ahead_is_cancelled() {
    let fails = System::new(Severity::Critical)
        .script()
        .always("fix", Phase::Apply, failed(Class::Permanent));
    let world = planned(fails).await;
    world.engine.decide_round(RoundId(1), None, &ben()).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Failed));
    for run in [2, 3] {
        let end = world.until_finished(run).await;
        assert_eq!(end.verdict, Some(Verdict::Cancelled));
        assert!(end.why.contains("`stop_after = 1`"), "{}", end.why);
    }
    let applies = world
        .script
        .called()
        .iter()
        .filter(|call| call.contains("apply"))
        .count();
    assert_eq!(applies, 1);
}

#[tokio::test(start_paused = true)]
async fn a_round_that_planned_ahead_goes_on_after_a_crash() {
    let script = || System::new(Severity::Critical).script();
    let world = planned(script()).await;
    world.engine.decide(RunId(2), None, &ben()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(
        world.script.called().iter().all(|call| !call.contains("apply")),
        "batch 1 is not through"
    );
    let world = world.crash(home(vec![rollout()]), script());
    world.engine.resume().await.unwrap();
    world
        .until("two are asked for", || {
            (world.engine.pending().len() == 2).then_some(())
        })
        .await;
    world.engine.decide_round(RoundId(1), None, &ben()).await.unwrap();
    for run in 1..=3 {
        assert_eq!(world.until_finished(run).await.verdict, Some(Verdict::Changed));
    }
    let targets: Vec<String> = world
        .script
        .invocations()
        .iter()
        .filter(|invocation| invocation.key.phase == Phase::Apply)
        .map(|invocation| invocation.target.id.to_string())
        .collect();
    assert_eq!(
        targets,
        ["paper-1", "steel-1", "steel-2"],
        "in the order of their batches"
    );
}
