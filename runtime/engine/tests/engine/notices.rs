//! People are told, once and in order, whatever happens in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::port::outbox::{NoticeState, Posted, TryOutcome};
use evenkeel_engine::port::{Invocation, Work};
use evenkeel_model::action::Risk;
use evenkeel_model::alert::{Change, Grade};
use evenkeel_model::home::Home;
use evenkeel_model::invocation::{Class, Notice, Outcome, Output, Phase, Severity, Stop};
use evenkeel_model::notify::{Notifier, Rate, Route, Routing, Topic};
use evenkeel_model::runbook::{Otherwise, Runbook};
use serde_json::json;

use crate::world::World;
use crate::world::alarms::alert;
use crate::world::home::{healed, home, on_alert, pinned, runbook, selecting, step};
use crate::world::script::{Script, System, action, failed, found, hang, stopped};

fn notifier(name: &str, rate: Option<Rate>) -> (String, Arc<Notifier>) {
    let notifier = Notifier {
        name: name.into(),
        plugin: pinned("tell"),
        with: json!({ "name": name }),
        grant: vec![],
        role: "app".into(),
        timeout: Duration::from_secs(10),
        rate,
    };
    (name.into(), Arc::new(notifier))
}

fn route(on: &[Topic], notify: &[&str]) -> Route {
    Route {
        on: on.to_vec(),
        customers: vec![],
        grades: vec![],
        runbooks: vec![],
        notify: notify.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn told(home: Home, rate: Option<Rate>, routes: Vec<Route>) -> Home {
    let notifiers = BTreeMap::from([notifier("duty", rate), notifier("log", None)]);
    let routing = Routing { notifiers, routes };
    Home { routing, ..home }
}

/// What `fix` does helps nothing.
fn in_vain() -> Runbook {
    healed(runbook("repair", vec![step("look"), step("fix")]), Otherwise::Escalate)
}

fn escalating() -> Home {
    let mut book = in_vain();
    book.steps[1].ask_from = None;
    told(home(vec![book]), None, vec![route(&[Topic::Escalation], &["duty"])])
}

fn script() -> Script {
    Script::default()
        .always("look", Phase::Check, found(Severity::Critical))
        .always(
            "fix",
            Phase::Plan,
            Outcome::Done(Output::Plan(vec![action("a", Risk::High)])),
        )
        .always("fix", Phase::Apply, crate::world::script::applied(true))
}

fn receipt() -> Outcome {
    Outcome::Done(Output::Sent(Some("it is out".into())))
}

fn sent(world: &World) -> Vec<Notice> {
    let notice = |invocation: Invocation| match invocation.work {
        Work::Send(notice) => Some(notice),
        _ => None,
    };
    world.script.invocations().into_iter().filter_map(notice).collect()
}

async fn settled(world: &World, count: usize) -> Vec<Posted> {
    world
        .until("the notices are settled", || {
            let outbox = world.journal.outbox();
            let open = outbox.iter().any(|posted| posted.state == NoticeState::Waiting);
            (outbox.len() == count && !open).then_some(outbox)
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn an_escalation_is_told_once_with_what_to_do() {
    let world = World::new(escalating(), script().always("tell", Phase::Send, receipt()));
    world.serve();
    world.verdict("repair").await;
    let outbox = settled(&world, 1).await;
    assert_eq!(outbox[0].state, NoticeState::Delivered);
    assert_eq!((outbox[0].tries.len(), outbox[0].why.as_str()), (1, "it is out"));
    let notices = sent(&world);
    let [notice] = &notices[..] else { panic!("{notices:#?}") };
    assert_eq!(notice.severity, Severity::Critical);
    assert_eq!(notice.title, "repair needs a person: local of local");
    for part in [
        "Where: local of local (runbook repair, run 1, round 1)",
        "Tried: fix, ok",
        "evenkeel runs show 1",
    ] {
        assert!(notice.text.contains(part), "{part}: {}", notice.text);
    }
    assert_eq!(notice.labels["runbook"], "repair");
}

#[tokio::test(start_paused = true)]
async fn each_topic_is_told_of_and_nothing_else() {
    let all = vec![route(&Topic::ALL, &["duty"])];
    let topics = |world: &World| {
        world
            .journal
            .outbox()
            .iter()
            .map(|posted| posted.topic)
            .collect::<Vec<_>>()
    };
    let tell = |script: Script| script.always("tell", Phase::Send, receipt());

    let world = World::new(told(home(vec![in_vain()]), None, all.clone()), tell(script()));
    world.serve();
    world.ask(crate::world::person("repair")).await.unwrap();
    let outbox = settled(&world, 1).await;
    assert_eq!(topics(&world), [Topic::Approval]);
    assert!(
        outbox[0].notice.text.contains("`evenkeel approve 1 --plan "),
        "{}",
        outbox[0].notice.text
    );
    assert_eq!(outbox[0].notice.details.as_ref().unwrap()["actions"][0]["id"], "a");

    let mut book = in_vain();
    book.steps[1].ask_from = None;
    let world = World::new(told(home(vec![book.clone()]), None, all.clone()), tell(script()));
    world.serve();
    world.verdict("repair").await;
    settled(&world, 2).await;
    assert_eq!(topics(&world), [Topic::Escalation, Topic::NotRepaired]);

    // A dry run concerns nobody, and neither does what went well.
    let world = World::new(told(home(vec![book.clone()]), None, all.clone()), tell(script()));
    world.serve();
    world.dry_run("repair").await;
    assert_eq!(topics(&world), []);
    let world = World::new(
        told(home(vec![book]), None, all),
        tell(System::new(Severity::Critical).script()),
    );
    world.serve();
    world.verdict("repair").await;
    assert_eq!(topics(&world), []);
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_and_delivered_once() {
    let outcomes = vec![failed(Class::Transient), stopped(Stop::Trap), receipt()];
    let world = World::new(escalating(), script().in_turn("tell", Phase::Send, outcomes));
    world.serve();
    world.verdict("repair").await;
    let outbox = settled(&world, 1).await;
    let outcomes: Vec<_> = outbox[0].tries.iter().map(|tried| tried.outcome.unwrap()).collect();
    assert_eq!(
        outcomes,
        [TryOutcome::Transient, TryOutcome::Transient, TryOutcome::Delivered]
    );
    let ids: Vec<String> = sent(&world).into_iter().map(|notice| notice.id).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // Nothing more comes of it.
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(sent(&world).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_will_not_do_is_given_up_at_once() {
    for class in [Class::Permanent, Class::Denied, Class::Invalid] {
        let world = World::new(escalating(), script().always("tell", Phase::Send, failed(class)));
        world.serve();
        world.verdict("repair").await;
        let outbox = settled(&world, 1).await;
        assert_eq!((outbox[0].state, outbox[0].tries.len()), (NoticeState::GivenUp, 1));
        assert_eq!(outbox[0].why, "broken: it would not");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_day_it_is_given_up() {
    let world = World::new(
        escalating(),
        script().always("tell", Phase::Send, failed(Class::Transient)),
    );
    world.serve();
    world.verdict("repair").await;
    tokio::time::sleep(Duration::from_secs(25 * 3_600)).await;
    let outbox = settled(&world, 1).await;
    assert_eq!(outbox[0].state, NoticeState::GivenUp);
    let took = outbox[0].settled_at.unwrap() - outbox[0].queued_at;
    assert!(took >= TimeDelta::hours(24) && took < TimeDelta::hours(25), "{took}");
    assert!(outbox[0].tries.len() < 400, "{}", outbox[0].tries.len());
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_the_event_and_the_delivery_loses_nothing() {
    let world = World::new(escalating(), script());
    world.verdict("repair").await;
    assert_eq!(world.journal.outbox().len(), 1, "nobody delivered it");
    let world = world.crash(escalating(), script().always("tell", Phase::Send, receipt()));
    world.serve();
    let outbox = settled(&world, 1).await;
    assert_eq!((outbox[0].state, sent(&world).len()), (NoticeState::Delivered, 1));
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_a_try_is_told_and_it_is_sent_again_under_the_same_id() {
    let script_that_hangs = script().on("tell", Phase::Send, |_, _| hang());
    let world = World::new(escalating(), script_that_hangs);
    world.serve();
    world.verdict("repair").await;
    let id = world.until("it is tried", || sent(&world).pop()).await.id;
    let world = world.crash(escalating(), script().always("tell", Phase::Send, receipt()));
    world.serve();
    let outbox = settled(&world, 1).await;
    let outcomes: Vec<_> = outbox[0].tries.iter().map(|tried| tried.outcome.unwrap()).collect();
    assert_eq!(outcomes, [TryOutcome::Interrupted, TryOutcome::Delivered]);
    assert_eq!(sent(&world)[0].id, id);
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_kept_and_the_order_too() {
    let rate = Rate {
        count: 2,
        within: Duration::from_secs(60),
    };
    let mut home = escalating();
    home.routing.notifiers = BTreeMap::from([notifier("duty", Some(rate))]);
    let outcomes = vec![failed(Class::Transient), receipt()];
    let world = World::new(home, script().in_turn("tell", Phase::Send, outcomes));
    world.serve();
    for _ in 0..5 {
        world.verdict("repair").await;
    }
    let outbox = settled(&world, 5).await;
    let times: Vec<DateTime<Utc>> = outbox
        .iter()
        .flat_map(|posted| &posted.tries)
        .map(|tried| tried.at)
        .collect();
    assert_eq!(times.len(), 6);
    assert!(times.is_sorted(), "{times:?}");
    for three in times.windows(3) {
        assert!(three[2] - three[0] >= TimeDelta::seconds(60), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_notifier_that_is_down_keeps_no_other_waiting() {
    let mut home = escalating();
    home.routing.routes = vec![route(&[Topic::Escalation], &["log", "duty"])];
    let script = script().on("tell", Phase::Send, |invocation, _| async move {
        match invocation.params["name"] == "duty" {
            true => failed(Class::Transient),
            false => receipt(),
        }
    });
    let world = World::new(home, script);
    world.serve();
    world.verdict("repair").await;
    let delivered = world.until("the other one is told", || {
        let outbox = world.journal.outbox().into_iter();
        outbox.into_iter().find(|posted| posted.state == NoticeState::Delivered)
    });
    assert_eq!(delivered.await.notifier, "log");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_of_high_alerts_alone() {
    for (grade, expected) in [(Grade::High, vec![Topic::Refusal]), (Grade::Medium, vec![])] {
        let book = selecting(on_alert(runbook("look", vec![step("look")]), "Odd"), "role", "app");
        // It names no asset that there is.
        let home = told(home(vec![book]), None, vec![route(&[Topic::Refusal], &["log"])]);
        let world = World::new(home, script().always("tell", Phase::Send, receipt()));
        let mut alert = alert("Odd", &[("asset", "steel-9")]);
        alert.grade = grade;
        world.serve();
        world.alarms.edge(Change::Fired, &alert);
        world.until_finished(1).await;
        let topics: Vec<_> = world.journal.outbox().iter().map(|posted| posted.topic).collect();
        assert_eq!(topics, expected);
    }
}

/// 400 alerts of high grade that nothing can be done about, and a plan that waits for somebody after them.
#[tokio::test(start_paused = true)]
async fn a_storm_is_told_in_a_few_messages_and_holds_up_nothing() {
    let rate = Rate {
        count: 20,
        within: Duration::from_secs(60),
    };
    let book = selecting(on_alert(runbook("look", vec![step("look")]), "Odd"), "role", "app");
    let routes = vec![route(&[Topic::Refusal, Topic::Escalation, Topic::Approval], &["duty"])];
    let home = told(home(vec![book, in_vain()]), Some(rate), routes);
    let world = World::new(home, script().always("tell", Phase::Send, receipt()));
    world.serve();
    for n in 0..400 {
        let mut alert = alert("Odd", &[("asset", &format!("steel-{n}-gone"))]);
        alert.grade = Grade::High;
        world.alarms.edge(Change::Fired, &alert);
    }
    world.until_finished(400).await;
    let began = world.now();
    world.ask(crate::world::person("repair")).await.unwrap();
    let outbox = settled(&world, 801).await;
    assert!(outbox.iter().all(|posted| posted.state == NoticeState::Delivered));
    // As many as the rate allows are told before there is anything to put together.
    assert!(sent(&world).len() < 30, "{} messages", sent(&world).len());
    assert!((world.now() - began).num_seconds() < 120, "{}", world.now() - began);
    let approval = outbox.iter().find(|posted| posted.topic == Topic::Approval).unwrap();
    assert_eq!(approval.tries.len(), 1, "it is told by itself");
    let told_with = outbox.iter().filter(|posted| posted.tries.is_empty());
    assert!(told_with.clone().count() > 770);
    assert!(
        told_with
            .into_iter()
            .all(|posted| posted.why.starts_with("told with notice "))
    );
    let notices = sent(&world);
    let digest = notices.iter().find(|notice| notice.text.contains("\nAlike: ")).unwrap();
    assert!(digest.title.ends_with(" more runs"), "{}", digest.title);
    assert!(digest.text.contains("(run "), "{}", digest.text);
}

#[tokio::test(start_paused = true)]
async fn what_is_tried_again_tells_the_same_under_the_same_id() {
    let book = selecting(on_alert(runbook("look", vec![step("look")]), "Odd"), "role", "app");
    let home = told(home(vec![book]), None, vec![route(&[Topic::Refusal], &["duty"])]);
    let outcomes = vec![failed(Class::Transient), receipt(), failed(Class::Transient), receipt()];
    let world = World::new(home, script().in_turn("tell", Phase::Send, outcomes));
    world.serve();
    for n in 0..30 {
        let mut alert = alert("Odd", &[("asset", &format!("steel-{n}-gone"))]);
        alert.grade = Grade::High;
        world.alarms.edge(Change::Fired, &alert);
        if n == 0 {
            let first = || (!sent(&world).is_empty()).then_some(());
            world.until("the first is told, in vain", first).await;
        }
    }
    settled(&world, 30).await;
    let ids: Vec<String> = sent(&world).into_iter().map(|notice| notice.id).collect();
    assert_eq!(ids.len(), 4, "the first alone, and the others with the second: {ids:?}");
    assert_eq!((&ids[0], &ids[2]), (&ids[1], &ids[3]), "each twice");
    assert!(ids[2].ends_with("-to-30"), "{ids:?}");
}
