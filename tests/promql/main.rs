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
mod estate;
mod generator;
mod pair;
mod purpose;
mod series;
mod words;

use std::env;

use anyhow::ensure;

use crate::{
    generator::Generator,
    pair::{Pair, WHENS},
    purpose::ON_PURPOSE,
};
use evenkeel_tests::dice::Dice;

/// Random expressions in `cargo test`.
const EXPRESSIONS: u64 = 3000;
/// Of them so many percent must have series in their answers, or the comparison says little.
const ANSWERED: usize = 60;
const SEED: u64 = 20_261_128;

#[test]
fn every_construct_has_prometheus_s_answer() -> anyhow::Result<()> {
    let pair = Pair::new()?;
    let expressions: Vec<String> = lines(include_str!("expressions.txt"));
    let report = pair.compare(&everywhere(&expressions))?;
    println!(
        "{} by hand, each at {} times and ranges: {report}",
        expressions.len(),
        WHENS.len()
    );
    report.all_same()?;
    for (part, why) in ON_PURPOSE {
        ensure!(
            report.on_purpose.contains(part),
            "`{part}` is on the list, and doesn't differ: {why}"
        );
    }
    Ok(())
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
            let when = dice.below(WHENS.len());
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

/// Written for this test, in the manner of real ones.
#[test]
fn alerts_have_prometheus_s_answers() -> anyhow::Result<()> {
    let pair = Pair::of(&estate::all())?;
    let alerts = lines(include_str!("alerts.txt"));
    let asks = everywhere(&alerts);
    let report = pair.compare(&asks)?;
    println!(
        "{} alerts, each at {} times and ranges: {report}",
        alerts.len(),
        WHENS.len()
    );
    report.all_same()?;
    ensure!(report.refused == 0, "some are refused: {report}");
    ensure!(report.answered * 2 >= asks.len(), "most find nothing: {report}");
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

fn everywhere(expressions: &[String]) -> Vec<(usize, String)> {
    let at = |when| expressions.iter().map(move |expression| (when, expression.clone()));
    (0..WHENS.len()).flat_map(at).collect()
}

/// One a line; `##` begins a comment, for `#` is one of PromQL's.
fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("##"));
    lines.map(str::to_owned).collect()
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}
