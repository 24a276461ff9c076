//! Exposition text as the real Prometheus reads it: the same verdict, the same samples, and the same bad place.
//!
//! A Prometheus scrapes every text from a server of the test; `evenkeel metrics` reads the same bytes. Compared are
//! whether the target is up, how many samples came before the bad place, and each stored sample with its labels, time
//! and value.
//!
//! `EVENKEEL_TEXTS=100000` makes so many mutated texts instead of 1,000; `EVENKEEL_SEED` makes others.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs and look at the clock, as their users do"
)]
#![allow(clippy::print_stdout, reason = "the long form says how many texts it compared")]

mod bodies;
mod cases;
mod divergences;
mod mutations;
mod ours;
mod served;
mod theirs;
mod verdict;

use std::env;

use bodies::{Body, now_ms};
use verdict::difference;

/// Mutated texts of the short form.
const TEXTS: usize = 1000;
/// Texts for one Prometheus.
const BATCH: usize = 2500;
/// Differences that are printed.
const SHOWN: usize = 20;

#[test]
fn hard_texts_get_the_verdict_of_prometheus() -> anyhow::Result<()> {
    compare(&cases::all(now_ms()))
}

#[test]
fn mutated_texts_get_the_verdict_of_prometheus() -> anyhow::Result<()> {
    let number = |name: &str, default| env::var(name).map_or(Ok(default), |text| text.parse());
    let (seed, texts) = (number("EVENKEEL_SEED", 5)?, number("EVENKEEL_TEXTS", TEXTS)?);
    let bodies = mutations::made(u64::try_from(seed)?, texts, now_ms());
    bodies.chunks(BATCH).try_for_each(compare)
}

/// A row that nothing needs any more has to go.
#[test]
fn each_divergence_is_still_one() -> anyhow::Result<()> {
    let rows = divergences::ALL.iter().filter_map(|row| Some((row, row.example()?)));
    let (rows, bodies): (Vec<_>, Vec<_>) = rows.unzip();
    let (ours, theirs) = (ours::read(&bodies)?, theirs::scraped(&bodies)?);
    for (n, row) in rows.iter().enumerate() {
        let difference = difference(&ours[n], &theirs[n]);
        assert!(
            difference.is_some_and(|difference| row.explains(&bodies[n], difference.kind)),
            "{}: {:?} and {:?} of {}",
            row.reason,
            ours[n],
            theirs[n],
            bodies[n]
        );
    }
    Ok(())
}

fn compare(bodies: &[Body]) -> anyhow::Result<()> {
    let (ours, theirs) = (ours::read(bodies)?, theirs::scraped(bodies)?);
    let mut unexplained = Vec::new();
    let (mut refused, mut diverge) = (0, 0);
    for ((body, ours), theirs) in bodies.iter().zip(&ours).zip(&theirs) {
        refused += usize::from(theirs.error.is_some());
        let Some(difference) = difference(ours, theirs) else {
            continue;
        };
        if divergences::ALL.iter().any(|row| row.explains(body, difference.kind)) {
            diverge += 1;
        } else {
            unexplained.push(format!("{body}\n  {}", difference.told));
        }
    }
    println!(
        "{} texts: {refused} are refused by Prometheus, {diverge} diverge on purpose",
        bodies.len()
    );
    assert!(
        unexplained.is_empty(),
        "{} of {} texts have another verdict:\n{}",
        unexplained.len(),
        bodies.len(),
        unexplained[..unexplained.len().min(SHOWN)].join("\n")
    );
    Ok(())
}
