//! What a plugin may answer, what it and later steps see, and answers that leave it open.

use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::grant::Capability;
use evenkeel_model::invocation::{Class, Outcome, Phase, Severity};
use evenkeel_model::run::Verdict;
use evenkeel_model::runbook::{Otherwise, Step};
use serde_json::json;

use crate::verdicts::{escalations, repair, world};
use crate::world::World;
use crate::world::home::{healed, runbook, step};
use crate::world::script::{Script, System, applied, call, effect, failed, found, gave_up, plan};

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_kind_fails_the_step() {
    let script = System::new(Severity::Ok)
        .script()
        .always("look", Phase::Check, plan(&[]));
    let first = world(runbook("watch", vec![step("look")]), script);
    assert_eq!(first.verdict("watch").await.0, Verdict::Failed);

    let script = System::new(Severity::Ok)
        .script()
        .always("fix", Phase::Apply, found(Severity::Ok));
    let second = world(runbook("repair", vec![step("fix")]), script);
    assert_eq!(second.verdict("repair").await.0, Verdict::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_plan_with_one_id_twice_fails_the_step() {
    let script = System::new(Severity::Ok)
        .script()
        .always("fix", Phase::Plan, plan(&["a", "a"]));
    let world = world(runbook("repair", vec![step("fix")]), script);
    let (verdict, why) = world.verdict("repair").await;
    assert_eq!(
        (verdict, why.as_str()),
        (Verdict::Failed, "step `fix`: its plan has two actions with the id `a`")
    );
}

#[tokio::test(start_paused = true)]
async fn a_monitor_is_no_step() {
    let world = world(runbook("repair", vec![step("meter")]), Script::default());
    assert_eq!(world.verdict("repair").await.0, Verdict::Failed);
}

#[tokio::test(start_paused = true)]
async fn parameters_that_the_schema_rejects_fail_the_step() {
    let look = Step {
        with: json!("{{ target.id }}"),
        ..step("look")
    };
    let world = world(runbook("watch", vec![look]), Script::default());
    let (verdict, why) = world.verdict("watch").await;
    assert_eq!(verdict, Verdict::Failed);
    assert!(why.starts_with("step `look`: `with`: "), "{why}");
}

// ---- what steps and plugins see ----------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn later_steps_see_what_earlier_ones_found_and_did() {
    let more = Step {
        with: json!({
            "severity": "{{ steps.look.severity }}",
            "subject": "{{ steps.look.findings[0].subject }}",
            "output": "{{ steps.fix.output }}",
            "action": "{{ steps.fix.actions[0].id }}",
            "target": "{{ target.id }} of {{ customer.id }}",
        }),
        ..step("more")
    };
    let script = System::new(Severity::Critical)
        .script()
        .always("more", Phase::Plan, plan(&[]));
    let world = world(runbook("repair", vec![step("look"), step("fix"), more]), script);
    assert_eq!(world.verdict("repair").await.0, Verdict::Changed);
    let last = world.script.invocations().pop().unwrap();
    let wanted = json!({
        "severity": "critical",
        "subject": "it",
        "output": { "done": true },
        "action": "a",
        "target": "local of local",
    });
    assert_eq!(last.params, wanted);
    let names: Vec<&String> = last.input.keys().collect();
    assert_eq!(names, ["customer", "steps.fix", "steps.look", "target"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_applied_has_the_parameters_that_it_was_planned_with() {
    let fix = Step {
        with: json!({ "severity": "{{ steps.look.severity }}" }),
        ..step("fix")
    };
    let world = world(
        runbook("repair", vec![step("look"), fix]),
        System::new(Severity::Critical).script(),
    );
    world.verdict("repair").await;
    let params: Vec<_> = world.script.invocations().into_iter().map(|call| call.params).collect();
    assert_eq!(params[1], params[2]);
}

#[tokio::test(start_paused = true)]
async fn log_lines_and_progress_stand_where_they_were_written() {
    let script = Script::default().on("look", Phase::Check, |_, calls| async move {
        calls.log(Level::Info, "looking".into(), vec![]);
        calls.progress(500, "half".into());
        calls.progress(501, "too soon to be told".into());
        effect(&*calls, 0, true).await;
        calls.log(Level::Info, "done".into(), vec![]);
        calls.logs_dropped(3);
        found(Severity::Ok)
    });
    let world = world(runbook("watch", vec![step("look")]), script);
    world.verdict("watch").await;
    let told: Vec<_> = world
        .bodies(1)
        .iter()
        .map(|body| serde_json::to_value(body).unwrap())
        .map(|value| match value {
            serde_json::Value::String(name) => name,
            value => value.as_object().unwrap().keys().next().unwrap().clone(),
        })
        .collect();
    let wanted = [
        "requested",
        "started",
        "invoked",
        "logged",
        "progressed",
        "intended",
        "called",
        "logged",
        "logs-dropped",
        "ended",
        "step-finished",
        "finished",
    ];
    assert_eq!(told, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_long_within_is_not_looked_at_every_ten_seconds() {
    let mut book = healed(repair(), Otherwise::Escalate);
    if let Some(healed) = &mut book.healed {
        healed.within = std::time::Duration::from_secs(24 * 3_600);
    }
    let script = System::new(Severity::Critical)
        .script()
        .always("look", Phase::Check, found(Severity::Critical));
    let world = world(book, script);
    let began = world.now();
    assert_eq!(world.verdict("repair").await.0, Verdict::NotRepaired);
    assert_eq!((world.now() - began).num_hours(), 24, "it has all its time");
    let looks = world.script.called().into_iter().filter(|call| call == "look/check");
    let looks = looks.count();
    assert!((20..60).contains(&looks), "{looks}");
}

// ---- answers that leave it open ----------------------------------------------------------

fn post() -> Call {
    Call {
        capability: Capability::Http,
        operation: "send".into(),
        subject: "POST app:/restart".into(),
        ..call(false)
    }
}

/// `fix` makes `call`, is answered so, and then ends with `outcome`.
async fn answered(call: Call, error: serde_json::Value, outcome: Outcome) -> (Verdict, String, World) {
    told(call, error, false, outcome).await
}

/// The same; `open`: the host says that it can't tell whether the effect was made.
async fn told(call: Call, error: serde_json::Value, open: bool, outcome: Outcome) -> (Verdict, String, World) {
    let script = System::new(Severity::Critical)
        .script()
        .on("fix", Phase::Apply, move |_, calls| {
            let (call, error, outcome) = (call.clone(), error.clone(), outcome.clone());
            async move {
                calls.intend(0, &call).await.unwrap();
                let message = "no answer in time".into();
                let answer = Answer::Err { error, message, open };
                let took = std::time::Duration::from_secs(1);
                calls.answered(0, None, &answer, took).await.unwrap();
                outcome
            }
        });
    let world = world(repair(), script);
    let (verdict, why) = world.verdict("repair").await;
    (verdict, why, world)
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_sent_and_had_no_answer_leaves_the_run_unknown() {
    for error in [json!("timed-out"), json!({ "other": "the connection was closed" })] {
        let (verdict, why, world) = answered(post(), error, failed(Class::Permanent)).await;
        assert_eq!(verdict, Verdict::Unknown);
        let named = "the apply of `a` in step `fix` was given up at http `POST app:/restart` (no answer in time)";
        assert!(why.contains(named), "{why}");
        assert_eq!(escalations(&world), 1);
        assert!(world.journal.summary(evenkeel_model::name::RunId(1)).unwrap().changed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_killed_because_it_took_too_long_leaves_the_run_unknown() {
    let Answer::Err { error, .. } = gave_up() else { panic!() };
    let (verdict, why, _) = answered(call(false), error, failed(Class::Transient)).await;
    assert_eq!(verdict, Verdict::Unknown, "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_never_sent_fails() {
    for error in [json!("connect"), json!("dns"), json!({ "tls": "expired" })] {
        let (verdict, why, _) = answered(post(), error, failed(Class::Permanent)).await;
        assert_eq!(verdict, Verdict::Failed, "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_that_may_be_sent_again_fails() {
    let put = Call {
        repeatable: true,
        ..post()
    };
    let (verdict, ..) = answered(put, json!("timed-out"), failed(Class::Permanent)).await;
    assert_eq!(verdict, Verdict::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_found_out_what_came_of_its_request_is_believed() {
    let (verdict, ..) = answered(post(), json!("timed-out"), applied(true)).await;
    assert_eq!(verdict, Verdict::Changed);
}

fn statement() -> Call {
    Call {
        capability: Capability::Sql,
        operation: "execute".into(),
        subject: "main update jobs set name = 'a'".into(),
        ..call(false)
    }
}

#[tokio::test(start_paused = true)]
async fn a_statement_whose_answer_was_lost_leaves_the_run_unknown() {
    for error in [
        json!("timed-out"),
        json!({ "unavailable": "the connection was closed" }),
    ] {
        let (verdict, why, _) = told(statement(), error, true, failed(Class::Transient)).await;
        assert_eq!(verdict, Verdict::Unknown);
        let named = "the apply of `a` in step `fix` was given up at sql `main update jobs set name = 'a'`";
        assert!(why.contains(named), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_its_server_ended_fails() {
    for error in [json!("timed-out"), json!({ "unavailable": "shutting down" })] {
        let (verdict, why, _) = told(statement(), error, false, failed(Class::Permanent)).await;
        assert_eq!(verdict, Verdict::Failed, "{why}");
    }
}
