//! What `runs list --json` and `runs show --json` say, as far as the story needs it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

#[derive(Clone, Debug, Deserialize)]
pub struct Summary {
    pub run: u64,
    pub occurrence: Cause,
    /// `requested`, `waiting`, `running` or `finished`.
    pub state: String,
    pub verdict: Option<String>,
    /// Whether it changed something.
    pub changed: bool,
    pub why: String,
    pub requested_at: DateTime<Utc>,
}

/// What started a run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    Tick {},
    Alert { starts_at: DateTime<Utc> },
    Person {},
}

#[derive(Debug, Deserialize)]
pub struct Recorded {
    pub events: Vec<Event>,
}

#[derive(Debug, Deserialize)]
pub struct Event {
    pub seq: u64,
    /// `{"KIND": {…}}`, or only `"KIND"`.
    pub body: Value,
}

impl Summary {
    pub fn is_finished(&self, verdict: &str) -> bool {
        self.verdict.as_deref() == Some(verdict)
    }

    /// In words.
    pub fn started_by(&self) -> &'static str {
        match self.occurrence {
            Cause::Tick {} => "the schedule",
            Cause::Alert { .. } => "the alert",
            Cause::Person {} => "a person",
        }
    }
}

impl Recorded {
    /// What the run's plans said that they would do, effect by effect.
    pub fn planned(&self) -> Vec<&str> {
        let plans = self.all("planned").map(|(_, plan)| plan);
        plans
            .flat_map(|plan| list(&plan["actions"]))
            .flat_map(|action| list(&action["effects"]))
            .filter_map(|effect| effect["subject"].as_str())
            .collect()
    }

    /// Whether the plan was on record before the first effect was made.
    pub fn planned_first(&self) -> bool {
        let first = |kind| self.all(kind).map(|(seq, _)| seq).next();
        match (first("planned"), first("intended")) {
            (Some(planned), Some(intended)) => planned < intended,
            _ => false,
        }
    }

    /// Whether the step's `when` did not hold.
    pub fn has_skipped(&self, step: &str) -> bool {
        self.all("skipped").any(|(_, skipped)| skipped["step"] == step)
    }

    /// Why the gate of that name did not let the run start, if so.
    pub fn stopped_by(&self, gate: &str) -> Option<&str> {
        let stops = self.all("refused").chain(self.all("waiting"));
        stops
            .filter(|(_, stop)| stop["gate"] == gate)
            .find_map(|(_, stop)| stop["why"].as_str())
    }

    /// What its checks found, in words.
    pub fn findings(&self) -> Vec<&str> {
        self.all("ended")
            .flat_map(|(_, ended)| list(&ended["outcome"]["done"]["findings"]))
            .filter_map(|finding| finding["summary"].as_str())
            .collect()
    }

    fn all(&self, kind: &'static str) -> impl Iterator<Item = (u64, &Value)> {
        self.events
            .iter()
            .filter_map(move |event| Some((event.seq, event.body.get(kind)?)))
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn recorded(bodies: &[Value]) -> Recorded {
        let events = (1..).zip(bodies).map(|(seq, body)| Event {
            seq,
            body: body.clone(),
        });
        Recorded {
            events: events.collect(),
        }
    }

    fn plan() -> Value {
        let effect = |subject| json!({ "capability": "files", "operation": "remove", "subject": subject });
        json!({ "planned": { "step": "clean", "actions": [
            { "id": "remove-1", "effects": [effect("sessions:a"), effect("sessions:b")] },
            { "id": "remove-2", "effects": [effect("sessions:c")] },
        ] } })
    }

    #[test]
    fn a_plan_is_read_effect_by_effect() {
        let recorded = recorded(&[json!("started"), plan()]);
        assert_eq!(recorded.planned(), ["sessions:a", "sessions:b", "sessions:c"]);
    }

    #[test]
    fn an_effect_before_the_plan_is_noticed() {
        let effect = json!({ "intended": { "n": 1 } });
        assert!(recorded(&[plan(), effect.clone()]).planned_first());
        assert!(!recorded(&[effect, plan()]).planned_first());
        assert!(!recorded(&[plan()]).planned_first());
    }

    #[test]
    fn a_skipped_step_is_told_from_one_that_did_nothing() {
        let recorded = recorded(&[json!({ "skipped": { "step": "clean", "why": "`when` is false" } })]);
        assert!(recorded.has_skipped("clean"));
        assert!(!recorded.has_skipped("probe"));
    }

    #[test]
    fn a_run_tells_which_gate_stopped_it() {
        let waiting = json!({ "waiting": { "gate": "target-lock", "why": "run 3 is at work", "until": null } });
        let refused = json!({ "refused": { "gate": "cooldown", "why": "run 3 changed something here" } });
        let recorded = recorded(&[waiting, refused]);
        assert_eq!(recorded.stopped_by("cooldown"), Some("run 3 changed something here"));
        assert_eq!(recorded.stopped_by("capacity"), None);
    }

    #[test]
    fn a_summary_says_what_started_the_run() {
        let summary: Summary = serde_json::from_value(json!({
            "run": 4, "round": 4, "runbook": "keep-the-board-quick", "target": "board", "mode": "live",
            "occurrence": { "alert": { "runbook": "keep-the-board-quick", "starts_at": "2026-11-23T10:00:00Z",
                "identity": { "customer": "local", "fingerprint": "00000000000000aa" } } },
            "state": "finished", "verdict": "repaired", "changed": true, "why": "healed",
            "requested_at": "2026-11-23T10:00:01.5Z", "started_at": null, "finished_at": null,
        }))
        .unwrap();
        assert_eq!(summary.started_by(), "the alert");
        assert!(summary.is_finished("repaired"));
    }
}
