//! A plugin that traps again and again is not called for a while.
//!
//! Each plugin, as one file by its digest, has a circuit for each customer: a customer whose data
//! makes a plugin trap takes it from nobody else.
//!
//! What counts is what the plugin brought on itself and would again: a trap, and CPU or memory
//! used up, which cost the host most. A deadline or a refused call may be somebody else's doing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_engine::port::Invocation;
use evenkeel_model::invocation::{Outcome, Stop};
use evenkeel_model::name::CustomerId;
use evenkeel_model::plugin::{Digest, Pinned};
use semver::Version;
use tokio::time::Instant;

use crate::halt::{Halt, seconds};

/// In a row, until a circuit opens.
const STRIKES: u32 = 3;

/// The circuits that are not closed and quiet.
#[derive(Default)]
pub struct Circuits {
    troubled: Mutex<HashMap<Digest, HashMap<CustomerId, Circuit>>>,
}

struct Circuit {
    plugin: String,
    version: Version,
    strikes: u32,
    /// What ended the last call that counted.
    why: String,
    open: Option<Opened>,
}

struct Opened {
    since: Instant,
    /// When the next call is let through to try.
    retry: Instant,
    /// One is.
    trying: bool,
}

/// A circuit that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    pub plugin: String,
    pub version: Version,
    pub digest: Digest,
    pub customer: CustomerId,
    /// For how long it has been.
    pub since: Duration,
    /// How long until one call is let through to try.
    pub retry: Duration,
    pub why: String,
}

/// A call that was let through; says in the end what came of it.
pub struct Pass<'c> {
    circuits: &'c Circuits,
    plugin: Pinned,
    customer: CustomerId,
    pause: Duration,
    /// It is the one that tries an open circuit.
    trial: bool,
}

impl Circuits {
    /// Lets a call through, or says why not.
    pub fn enter(&self, invocation: &Invocation, now: Instant) -> Result<Pass<'_>, Halt> {
        let (plugin, customer) = (&invocation.plugin, &invocation.target.customer);
        let mut pass = Pass {
            circuits: self,
            plugin: plugin.clone(),
            customer: customer.clone(),
            pause: invocation.limits.circuit,
            trial: false,
        };
        let mut troubled = self.lock();
        let circuit = troubled
            .get_mut(&plugin.digest)
            .and_then(|circuits| circuits.get_mut(customer));
        // Without a pause no circuit keeps anything away.
        let open = circuit.filter(|_| !pass.pause.is_zero());
        if let Some(Circuit {
            open: Some(open), why, ..
        }) = open
        {
            if open.trying || now < open.retry {
                return Err(refused(plugin, customer, open, why, now));
            }
            open.trying = true;
            pass.trial = true;
        }
        Ok(pass)
    }

    /// Those that are open, in order of their plugins.
    pub fn open(&self, now: Instant) -> Vec<Open> {
        let troubled = self.lock();
        let all = troubled.iter().flat_map(|(digest, circuits)| {
            let open = circuits.iter().filter_map(|(customer, circuit)| {
                let open = circuit.open.as_ref()?;
                Some(Open {
                    plugin: circuit.plugin.clone(),
                    version: circuit.version.clone(),
                    digest: digest.clone(),
                    customer: customer.clone(),
                    since: now.saturating_duration_since(open.since),
                    retry: open.retry.saturating_duration_since(now),
                    why: circuit.why.clone(),
                })
            });
            open.collect::<Vec<_>>()
        });
        let mut open: Vec<_> = all.collect();
        open.sort_by(|a, b| {
            let key = |open: &Open| (open.plugin.clone(), open.version.clone(), open.customer.clone());
            key(a).cmp(&key(b))
        });
        open
    }

    /// Closes the circuits of this plugin, of one version or of all; answers how many were open.
    pub fn close(&self, name: &str, version: Option<&Version>) -> usize {
        let is_it =
            |circuit: &Circuit| circuit.plugin == name && version.is_none_or(|version| circuit.version == *version);
        let mut closed = 0;
        self.lock().retain(|_, circuits| {
            circuits.retain(|_, circuit| {
                closed += usize::from(is_it(circuit) && circuit.open.is_some());
                !is_it(circuit)
            });
            !circuits.is_empty()
        });
        closed
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, HashMap<CustomerId, Circuit>>> {
        self.troubled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    pub fn leave(mut self, outcome: &Outcome, now: Instant) {
        match outcome {
            // An error of its own is an answer as well.
            Outcome::Done(_) | Outcome::Failed(_) => self.went_well(),
            Outcome::Stopped {
                stop: Stop::Trap | Stop::Cpu | Stop::Memory,
                message,
            } => self.strike(message, now),
            Outcome::Stopped { .. } => {}
        }
    }

    fn went_well(&mut self) {
        let mut troubled = self.circuits.lock();
        let Some(circuits) = troubled.get_mut(&self.plugin.digest) else {
            return;
        };
        // One that began before it opened says nothing about what came after.
        let is_open = |circuit: &Circuit| circuit.open.is_some();
        if self.trial || !circuits.get(&self.customer).is_some_and(is_open) {
            circuits.remove(&self.customer);
        }
        if circuits.is_empty() {
            troubled.remove(&self.plugin.digest);
        }
    }

    fn strike(&mut self, message: &str, now: Instant) {
        let mut troubled = self.circuits.lock();
        let circuits = troubled.entry(self.plugin.digest.clone()).or_default();
        let circuit = circuits.entry(self.customer.clone()).or_insert_with(|| Circuit {
            plugin: self.plugin.name.clone(),
            version: self.plugin.version.clone(),
            strikes: 0,
            why: String::new(),
            open: None,
        });
        circuit.strikes = circuit.strikes.saturating_add(1);
        message.clone_into(&mut circuit.why);
        let retry = now + self.pause;
        match &mut circuit.open {
            Some(open) if self.trial => open.retry = retry,
            // It began before the circuit opened.
            Some(_) => {}
            None if circuit.strikes >= STRIKES => {
                tracing::warn!(plugin = %self.plugin, customer = %self.customer, "its circuit opens: {message}");
                circuit.open = Some(Opened {
                    since: now,
                    retry,
                    trying: false,
                });
            }
            None => {}
        }
    }
}

/// Whatever became of the call that tried, its dropping included, the next may try.
impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if !self.trial {
            return;
        }
        let mut troubled = self.circuits.lock();
        let circuits = troubled.get_mut(&self.plugin.digest);
        let circuit = circuits.and_then(|circuits| circuits.get_mut(&self.customer));
        if let Some(open) = circuit.and_then(|circuit| circuit.open.as_mut()) {
            open.trying = false;
        }
    }
}

fn refused(plugin: &Pinned, customer: &CustomerId, open: &Opened, why: &str, now: Instant) -> Halt {
    let whole = |duration: Duration| seconds(Duration::from_secs(duration.as_secs()));
    let since = whole(now.saturating_duration_since(open.since));
    let next = match open.retry.saturating_duration_since(now) {
        _ if open.trying => "one call tries it just now".to_owned(),
        left => format!("one call tries it again in {}", whole(left)),
    };
    let message = format!(
        "`{plugin}` is not called for `{customer}`: {STRIKES} calls in a row ended badly, and its circuit opened {since} ago; \
         the last: {why}. `evenkeel plugin close {name}` closes it; else {next}",
        name = plugin.name,
    );
    Halt::new(Stop::Circuit, message)
}

#[cfg(test)]
mod tests;
