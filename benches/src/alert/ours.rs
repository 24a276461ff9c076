//! Drives a real daemon.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::{alert, request};
use crate::build::{command, done, plugin};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Ours {
    daemon: Child,
    address: SocketAddr,
    /// When the server of the benchmark was called.
    called: Receiver<Instant>,
    _home: TempDir,
}

impl Ours {
    pub fn start(evenkeel: &Path) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let called = TcpListener::bind("127.0.0.1:0")?;
        let address = free_address()?;
        write_home(home.path(), called.local_addr()?, address)?;
        plugin(evenkeel, "plugins/http-probe", &home.path().join("plugins"))?;
        done(command(evenkeel).arg("--home").arg(home.path()).arg("lock"))?;
        let daemon = command(evenkeel)
            .arg("--home")
            .arg(home.path())
            .arg("serve")
            .stderr(Stdio::null())
            .env("EVENKEEL_LOG", "error")
            .spawn()?;
        let ours = Self {
            daemon,
            address,
            called: answer(called),
            _home: home,
        };
        wait_until("the daemon serves", || request(address, "GET /healthz", "").is_ok())?;
        Ok(ours)
    }

    pub fn once(&mut self, n: usize) -> Result<Duration> {
        let start = Instant::now();
        request(self.address, "POST /api/v2/alerts", &alert(n))?;
        let called = self.called.recv_timeout(PATIENCE).context("no plugin was called")?;
        // One run at a time works on a target; the next alert must not have to wait for it.
        wait_until("the run is finished", || {
            request(self.address, "GET /metrics", "").is_ok_and(|page| page.contains("\nevenkeel_runs_under_way 0\n"))
        })?;
        Ok(called - start)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// Answers every request with 200, and tells when it came.
fn answer(listener: TcpListener) -> Receiver<Instant> {
    let (tell, told) = sync_channel(16);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let at = Instant::now();
            let Ok(mut stream) = stream else { continue };
            // What is asked doesn't matter, and a caller that went away is noticed by the other end.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            if tell.send(at).is_err() {
                break;
            }
        }
    });
    told
}

fn write_home(home: &Path, origin: SocketAddr, listen: SocketAddr) -> Result<()> {
    fs::create_dir_all(home.join("runbooks"))?;
    fs::create_dir_all(home.join("plugins"))?;
    let settings = format!(
        "[server]\nlisten = \"{listen}\"\n\n[role.host.origins.bench]\nurl = \"http://{origin}\"\nallow = [\"GET\"]\n"
    );
    fs::write(home.join("evenkeel.toml"), settings)?;
    fs::write(home.join("assets.toml"), "[[asset]]\nid = \"local\"\nrole = \"host\"\n")?;
    let runbook = "name = \"bench\"\nsummary = \"Calls a server\"\n\n[[on]]\nalert = \"Bench\"\n\n[limits]\ncooldown = \"0s\"\n\n\
                   [[step]]\nid = \"call\"\nuses = \"http-probe@1\"\nwith = { origin = \"bench\", path = \"/\" }\n\
                   grant = { http = [\"GET bench\"] }\n";
    Ok(fs::write(home.join("runbooks/bench.toml"), runbook)?)
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn wait_until(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let start = Instant::now();
    while !holds() {
        ensure!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}
