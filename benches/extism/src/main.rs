//! Does with Extism what the benchmark asks for on standard input, a line a wish, and answers each with a line of numbers.
//!
//! `steps N CALLS`: nanoseconds of each of N steps, each with so many calls of the host. `crowd THREADS N`: nanoseconds in
//! all, then of each of N steps, with a call each that lets other threads go first, that so many threads make at once. `live N`: how many bytes are resident with N
//! instances more than with none.
//!
//! A step is what evenkeel does for one: a fresh instance out of compiled code, JSON in, JSON out. All of Extism's settings
//! are its defaults, except that its cache on disk is off (compiled code is held in memory) and WASI is on, as in evenkeel.

use std::io::{BufRead as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use extism::{CompiledPlugin, Manifest, PTR, Plugin, PluginBuilder, UserData, Wasm, host_fn};

/// Whether a call lets other threads go first.
static YIELDS: AtomicBool = AtomicBool::new(false);

host_fn!(lookup(_key: String) -> String {
    if YIELDS.load(Ordering::Relaxed) {
        std::thread::yield_now();
    }
    Ok(String::new())
});

fn main() -> Result<()> {
    let file = std::env::args()
        .nth(1)
        .context("usage: evenkeel-benches-extism PLUGIN.wasm")?;
    let builder = PluginBuilder::new(Manifest::new([Wasm::data(std::fs::read(file)?)]))
        .with_wasi(true)
        .with_cache_disabled()
        .with_function("lookup", [PTR], [PTR], UserData::new(()), lookup);
    let compiled = CompiledPlugin::new(builder)?;
    for line in std::io::stdin().lock().lines() {
        let numbers = answer(&compiled, &line?)?;
        let words: Vec<_> = numbers.iter().map(u128::to_string).collect();
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", words.join(" "))?;
        out.flush()?;
    }
    Ok(())
}

fn answer(compiled: &CompiledPlugin, wish: &str) -> Result<Vec<u128>> {
    let words: Vec<_> = wish.split(' ').collect();
    match words.as_slice() {
        ["steps", steps, calls] => {
            let params = format!(r#"{{"calls":{calls}}}"#);
            (0..steps.parse()?).map(|_| step(compiled, &params)).collect()
        }
        ["crowd", threads, steps] => crowd(compiled, threads.parse()?, steps.parse()?),
        ["live", instances] => Ok(vec![live(compiled, instances.parse()?)?]),
        _ => bail!("`{wish}` is no wish"),
    }
}

/// How many nanoseconds it took.
fn step(compiled: &CompiledPlugin, params: &str) -> Result<u128> {
    let start = Instant::now();
    call(&mut Plugin::new_from_compiled(compiled)?, params)?;
    Ok(start.elapsed().as_nanos())
}

fn call(plugin: &mut Plugin, params: &str) -> Result<()> {
    let answer: &str = plugin.call("run", params)?;
    ensure!(answer == "[]", "the no-op check answered {answer}");
    Ok(())
}

fn crowd(compiled: &CompiledPlugin, threads: usize, steps: usize) -> Result<Vec<u128>> {
    let (begun, took) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || -> Result<()> {
        let mut own = Vec::new();
        while begun.fetch_add(1, Ordering::Relaxed) < steps {
            own.push(step(compiled, r#"{"calls":1}"#)?);
        }
        took.lock().expect("no thread panics").extend(own);
        Ok(())
    };
    YIELDS.store(true, Ordering::Relaxed);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("no thread panics"))
    })?;
    let all = start.elapsed().as_nanos();
    YIELDS.store(false, Ordering::Relaxed);
    let took = took.into_inner().expect("no thread panics");
    Ok([vec![all], took].concat())
}

/// Each has made a call of the host and is kept after its step: kinder than a thread a waiting instance would be.
fn live(compiled: &CompiledPlugin, instances: usize) -> Result<u128> {
    call(&mut Plugin::new_from_compiled(compiled)?, r#"{"calls":1}"#)?;
    let before = resident()?;
    let mut kept = Vec::new();
    for _ in 0..instances {
        let mut plugin = Plugin::new_from_compiled(compiled)?;
        call(&mut plugin, r#"{"calls":1}"#)?;
        kept.push(plugin);
    }
    Ok(resident()?.saturating_sub(before))
}

/// In bytes; /proc counts in KiB.
fn resident() -> Result<u128> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("Linux says VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u128>()? * 1024)
}
