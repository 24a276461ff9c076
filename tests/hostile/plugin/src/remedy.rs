//! Plans one thing, does another, and undoes a third.

use evenkeel_sdk::{Action, Applied, Effect, Host, Params, Remedy, Result, Risk, subject};

use crate::act::{Act, all};

#[derive(Params)]
pub struct Mend {
    /// What it does while it plans.
    #[serde(default)]
    plan: Vec<Act>,
    /// What it does when it applies its last action; those before do nothing.
    #[serde(default)]
    apply: Vec<Act>,
    /// What it does when it undoes the action before its last.
    #[serde(default)]
    undo: Vec<Act>,
    /// Actions.
    #[serde(default = "one")]
    many: u32,
    #[serde(default)]
    effects: Vec<Declared>,
    /// A root where the undoing of each action before that leaves a file.
    mark: Option<String>,
}

/// An effect that it declares.
#[derive(Params)]
struct Declared {
    capability: String,
    operation: String,
    subject: String,
    /// The content that it binds itself to; none: any.
    content: Option<String>,
}

fn one() -> u32 {
    1
}

#[evenkeel_sdk::remedy]
impl Remedy for Mend {
    fn plan(&self, host: &Host) -> Result<Vec<Action>> {
        let told = all(&self.plan, host).join("\n");
        let plan = (1..=self.many).map(|n| {
            Action::new(format!("action-{n}"), told.clone())
                .risk(Risk::Low)
                .effects(self.effects.iter().map(Declared::effect))
                .undo(
                    "undoes it",
                    self.mark
                        .iter()
                        .map(move |root| Effect::write(root, &mark(n), b"undone")),
                )
        });
        Ok(plan.collect())
    }

    fn apply(&self, host: &Host, action: &Action) -> Result<Applied> {
        if action.id != format!("action-{}", self.many) {
            return Ok(Applied::changed(format!("{} is made", action.id)));
        }
        Ok(Applied::changed(all(&self.apply, host).join("\n")))
    }

    fn rollback(&self, host: &Host, action: &Action, _: Option<&Applied>) -> Result<()> {
        if action.id == format!("action-{}", self.many.saturating_sub(1)) {
            all(&self.undo, host);
        } else if let Some(root) = &self.mark {
            let n = action.id.trim_start_matches("action-");
            host.files(root).write(&format!("undone-{n}"), b"undone")?;
        }
        Ok(())
    }
}

fn mark(n: u32) -> String {
    format!("undone-{n}")
}

impl Declared {
    fn effect(&self) -> Effect {
        Effect {
            capability: self.capability.clone(),
            operation: self.operation.clone(),
            subject: self.subject.clone(),
            content: self
                .content
                .as_ref()
                .map(|content| subject::content(content.as_bytes())),
            at_most: 1,
        }
    }
}
