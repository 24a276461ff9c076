//! Components that could not be compiled: nobody tries them twice for the same answer.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_model::plugin::Digest;
use serde_json::{Value, json};

use crate::cache::Cache;
use crate::compiler::{Bound, Bounds, Cause, Failure};
use crate::component::LoadError;

/// In memory, and beside the compiled code so that a restart knows them too.
#[derive(Default)]
pub struct Failures {
    known: Mutex<HashMap<Digest, Known>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Known {
    failure: Failure,
    /// Under which it failed.
    bounds: Bounds,
}

impl Failures {
    /// Why compiling it would fail again under these bounds.
    pub fn known(&self, cache: Option<&Cache>, digest: &Digest, bounds: &Bounds) -> Option<LoadError> {
        let in_memory = self.lock().get(digest).cloned();
        let known = in_memory.or_else(|| Known::from_json(&cache?.note(digest)?))?;
        known.holds(bounds).then_some(known.failure.error)
    }

    pub fn remember(&self, cache: Option<&Cache>, digest: &Digest, failure: &Failure, bounds: Bounds) {
        let known = Known {
            failure: failure.clone(),
            bounds,
        };
        if let (Some(cache), Some(note)) = (cache, known.to_json()) {
            cache.write_note(digest, &note);
        }
        self.lock().insert(digest.clone(), known);
    }

    /// What the machine was to blame for may be tried again.
    pub fn forget_the_machine_s(&self) {
        self.lock().retain(|_, known| known.lasts());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn holds(&self, bounds: &Bounds) -> bool {
        match self.failure.cause {
            Cause::Bound(bound) => !bounds.allows_more(bound, &self.bounds),
            Cause::Component | Cause::Machine => true,
        }
    }

    /// How long it took also depends on what else the machine did.
    fn lasts(&self) -> bool {
        matches!(
            self.failure.cause,
            Cause::Component | Cause::Bound(Bound::Cpu | Bound::Memory)
        )
    }

    /// None: it is not kept on disk.
    fn to_json(&self) -> Option<Value> {
        match (&self.failure.cause, &self.failure.error) {
            (Cause::Component, LoadError::Compile(words)) => Some(json!({ "refused": words })),
            (Cause::Bound(Bound::Cpu), _) => Some(json!({ "cpu": self.bounds.cpu.as_secs() })),
            (Cause::Bound(Bound::Memory), _) => Some(json!({ "memory": self.bounds.memory })),
            _ => None,
        }
    }

    fn from_json(note: &Value) -> Option<Self> {
        let mut bounds = Bounds {
            cpu: Duration::ZERO,
            memory: 0,
            time: Duration::ZERO,
        };
        let failure = if let Some(words) = note["refused"].as_str() {
            Failure::refused(words.to_owned())
        } else if let Some(seconds) = note["cpu"].as_u64() {
            bounds.cpu = Duration::from_secs(seconds);
            Failure::exceeded(Bound::Cpu, &bounds)
        } else {
            bounds.memory = usize::try_from(note["memory"].as_u64()?).ok()?;
            Failure::exceeded(Bound::Memory, &bounds)
        };
        Some(Self { failure, bounds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        cpu: Duration::from_secs(10),
        memory: 1 << 30,
        time: Duration::from_secs(20),
    };

    fn digest() -> Digest {
        Digest("aa".into())
    }

    #[test]
    fn a_bound_that_is_raised_is_tried_again_and_no_other() {
        for (bound, raised) in [
            (
                Bound::Cpu,
                Bounds {
                    cpu: Duration::from_secs(11),
                    ..BOUNDS
                },
            ),
            (
                Bound::Memory,
                Bounds {
                    memory: 2 << 30,
                    ..BOUNDS
                },
            ),
            (
                Bound::Time,
                Bounds {
                    time: Duration::from_secs(21),
                    ..BOUNDS
                },
            ),
        ] {
            let failures = Failures::default();
            failures.remember(None, &digest(), &Failure::exceeded(bound, &BOUNDS), BOUNDS);
            let known = |bounds: &Bounds| failures.known(None, &digest(), bounds).is_some();
            assert!(known(&BOUNDS), "{bound:?}");
            assert!(!known(&raised), "{bound:?}");
            let lowered = Bounds {
                cpu: Duration::from_secs(1),
                memory: 1,
                time: Duration::from_secs(1),
            };
            assert!(known(&lowered), "{bound:?}");
        }
    }

    #[test]
    fn what_the_component_is_to_blame_for_is_kept_in_words() {
        for failure in [
            Failure::refused("it makes no sense".into()),
            Failure::exceeded(Bound::Cpu, &BOUNDS),
            Failure::exceeded(Bound::Memory, &BOUNDS),
        ] {
            let known = Known {
                failure,
                bounds: BOUNDS,
            };
            let read = Known::from_json(&known.to_json().unwrap()).unwrap();
            assert_eq!(read.failure, known.failure);
            assert!(read.holds(&BOUNDS) && known.lasts());
        }
    }

    #[test]
    fn what_the_machine_may_be_to_blame_for_is_not_kept() {
        for failure in [Failure::machine("no".into()), Failure::exceeded(Bound::Time, &BOUNDS)] {
            let failures = Failures::default();
            failures.remember(None, &digest(), &failure, BOUNDS);
            assert!(failures.known(None, &digest(), &BOUNDS).is_some());
            failures.forget_the_machine_s();
            assert_eq!(failures.known(None, &digest(), &BOUNDS), None);
            let known = Known {
                failure,
                bounds: BOUNDS,
            };
            assert_eq!(known.to_json(), None);
        }
    }
}
