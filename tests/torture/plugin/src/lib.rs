//! Makes the effects that its parameters name, one after the other, each under a name that no other
//! effect has: `PHASE-RUN-TAG-ACTION-PLACE`. It waits a little between them, so that a crash may come anywhere.

mod act;

use std::time::Duration;

use act::Act;
use evenkeel_sdk::{Action, Applied, Finding, Host, Params, Remedy, Result, Risk};

#[derive(Params)]
struct Look {
    /// What it looks at.
    #[serde(default)]
    acts: Vec<Act>,
    /// Whether something is wrong.
    #[serde(default)]
    find: bool,
}

#[evenkeel_sdk::check]
fn look(params: Look, host: &Host) -> Result<Vec<Finding>> {
    act::all(host, &format!("c-{}-look-0", host.run_id()), &params.acts)?;
    Ok(match params.find {
        true => vec![Finding::warning("wrong", "torture").summary("it is never well")],
        false => Vec::new(),
    })
}

#[derive(Params)]
struct Torture {
    /// Tells steps of one runbook apart.
    tag: String,
    /// What it does while it plans.
    #[serde(default)]
    plan: Vec<Act>,
    /// The effects of each action.
    actions: Vec<Vec<Act>>,
    /// The effects that undo each action; none: nothing undoes it.
    #[serde(default)]
    undo: Vec<Act>,
}

#[evenkeel_sdk::remedy]
impl Remedy for Torture {
    fn plan(&self, host: &Host) -> Result<Vec<Action>> {
        act::all(host, &self.name(host, "p", 0), &self.plan)?;
        let actions = self.actions.iter().enumerate().map(|(n, acts)| {
            let name = self.name(host, "a", n);
            let action = Action::new(format!("{n}"), format!("makes {} effects", acts.len()))
                .risk(Risk::Low)
                .effects(act::effects(&name, acts));
            if self.undo.is_empty() {
                return action;
            }
            action.undo("undoes it", act::effects(&self.name(host, "u", n), &self.undo))
        });
        Ok(actions.collect())
    }

    fn apply(&self, host: &Host, action: &Action) -> Result<Applied> {
        let n: usize = action.id.parse().unwrap_or_default();
        host.sleep(Duration::from_millis(2));
        act::all(host, &self.name(host, "a", n), &self.actions[n])?;
        Ok(Applied::changed("made"))
    }

    fn rollback(&self, host: &Host, action: &Action, _: Option<&Applied>) -> Result<()> {
        let n: usize = action.id.parse().unwrap_or_default();
        act::all(host, &self.name(host, "u", n), &self.undo)
    }
}

impl Torture {
    fn name(&self, host: &Host, phase: &str, action: usize) -> String {
        format!("{phase}-{}-{}-{action}", host.run_id(), self.tag)
    }
}
