//! What 1,000 live instances take: each waits in a capability call of its own. Ours come out of the pool, the peer's are
//! allocated one by one, as wasmtime does without a pool. Each is a process of its own, so that its memory is its own.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use evenkeel_engine::port::Calls;
use tokio::task::JoinSet;
use wasmtime::{Config, Engine};

use crate::bare::Bare;
use crate::build::{self, command};
use crate::extism::Extism;
use crate::figures::say;
use crate::ours::Ours;
use crate::recorded::{Nowhere, Stuck};
use crate::step::PLUGIN;

const INSTANCES: usize = 1_000;

pub fn run(short: bool) -> Result<()> {
    let instances = if short { INSTANCES / 10 } else { INSTANCES };
    let home = tempfile::tempdir()?;
    build::plugin(&build::evenkeel()?, "benches/noop", &home.path().join("plugins"))?;
    let ours = in_a_process("ours", instances, home.path())?;
    let bare = in_a_process("bare", instances, home.path())?;
    let extism = Extism::start()?.live(instances)?;
    for (name, bytes) in [
        ("evenkeel, out of the pool", ours),
        ("bare wasmtime, one by one", bare),
        ("Extism", extism),
    ] {
        let each = bytes as f64 / instances as f64 / 1024.0;
        let all = bytes >> 20;
        say(&format!(
            "{name:<44} {instances} live  {all:>6} MiB  {each:>7.0} KiB each"
        ));
    }
    say(&format!(
        "evenkeel takes {:.2} of bare wasmtime's memory",
        ours as f64 / bare as f64
    ));
    Ok(())
}

fn in_a_process(who: &str, instances: usize, home: &Path) -> Result<u64> {
    let output = command(std::env::current_exe()?)
        .args(["live-of", who, &instances.to_string()])
        .arg(home)
        .stderr(Stdio::inherit())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .with_context(|| format!("`{who}` answered `{text}`"))
}

/// In the process: prints how many bytes are resident with the instances more than before.
pub fn of(who: &str, instances: &str, home: &str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bytes = runtime.block_on(grown(who, instances.parse()?, Path::new(home)))?;
    say(&bytes.to_string());
    // The instances wait for good.
    runtime.shutdown_background();
    Ok(())
}

async fn grown(who: &str, instances: usize, home: &Path) -> Result<u64> {
    let stuck = Arc::new(Stuck::default());
    let mut tasks = JoinSet::new();
    let before;
    match who {
        "ours" => {
            let ours = Arc::new(Ours::load(home, instances).await?);
            ours.step(1, Arc::new(Nowhere)).await?;
            before = resident()?;
            for _ in 0..instances {
                let (ours, calls): (_, Arc<dyn Calls>) = (Arc::clone(&ours), stuck.clone());
                tasks.spawn(async move { ours.step(1, calls).await });
            }
        }
        "bare" => {
            let bare = Arc::new(Bare::load(one_by_one()?, &home.join(PLUGIN))?);
            bare.step(&"{}".to_owned(), None).await?;
            before = resident()?;
            for _ in 0..instances {
                let (bare, stuck) = (Arc::clone(&bare), Arc::clone(&stuck));
                tasks.spawn(async move { bare.step(&r#"{"calls":1}"#.to_owned(), Some(stuck)).await });
            }
        }
        _ => bail!("`{who}` is nobody"),
    }
    while stuck.waiting() < instances {
        if let Some(ended) = tasks.try_join_next() {
            ended??;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(resident()?.saturating_sub(before))
}

/// The settings of the sandbox that matter here, without its pool.
fn one_by_one() -> Result<Engine> {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .concurrency_support(false)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20)
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20);
    Ok(Engine::new(&config)?)
}

/// In bytes; /proc counts in KiB.
fn resident() -> Result<u64> {
    resident_of("self")
}

pub fn resident_of(process: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.context("Linux says VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
