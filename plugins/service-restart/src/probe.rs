//! How to see that a service is well.

use std::fmt;

use evenkeel_sdk::http::{HttpError, Statuses};
use evenkeel_sdk::{Cause, Duration, Host, Params, Result};

/// Probes that have to fail in a row before a plan believes it: one lost packet is no outage.
const CONFIRMATIONS: u32 = 3;
/// What is left of the step's time for the answer, so that the host need not stop the call.
const MARGIN: std::time::Duration = std::time::Duration::from_secs(1);

/// A request whose status tells.
#[derive(Params)]
pub struct Probe {
    /// The origin to ask.
    pub origin: String,
    /// Relative to the origin's base.
    #[serde(default = "root")]
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
    /// The statuses that are well.
    #[serde(default = "Statuses::success")]
    pub status: Statuses,
    /// How long the service may take to be well again.
    #[serde(default = "half_a_minute")]
    pub within: Duration,
    /// The pause between two requests.
    #[serde(default = "one_second")]
    pub every: Duration,
}

fn root() -> String {
    "/".into()
}

fn half_a_minute() -> Duration {
    Duration::seconds(30)
}

fn one_second() -> Duration {
    Duration::seconds(1)
}

/// What one look says.
pub enum Health {
    Well { status: u16 },
    Unwell { reason: String },
}

impl fmt::Display for Health {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well { status } => write!(out, "{status}"),
            Self::Unwell { reason } => out.write_str(reason),
        }
    }
}

impl Probe {
    /// Looks several times before it says that the service is not well.
    pub fn confirmed(&self, host: &Host) -> Result<Health> {
        let mut health = self.look(host)?;
        for _ in 1..CONFIRMATIONS {
            if matches!(health, Health::Well { .. }) {
                break;
            }
            host.sleep(self.every);
            health = self.look(host)?;
        }
        Ok(health)
    }

    /// Looks until the service is well or the time is over, and says how long that took.
    pub fn wait(&self, host: &Host) -> Result<(Duration, Health)> {
        let start = host.monotonic();
        let bound = (*self.within).min(host.deadline().saturating_sub(MARGIN));
        loop {
            let health = self.look(host)?;
            let waited = host.monotonic().saturating_sub(start);
            let left = bound.saturating_sub(waited);
            if left.is_zero() || matches!(health, Health::Well { .. }) {
                return Ok((waited.into(), health));
            }
            let done = waited.as_millis() * 1_000 / bound.as_millis().max(1);
            host.progress(
                u16::try_from(done).unwrap_or(1_000),
                &format!("waiting for {}: {health}", self.name()),
            );
            host.sleep(left.min(*self.every));
        }
    }

    /// `app:/health`
    pub fn name(&self) -> String {
        format!("`{}:{}`", self.origin, self.path)
    }

    pub fn expectation(&self) -> String {
        format!("{} answers {}", self.name(), self.status)
    }

    /// A connection that fails is what a service that is down looks like; a request that is denied is a mistake.
    fn look(&self, host: &Host) -> Result<Health> {
        match host.http(&self.origin).get(&self.path).send() {
            Ok(answer) if self.status.contain(answer.status) => Ok(Health::Well { status: answer.status }),
            Ok(answer) => Ok(Health::Unwell {
                reason: format!("it answers {}", answer.status),
            }),
            Err(error) if matches!(error.cause, HttpError::Denied(_)) => Err(error.into()),
            Err(error) => Ok(Health::Unwell {
                reason: error.cause.verdict().2,
            }),
        }
    }
}
