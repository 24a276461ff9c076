//! The pauses and silences that stand, in memory: gates ask for them all the time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use evenkeel_model::alert::Alert;
use evenkeel_model::hold::{Hold, Scope, What, Wish};
use evenkeel_model::name::{AssetId, RunbookName};
use evenkeel_model::runbook::Selector;
use tracing::info;

use crate::engine::Engine;
use crate::gate::Answer;
use crate::port::JournalError;
use crate::words;

/// In force at once.
pub const MOST: usize = 1_000;
/// Characters of a reason.
pub const WHY: usize = 1_000;

/// A hold, with its matchers read.
#[derive(Clone, Debug)]
pub struct Held {
    pub hold: Hold,
    silence: Option<Selector>,
}

impl Held {
    /// Matchers that were taken in can be read again; if they can't be, they match nothing.
    pub fn new(hold: Hold) -> Self {
        let silence = match &hold.what {
            What::Silence { matchers } => Selector::parse(matchers).ok(),
            What::Pause(_) => None,
        };
        Self { hold, silence }
    }

    /// Matchers see the alert's labels, and its customer, which no label can override.
    pub fn silences(&self, alert: &Alert) -> bool {
        self.silence.as_ref().is_some_and(|selector| {
            let mut labels = alert.labels.clone();
            labels.insert("customer".into(), alert.identity.customer.to_string());
            selector.matches(&labels)
        })
    }

    fn told(&self) -> String {
        let Hold {
            id,
            what,
            why,
            who,
            until,
            ..
        } = &self.hold;
        let until = until.map_or(String::new(), |until| format!(" until {}", words::time(until)));
        match what {
            What::Pause(scope) => format!("{who} paused {scope}{until}: {why}"),
            What::Silence { .. } => format!("{who} silenced its alert{until} (silence {id}): {why}"),
        }
    }
}

/// Waits for the last of them to end.
pub(crate) fn wait(gate: &'static str, standing: &[&Held]) -> Answer {
    let last = |held: &&&Held| held.hold.until.unwrap_or(DateTime::<Utc>::MAX_UTC);
    match standing.iter().max_by_key(last) {
        None => Answer::Pass,
        Some(held) => Answer::Wait {
            gate,
            why: held.told(),
            until: held.hold.until,
        },
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum HoldError {
    #[error("{0}")]
    Unknown(String),
    #[error("{0}")]
    Wrong(String),
    #[error("{MOST} pauses and silences are in force; end some of them first")]
    TooMany,
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Whether a wish makes sense in a home, at a time.
///
/// # Errors
/// What is wrong with it.
pub fn check(wish: &Wish, home: &evenkeel_model::home::Home, now: DateTime<Utc>) -> Result<(), HoldError> {
    let why = wish.why.trim();
    if why.is_empty() || why.chars().count() > WHY {
        return Err(HoldError::Wrong(format!("say why, in {WHY} characters at most")));
    }
    if wish.until.is_some_and(|until| until <= now) {
        return Err(HoldError::Wrong("it would end before it begins".into()));
    }
    match &wish.what {
        What::Pause(Scope::All) => Ok(()),
        What::Pause(Scope::Customer(id)) if !home.customers.contains_key(id) => {
            let known = home.customers.keys().map(|id| id.as_str());
            Err(unknown("customer", id.as_str(), known))
        }
        What::Pause(Scope::Runbook(name)) if !home.runbooks.contains_key(name) => {
            let known = home.runbooks.keys().map(|name| name.as_str());
            Err(unknown("runbook", name.as_str(), known))
        }
        What::Pause(_) => Ok(()),
        What::Silence { matchers } => check_silence(matchers, wish.until),
    }
}

fn check_silence(matchers: &str, until: Option<DateTime<Utc>>) -> Result<(), HoldError> {
    let selector = Selector::parse(matchers).map_err(|error| {
        HoldError::Wrong(format!(
            "`{matchers}` is no list of matchers: column {}: {error}",
            error.column
        ))
    })?;
    if selector.matches_nothing_named() {
        return Err(HoldError::Wrong(format!(
            "`{matchers}` would silence every alert; name a label that must be there"
        )));
    }
    match until {
        Some(_) => Ok(()),
        None => Err(HoldError::Wrong("a silence has an end".into())),
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> HoldError {
    let meant = words::closest(name, known).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    HoldError::Unknown(format!("there is no {what} `{name}`{meant}"))
}

impl Engine {
    /// Reads what stands; before anything starts, and where others may have changed it.
    pub(crate) async fn read_holds(&self) -> Result<(), JournalError> {
        let _one = self.holding.lock().await;
        self.read_holds_alone().await
    }

    /// While nobody changes them: what was read before a change must not come after it.
    async fn read_holds_alone(&self) -> Result<(), JournalError> {
        let now = self.ports.clock.now();
        let holds = self.ports.ledger.holds(now).await?;
        self.holds
            .send_replace(Arc::new(holds.into_iter().map(Held::new).collect()));
        Ok(())
    }

    /// Runs that match it wait from now on; it is durable when this returns.
    pub async fn hold(&self, wish: Wish) -> Result<Hold, HoldError> {
        let now = self.ports.clock.now();
        check(&wish, &self.home(), now)?;
        let _one = self.holding.lock().await;
        let standing = self.ports.ledger.holds(now).await?;
        if standing.len() >= MOST {
            return Err(HoldError::TooMany);
        }
        let hold = self.ports.ledger.hold(wish, now).await?;
        info!(hold = hold.id, who = hold.who, why = hold.why, what = ?hold.what, "held back");
        self.read_holds_alone().await?;
        Ok(hold)
    }

    /// What waits only for these starts.
    pub async fn release(&self, holds: Vec<u64>, who: &str) -> Result<Vec<Hold>, JournalError> {
        let now = self.ports.clock.now();
        let _one = self.holding.lock().await;
        let released = self.ports.ledger.release(holds, who.to_owned(), now).await?;
        info!(holds = ?released.iter().map(|hold| hold.id).collect::<Vec<_>>(), who, "released");
        self.read_holds_alone().await?;
        Ok(released)
    }

    /// Those in force.
    pub async fn holds(&self) -> Result<Vec<Hold>, JournalError> {
        self.ports.ledger.holds(self.ports.clock.now()).await
    }

    /// What failed before doesn't count any more.
    pub async fn clear_strikes(&self, runbook: &RunbookName, target: &AssetId, who: &str) -> Result<(), HoldError> {
        let home = self.home();
        if !home.runbooks.contains_key(runbook) {
            let known = home.runbooks.keys().map(|name| name.as_str());
            return Err(unknown("runbook", runbook.as_str(), known));
        }
        if !home.assets.contains_key(target) {
            let known = home.assets.keys().map(|id| id.as_str());
            return Err(unknown("asset", target.as_str(), known));
        }
        let now = self.ports.clock.now();
        self.ports.ledger.clear_strikes(runbook, target, who, now).await?;
        info!(%runbook, %target, who, "strikes were cleared");
        Ok(())
    }
}
