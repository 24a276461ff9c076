//! A journal of many events: how it is written, what it takes on the disk, and what it costs those who start, list and
//! look: the daemon, `runs list`, `runs show`, `why`, `backup`, and the removing of old calls.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::port::{Clock as _, Durability, Journal as _, NewRound, NewRun, Opened};
use evenkeel_model::call::{Answer, Call};
use evenkeel_model::grant::Capability;
use evenkeel_model::home::Keep;
use evenkeel_model::invocation::{Finding, Key, Outcome, Output, Phase, Severity};
use evenkeel_model::plugin::{Digest, Kind, Pinned};
use evenkeel_model::run::{Body, Mode, Occurrence, Verdict};
use evenkeel_model::seal::{KEY, SALT, Seal};
use evenkeel_store::compact::Progress;
use evenkeel_store::{Options, Store};
use serde_json::json;

use crate::Setting;
use crate::build::{command, done};
use crate::figures::{Figures, say, table};
use crate::runs::SystemClock;
use crate::serve::Daemon;

/// Of each run, its request included.
const EVENTS: usize = 20;
const WRITERS: u64 = 64;

pub fn run(setting: &Setting) -> Result<()> {
    let evenkeel = setting.evenkeel()?;
    let home = tempfile::tempdir()?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    fs::write(
        home.path().join("evenkeel.toml"),
        format!("[server]\nlisten = \"{address}\"\n"),
    )?;
    // It makes the home's key.
    let list = |arguments: &[&str]| {
        let mut list = command(&evenkeel);
        list.arg("--home")
            .arg(home.path())
            .args(arguments)
            .stdout(Stdio::null());
        done(&mut list)
    };
    list(&["runs", "list"])?;
    let runs = setting.scale.journaled / EVENTS;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let store = Arc::new(open(home.path())?);
    let began = Instant::now();
    runtime.block_on(fill(&store, runs as u64))?;
    let wrote = began.elapsed();
    drop(store);
    let file = home.path().join("data/evenkeel.db");
    let (events, bytes) = ((runs * EVENTS) as f64, fs::metadata(&file)?.len() as f64);
    say(&format!(
        "\na journal of {events} events of {runs} runs: written in {wrote:.1?} ({:.0} a second), {:.2} GiB, {:.0} bytes an event",
        events / wrote.as_secs_f64(),
        bytes / f64::from(1_u32 << 30),
        bytes / events,
    ));
    let (mut ready, mut listed, mut shown, mut why) = Default::default();
    let middle = (runs / 2).max(1).to_string();
    for _ in 0..setting.scale.starts {
        let start = Instant::now();
        let mut daemon = Daemon::start(&evenkeel, home.path())?;
        daemon.wait_until_ready(address, start)?;
        Figures::add(&mut ready, start.elapsed());
        drop(daemon);
        timed(&mut listed, || list(&["runs", "list"]))?;
        timed(&mut shown, || list(&["runs", "show", &middle]))?;
        timed(&mut why, || list(&["why", "--asset", "host-7", "--since", "300d"]))?;
    }
    table(
        "with that journal, process start included",
        &[
            ("`evenkeel serve` to ready", &ready),
            ("`evenkeel runs list`", &listed),
            ("`evenkeel runs show` of one in the middle", &shown),
            ("`evenkeel why --asset`", &why),
        ],
    );
    let began = Instant::now();
    list(&["backup", &home.path().join("kept").to_string_lossy()])?;
    say(&format!(
        "  `evenkeel backup`, with a look through all of it: {:.1?}",
        began.elapsed()
    ));
    fs::remove_dir_all(home.path().join("kept"))?;
    runtime.block_on(shorten(home.path(), runs))
}

fn timed(figures: &mut Figures, what: impl Fn() -> Result<()>) -> Result<()> {
    let start = Instant::now();
    what()?;
    figures.add(start.elapsed());
    Ok(())
}

/// With the key of the home.
fn open(home: &Path) -> Result<Store> {
    let text = fs::read_to_string(home.join("data/home.key"))?;
    let mut key = [0; KEY];
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        let digits = text.get(at..at + 2).context("the home's key is too short")?;
        *byte = u8::from_str_radix(digits, 16)?;
    }
    let options = Options {
        seal: Some(Seal::new(&key, [7; SALT])),
        ..Options::default()
    };
    Ok(Store::open(&home.join("data/evenkeel.db"), options)?)
}

