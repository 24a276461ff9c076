//! What is to be observed, as questions to what was recorded.

use anyhow::ensure;

use crate::daemon::{Recorded, Summary};

/// How the run ended.
pub fn verdict(run: &Summary, verdict: &str) -> anyhow::Result<()> {
    let found = run.verdict.as_deref().unwrap_or("none");
    that(
        found == verdict,
        &format!("run {} has the verdict `{found}`: {}", run.run, run.why),
    )
}

pub fn unchanged(run: &Summary) -> anyhow::Result<()> {
    that(!run.changed, &format!("run {} changed something", run.run))
}

pub fn planned_first(recorded: &Recorded) -> anyhow::Result<()> {
    that(recorded.planned_first(), "there is no plan before the first effect")
}

/// Of the sessions that were there, exactly those are gone that the plan names.
pub fn only_planned(recorded: &Recorded, before: &[String], after: &[String]) -> anyhow::Result<()> {
    let planned: Vec<_> = recorded
        .planned()
        .iter()
        .filter_map(|subject| subject.strip_prefix("sessions:"))
        .collect();
    ensure!(!planned.is_empty(), "the plan names no session");
    for session in before {
        let (is_planned, is_there) = (planned.contains(&session.as_str()), after.contains(session));
        ensure!(!(is_planned && is_there), "{session} was planned and is there");
        ensure!(is_planned || is_there, "{session} was not planned and is gone");
    }
    Ok(())
}

/// What is missing is said if it doesn't hold.
pub fn that(holds: bool, missing: &str) -> anyhow::Result<()> {
    ensure!(holds, "{missing}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn planning(sessions: &[&str]) -> Recorded {
        let effects: Vec<_> = sessions
            .iter()
            .map(|name| json!({ "subject": format!("sessions:{name}") }))
            .collect();
        let plan = json!({ "planned": { "actions": [{ "id": "remove-1", "effects": effects }] } });
        serde_json::from_value(json!({ "events": [{ "seq": 1, "body": plan }] })).unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_session_that_came_meanwhile_is_no_fault() {
        let (plan, before) = (planning(&["a", "b"]), names(&["a", "b", "c"]));
        assert!(only_planned(&plan, &before, &names(&["c", "new"])).is_ok());
    }

    #[test]
    fn a_session_that_was_not_planned_has_to_stay() {
        let missing = only_planned(&planning(&["a"]), &names(&["a", "b"]), &[]).unwrap_err();
        assert_eq!(missing.to_string(), "b was not planned and is gone");
    }

    #[test]
    fn a_planned_session_has_to_go() {
        let missing = only_planned(&planning(&["a"]), &names(&["a"]), &names(&["a"])).unwrap_err();
        assert_eq!(missing.to_string(), "a was planned and is there");
        assert!(only_planned(&planning(&[]), &[], &[]).is_err());
    }
}
