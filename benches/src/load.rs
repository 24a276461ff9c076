//! 100 plugins (copies of the shipped ones under names of their own): compiled for the first time, each in its process as
//! the daemon does it, and loaded out of the cache. Then `evenkeel serve` with them, cache warm: how long until it is
//! ready, and what it holds when idle.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use evenkeel_model::home::SandboxLimits;
use evenkeel_sandbox::{Compiler, Ports, Sandbox, embed, inspect, scan};
use tempfile::TempDir;

use crate::alert::request;
use crate::build::{self, command, done};
use crate::figures::{Figures, say};
use crate::live::resident_of;

const PLUGINS: usize = 100;
const RUNBOOKS: usize = 1_000;
const SHIPPED: [&str; 5] = ["disk-usage", "http-probe", "cache-clean", "service-restart", "command"];
/// It has nothing to do then.
const IDLE: Duration = Duration::from_secs(5);

pub fn run(short: bool) -> Result<()> {
    let times = if short { 3 } else { 20 };
    let evenkeel = build::evenkeel()?;
    let home = home(&evenkeel)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let cold = runtime.block_on(load(home.path(), &evenkeel))?;
    say(&format!("{PLUGINS} plugins, compiled: {cold:.1?}"));
    let mut cached = Figures::default();
    for _ in 0..times {
        cached.add(runtime.block_on(load(home.path(), &evenkeel))?);
    }
    say(&cached.line("100 plugins, out of the cache"));
    write_runbooks(home.path(), 1)?;
    serve(&evenkeel, home.path(), times, "1 runbook")?;
    write_runbooks(home.path(), RUNBOOKS)?;
    serve(&evenkeel, home.path(), times.div_ceil(2), "1,000 runbooks")
}

/// Until all can be called, as the daemon starts.
async fn load(home: &Path, evenkeel: &Path) -> Result<Duration> {
    let start = Instant::now();
    let compiler = Compiler::child(evenkeel, ["compile-a-component"]);
    let data = home.join("data");
    let sandbox = Sandbox::new(
        home,
        Some(&data),
        &SandboxLimits::default(),
        compiler,
        Ports::local(home),
    )?;
    let installed = scan(home).installed;
    ensure!(installed.len() == PLUGINS, "{} plugins are installed", installed.len());
    sandbox.install(&installed);
    let all = installed.iter().map(|plugin| sandbox.load(&plugin.digest));
    futures::future::try_join_all(all).await?;
    Ok(start.elapsed())
}

fn home(evenkeel: &Path) -> Result<TempDir> {
    let home = tempfile::tempdir()?;
    let (built, plugins) = (home.path().join("built"), home.path().join("plugins"));
    fs::create_dir(&plugins)?;
    for name in SHIPPED {
        build::plugin(evenkeel, &format!("plugins/{name}"), &built)?;
    }
    for n in 0..PLUGINS {
        let name = SHIPPED[n % SHIPPED.len()];
        let bytes = fs::read(built.join(format!("{name}-1.0.0.wasm")))?;
        let mut manifest = inspect(&bytes)?.into_manifest()?;
        manifest.name = format!("{name}-{n}");
        fs::write(plugins.join(format!("{n}.wasm")), embed(&bytes, &manifest)?)?;
    }
    fs::write(
        home.path().join("assets.toml"),
        "[[asset]]\nid = \"local\"\nrole = \"host\"\n",
    )?;
    Ok(home)
}

/// Each with a plugin of the hundred, and a schedule that is not due soon.
fn write_runbooks(home: &Path, count: usize) -> Result<()> {
    let runbooks = home.join("runbooks");
    fs::create_dir_all(&runbooks)?;
    for n in 0..count {
        let plugin = n % (PLUGINS / SHIPPED.len()) * SHIPPED.len();
        let text = format!(
            "name = \"look-{n}\"\nsummary = \"Looks how full the disk is\"\n\n[[on]]\ncron = \"0 0 29 2 *\"\n\n\
             [[step]]\nid = \"look\"\nuses = \"disk-usage-{plugin}@1\"\nwith = {{ root = \"data\" }}\n\
             grant = {{ files = [\"read data\"] }}\n"
        );
        fs::write(runbooks.join(format!("{n}.toml")), text)?;
    }
    Ok(())
}

fn serve(evenkeel: &Path, home: &Path, times: usize, what: &str) -> Result<()> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let settings =
        format!("[server]\nlisten = \"{address}\"\n\n[role.host.roots.data]\npath = \".\"\nallow = [\"read\"]\n");
    fs::write(home.join("evenkeel.toml"), settings)?;
    done(command(evenkeel).arg("--home").arg(home).arg("lock"))?;
    let (mut ready, mut held) = (Figures::default(), 0);
    for n in 0..=times {
        let start = Instant::now();
        let daemon = Daemon::start(evenkeel, home)?;
        daemon.wait_until_ready(address, start)?;
        // The first one may still have had something to compile.
        if n > 0 {
            ready.add(start.elapsed());
        }
        if n == times {
            std::thread::sleep(IDLE);
            held = resident_of(&daemon.0.id().to_string())?;
        }
    }
    say(&ready.line(&format!("`evenkeel serve` to ready, {what}")));
    say(&format!(
        "`evenkeel serve`, idle, {what}: {:.1} MiB resident",
        held as f64 / 1_048_576.0
    ));
    Ok(())
}

struct Daemon(Child);

impl Daemon {
    fn start(evenkeel: &Path, home: &Path) -> Result<Self> {
        let mut daemon = command(evenkeel);
        daemon.arg("--home").arg(home).arg("serve");
        daemon.env("EVENKEEL_LOG", "error").stderr(Stdio::null());
        Ok(Self(daemon.spawn().context("can't start it")?))
    }

    fn wait_until_ready(&self, address: SocketAddr, start: Instant) -> Result<()> {
        while request(address, "GET /healthz", "").is_err() {
            ensure!(
                start.elapsed() < Duration::from_secs(60),
                "waited in vain for `evenkeel serve`"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
