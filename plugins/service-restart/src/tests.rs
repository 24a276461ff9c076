use evenkeel_sdk::exec::Output;
use evenkeel_sdk::http::{HttpError, Response};
use evenkeel_sdk::serde_json::{Value, from_value};
use evenkeel_sdk::{Class, Duration, MockHost};

use super::*;

fn restart(more: Value) -> Result<ServiceRestart> {
    let mut params = json!({ "profile": "restart-app", "probe": { "origin": "app", "path": "/health" } });
    params
        .as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    Ok(from_value(params)?)
}

/// A service that answers these one after the other, the last for ever.
fn service(replies: impl IntoIterator<Item = Result<Response, HttpError>>) -> MockHost {
    replies.into_iter().fold(MockHost::new(), |host, reply| {
        host.with_http("GET", "app", "/health", reply)
    })
}

fn down() -> Result<Response, HttpError> {
    Err(HttpError::Connect)
}

fn status(status: u16) -> Result<Response, HttpError> {
    Ok(Response::status(status))
}

#[test]
fn a_service_that_is_well_is_left_alone() -> Result<()> {
    assert_eq!(restart(json!({}))?.plan(&service([status(200)]))?, []);
    Ok(())
}

#[test]
fn one_failed_probe_is_no_outage() -> Result<()> {
    assert_eq!(restart(json!({}))?.plan(&service([down(), status(200)]))?, []);
    Ok(())
}

#[test]
fn a_service_that_is_down_is_planned_to_be_restarted() -> Result<()> {
    let host = service([down(), down(), status(503)]);
    let actions = restart(json!({ "args": ["--now"] }))?.plan(&host)?;
    let words =
        "runs `restart-app --now`, then waits up to 30s until `app:/health` answers 200-299 (now: it answers 503)";
    assert_eq!(
        (actions[0].summary.as_str(), actions[0].risk, actions.len()),
        (words, Risk::Medium, 1)
    );
    assert_eq!(actions[0].effects, [host.exec("restart-app").arg("--now").effect()]);
    assert_eq!(actions[0].effects[0].subject, r#"restart-app ["--now"]"#);
    assert!(host.effects().is_empty());
    Ok(())
}

#[test]
fn a_healthy_service_is_restarted_if_the_runbook_says_so() -> Result<()> {
    let actions = restart(json!({ "only_if_unhealthy": false, "risk": "low" }))?.plan(&service([status(200)]))?;
    assert_eq!((actions.len(), actions[0].risk), (1, Risk::Low));
    Ok(())
}

#[test]
fn a_probe_that_is_not_granted_is_an_error_and_no_outage() -> Result<()> {
    let error = restart(json!({}))?.plan(&MockHost::new()).expect_err("denied");
    assert_eq!((error.class(), error.code()), (Class::Denied, "http-denied"));
    Ok(())
}

#[test]
fn apply_restarts_once_and_waits_until_it_is_well() -> Result<()> {
    let params = restart(json!({}))?;
    let actions = params.plan(&service([down()]))?;
    let host = service([down(), status(502), status(502), status(200)])
        .with_exec("restart-app", Output::exit(0).with_stdout("restarted\n"));
    host.allow(&actions[0]);
    let applied = params.apply(&host, &actions[0])?;
    assert!(applied.changed);
    assert_eq!(
        applied.summary,
        "ran `restart-app`; `app:/health` answered 200 after 3s"
    );
    assert_eq!(
        applied.output,
        Some(json!({ "command": "restarted", "waited_ms": 3_000, "status": 200 }))
    );
    assert_eq!(host.made(), ["exec.run restart-app []"]);
    assert_eq!(
        host.progress_notes()[1],
        (33, "waiting for `app:/health`: it answers 502".to_owned())
    );
    Ok(())
}

#[test]
fn a_service_that_stays_down_is_an_error_within_the_bound() -> Result<()> {
    let params = restart(json!({ "probe": { "origin": "app", "path": "/health", "within": "2500ms" } }))?;
    let host = service([down()]).with_exec("restart-app", Output::exit(0));
    host.allow_effects();
    let error = params
        .apply(&host, &Action::new("restart", ""))
        .expect_err("never well");
    assert_eq!((error.class(), error.code()), (Class::Permanent, "not-well"));
    let words = "ran `restart-app`, but after 2s500ms `app:/health` is not well: the connection failed";
    assert_eq!(error.message(), words);
    Ok(())
}

#[test]
fn the_wait_ends_before_the_step_does() -> Result<()> {
    let host = service([down()])
        .with_exec("restart-app", Output::exit(0))
        .with_deadline(Duration::seconds(10));
    host.allow_effects();
    let error = restart(json!({}))?
        .apply(&host, &Action::new("restart", ""))
        .expect_err("never well");
    assert!(error.message().contains("after 9s"), "{error}");
    Ok(())
}

#[test]
fn a_failed_command_is_told_in_its_own_words() -> Result<()> {
    let reply = Output::exit(5).with_stderr("Unit redmine.service not found.\n");
    let host = service([status(200)]).with_exec("restart-app", reply);
    host.allow_effects();
    let error = restart(json!({}))?
        .apply(&host, &Action::new("restart", ""))
        .expect_err("it failed");
    assert_eq!((error.class(), error.code()), (Class::Permanent, "restart-failed"));
    assert_eq!(
        error.message(),
        "`restart-app` exited with 5: Unit redmine.service not found."
    );
    Ok(())
}

#[test]
fn a_command_that_took_too_long_is_not_to_be_tried_again() -> Result<()> {
    let host = service([status(200)]).with_exec("restart-app", ExecError::TimedOut);
    host.allow_effects();
    let error = restart(json!({}))?
        .apply(&host, &Action::new("restart", ""))
        .expect_err("timed out");
    assert_eq!((error.class(), error.code()), (Class::Permanent, "restart-timed-out"));
    Ok(())
}

#[test]
fn without_a_probe_the_command_is_believed() -> Result<()> {
    let params: ServiceRestart = from_value(json!({ "profile": "restart-app" }))?;
    let host = MockHost::new().with_exec("restart-app", Output::exit(0));
    let actions = params.plan(&host)?;
    assert_eq!(
        actions[0].summary,
        "runs `restart-app`, then takes its word that the service is well"
    );
    host.allow(&actions[0]);
    assert_eq!(params.apply(&host, &actions[0])?.summary, "ran `restart-app`");
    Ok(())
}

#[test]
fn a_restart_cannot_be_undone() -> Result<()> {
    let error = restart(json!({}))?
        .rollback(&MockHost::new(), &Action::new("restart", ""), None)
        .expect_err("no undo");
    assert_eq!(error.code(), "no-undo");
    Ok(())
}
