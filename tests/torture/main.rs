//! `kill -9` at random moments, and nothing is lost, made twice or guessed.
//!
//! Runbooks leave a trace of each effect outside: files, lines that commands append, requests at a web server. The
//! daemon is killed while it starts, goes on with what was left, plans, applies, undoes, waits. In the end the journal
//! is held against the traces. `EVENKEEL_KILLS=1000` is the long form; `EVENKEEL_SEED` makes the same choices again
//! (moments still differ: they are the machine's). The counts go to `target/torture.md`.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs and look at the clock, as their users do"
)]
#![allow(clippy::print_stdout, reason = "the counts are figures to report")]

mod desk;
mod disk;
mod lane;
mod oracle;
mod scene;
mod sink;
mod story;
mod tally;
mod traces;

use std::{env, fs, thread};

use evenkeel_tests::workspace;

use crate::{lane::Lane, tally::Tally};

/// Kills in `cargo test`, and homes that they are shared out to.
const KILLS: u64 = 30;
const LANES: u64 = 2;
/// Homes of the long form.
const MANY: u64 = 4;

#[test]
fn no_effect_is_lost_or_made_twice_however_often_it_is_killed() -> anyhow::Result<()> {
    let kills = number("EVENKEEL_KILLS").unwrap_or(KILLS);
    let lanes = if kills > KILLS { MANY } else { LANES };
    let seed = seed();
    println!("EVENKEEL_SEED={seed} EVENKEEL_KILLS={kills}");
    let lane = |lane: u64| -> anyhow::Result<Tally> {
        let mut lane = Lane::new(seed.wrapping_add(lane))?;
        lane.torture(kills.div_ceil(lanes))?;
        Ok(lane.tally)
    };
    let tallies = thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|number| scope.spawn(move || lane(number))).collect();
        let joined = lanes.into_iter().map(|lane| lane.join().expect("it does not panic"));
        joined.collect::<anyhow::Result<Vec<Tally>>>()
    })?;
    let mut all = Tally::default();
    tallies.into_iter().for_each(|tally| all.add(tally));
    let told = format!("# kill -9, seed {seed}\n\n{}", all.table());
    println!("{told}");
    fs::write(workspace::target_dir().join("torture.md"), told)?;
    assert!(all.resumes > 0, "nothing was ever interrupted");
    for phase in ["check", "plan", "apply", "rollback"] {
        // The short form may miss one.
        assert!(kills <= KILLS || all.hit(phase) > 0, "no kill hit a call of `{phase}`");
    }
    Ok(())
}

fn seed() -> u64 {
    number("EVENKEEL_SEED").unwrap_or_else(|| u64::from(std::process::id()))
}

/// What a test is told by its environment.
fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}
