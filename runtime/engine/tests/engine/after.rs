//! What comes after a round looks at its runs, once.

use evenkeel_engine::port::{Invocation, Journal as _};
use evenkeel_model::invocation::{Class, Phase, Severity};
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Mode, Over, Verdict};
use evenkeel_model::runbook::{Overlap, Runbook, Step};
use serde_json::json;

use crate::world::home::{asset, home, runbook, selecting, step, with_assets};
use crate::world::script::{Script, System, failed, found, hang};
use crate::world::{World, person};

fn report(over: Over, id: &str) -> (Over, Step) {
    let step = Step {
        with: json!({ "runs": "{{ runs }}" }),
        ..step(id)
    };
    (over, step)
}

/// Looks at two assets of `steel` and one of `paper`, and then at what it found.
fn inspection() -> Runbook {
    Runbook {
        after: vec![report(Over::Round, "report"), report(Over::Customer, "letter")],
        ..selecting(runbook("watch", vec![step("look")]), "role", "app")
    }
}

fn three(book: Runbook) -> evenkeel_model::home::Home {
    let assets = [("a", "steel"), ("b", "paper"), ("c", "steel"), ("local", "local")];
    with_assets(
        vec![book],
        assets.map(|(id, customer)| asset(id, customer, None)).into(),
    )
}

fn script() -> Script {
    Script::default()
        .always("look", Phase::Check, found(Severity::Warning))
        .always("report", Phase::Check, found(Severity::Ok))
        .always("letter", Phase::Check, found(Severity::Ok))
}

/// The targets of the runs that each call of a plugin was told of, with the customer that it saw.
fn told(world: &World, plugin: &str) -> Vec<(String, Vec<String>)> {
    let of = |call: &Invocation| {
        let runs = call.params["runs"].as_array().unwrap();
        assert_eq!(call.input["runs"], call.params["runs"]);
        assert!(runs.iter().all(|run| run["verdict"] == "unhealthy"), "{runs:?}");
        assert!(runs.iter().all(|run| run["steps"]["look"]["severity"] == "warning"));
        let customer = call.input.get("customer").map_or("-", |it| it["id"].as_str().unwrap());
        let targets = runs.iter().map(|run| run["target"].as_str().unwrap().to_owned());
        (customer.to_owned(), targets.collect())
    };
    let calls = world.script.invocations();
    calls.iter().filter(|call| call.plugin.name == plugin).map(of).collect()
}

fn expect(customer: &str, targets: &[&str]) -> (String, Vec<String>) {
    (
        customer.to_owned(),
        targets.iter().map(|&target| target.to_owned()).collect(),
    )
}

async fn after(world: &World, round: u64) -> Vec<RunId> {
    let mut runs = None;
    while runs.is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        let after = world.journal.after(RoundId(round)).await.unwrap().unwrap();
        runs = (!after.pending).then_some(after.runs);
    }
    for run in runs.iter().flatten() {
        world.engine.wait(*run).await.unwrap();
    }
    runs.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_a_round_sees_its_runs_and_each_customer_s() {
    let world = World::new(three(inspection()), script());
    world.run("watch").await;

    let runs = after(&world, 1).await;

    assert_eq!(runs.len(), 3, "one over the round, one for each of two customers");
    assert_eq!(told(&world, "report"), [expect("-", &["a", "b", "c"])]);
    let mut letters = told(&world, "letter");
    letters.sort();
    assert_eq!(letters, [expect("paper", &["b"]), expect("steel", &["a", "c"])]);
    for run in runs {
        let summary = world.journal.summary(run).unwrap();
        assert_eq!(summary.verdict, Some(Verdict::Healthy));
        assert_eq!(summary.target, Some("local".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_round_is_followed_by_dry_runs() {
    let world = World::new(three(inspection()), script());
    world.dry_run("watch").await;
    let runs = after(&world, 1).await;
    let modes = runs.iter().map(|run| world.journal.summary(*run).unwrap().mode);
    assert_eq!(modes.collect::<Vec<_>>(), [Mode::DryRun; 3]);
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_after_a_round_none_of_whose_runs_started() {
    let mut book = Runbook {
        after: vec![report(Over::Round, "report")],
        ..runbook("watch", vec![step("look")])
    };
    book.limits.overlap = Overlap::Skip;
    let world = World::new(home(vec![book]), script().on("look", Phase::Check, |_, _| hang()));
    world.ask(person("watch")).await.unwrap();
    world
        .until("it hangs", || (world.script.called().len() == 1).then_some(()))
        .await;

    assert_eq!(world.verdict("watch").await.0, Verdict::Rejected);

    assert!(after(&world, 2).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_process_did_not_come_to_is_opened_by_the_next_and_once() {
    let world = World::new(three(inspection()), script());
    world.journal.fail_conclusions();
    world.run("watch").await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert!(world.journal.after(RoundId(1)).await.unwrap().unwrap().pending);

    let world = world.crash(three(inspection()), script());
    world.engine.resume().await.unwrap();
    assert_eq!(after(&world, 1).await.len(), 3);
    world.engine.resume().await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;

    assert_eq!(told(&world, "report").len(), 1);
    assert_eq!(told(&world, "letter").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_the_text_of_then_nothing_comes_after_a_round() {
    let world = World::new(three(inspection()), script());
    world.journal.fail_conclusions();
    world.run("watch").await;
    let changed = Runbook {
        hash: "other".into(),
        ..inspection()
    };
    let world = world.crash(three(changed), script());
    world.engine.resume().await.unwrap();
    // The text of a runbook that was never read from a file can't be read again.
    assert!(after(&world, 1).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_neither_counts_for_the_targets_nor_is_in_their_way() {
    let mut on_local = Runbook {
        after: vec![report(Over::Round, "report")],
        ..runbook("repair", vec![step("look"), step("fix")])
    };
    on_local.limits.overlap = Overlap::Skip;
    let system = System::new(Severity::Critical);
    let slow = system.script().on("report", Phase::Check, |_, _| async {
        tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
        failed(Class::Permanent)
    });
    let world = World::new(home(vec![on_local]), slow);
    assert_eq!(world.run("repair").await[0].verdict, Some(Verdict::Changed));
    world
        .until("it looks", || {
            world.script.called().contains(&"report/check".into()).then_some(())
        })
        .await;
    world.ask(person("repair")).await.unwrap();
    let second = world.until_finished(3).await;
    assert_ne!(
        world.refusal(3).map(|(gate, _)| gate).as_deref(),
        Some("overlap"),
        "{second:?}"
    );
}
