//! `evenkeel serve` with many plugins that are all in use, compiled before: how long until it is ready, and what it holds
//! when idle. With a runbook a plugin, and with many more.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::Setting;
use crate::alert::request;
use crate::build::{command, done};
use crate::copies;
use crate::figures::{Figures, say, table};
use crate::live::{anonymous, resident};

pub fn run(setting: &Setting) -> Result<()> {
    let evenkeel = setting.evenkeel()?;
    let plugins = setting.scale.plugins;
    let home = copies::home(&evenkeel, "plugins/disk-usage", plugins)?;
    let assets = "[[asset]]\nid = \"local\"\nrole = \"host\"\n";
    fs::write(home.path().join("assets.toml"), assets)?;
    for runbooks in [plugins, setting.scale.runbooks] {
        write_runbooks(home.path(), runbooks, plugins)?;
        measure(setting, &evenkeel, home.path(), runbooks)?;
    }
    Ok(())
}

/// Each with one of the plugins, and a schedule that is not due soon.
fn write_runbooks(home: &Path, count: usize, plugins: usize) -> Result<()> {
    let runbooks = home.join("runbooks");
    fs::create_dir_all(&runbooks)?;
    for n in 0..count {
        let text = format!(
            "name = \"look-{n}\"\nsummary = \"Looks how full the disk is\"\n\n[[on]]\ncron = \"0 0 29 2 *\"\n\n\
             [[step]]\nid = \"look\"\nuses = \"disk-usage-{}@1\"\nwith = {{ root = \"data\" }}\n\
             grant = {{ files = [\"read data\"] }}\n",
            n % plugins
        );
        fs::write(runbooks.join(format!("{n}.toml")), text)?;
    }
    Ok(())
}

fn measure(setting: &Setting, evenkeel: &Path, home: &Path, runbooks: usize) -> Result<()> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let settings =
        format!("[server]\nlisten = \"{address}\"\n\n[role.host.roots.data]\npath = \".\"\nallow = [\"read\"]\n");
    fs::write(home.join("evenkeel.toml"), settings)?;
    done(command(evenkeel).arg("--home").arg(home).arg("lock"))?;
    let (mut ready, mut held) = (Figures::default(), (0, 0));
    // The first one may still have something to compile.
    for n in 0..=setting.scale.starts {
        let start = Instant::now();
        let mut daemon = Daemon::start(evenkeel, home)?;
        daemon.wait_until_ready(address, start)?;
        if n > 0 {
            ready.add(start.elapsed());
        }
        if n == setting.scale.starts {
            std::thread::sleep(setting.scale.idle);
            let process = daemon.0.id().to_string();
            held = (resident(&process)?, anonymous(&process)?);
        }
    }
    let what = format!("{} plugins, {runbooks} runbooks", setting.scale.plugins);
    table(&what, &[("`evenkeel serve` to ready", &ready)]);
    let [all, own] = [held.0, held.1].map(|bytes| bytes as f64 / 1_048_576.0);
    say(&format!(
        "  idle for {:?}: {all:.1} MiB resident, of which {own:.1} MiB are not mapped from files",
        setting.scale.idle
    ));
    Ok(())
}

pub struct Daemon(Child);

impl Daemon {
    pub fn start(evenkeel: &Path, home: &Path) -> Result<Self> {
        let mut daemon = command(evenkeel);
        daemon.arg("--home").arg(home).arg("serve");
        daemon.env("EVENKEEL_LOG", "error").stderr(Stdio::null());
        Ok(Self(daemon.spawn().context("can't start it")?))
    }

    pub fn wait_until_ready(&mut self, address: SocketAddr, start: Instant) -> Result<()> {
        while request(address, "GET /healthz", "").is_err() {
            if let Some(ended) = self.0.try_wait()? {
                anyhow::bail!("`evenkeel serve` ended instead of serving: {ended}");
            }
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
