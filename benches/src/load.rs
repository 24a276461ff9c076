//! Plugins compiled for the first time, each in its process as the daemon does it, and loaded out of the cache.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use evenkeel_model::home::SandboxLimits;
use evenkeel_sandbox::{Attendant, Compiler, Ports, Sandbox, scan};

use crate::Setting;
use crate::copies;
use crate::figures::{Figures, say, table};

pub fn run(setting: &Setting) -> Result<()> {
    let evenkeel = setting.evenkeel()?;
    for source in ["benches/noop", "plugins/disk-usage"] {
        measure(setting, &evenkeel, source)?;
    }
    Ok(())
}

fn measure(setting: &Setting, evenkeel: &Path, source: &str) -> Result<()> {
    let plugins = setting.scale.plugins;
    let home = copies::home(evenkeel, source, plugins)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let load = || runtime.block_on(load(home.path(), evenkeel, plugins));
    let (_, cold) = load()?;
    let [mut scans, mut cached] = [(); 2].map(|()| Figures::default());
    for _ in 0..setting.scale.starts {
        let (scanned, loaded) = load()?;
        scans.add(scanned);
        cached.add(loaded);
    }
    table(
        &format!("{plugins} copies of {source}"),
        &[("scanned and hashed", &scans), ("loaded out of the cache", &cached)],
    );
    say(&format!("  compiled, each in a process of its own: {cold:.2?} in all"));
    Ok(())
}

/// How long it takes to find them, and then until all can be called.
async fn load(home: &Path, evenkeel: &Path, plugins: usize) -> Result<(Duration, Duration)> {
    let compiler = Compiler::child(evenkeel, ["compile-a-component"]);
    let (data, limits) = (home.join("data"), SandboxLimits::default());
    let sandbox = Sandbox::new(
        home,
        Some(&data),
        &limits,
        compiler,
        Ports::local(home, Attendant::nobody()),
    )?;
    let start = Instant::now();
    let installed = scan(home).installed;
    ensure!(installed.len() == plugins, "{} plugins are installed", installed.len());
    let scanned = start.elapsed();
    sandbox.install(&installed);
    let start = Instant::now();
    let all = installed.iter().map(|plugin| sandbox.load(&plugin.digest));
    futures::future::try_join_all(all).await?;
    Ok((scanned, start.elapsed()))
}
