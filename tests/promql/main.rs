//! Expressions are asked of evenkeel and of a real Prometheus over the same series, and the answers compared.
//!
//! Values are the same to 1e-9 of their size, and so are the series; where PromQL orders an answer, the order is too. What one
//! refuses, the other refuses. What differs on purpose is in [`purpose`], with the reason.
//!
//! `EVENKEEL_EXPRESSIONS=50000` is the long form of the random ones; `EVENKEEL_SEED` makes the same ones again.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs and look at their environment, as their users do"
)]
#![allow(clippy::print_stdout, reason = "the counts are figures to report")]

mod answer;
mod dice;
mod generator;
mod pair;
mod purpose;
mod series;

use std::env;

use anyhow::ensure;

use crate::{
    dice::Dice,
    generator::Generator,
    pair::{Pair, WHENS},
};

/// Random expressions in `cargo test`.
const EXPRESSIONS: u64 = 3000;
/// Of them so many percent must have series in their answers, or the comparison says little.
const ANSWERED: usize = 60;
const SEED: u64 = 20_261_128;

#[test]
fn every_construct_has_prometheus_s_answer() -> anyhow::Result<()> {
    let pair = Pair::new()?;
    let expressions: Vec<String> = lines(include_str!("expressions.txt"));
    let asks: Vec<(usize, String)> = (0..WHENS.len())
        .flat_map(|when| expressions.iter().map(move |expression| (when, expression.clone())))
        .collect();
    let report = pair.compare(&asks)?;
    println!(
        "{} by hand, each at {} times and ranges: {report}",
        expressions.len(),
        WHENS.len()
    );
    report.all_same()
}

#[test]
fn random_expressions_have_prometheus_s_answers() -> anyhow::Result<()> {
    let pair = Pair::new()?;
    let (count, seed) = (
        number("EVENKEEL_EXPRESSIONS").unwrap_or(EXPRESSIONS),
        number("EVENKEEL_SEED").unwrap_or(SEED),
    );
    println!("EVENKEEL_SEED={seed}");
    let mut dice = Dice::new(seed);
    let asks: Vec<(usize, String)> = (0..count)
        .map(|_| {
            let when = usize::try_from(dice.below(WHENS.len() as u64)).expect("it is an index");
            (when, Generator::new(&mut dice).expression())
        })
        .collect();
    let report = pair.compare(&asks)?;
    println!("{count} random expressions: {report}");
    report.all_same()?;
    ensure!(
        report.answered * 100 >= asks.len() * ANSWERED,
        "too many are empty or refused: {report}"
    );
    Ok(())
}

#[test]
fn what_is_no_promql_is_refused_by_both() -> anyhow::Result<()> {
    let pair = Pair::new()?;
    let asks: Vec<(usize, String)> = lines(include_str!("refused.txt"))
        .into_iter()
        .map(|line| (0, line))
        .collect();
    let report = pair.compare(&asks)?;
    report.all_same()?;
    let taken: Vec<&String> = report.taken.iter().collect();
    ensure!(taken.is_empty(), "these are no errors: {taken:#?}");
    Ok(())
}

/// One a line; `##` begins a comment, for `#` is one of PromQL's.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("##"));
    lines.map(str::to_owned).collect()
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}
