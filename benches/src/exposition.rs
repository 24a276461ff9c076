//! Exposition text, read by evenkeel and by `prometheus-parse`, and scraped: by evenkeel into a sink that only counts, and
//! by a real Prometheus into its store. CPU time of each, for one of them runs in a process of its own.

mod peers;
mod shapes;

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result};
use evenkeel_alerting::exposition::{Format, Limits, parse};
use evenkeel_alerting::promql::Labels;
use evenkeel_alerting::scrape::{Answer, Handle, Options, Refused, Sink, Target, When};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use self::shapes::Shape;
use crate::Setting;
use crate::figures::say;

/// Turns of each that are measured.
const TURNS: usize = 11;

/// Takes everything and keeps nothing.
#[derive(Default)]
struct Counter {
    series: u64,
    samples: u64,
}

impl Sink for Counter {
    fn series(&mut self, labels: Labels) -> Result<Handle, Refused> {
        black_box(labels);
        self.series += 1;
        Ok(Handle(self.series))
    }

    fn append(&mut self, series: Handle, at_ms: i64, value: f64) -> Result<(), Refused> {
        black_box((series, at_ms, value));
        self.samples += 1;
        Ok(())
    }
}

pub fn run(setting: &Setting) -> Result<()> {
    for shape in shapes::all() {
        measure(&shape, setting)?;
    }
    Ok(())
}

fn measure(shape: &Shape, setting: &Setting) -> Result<()> {
    let body = shape.text.as_bytes();
    let mut samples = 0;
    parse(body, Format::Text, &Limits::default(), |entry| {
        samples += usize::from(matches!(entry, evenkeel_alerting::exposition::Entry::Sample(_)));
    })?;
    let mut target = Target::new(
        Labels::new([("job", "bench"), ("instance", "localhost")]),
        Options::default(),
    );
    let mut sink = Counter::default();
    let mut at_ms = 0;
    let (mut read, mut scraped, mut parsed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        read.push(turn(setting, samples, || {
            black_box(parse(body, Format::Text, &Limits::default(), |entry| {
                drop(black_box(entry))
            }))
            .is_ok()
        })?);
        scraped.push(turn(setting, samples, || {
            at_ms += 1000;
            let answer = Answer {
                body,
                content_type: Some("text/plain"),
            };
            let took = Duration::ZERO;
            target.scraped(&answer, When { at_ms, took }, &mut sink).is_up()
        })?);
        parsed.push(turn(setting, samples, || peers::prometheus_parse(&shape.text).is_ok())?);
    }
    let prometheus = peers::prometheus(&shape.text, setting.scale.scraped)?;
    let title = format!("{}: {samples} samples, {} KiB", shape.name, body.len() / 1024);
    say(&format!("\n{title:<52} {:>14}  evenkeel has", "a CPU second"));
    let (read, scraped, parsed) = (median(read), median(scraped), median(parsed));
    row("evenkeel: read", read, read);
    row("prometheus-parse: read", parsed, read);
    row("evenkeel: scraped, into a sink that only counts", scraped, scraped);
    row("Prometheus: scraped, over HTTP and into its store", prometheus, scraped);
    Ok(())
}

fn row(name: &str, rate: f64, ours: f64) {
    let times = ours / rate;
    say(&format!("  {name:<50} {rate:>14.0}  {times:.2} x its rate"));
}

/// Samples a second of this thread's CPU.
fn turn(setting: &Setting, samples: usize, mut once: impl FnMut() -> bool) -> Result<f64> {
    let texts = setting.scale.texts;
    let before = cpu_microseconds()?;
    let good = (0..texts).filter(|_| once()).count();
    anyhow::ensure!(good == texts, "a text was refused");
    // What takes no microsecond takes one.
    let took = (cpu_microseconds()? - before).max(1);
    Ok((samples * texts) as f64 / (took as f64 / 1e6))
}

fn cpu_microseconds() -> Result<i64> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).context("the system tells no CPU time")?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}
