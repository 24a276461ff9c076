//! Why something ran, and why it did not.

use chrono::TimeDelta;
use evenkeel_engine::Decision;
use evenkeel_engine::port::gates::Happening;
use evenkeel_engine::why::people::{Asked, WouldAsk};
use evenkeel_engine::why::simulate::Says;
use evenkeel_engine::why::{Question, nearest};
use evenkeel_model::action::Risk;
use evenkeel_model::alert::Change;
use evenkeel_model::hold::{Scope, What, Wish};
use evenkeel_model::invocation::Severity;
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::runbook::{Missed, On, Runbook, Selector, Step};

use crate::approvals::{asking, book, changing, no, risky, waiting, yes};
use crate::world::alarms::alert;
use crate::world::home::{cooling, home, on_alert, on_cron, runbook, running, selecting, step};
use crate::world::script::System;
use crate::world::{World, noon};

fn repair() -> Runbook {
    cooling(
        on_alert(selecting(runbook("repair", vec![step("fix")]), "role", "app"), "Slow"),
        10,
    )
}

fn only_critical() -> Runbook {
    let mut book = repair();
    book.on = vec![On::Alert {
        name: "Slow".into(),
        matching: Selector::parse(r#"severity=~"critical|page""#).unwrap(),
        on_resolve_continue: false,
    }];
    book
}

fn question(world: &World) -> Question {
    Question {
        runbook: None,
        asset: None,
        alert: None,
        from: noon() - TimeDelta::hours(1),
        to: world.now() + TimeDelta::seconds(1),
        limit: 20,
    }
}

#[test]
fn what_came_nearest_is_named() {
    let home = home(vec![only_critical()]);
    assert_eq!(
        nearest::nearest(&alert("Slow", &[("severity", "info")]), &home),
        "`repair` takes `Slow` only with severity=~\"critical|page\", and this one has severity=\"info\""
    );
    assert_eq!(
        nearest::nearest(&alert("Slow", &[]), &home),
        "`repair` takes `Slow` only with severity=~\"critical|page\", and this one has no label `severity`"
    );
    assert_eq!(
        nearest::nearest(&alert("Slwo", &[]), &home),
        "no runbook takes an alert `Slwo`; the nearest is `Slow`, which `repair` takes"
    );
    assert_eq!(
        nearest::nearest(&alert("DiskFilling", &[]), &home),
        "no runbook takes an alert `DiskFilling`"
    );
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_started_nothing_is_in_the_record() {
    let world = World::new(home(vec![only_critical()]), System::new(Severity::Critical).script());
    world.serve();
    let info = alert("Slow", &[("asset", "steel-1"), ("severity", "info")]);
    world.alarms.edge(Change::Fired, &info);
    world
        .until("it is acted on", || world.alarms.settled().then_some(()))
        .await;
    let found = |question: Question| {
        let world = &world;
        async move { world.engine.why(&question).await.unwrap().unstarted }
    };
    let all = found(question(&world)).await;
    assert!(matches!(&all[0].what, Happening::Alert(alert) if **alert == info));
    for (runbook, asset, name, expected) in [
        (Some("repair"), None, None, 1),
        (Some("other"), None, None, 0),
        (None, Some("steel-1"), None, 1),
        (None, Some("paper-1"), None, 0),
        (None, None, Some("Slow"), 1),
        (None, None, Some("Slower"), 0),
    ] {
        let narrowed = Question {
            runbook: runbook.map(Into::into),
            asset: asset.map(Into::into),
            alert: name.map(str::to_owned),
            ..question(&world)
        };
        assert_eq!(found(narrowed.clone()).await.len(), expected, "{narrowed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waited_tells_for_what_and_until_when() {
    let world = World::new(home(vec![repair()]), System::new(Severity::Critical).script());
    world.serve();
    let wish = Wish {
        what: What::Pause(Scope::All),
        why: "the move".into(),
        who: "ada".into(),
        until: Some(noon() + TimeDelta::hours(1)),
    };
    world.engine.hold(wish).await.unwrap();
    let slow = alert("Slow", &[("asset", "steel-1")]);
    world.alarms.edge(Change::Fired, &slow);
    assert_eq!(world.until_finished(1).await.verdict, Some(Verdict::Changed));
    let asked = Question {
        alert: Some(slow.identity.fingerprint.clone()),
        ..question(&world)
    };
    let told = world.engine.why(&asked).await.unwrap();
    assert_eq!(told.runs[0].alert.as_ref().unwrap().name, "Slow");
    let gates: Vec<&Body> = told.runs[0].said.iter().map(|event| &event.body).collect();
    assert!(
        matches!(gates[0], Body::Waiting { gate, until: Some(_), .. } if gate == "pause"),
        "{gates:?}"
    );
    assert_eq!(gates[1], &Body::Started);
    assert!(matches!(gates[2], Body::Finished { .. }));
    assert_eq!(told.holds.len(), 1, "it stood in that time");
    let other = Question {
        alert: Some("Other".into()),
        ..question(&world)
    };
    assert!(world.engine.why(&other).await.unwrap().runs.is_empty());
}

/// What `why` has of the only run, in words.
async fn of_people(world: &World) -> (Vec<&'static str>, Vec<Asked>) {
    let mut told = world.engine.why(&question(world)).await.unwrap();
    let story = told.runs.remove(0);
    let said = story.said.iter().filter_map(|event| match &event.body {
        Body::ApprovalAsked { ask, .. } if ask.as_deref() == Some("duty") => Some("asked"),
        Body::Approved { enough: true, .. } => Some("approved"),
        Body::Declined { why, .. } if why == "not today" => Some("declined"),
        Body::PlanVoid { .. } => Some("void"),
        Body::Finished { .. } => Some("finished"),
        _ => None,
    });
    (said.collect(), story.waits)
}

#[tokio::test(start_paused = true)]
async fn whom_a_run_waits_for_is_told_and_what_they_said() {
    let world = waiting(home(vec![book()]), risky()).await;
    let (said, waits) = of_people(&world).await;
    assert_eq!(said, ["asked"]);
    let expected = Asked {
        step: "fix".into(),
        ask: Some("duty".into()),
        people: vec!["ben".into(), "cleo".into(), "ada".into()],
        need: 1,
        approved_by: vec![],
        asked_at: noon(),
        until: noon() + TimeDelta::hours(1),
    };
    assert_eq!(waits, [expected]);
    let declined = Decision {
        why: "not today".into(),
        ..no("cleo")
    };
    world.engine.decide(RunId(1), None, &declined).await.unwrap();
    world.until_finished(1).await;
    let declined = (vec!["asked", "declined", "finished"], vec![]);
    assert_eq!(of_people(&world).await, declined);

    let world = waiting(home(vec![book()]), risky()).await;
    world.until_finished(1).await;
    let nobody = (vec!["asked", "finished"], vec![]);
    assert_eq!(of_people(&world).await, nobody, "its time is over");
}

#[tokio::test(start_paused = true)]
async fn of_two_who_are_needed_the_first_is_named() {
    let mut two = home(vec![book()]);
    two.settings.approvers.get_mut("duty").unwrap().need = 2;
    let world = waiting(two, risky()).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    let (_, waits) = of_people(&world).await;
    assert_eq!((waits[0].need, &*waits[0].approved_by), (2, &["ben".to_owned()][..]));
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_became_void_is_told() {
    let (script, _) = changing(Severity::Warning);
    let world = waiting(home(vec![book()]), script).await;
    world.engine.decide(RunId(1), None, &yes("ben")).await.unwrap();
    world.until_finished(1).await;
    let told = (vec!["asked", "approved", "void", "finished"], vec![]);
    assert_eq!(of_people(&world).await, told);
}

#[tokio::test(start_paused = true)]
async fn what_would_ask_people_is_told_of_an_alert_that_is_tried() {
    let never = Step {
        id: "never".into(),
        ask_from: None,
        ..step("fix")
    };
    let only_high = Step {
        id: "high".into(),
        ask_from: Some(Risk::High),
        ..step("fix")
    };
    let below = runbook("below", vec![step("look"), only_high, running("again", "below")]);
    let above = runbook("above", vec![asking(Some("duty")), never, running("again", "below")]);
    let above = on_alert(selecting(above, "role", "app"), "Slow");
    let world = World::new(home(vec![above, below]), risky());
    let slow = alert("Slow", &[("asset", "steel-1")]);
    let told = world.engine.simulate(slow).await.unwrap();
    let would = |runbook: &str, step: &str, from, duty: bool| WouldAsk {
        runbook: runbook.into(),
        step: step.into(),
        from,
        ask: duty.then(|| "duty".into()),
        people: match duty {
            true => vec!["ben".into(), "cleo".into(), "ada".into()],
            false => vec![],
        },
        need: 1,
    };
    let expected = [
        would("above", "fix", Risk::Medium, true),
        would("below", "high", Risk::High, false),
    ];
    assert_eq!(told.runbooks[0].asks, expected);
}

#[tokio::test(start_paused = true)]
async fn ticks_that_were_passed_over_are_in_the_record() {
    let book = on_cron(repair(), "*/10 * * * *", Missed::Last);
    let world = World::new(home(vec![book]), System::new(Severity::Ok).script());
    world
        .journal
        .set_tick("repair", "*/10 * * * * UTC", noon() - TimeDelta::hours(1));
    world.serve();
    world.until_finished(1).await;
    let told = world.engine.why(&question(&world)).await.unwrap();
    let Happening::Ticks { first, last, .. } = &told.unstarted[0].what else {
        panic!("{told:?}")
    };
    assert_eq!(
        (*first, *last),
        (noon() - TimeDelta::minutes(50), noon() - TimeDelta::minutes(10))
    );
}

/// The daemon was away twice: the later gap is not all that is known.
#[tokio::test(start_paused = true)]
async fn each_gap_of_a_schedule_is_told_by_runbook_and_by_hour() {
    let minutes = |minutes| noon() + TimeDelta::minutes(minutes);
    let homes = || home(vec![on_cron(repair(), "*/10 * * * *", Missed::Last)]);
    let script = || System::new(Severity::Ok).script();
    let mut world = World::new(homes(), script());
    world.journal.set_tick("repair", "*/10 * * * * UTC", noon());
    for (gaps, hours) in [(1, 1), (2, 2)] {
        world = world.crash(homes(), script());
        world.clock.set_forward(TimeDelta::hours(hours));
        world.serve();
        let noted = || (world.journal.noted().len() == gaps).then_some(());
        world.until("the gap is noted", noted).await;
    }
    let told = |runbook: Option<&str>, from, to| {
        let (world, runbook) = (&world, runbook.map(Into::into));
        let asked = Question {
            runbook,
            from: minutes(from),
            to: minutes(to),
            ..question(world)
        };
        async move {
            let told = world.engine.why(&asked).await.unwrap();
            let since = told.unstarted.iter().map(|gap| [gap.since(), gap.at]);
            since.map(|times| times.map(|at| (at - noon()).num_minutes())).collect()
        }
    };
    let (first, second) = ([10, 50], [70, 170]);
    let all: Vec<[i64; 2]> = told(None, -60, 200).await;
    assert_eq!(all, [second, first], "the newest first, each once");
    assert_eq!(told(Some("repair"), 0, 200).await, all);
    assert_eq!(told(Some("other"), 0, 200).await, [[0; 2]; 0]);
    assert_eq!(told(None, 20, 40).await, [first], "in the middle of it");
    assert_eq!(told(Some("repair"), 100, 160).await, [second]);
    assert_eq!(told(None, 51, 69).await, [[0; 2]; 0]);
}

/// As a version that kept only the last gap left it.
#[tokio::test(start_paused = true)]
async fn a_gap_that_only_its_schedule_knows_of_is_told_too() {
    let book = on_cron(repair(), "*/10 * * * *", Missed::Last);
    let world = World::new(home(vec![book]), System::new(Severity::Ok).script());
    let tick = noon() - TimeDelta::minutes(10);
    world.journal.set_passed("repair", "*/10 * * * * UTC", tick);
    let told = world.engine.why(&question(&world)).await.unwrap();
    assert_eq!(told.unstarted.len(), 1);
    assert_eq!((told.unstarted[0].since(), told.unstarted[0].at), (tick, tick));
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_tried_without_starting_anything() {
    let world = World::new(
        home(vec![repair(), only_other()]),
        System::new(Severity::Critical).script(),
    );
    world.serve();
    world
        .alarms
        .edge(Change::Fired, &alert("Slow", &[("asset", "steel-1")]));
    world.until_finished(1).await;
    let before = world.journal.count();
    let told = world
        .engine
        .simulate(alert("Slow", &[("asset", "steel-1")]))
        .await
        .unwrap();
    assert!(told.fires);
    assert_eq!(told.runbooks.len(), 1);
    let found = &told.runbooks[0];
    assert_eq!(
        (found.outcome, found.target.as_ref().unwrap().as_str()),
        (Says::Wait, "steel-1")
    );
    let waiting: Vec<&str> = found
        .gates
        .iter()
        .filter(|saying| saying.says != Says::Pass)
        .map(|saying| saying.gate.as_str())
        .collect();
    assert_eq!(waiting, ["cooldown"]);
    assert_eq!(found.gates.len(), 12, "every gate has its say");
    let nowhere = world
        .engine
        .simulate(alert("Slow", &[("asset", "steel-9")]))
        .await
        .unwrap();
    assert_eq!((nowhere.fires, nowhere.runbooks[0].outcome), (false, Says::Refuse));
    let unknown = world.engine.simulate(alert("Slwo", &[])).await.unwrap();
    assert!(unknown.runbooks.is_empty());
    assert_eq!(
        unknown.others,
        ["no runbook takes an alert `Slwo`; the nearest is `Slow`, which `repair` takes"]
    );
    assert_eq!(world.journal.count(), before);
}

fn only_other() -> Runbook {
    on_alert(runbook("other", vec![step("fix")]), "Down")
}
