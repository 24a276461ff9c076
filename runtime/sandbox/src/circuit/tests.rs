use std::sync::Arc;

use evenkeel_model::invocation::Output;
use evenkeel_model::plugin::Kind;

use super::*;
use crate::describe::nothing;

const PAUSE: Duration = Duration::from_secs(600);

/// One plugin's calls for one customer, at moments of the test's choice.
struct Calls {
    circuits: Circuits,
    start: Instant,
}

impl Calls {
    fn new() -> Self {
        Self {
            circuits: Circuits::default(),
            start: Instant::now(),
        }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    fn make(&self, invocation: &Invocation, outcome: &Outcome, seconds: u64) -> Result<(), String> {
        let pass = self.circuits.enter(invocation, self.at(seconds));
        pass.map(|pass| pass.leave(outcome, self.at(seconds)))
            .map_err(|halt| halt.message)
    }

    fn trap(&self, times: u32) {
        for _ in 0..times {
            self.make(&of("steel"), &stopped(Stop::Trap), 0).unwrap();
        }
    }

    fn is_open(&self, seconds: u64) -> bool {
        !self.circuits.open(self.at(seconds)).is_empty()
    }
}

fn of(customer: &str) -> Invocation {
    let mut invocation = nothing(Kind::Check);
    invocation.plugin.name = "wild".into();
    invocation.limits.circuit = PAUSE;
    let mut target = (*invocation.target).clone();
    target.customer = customer.into();
    invocation.target = Arc::new(target);
    invocation
}

fn stopped(stop: Stop) -> Outcome {
    Outcome::Stopped {
        stop,
        message: "it trapped: unreachable".into(),
    }
}

fn well() -> Outcome {
    Outcome::Done(Output::RolledBack)
}

#[test]
fn three_traps_in_a_row_open_it_and_the_refusal_says_how_to_close_it() {
    let calls = Calls::new();
    calls.trap(3);
    let refused = calls.make(&of("steel"), &well(), 90).unwrap_err();
    assert_eq!(
        refused,
        "`wild@0.0.0` is not called for `steel`: 3 calls in a row ended badly, and its circuit opened 90 s ago; the last: \
         it trapped: unreachable. `evenkeel plugin close wild` closes it; else one call tries it again in 510 s"
    );
}

#[test]
fn a_call_that_ends_by_itself_breaks_the_row() {
    let calls = Calls::new();
    calls.trap(2);
    calls.make(&of("steel"), &well(), 0).unwrap();
    calls.trap(2);
    assert!(!calls.is_open(0));
    calls.trap(1);
    assert!(calls.is_open(0));
}

#[test]
fn what_others_may_be_to_blame_for_neither_counts_nor_breaks_the_row() {
    let calls = Calls::new();
    calls.trap(2);
    for stop in [Stop::Deadline, Stop::Cancelled, Stop::Journal, Stop::Limit, Stop::Load] {
        calls.make(&of("steel"), &stopped(stop), 0).unwrap();
    }
    assert!(!calls.is_open(0));
    calls.make(&of("steel"), &stopped(Stop::Memory), 0).unwrap();
    assert!(calls.is_open(0));
}

#[test]
fn other_customers_and_other_versions_are_not_affected() {
    let calls = Calls::new();
    calls.trap(3);
    calls.make(&of("wood"), &well(), 0).unwrap();
    let mut newer = of("steel");
    newer.plugin.digest = Digest("new".into());
    calls.make(&newer, &well(), 0).unwrap();
    assert!(calls.make(&of("steel"), &well(), 0).is_err());
}

#[test]
fn after_the_pause_one_call_tries_it() {
    let calls = Calls::new();
    calls.trap(3);
    assert!(calls.make(&of("steel"), &well(), 599).is_err());

    let (invocation, now) = (of("steel"), calls.at(600));
    let trial = calls
        .circuits
        .enter(&invocation, now)
        .unwrap_or_else(|halt| panic!("{halt}"));
    let beside = calls.make(&of("steel"), &well(), 601).unwrap_err();
    assert!(beside.ends_with("else one call tries it just now"), "{beside}");
    trial.leave(&stopped(Stop::Trap), calls.at(602));
    let refused = calls.make(&of("steel"), &well(), 1_200).unwrap_err();
    assert!(
        refused.contains("opened 1200 s ago"),
        "it is open since the first time: {refused}"
    );

    calls.make(&of("steel"), &well(), 1_202).unwrap();
    assert!(!calls.is_open(1_202));
    calls.trap(2);
    assert!(!calls.is_open(1_202), "it counts from the beginning");
}

#[test]
fn a_try_that_is_given_up_leaves_it_to_the_next() {
    let calls = Calls::new();
    calls.trap(3);
    let (invocation, now) = (of("steel"), calls.at(600));
    drop(calls.circuits.enter(&invocation, now));
    calls.make(&of("steel"), &stopped(Stop::Deadline), 600).unwrap();
    calls.make(&of("steel"), &well(), 600).unwrap();
    assert!(!calls.is_open(600));
}

#[test]
fn a_person_closes_it_by_name_and_version() {
    let calls = Calls::new();
    calls.trap(3);
    assert_eq!(calls.circuits.close("tame", None), 0);
    assert_eq!(calls.circuits.close("wild", Some(&Version::new(9, 0, 0))), 0);
    assert!(calls.is_open(0));
    assert_eq!(calls.circuits.close("wild", None), 1);
    calls.make(&of("steel"), &well(), 0).unwrap();
}

#[test]
fn without_a_pause_nothing_is_refused() {
    let calls = Calls::new();
    let mut invocation = of("steel");
    invocation.limits.circuit = Duration::ZERO;
    for _ in 0..10 {
        calls.make(&invocation, &stopped(Stop::Trap), 0).unwrap();
    }
}
