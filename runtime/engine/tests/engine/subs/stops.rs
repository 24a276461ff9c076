//! What stops a run stops what it waits for.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_cancel_is_passed_on() {
    let world = world(vec![above(vec![]), repair()], script());
    let run = world.ask(person("above")).await.unwrap().runs[0];
    until_applying(&world).await;
    world.engine.cancel(run, "enough").await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(
        summary.verdict,
        Some(Verdict::Changed),
        "the action was finished: {}",
        summary.why
    );
    assert!(
        world
            .bodies(2)
            .iter()
            .any(|body| matches!(body, Body::CancelRequested { why } if why == "run 1 stops: cancelled: enough"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_kill_is_passed_on_and_what_is_in_doubt_below_is_in_doubt_above() {
    let script = script().on("fix", Phase::Apply, |_, calls| async move {
        intend(&*calls, 0, false).await;
        hang().await
    });
    let world = world(vec![above(vec![]), repair()], script);
    let run = world.ask(person("above")).await.unwrap().runs[0];
    until_applying(&world).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.engine.kill(run, "ben", "now").await.unwrap();
    let summary = world.until_finished(1).await;
    assert_eq!(verdict(&world, 2), Some(Verdict::Unknown));
    assert_eq!(summary.verdict, Some(Verdict::Unknown), "{}", summary.why);
    assert!(summary.why.contains("evenkeel runs resolve 2"), "{}", summary.why);
}

#[tokio::test(start_paused = true)]
async fn what_is_in_doubt_below_is_waited_for_until_somebody_has_looked() {
    let hangs = script().on("fix", Phase::Apply, |_, calls| async move {
        intend(&*calls, 0, false).await;
        hang().await
    });
    let books = || vec![above(vec![]), repair()];
    let world = world(books(), hangs);
    world.ask(person("above")).await.unwrap();
    until_applying(&world).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let world = world.crash(home(books()), script());
    world.engine.resume().await.unwrap();
    world.until_finished(2).await;
    assert_eq!(verdict(&world, 2), Some(Verdict::Unknown));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(verdict(&world, 1), None, "nobody has looked");
    world.engine.resolve(RunId(2), looked(true)).await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_above_stops_what_is_below() {
    let mut book = above(vec![]);
    book.limits.deadline = Some(Duration::from_secs(60));
    let world = world(vec![book, repair()], stoppable(script()));
    let (verdict_of, why) = world.verdict("above").await;
    assert_eq!(verdict_of, Verdict::Failed, "{why}");
    assert!(why.contains("deadline"), "{why}");
    assert_eq!(verdict(&world, 2), Some(Verdict::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn steps_beside_it_go_on_and_a_failure_stops_it() {
    let slow = Step {
        id: "slow".into(),
        ..step("more")
    };
    let book = needing(runbook("above", vec![running("repair", "repair"), slow]), "slow", &[]);
    let script = stoppable(script()).on("more", Phase::Plan, |_, _| async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        failed(Class::Permanent)
    });
    let world = world(vec![selecting(book, "asset", "steel-1"), repair()], script);
    let (verdict_of, why) = world.verdict("above").await;
    assert_eq!(verdict_of, Verdict::Failed);
    assert!(why.starts_with("step `slow`"), "{why}");
    assert_eq!(verdict(&world, 2), Some(Verdict::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_seen_below_and_its_resolve_stops_both() {
    let mut below = repair();
    below.steps[0].with = json!({ "name": "{{ alert.name }}" });
    let mut book = above(vec![]);
    book.healed = None;
    let world = world(vec![on_alert(book, "Broken"), below], stoppable(script()));
    let alert = crate::world::alarms::alert("Broken", &[]);
    world.serve();
    world.alarms.edge(evenkeel_model::alert::Change::Fired, &alert);
    world
        .until("it plans", || {
            world.script.called().contains(&"fix/plan".to_owned()).then_some(())
        })
        .await;
    let call = world
        .script
        .invocations()
        .into_iter()
        .find(|call| call.key.step.as_str() == "fix")
        .unwrap();
    assert_eq!(call.params["name"], "Broken");
    world.alarms.edge(evenkeel_model::alert::Change::Resolved, &alert);
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Cancelled));
    assert_eq!(verdict(&world, 2), Some(Verdict::Cancelled));
}

/// Wherever the journal can't be written, and whatever is said then: what was opened is known above.
#[tokio::test(start_paused = true)]
async fn no_run_below_is_forgotten_when_the_one_above_is_cancelled() {
    for appends in 0..24 {
        let books = || vec![above(vec![]), repair()];
        let world = World::new(home(books()), stoppable(script()));
        world.journal.fail_after(appends);
        if world.ask(person("above")).await.is_err() {
            continue;
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        world.journal.fail_after(usize::MAX);
        let world = world.crash(home(books()), stoppable(script()));
        world.engine.resume().await.unwrap();
        let _ = world.engine.cancel(RunId(1), "enough").await;
        world.until_finished(1).await;
        let opened = world
            .bodies(1)
            .iter()
            .filter(|body| matches!(body, Body::RunOpened { .. }))
            .count();
        assert_eq!(opened, world.journal.count() - 1, "after {appends} appends");
        if opened > 0 {
            assert!(verdict(&world, 2).is_some(), "after {appends} appends it runs on");
        }
    }
}

/// Wherever it can't be: what the one above held when it broke off is free for the one that it waits for.
#[tokio::test(start_paused = true)]
async fn both_go_on_by_themselves_when_the_journal_can_be_written_again() {
    let script = || {
        let calm = Script::default().always("look", Phase::Check, found(Severity::Ok));
        let planned = calm.always("fix", Phase::Plan, plan(&["a"]));
        planned.always("fix", Phase::Apply, applied(true))
    };
    let two = || needing(above(vec![running("beside", "repair")]), "beside", &["look"]);
    for appends in 0..32 {
        let world = World::new(home(vec![two(), repair()]), script());
        world.serve();
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.journal.fail_after(appends);
        if world.ask(person("above")).await.is_err() {
            continue;
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
        world.journal.fail_after(usize::MAX);
        let ended = tokio::time::timeout(Duration::from_secs(600), world.until_finished(1)).await;
        assert!(ended.is_ok(), "after {appends} appends they hang");
        assert_eq!(
            ended.unwrap().verdict,
            Some(Verdict::Changed),
            "after {appends} appends"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_after_a_cancel_reaches_what_is_below() {
    let world = world(
        vec![above(vec![]), repair()],
        script().on("fix", Phase::Apply, |_, _| hang()),
    );
    let run = world.ask(person("above")).await.unwrap().runs[0];
    until_applying(&world).await;
    world.engine.cancel(run, "enough").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = world.now();
    world.engine.kill(run, "ben", "now").await.unwrap();
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Cancelled));
    assert!((world.now() - began).num_seconds() < 10, "at once");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ended_unknown_with_one_below_is_resolved_after_that() {
    let hangs = script().on("fix", Phase::Apply, |_, calls| async move {
        intend(&*calls, 0, false).await;
        hang().await
    });
    let books = || vec![above(vec![]), repair()];
    let world = world(books(), hangs);
    let run = world.ask(person("above")).await.unwrap().runs[0];
    until_applying(&world).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.engine.kill(run, "ben", "now").await.unwrap();
    world.until_finished(1).await;
    let early = world.engine.resolve(RunId(1), looked(true)).await;
    assert!(
        matches!(early, Err(evenkeel_engine::ResolveError::Below { below: RunId(2), .. })),
        "{early:?}"
    );
    world.engine.resolve(RunId(2), looked(true)).await.unwrap();
    world.until_finished(2).await;
    world.engine.resolve(RunId(1), looked(true)).await.unwrap();
    let summary = world.until_finished(1).await;
    assert_ne!(summary.verdict, Some(Verdict::Unknown), "{}", summary.why);
}
