//! What a remedy proposes, does and undoes.

mod action;
mod effect;

pub use action::{Action, Applied, Risk};
pub use effect::Effect;

use crate::{Error, Host, Result};

/// Proposes changes, makes them one by one, and undoes them. Implemented on the parameters.
pub trait Remedy {
    /// Looks, and answers what it would do; the host denies every effect meanwhile. An empty plan: nothing to do.
    fn plan(&self, host: &Host) -> Result<Vec<Action>>;

    /// Makes one action, exactly as it was planned: it may be approved much later, and a call that the action does not
    /// declare is denied.
    fn apply(&self, host: &Host, action: &Action) -> Result<Applied>;

    /// Undoes it. `done` is absent if `apply` failed midway, so look first what is there.
    fn rollback(&self, host: &Host, action: &Action, done: Option<&Applied>) -> Result<()> {
        let _ = (host, done);
        Err(Error::permanent("no-undo", format!("`{}` cannot be undone", action.id)))
    }
}
