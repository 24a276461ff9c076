//! Benchmarks beside the peer, in one run: `cargo run --release -p evenkeel-benches -- [step|live|load|alert] [--short]`.
//!
//! They print ratios and assert nothing: these figures belong to the machine that they were measured on.

mod alert;
mod bare;
mod build;
mod extism;
mod figures;
mod live;
mod load;
mod ours;
mod recorded;
mod step;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = args.iter().map(String::as_str).collect();
    let short = words.contains(&"--short");
    match words
        .iter()
        .copied()
        .filter(|word| *word != "--short")
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => {
            step::run(short)?;
            live::run(short)?;
            load::run(short)?;
            alert::run(short)
        }
        ["step"] => step::run(short),
        ["live"] => live::run(short),
        ["load"] => load::run(short),
        ["alert"] => alert::run(short),
        ["live-of", who, instances, home] => live::of(who, instances, home),
        ["receiver", fifo] => alert::receiver::serve(fifo),
        _ => bail!("usage: evenkeel-benches [step|live|load|alert] [--short]"),
    }
}