async fn fill(store: &Arc<Store>, runs: u64) -> Result<()> {
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (store, next) = (Arc::clone(store), Arc::clone(&next));
        tasks.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= runs {
                    return Ok::<_, anyhow::Error>(());
                }
                write_run(&store, n).await?;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// A check every minute of the last months, over a hundred hosts.
async fn write_run(store: &Store, n: u64) -> Result<()> {
    let at = SystemClock.now() - TimeDelta::days(200) + TimeDelta::seconds((n * 30).cast_signed());
    let target = format!("host-{}", n % 100);
    let round = NewRound {
        occurrence: Occurrence::Tick {
            runbook: "watch".into(),
            schedule: "* * * * * UTC".into(),
            at: at + TimeDelta::microseconds(n.cast_signed()),
        },
        runbook: "watch".into(),
        text_hash: "abc".into(),
        text: String::new(),
        mode: Mode::Live,
        alert: None,
        input: json!({}),
        targets: vec![NewRun {
            target: Some(target.as_str().into()),
            ..NewRun::default()
        }],
        override_freeze: None,
        asked_by: None,
        has_after: false,
    };
    let Opened::New(_, opened) = store.open(round, at).await? else {
        bail!("the tick has had its round");
    };
    let run = opened.first().copied().context("a round has a run")?;
    Ok(store.append(run, at, bodies(&target), Durability::Group).await?)
}

fn bodies(target: &str) -> Vec<Body> {
    let key = Key {
        step: "look".into(),
        phase: Phase::Check,
        action: None,
        attempt: 1,
    };
    let mut bodies = vec![
        Body::Started,
        Body::Invoked {
            key: key.clone(),
            plugin: Pinned {
                name: "disk-usage".into(),
                version: "1.0.0".parse().expect("a version"),
                digest: Digest("d".repeat(64)),
                kind: Kind::Check,
            },
            params: json!({ "root": "data", "warn": 80, "critical": 90 }),
            given: None,
            before: None,
        },
    ];
    // With the request, these two and the end's two.
    for n in 0..EVENTS - 5 {
        bodies.push(Body::Called {
            key: key.clone(),
            n: u32::try_from(n).unwrap_or_default(),
            call: Some(Call {
                capability: Capability::Files,
                operation: "space".into(),
                subject: format!("data:{n}"),
                request: json!({ "root": "data", "path": format!("part-{n}") }),
                content: None,
                effect: false,
                repeatable: true,
            }),
            answer: Answer::Ok(json!({ "total-bytes": 270_553_174_016_u64, "free-bytes": 36_950_155_264_u64 })),
            took_ms: 1,
        });
    }
    let finding = Finding {
        code: "disk-filling".into(),
        severity: Severity::Ok,
        subject: "data".into(),
        summary: format!("`data` of {target} is 86.3 % full"),
        labels: Default::default(),
        details: None,
    };
    bodies.extend([
        Body::Ended {
            key,
            outcome: Outcome::Done(Output::Findings(vec![finding])),
        },
        Body::Finished {
            verdict: Verdict::Healthy,
            why: "`look`: all is well".into(),
            changed: false,
        },
    ]);
    bodies
}

/// Removes the calls of all that is older than 90 days, as the daemon does, while somebody else writes.
async fn shorten(home: &Path, runs: usize) -> Result<()> {
    let store = open(home)?;
    let keep = Keep::default();
    let (mut progress, now) = (Progress::default(), SystemClock.now());
    let (mut steps, mut beside, began) = (Figures::default(), Figures::default(), Instant::now());
    let mut n = runs as u64 * 1_000;
    loop {
        let start = Instant::now();
        let (more, wrote) = tokio::join!(store.compact(keep, &mut progress, now), durable(&store, n, now));
        beside.add(wrote?);
        steps.add(start.elapsed());
        n += 1;
        if !more.map_err(anyhow::Error::msg)? || began.elapsed() > Duration::from_secs(60) {
            break;
        }
    }
    ensure!(progress.removed == 0, "nothing is old enough to be removed as a whole");
    table(
        "removing the calls of old runs",
        &[("50 runs looked at", &steps), ("a durable write beside it", &beside)],
    );
    say(&format!(
        "  {} runs lost their calls in {:.1?}",
        progress.compacted,
        began.elapsed()
    ));
    Ok(())
}

async fn durable(store: &Store, n: u64, now: DateTime<Utc>) -> Result<Duration> {
    let round = NewRound {
        occurrence: Occurrence::Person {
            runbook: "watch".into(),
            request: n.to_string(),
            who: "bench".into(),
        },
        runbook: "watch".into(),
        text_hash: "abc".into(),
        text: String::new(),
        mode: Mode::Live,
        alert: None,
        input: json!({}),
        targets: vec![NewRun::default()],
        override_freeze: None,
        asked_by: None,
        has_after: false,
    };
    let start = Instant::now();
    store.open(round, now).await?;
    Ok(start.elapsed())
}
