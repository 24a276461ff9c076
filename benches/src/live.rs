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

use crate::Setting;
use crate::bare::{Bare, InCall};
use crate::build::{self, command};
use crate::figures::say;
use crate::ours::Ours;
use crate::recorded::{Nowhere, Stuck};

pub fn run(setting: &Setting) -> Result<()> {
    let instances = setting.scale.instances;
    let home = tempfile::tempdir()?;
    build::plugin(&setting.evenkeel()?, "benches/noop", &home.path().join("plugins"))?;
    let ours = in_a_process("ours", instances, home.path())?;
    let bare = in_a_process("bare", instances, home.path())?;
    let extism = setting.extism()?.map(|mut extism| extism.live(instances)).transpose()?;
    say(&format!(
        "\n{:<52} {:>9} {:>12}  evenkeel takes",
        format!("{instances} live instances, resident"),
        "MiB",
        "KiB each"
    ));
    let rows = [
        ("evenkeel, out of the pool, in a call", Some(ours)),
        ("bare wasmtime, one by one, in a call", Some(bare)),
        ("Extism, after a call", extism),
    ];
    for (name, bytes) in rows {
        let Some(bytes) = bytes else { continue };
        let each = bytes as f64 / instances as f64 / 1024.0;
        let (all, times) = (bytes as f64 / 1_048_576.0, ours as f64 / bytes as f64);
        say(&format!("  {name:<50} {all:>9.1} {each:>12.1}  {times:.2} x as much"));
    }
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
pub fn of(who: &str, instances: usize, home: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let bytes = runtime.block_on(grown(who, instances, home))?;
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
            before = resident("self")?;
            for _ in 0..instances {
                let (ours, calls): (_, Arc<dyn Calls>) = (Arc::clone(&ours), stuck.clone());
                tasks.spawn(async move { ours.step(1, calls).await });
            }
        }
        "bare" => {
            let bare = Arc::new(Bare::load(one_by_one()?, &home.join(build::NOOP))?);
            bare.step(1, InCall::Nothing).await?;
            before = resident("self")?;
            for _ in 0..instances {
                let (bare, stuck) = (Arc::clone(&bare), Arc::clone(&stuck));
                tasks.spawn(async move { bare.step(1, InCall::Sticks(stuck)).await });
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
    Ok(resident("self")?.saturating_sub(before))
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

/// Of a process, in bytes.
pub fn resident(process: &str) -> Result<u64> {
    status(process, "VmRSS:")
}

/// Of that, what is not mapped from files: programs and compiled plugins are, and their pages can be dropped.
pub fn anonymous(process: &str) -> Result<u64> {
    status(process, "RssAnon:")
}

/// /proc counts in KiB.
fn status(process: &str, key: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let line = line.with_context(|| format!("Linux says {key}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
