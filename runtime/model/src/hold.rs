//! What people hold back for a while: pauses and silences.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::name::{CustomerId, RunbookName};

/// Kept when it is over, so that the record can say what was in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    pub id: u64,
    pub what: What,
    pub why: String,
    pub who: String,
    pub since: DateTime<Utc>,
    /// None: until somebody ends it.
    pub until: Option<DateTime<Utc>>,
    /// Somebody ended it before.
    pub ended: Option<Ended>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    pub at: DateTime<Utc>,
    pub who: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    Pause(Scope),
    Silence {
        /// As a selector is written, over the alert's labels.
        matchers: String,
    },
}

/// Whose runs wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    All,
    Customer(CustomerId),
    Runbook(RunbookName),
}

/// What somebody asks to be held back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    pub what: What,
    pub why: String,
    pub who: String,
    pub until: Option<DateTime<Utc>>,
}

impl Hold {
    pub fn in_force(&self, now: DateTime<Utc>) -> bool {
        self.ended.is_none() && self.since <= now && self.until.is_none_or(|until| now < until)
    }

    /// When it was over, or will be.
    pub fn over_at(&self) -> Option<DateTime<Utc>> {
        match &self.ended {
            Some(ended) => Some(self.until.map_or(ended.at, |until| until.min(ended.at))),
            None => self.until,
        }
    }
}

impl Scope {
    pub fn covers(&self, runbook: &RunbookName, customer: Option<&CustomerId>) -> bool {
        match self {
            Self::All => true,
            Self::Customer(id) => customer == Some(id),
            Self::Runbook(name) => runbook == name,
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Customer(id) => write!(f, "customer `{id}`"),
            Self::Runbook(name) => write!(f, "runbook `{name}`"),
        }
    }
}
