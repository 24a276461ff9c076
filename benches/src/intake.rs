//! Alerts that a Prometheus pushes, accepted: on disk when the answer comes. One alert a request and 64, over several
//! connections; beside it what the disk itself allows.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::Setting;
use crate::alert::request;
use crate::figures::{Figures, say, table};
use crate::runs::append;
use crate::serve::Daemon;

const CONNECTIONS: usize = 8;
/// What a Prometheus sends at once at most.
const BATCH: usize = 64;

pub fn run(setting: &Setting) -> Result<()> {
    let evenkeel = setting.evenkeel()?;
    let home = tempfile::tempdir()?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    fs::write(
        home.path().join("evenkeel.toml"),
        format!("[server]\nlisten = \"{address}\"\n"),
    )?;
    let mut daemon = Daemon::start(&evenkeel, home.path())?;
    daemon.wait_until_ready(address, Instant::now())?;
    let requests = setting.scale.alerts;
    let (single, first) = pushed(address, requests, 1, 0)?;
    let (many, second) = pushed(address, requests, BATCH, requests)?;
    drop(daemon);
    let synced = Mutex::new(File::create(home.path().join("synced"))?);
    let mut disk = Figures::default();
    for _ in 0..requests {
        let start = Instant::now();
        append(&synced)?;
        disk.add(start.elapsed());
    }
    table(
        &format!("alerts pushed over {CONNECTIONS} connections"),
        &[
            ("a request with one alert", &single),
            ("a request with 64", &many),
            ("append 4 KiB and fdatasync, one by one", &disk),
        ],
    );
    for (alerts, rate) in [(1, first), (BATCH, second)] {
        let times = rate / disk.rate();
        say(&format!(
            "  {alerts} a request: {rate:.0} alerts a second are on disk, {times:.1} x the syncs of the disk"
        ));
    }
    Ok(())
}

/// How long each request took, and how many alerts a second that were.
fn pushed(address: SocketAddr, requests: usize, batch: usize, from: usize) -> Result<(Figures, f64)> {
    let each = requests.div_ceil(CONNECTIONS);
    let start = Instant::now();
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|sender| {
            thread::spawn(move || {
                let mut took = Vec::new();
                for n in 0..each {
                    let first = from * BATCH + (sender * each + n) * batch;
                    let body = alerts(first, batch);
                    let start = Instant::now();
                    request(address, "POST /api/v2/alerts", &body)?;
                    took.push(start.elapsed());
                }
                Ok::<_, anyhow::Error>(took)
            })
        })
        .collect();
    let mut took = Vec::new();
    for sender in senders {
        took.extend(sender.join().map_err(|_| anyhow!("a sender broke"))??);
    }
    let all = start.elapsed();
    let rate = (took.len() * batch) as f64 / all.as_secs_f64();
    let mut figures = Figures::default();
    figures.turn(all, took);
    Ok((figures, rate))
}

/// Each another one.
fn alerts(first: usize, count: usize) -> String {
    let one = |n| {
        format!(
            r#"{{"labels":{{"alertname":"Bench","severity":"critical","n":"{n}"}},"annotations":{{"summary":"it is slow"}}}}"#
        )
    };
    let all: Vec<String> = (first..first + count).map(one).collect();
    format!("[{}]", all.join(","))
}
