//! Extism, in a process of its own: it brings another wasmtime (benches/extism).

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::build::{command, done, root};
use crate::race::Turn;

const PLUGIN: &str = "wasm32-unknown-unknown/plugin/extism_noop.wasm";

pub struct Extism {
    process: Child,
    wishes: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Extism {
    /// Builds it and its no-op plugin, if they are not there yet, and starts it.
    pub fn start() -> Result<Self> {
        let target = root().join("target/extism");
        let manifest = root().join("benches/extism/Cargo.toml");
        let cargo = |arguments: &[&str]| {
            let mut cargo = command("cargo");
            cargo.args(["build", "--locked", "--manifest-path"]).arg(&manifest);
            done(cargo.args(arguments).env("CARGO_TARGET_DIR", &target))
        };
        cargo(&["--release"])?;
        cargo(&[
            "-p",
            "extism-noop",
            "--profile",
            "plugin",
            "--target",
            "wasm32-unknown-unknown",
        ])
        .context("is its target there? `rustup target add wasm32-unknown-unknown`")?;
        let mut process = command(target.join("release/evenkeel-benches-extism"))
            .arg(target.join(PLUGIN))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let wishes = process.stdin.take().context("it is piped")?;
        let answers = BufReader::new(process.stdout.take().context("it is piped")?);
        Ok(Self {
            process,
            wishes,
            answers,
        })
    }

    /// One step after the other, each with so many calls of the host.
    pub fn steps(&mut self, steps: usize, calls: u32) -> Result<Turn> {
        let numbers = self.ask(&format!("steps {steps} {calls}"))?;
        let each: Vec<_> = numbers.into_iter().map(Duration::from_nanos).collect();
        Ok((each.iter().sum(), each))
    }

    /// Steps with one call each that so many threads make at once.
    pub fn crowd(&mut self, at_once: usize, steps: usize) -> Result<Turn> {
        let numbers = self.ask(&format!("crowd {at_once} {steps}"))?;
        let (all, each) = numbers.split_first().context("it answers a number at least")?;
        let each = each.iter().copied().map(Duration::from_nanos).collect();
        Ok((Duration::from_nanos(*all), each))
    }

    /// Bytes that so many live instances take.
    pub fn live(&mut self, instances: usize) -> Result<u64> {
        let numbers = self.ask(&format!("live {instances}"))?;
        numbers.first().copied().context("it answers a number")
    }

    fn ask(&mut self, wish: &str) -> Result<Vec<u64>> {
        writeln!(self.wishes, "{wish}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let numbers = line.split_whitespace().map(str::parse).collect::<Result<_, _>>();
        numbers.with_context(|| format!("Extism answered `{line}` to `{wish}`"))
    }
}

impl Drop for Extism {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
