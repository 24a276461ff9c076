//! Does with Extism what the benchmark asks for on standard input, a line a wish, and answers each with a line of numbers.
//!
//! `one N`: nanoseconds of each of N calls. `crowd THREADS N`: nanoseconds in all, then of each of N calls that so many
//! threads make at once. `live N`: how many bytes are resident with N instances more than with none.
//!
//! A call is what evenkeel does for one: a fresh instance out of compiled code, JSON in, JSON out. All of Extism's settings
//! are its defaults, except that its cache on disk is off (compiled code is held in memory) and WASI is on, as in evenkeel.

use std::io::{BufRead as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};

fn main() -> Result<()> {
    let file = std::env::args().nth(1).context("usage: evenkeel-benches-extism PLUGIN.wasm")?;
    let builder = PluginBuilder::new(Manifest::new([Wasm::file(file)]));
    let compiled = CompiledPlugin::new(builder.with_wasi(true).with_cache_disabled())?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<_> = line.split(' ').collect();
        let numbers = match words.as_slice() {
            ["one", calls] => (0..calls.parse()?).map(|_| once(&compiled)).collect::<Result<_>>()?,
            ["crowd", threads, calls] => crowd(&compiled, threads.parse()?, calls.parse()?)?,
            ["live", instances] => vec![live(&compiled, instances.parse()?)?],
            _ => bail!("`{line}` is no wish"),
        };
        let words: Vec<_> = numbers.iter().map(u128::to_string).collect();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", words.join(" "))?;
        out.flush()?;
    }
    Ok(())
}

fn once(compiled: &CompiledPlugin) -> Result<u128> {
    let start = Instant::now();
    call(&mut Plugin::new_from_compiled(compiled)?)?;
    Ok(start.elapsed().as_nanos())
}

fn call(plugin: &mut Plugin) -> Result<()> {
    let answer: &str = plugin.call("run", "{}")?;
    ensure!(answer == "[]", "the no-op check answered {answer}");
    Ok(())
}

fn crowd(compiled: &CompiledPlugin, threads: usize, calls: usize) -> Result<Vec<u128>> {
    let (begun, took) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || -> Result<()> {
        let mut own = Vec::new();
        while begun.fetch_add(1, Ordering::Relaxed) < calls {
            own.push(once(compiled)?);
        }
        took.lock().expect("no thread panics").extend(own);
        Ok(())
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    let all = start.elapsed().as_nanos();
    let took = took.into_inner().expect("no thread panics");
    Ok([vec![all], took].concat())
}

fn live(compiled: &CompiledPlugin, instances: usize) -> Result<u128> {
    call(&mut Plugin::new_from_compiled(compiled)?)?;
    let before = resident()?;
    let mut kept = Vec::new();
    for _ in 0..instances {
        let mut plugin = Plugin::new_from_compiled(compiled)?;
        call(&mut plugin)?;
        kept.push(plugin);
    }
    Ok(resident()?.saturating_sub(before))
}

/// In bytes; /proc counts in KiB.
fn resident() -> Result<u128> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("Linux says VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u128>()? * 1024)
}
