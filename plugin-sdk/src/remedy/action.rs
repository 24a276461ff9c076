use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Effect;
use crate::{Context, Params, Result};

/// How much an action may hurt. From the runbook's `ask_from` up, a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Params)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nobody would notice, or it can be taken back.
    Low,
    /// Users may notice.
    Medium,
    /// Users will notice, or something may be lost.
    High,
}

/// One change: shown, approved, journaled, applied and undone as a unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Unique in its plan, and the same whenever the same is planned.
    pub id: String,
    /// What it does, in one sentence with the names and numbers in it.
    pub summary: String,
    /// What the plugin thinks; the operator may raise it.
    pub risk: Risk,
    /// All that `apply` may change.
    pub effects: Vec<Effect>,
    /// What `rollback` would do, in words; none: it can't be undone.
    pub undo: Option<String>,
    /// All that `rollback` may change.
    pub undo_effects: Vec<Effect>,
    /// What `apply` needs to know, as it was found while planning.
    pub body: Value,
}

impl Action {
    /// An action of medium risk without effects.
    pub fn new(id: impl Into<String>, summary: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            summary: summary.into(),
            risk: Risk::Medium,
            effects: Vec::new(),
            undo: None,
            undo_effects: Vec::new(),
            body: Value::Null,
        }
    }

    /// Sets the risk.
    #[must_use]
    pub fn risk(mut self, risk: Risk) -> Self {
        self.risk = risk;
        self
    }

    /// Declares one effect.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    /// Declares many.
    #[must_use]
    pub fn effects(mut self, effects: impl IntoIterator<Item = Effect>) -> Self {
        self.effects.extend(effects);
        self
    }

    /// Says how it is undone, and declares what that changes.
    #[must_use]
    pub fn undo(mut self, words: impl Into<String>, effects: impl IntoIterator<Item = Effect>) -> Self {
        self.undo = Some(words.into());
        self.undo_effects.extend(effects);
        self
    }

    /// Keeps for `apply` what was found; the approval binds to it.
    pub fn body<T: Serialize + ?Sized>(mut self, body: &T) -> Result<Self> {
        self.body = serde_json::to_value(body).context("the action's body")?;
        Ok(self)
    }

    /// What [`Action::body`] kept.
    pub fn body_as<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.body).context("the action's body")
    }
}

/// What `apply` did.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// Whether anything is different now: only then the run counts as one that changed something.
    pub changed: bool,
    /// What was done, in one sentence.
    pub summary: String,
    /// For the steps that follow.
    pub output: Option<Value>,
    /// For `rollback`.
    pub undo: Option<Value>,
}

impl Applied {
    /// Something is different now.
    pub fn changed(summary: impl Into<String>) -> Self {
        Self {
            changed: true,
            summary: summary.into(),
            output: None,
            undo: None,
        }
    }

    /// It was as it should be already.
    pub fn unchanged(summary: impl Into<String>) -> Self {
        Self {
            changed: false,
            ..Self::changed(summary)
        }
    }

    /// Gives the steps that follow something to work with: `steps.ID.output`.
    #[must_use]
    pub fn output(mut self, output: impl Into<Value>) -> Self {
        self.output = Some(output.into());
        self
    }

    /// Keeps for `rollback` what it needs to know.
    pub fn undo<T: Serialize + ?Sized>(mut self, undo: &T) -> Result<Self> {
        self.undo = Some(serde_json::to_value(undo).context("what rollback needs")?);
        Ok(self)
    }

    /// What [`Applied::undo`] kept.
    pub fn undo_as<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(self.undo.as_ref().unwrap_or(&Value::Null)).context("what rollback needs")
    }
}
