//! Benchmarks beside the peer, in one run: `cargo run --release -p evenkeel-benches -- [step|alert] [--short]`.
//!
//! They print ratios and assert nothing: these figures belong to the machine that they were measured on.

mod alert;
mod build;
mod figures;
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
            alert::run(short)
        }
        ["step"] => step::run(short),
        ["alert"] => alert::run(short),
        ["receiver", fifo] => alert::receiver::serve(fifo),
        _ => bail!("usage: evenkeel-benches [step|alert] [--short]"),
    }
}
