//! Many schedules: what a tick costs, what they hold in memory, how late rounds are opened, and how long it takes when
//! all of them are due at once.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use evenkeel_engine::port::{Clock as _, Journal as _, Noted, RunFilter};
use evenkeel_engine::schedule::{Book, entries};
use evenkeel_model::cron::Schedule;
use evenkeel_model::home::Home;
use evenkeel_model::run::{Occurrence, Verdict};
use evenkeel_model::runbook::{MatchOp, Matcher, Missed, On, Runbook, Selector};
use evenkeel_store::Store;
use tokio::sync::watch;

use crate::Setting;
use crate::figures::{Figures, say, table};
use crate::live::resident;
use crate::recorded::store;
use crate::runs::{AT_ONCE, FREE, SystemClock, engine, name, read_home, write_home};

/// Schedules of one runbook.
const EACH: usize = 50;
/// For every schedule to come once an hour there have to be enough of them.
const HOURLY: usize = 10_000;

pub fn run(setting: &Setting) -> Result<()> {
    let dir = tempfile::tempdir()?;
    write_home(&setting.evenkeel()?, dir.path())?;
    let pattern = read_home(dir.path())?;
    let all = setting.scale.schedules;
    cost(&pattern, all)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(lateness(&pattern, dir.path(), setting))?;
    runtime.block_on(all_at_once(&pattern, dir.path(), setting))
}

/// So many schedules, each at a second of its own of an hour, or of a minute if there are few.
fn with_schedules(pattern: &Home, count: usize) -> Result<Home> {
    let model = pattern.runbooks.get(&FREE.into()).context("the home has it")?;
    let mut home = pattern.clone();
    home.runbooks.clear();
    for first in (0..count).step_by(EACH) {
        let number = first / EACH;
        let on = (first..count.min(first + EACH)).map(|n| {
            let minute = if count >= HOURLY {
                (n / 60 % 60).to_string()
            } else {
                "*".to_owned()
            };
            let schedule = Schedule::parse(&format!("{} {minute} * * * *", n % 60), chrono_tz::UTC)?;
            Ok(On::Cron {
                schedule,
                missed: Missed::Last,
                jitter: Duration::ZERO,
            })
        });
        let mut runbook = Runbook {
            name: format!("scheduled-{number}").as_str().into(),
            on: on.collect::<Result<_>>()?,
            ..Runbook::clone(model)
        };
        runbook.targets.select = Some(Selector {
            text: "one of them".to_owned(),
            matchers: vec![Matcher {
                label: "asset".to_owned(),
                op: MatchOp::Equal(name(number % AT_ONCE)),
            }],
        });
        home.runbooks.insert(runbook.name.clone(), Arc::new(runbook));
    }
    Ok(home)
}

/// Of the book alone, by a simulated clock.
fn cost(pattern: &Home, most: usize) -> Result<()> {
    let begin = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).single().context("a time")?;
    for count in [most / 100, most / 10, most] {
        let home = with_schedules(pattern, count)?;
        let before = resident("self")?;
        let start = Instant::now();
        let mut book = Book::new(&home, "bench", begin, |_| begin);
        let made = start.elapsed();
        let held = resident("self")?.saturating_sub(before);
        let (mut ours, mut scan) = (Figures::default(), Figures::default());
        for _ in 0..(most / 10).clamp(100, 10_000) {
            let next = book.next().context("there is always another")?;
            let start = Instant::now();
            ensure!(book.pop_due(next).is_some(), "it is due");
            ours.add(start.elapsed());
        }
        let nexts: Vec<DateTime<Utc>> = entries(&home, begin)
            .filter_map(|entry| entry.schedule.after(begin))
            .collect();
        for _ in 0..100 {
            let start = Instant::now();
            let found = nexts.iter().enumerate().min_by_key(|(_, at)| **at);
            ensure!(std::hint::black_box(found).is_some(), "there are some");
            scan.add(start.elapsed());
        }
        let title = format!("a tick of {count} schedules");
        table(
            &title,
            &[
                ("evenkeel: out of the book, and in again", &ours),
                ("a look at the next tick of each", &scan),
            ],
        );
        let made = made.as_secs_f64() * 1e3;
        let held = held as f64 / 1_048_576.0;
        say(&format!(
            "  made in {made:.1} ms; {held:.1} MiB more are resident than for the runbooks alone"
        ));
    }
    Ok(())
}

/// From a tick to its round, as the journal has it.
async fn lateness(pattern: &Home, dir: &Path, setting: &Setting) -> Result<()> {
    let count = setting.scale.schedules;
    let store = Arc::new(store(&fresh(dir, "lateness")?)?);
    let engine = engine(dir, with_schedules(pattern, count)?, store.clone()).await?;
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn({
        let engine = engine.clone();
        async move { engine.serve(stopping).await }
    });
    tokio::time::sleep(setting.scale.kept).await;
    stop.send_replace(true);
    serving.await?;
    engine.drain(Duration::from_secs(60)).await;
    let mut late = Figures::default();
    let mut before = None;
    loop {
        let filter = RunFilter {
            before,
            ..RunFilter::default()
        };
        let runs = store.runs(filter).await?;
        for run in &runs {
            let Occurrence::Tick { at, .. } = run.occurrence else {
                continue;
            };
            ensure!(run.verdict == Some(Verdict::Healthy), "the no-op run came to {run:?}");
            late.add((run.requested_at - at).to_std().context("a round is never early")?);
        }
        match runs.last() {
            Some(last) => before = Some(last.run),
            None => break,
        }
    }
    let title = format!("{count} schedules, for {:?}", setting.scale.kept);
    table(&title, &[("evenkeel: a round is opened after its tick", &late)]);
    Ok(())
}

/// After a time without a daemon.
async fn all_at_once(pattern: &Home, dir: &Path, setting: &Setting) -> Result<()> {
    let count = setting.scale.due_at_once;
    let store = Arc::new(store(&fresh(dir, "at-once")?)?);
    let home = with_schedules(pattern, count)?;
    let now = SystemClock.now();
    let notes = entries(&home, now).map(|entry| Noted {
        runbook: entry.runbook.name.clone(),
        schedule: entry.name,
        seen: now - TimeDelta::hours(2),
        passed: None,
    });
    store.open_ticks(Vec::new(), notes.collect(), now).await?;
    let engine = engine(dir, home, store.clone()).await?;
    let (stop, stopping) = watch::channel(false);
    let start = Instant::now();
    let serving = tokio::spawn({
        let engine = engine.clone();
        async move { engine.serve(stopping).await }
    });
    wait_for(&store, count).await?;
    let took = start.elapsed().as_secs_f64();
    say(&format!(
        "  {count} rounds that were due at once were opened in {:.1} ms: {:.1} a second",
        took * 1e3,
        count as f64 / took
    ));
    stop.send_replace(true);
    serving.await?;
    engine.drain(Duration::from_secs(120)).await;
    Ok(())
}

async fn wait_for(store: &Store, rounds: usize) -> Result<()> {
    let start = Instant::now();
    while store.counts().rounds < rounds as u64 {
        ensure!(
            start.elapsed() < Duration::from_secs(600),
            "waited in vain for the rounds"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn fresh(dir: &Path, name: &str) -> Result<std::path::PathBuf> {
    let fresh = dir.join(name);
    std::fs::create_dir(&fresh)?;
    Ok(fresh)
}
