use evenkeel_sdk::serde_json::{Value as Json, from_value, json};
use evenkeel_sdk::sql::{SqlError, Value};
use evenkeel_sdk::{Class, Effect, MockHost};

use super::*;

const CREATE: &str = "create index jobs_state on jobs (state)";
const DROP: &str = "drop index if exists jobs_state";
const LOOK: &str = "select 1 from pg_indexes where indexname = $1";

fn params(more: Json) -> SqlChange {
    let mut params = json!({
        "database": "app",
        "statement": CREATE,
        "unless": { "statement": LOOK, "params": ["jobs_state"] },
        "undo": { "statement": DROP },
    });
    let given = more.as_object().expect("an object").clone();
    params.as_object_mut().expect("an object").extend(given);
    from_value(params).expect("parameters")
}

fn rows(count: usize) -> Rows {
    Rows {
        columns: vec!["?column?".into()],
        rows: vec![vec![Value::Integer(1)]; count],
        truncated: false,
    }
}

fn host(there: usize) -> MockHost {
    MockHost::new()
        .with_query("app", LOOK, rows(there))
        .with_execute("app", CREATE, 0)
        .with_execute("app", DROP, 0)
}

fn only(mut actions: Vec<Action>) -> Action {
    assert_eq!(actions.len(), 1, "{actions:?}");
    actions.remove(0)
}

#[test]
fn it_plans_the_statement_with_what_undoes_it() -> Result<()> {
    let host = host(0);
    let action = only(params(json!({ "summary": "Adds an index" })).plan(&host)?);
    assert_eq!(action.summary, format!("Adds an index: `{CREATE}` in `app`"));
    assert_eq!(action.risk, Risk::Medium);
    assert_eq!(action.effects, [Effect::execute("app", CREATE, &[])]);
    assert_eq!(action.undo, Some(format!("executes `{DROP}`")));
    assert_eq!(action.undo_effects, [Effect::execute("app", DROP, &[])]);
    assert!(host.made().is_empty());
    Ok(())
}

#[test]
fn what_is_there_already_is_left_alone() -> Result<()> {
    assert!(params(json!({})).plan(&host(1))?.is_empty());
    let action = only(params(json!({})).plan(&host(0))?);
    let later = host(1);
    later.allow(&action);
    let applied = params(json!({})).apply(&later, &action)?;
    assert!(!applied.changed, "{applied:?}");
    assert!(later.made().is_empty());
    Ok(())
}

#[test]
fn a_definition_that_changes_no_row_is_a_change_and_an_update_is_not() -> Result<()> {
    let host = host(0);
    let action = only(params(json!({})).plan(&host)?);
    host.allow(&action);
    assert!(params(json!({})).apply(&host, &action)?.changed);

    for (rows, changed) in [(0_u64, false), (3, true)] {
        let update = "  Update jobs set state = $1 where state = $2";
        let host = MockHost::new().with_execute("app", update, rows);
        let change = json!({ "statement": update, "params": ["open", "stuck"], "unless": null, "undo": null });
        let action = only(params(change.clone()).plan(&host)?);
        assert_eq!(
            action.effects,
            [Effect::execute("app", update, &["open".into(), "stuck".into()])]
        );
        assert_eq!(action.undo, None);
        host.allow(&action);
        let applied = params(change).apply(&host, &action)?;
        assert_eq!(
            (applied.changed, applied.output),
            (changed, Some(json!({ "rows": rows })))
        );
    }
    Ok(())
}

#[test]
fn what_was_half_done_is_undone_too() -> Result<()> {
    let host = host(0);
    let action = only(params(json!({})).plan(&host)?);
    host.allow_undo(&action);
    params(json!({})).rollback(&host, &action, None)?;
    assert_eq!(host.made().len(), 1, "{:?}", host.made());
    Ok(())
}

#[test]
fn an_undo_that_did_not_help_is_a_failure() -> Result<()> {
    let action = only(params(json!({})).plan(&host(0))?);
    let stays = host(1);
    stays.allow_undo(&action);
    let error = params(json!({}))
        .rollback(&stays, &action, None)
        .expect_err("it is still there");
    assert_eq!((error.class(), error.code()), (Class::Permanent, "undo-failed"));
    assert_eq!(stays.made().len(), 1);
    let error = params(json!({ "undo": null }))
        .rollback(&stays, &action, None)
        .expect_err("nothing undoes it");
    assert_eq!(error.code(), "no-undo");
    Ok(())
}

#[test]
fn a_statement_that_fails_fails_in_the_database_s_words() -> Result<()> {
    let refused = MockHost::new().with_query("app", LOOK, rows(0)).with_execute(
        "app",
        CREATE,
        SqlError::Invalid("relation \"jobs\" does not exist".into()),
    );
    let action = only(params(json!({})).plan(&refused)?);
    refused.allow(&action);
    let error = params(json!({}))
        .apply(&refused, &action)
        .expect_err("there is no such table");
    assert!(error.message().contains("relation \"jobs\" does not exist"), "{error}");
    Ok(())
}

#[test]
fn a_long_statement_is_shown_in_one_short_line() {
    assert_eq!(shown("select\n   1"), "select 1");
    let long = shown(&"é ".repeat(SHOWN));
    assert_eq!(long.chars().count(), SHOWN + 1);
    assert!(long.ends_with('…'));
}
