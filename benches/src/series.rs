//! The store of series at a size that a large cluster has: what a series and a sample take in memory, how fast samples come
//! in, how long selectors take, and what a snapshot and a log cost. Beside a real Prometheus that scrapes the same series.

pub mod judged;
mod made;
mod peer;

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use evenkeel_alerting::promql::{Labels, NAME, Source as _};
use evenkeel_alerting::series::{Handle, Limits, Log, Store};
use evenkeel_model::pattern::anchored;
use evenkeel_model::runbook::{MatchOp, Matcher};

use crate::Setting;
use crate::figures::{Figures, say, table};
use crate::live::anonymous;
use made::Target;

const EVERY_MS: i64 = 15_000;
/// A Monday in 2026, at midnight.
const BEGIN_MS: i64 = 1_767_571_200_000;
const HOUR: usize = 240;

pub fn run(setting: &Setting) -> Result<()> {
    let scale = &setting.scale;
    let targets = scale.series.div_ceil(made::EACH);
    let series = targets * made::EACH;
    let mut ours = Ours::new(targets)?;
    say(&format!(
        "\n{:<52} {:>7} {:>9} {:>9} {:>9}",
        format!("{series} series, a scrape every 15 s"),
        "scrapes",
        "MiB",
        "B/series",
        "B/sample"
    ));
    for scrapes in [1, scale.peer_scrapes, HOUR, scale.scrapes] {
        if scrapes > ours.scrapes && scrapes <= scale.scrapes {
            ours.scrape_until(scrapes)?;
            ours.say_memory()?;
        }
    }
    if scale.peer_scrapes > 0 {
        peer::say_memory(targets, scale.peer_scrapes)?;
    }
    ours.say_appends();
    ours.say_selectors(scale.selects)?;
    ours.say_disk()
}

struct Ours {
    store: Store,
    targets: Vec<Target>,
    handles: Vec<Vec<Handle>>,
    scrapes: usize,
    /// Resident before there was any.
    before: u64,
    /// Of scrapes of one target.
    appends: Figures,
    appending: Duration,
    appended: usize,
    log: Figures,
    log_bytes: Vec<usize>,
}

impl Ours {
    fn new(targets: usize) -> Result<Self> {
        let targets: Vec<Target> = (0..targets).map(Target::new).collect();
        let before = anonymous("self")?;
        let store = Store::new(Limits {
            bytes: 1 << 34,
            ..Limits::default()
        });
        let mut handles = Vec::new();
        for (number, target) in targets.iter().enumerate() {
            // As an exposition's reader makes them: texts of their own for each series.
            let all: Vec<Labels> = target.labels(&format!("10.0.0.{number}:9100")).collect();
            let made: Result<Vec<Handle>, _> = store.all_series(&all).into_iter().collect();
            handles.push(made?);
        }
        Ok(Self {
            store,
            targets,
            handles,
            scrapes: 0,
            before,
            appends: Figures::default(),
            appending: Duration::ZERO,
            appended: 0,
            log: Figures::default(),
            log_bytes: Vec::new(),
        })
    }

    fn scrape_until(&mut self, scrapes: usize) -> Result<()> {
        let mut log = Log::new();
        while self.scrapes < scrapes {
            let mut bytes = 0;
            for (target, handles) in self.targets.iter_mut().zip(&self.handles) {
                let at = BEGIN_MS + self.scrapes as i64 * EVERY_MS + target.jitter();
                target.tick();
                let values = target.values();
                let batch: Vec<_> = handles
                    .iter()
                    .zip(values)
                    .map(|(handle, value)| (*handle, (at, *value)))
                    .collect();
                let start = Instant::now();
                let appended = self.store.append_all(&batch);
                let took = start.elapsed();
                self.appends.add(took);
                self.appending += took;
                self.appended += appended.added;
                ensure!(appended.refused.is_empty(), "{:?}", appended.refused.first());
                let start = Instant::now();
                bytes += black_box(log.encode(&self.store, &batch)).len();
                self.log.add(start.elapsed());
            }
            self.log_bytes.push(bytes);
            if self.scrapes % 4 == 3 {
                self.store.forget(self.now());
            }
            self.scrapes += 1;
        }
        Ok(())
    }

    fn now(&self) -> i64 {
        BEGIN_MS + self.scrapes as i64 * EVERY_MS
    }

    fn series(&self) -> usize {
        self.store.len()
    }

    fn say_memory(&self) -> Result<()> {
        let (bytes, resident) = (
            self.store.bytes() as f64,
            anonymous("self")?.saturating_sub(self.before) as f64,
        );
        row("evenkeel, as it counts itself", self.scrapes, bytes, self.series());
        row(
            "evenkeel, resident beside its targets",
            self.scrapes,
            resident,
            self.series(),
        );
        Ok(())
    }

    fn say_appends(&self) {
        table(
            &format!("a scrape of {} samples", made::EACH),
            &[
                ("evenkeel: appended", &self.appends),
                ("evenkeel: encoded for the log", &self.log),
            ],
        );
        // Over all scrapes: every sixteenth packs what the others have left.
        let samples = self.appended as f64 / self.appending.as_secs_f64() / 1e6;
        let steady = self
            .log_bytes
            .last()
            .map_or(0.0, |bytes| *bytes as f64 / self.series() as f64);
        say(&format!(
            "  {samples:.2} million samples a second on one core; {steady:.2} bytes a sample in the log"
        ));
    }

    fn say_selectors(&self, times: usize) -> Result<()> {
        let now = self.now();
        let (minutes, hours) = (now - 300_000, now - 6 * 3_600_000);
        let one = [equal(NAME, "m0_up")];
        let of_team = [equal("team", "team-1"), equal(NAME, "m7_requests_bucket")];
        let literals = [equal(NAME, "m7_requests_bucket"), regex("le", "0.1|0.5|1")?];
        let prefix = [regex(NAME, "m1[0-4]_.+")?, equal("team", "team-1")];
        let negative = [regex("pod", "pod-[0-9]+")?, not("namespace", "ns-3")];
        say(&format!(
            "\n{:<52} {:>7} {:>11} {:>11} {:>9}",
            "selected", "series", "median", "p99", "ns each"
        ));
        for (name, matchers, start) in [
            ("`up`, 5 minutes", &one[..], minutes),
            ("one metric of a team, 5 minutes", &of_team, minutes),
            ("one metric, three of its buckets, 5 minutes", &literals, minutes),
            ("a name by its prefix, 5 minutes", &prefix, minutes),
            ("almost all by two matchers, 5 minutes", &negative, minutes),
            ("all, 5 minutes", &[], minutes),
            ("one metric of a team, 6 hours", &of_team, hours),
        ] {
            selected(name, times, || {
                Ok(black_box(self.store.select(matchers, start, now)?).len())
            })?;
        }
        selected("the last value of one metric, three buckets", times, || {
            Ok(black_box(self.store.latest(&literals, minutes, now)?).len())
        })?;
        selected("the last value of all", times, || {
            Ok(black_box(self.store.latest(&[], minutes, now)?).len())
        })
    }

    fn say_disk(&self) -> Result<()> {
        let mut bytes = Vec::new();
        let start = Instant::now();
        self.store.snapshot(&mut bytes)?;
        let wrote = start.elapsed();
        let start = Instant::now();
        let restored = Store::restore(&bytes[..], *self.store.limits())?;
        let read = start.elapsed();
        ensure!(restored.damage.is_none() && restored.left_out.is_none(), "it is whole");
        ensure!(restored.store.len() == self.series(), "all is there");
        let millis = |took: Duration| took.as_secs_f64() * 1e3;
        say(&format!(
            "  snapshot: {:.1} MiB in {:.1} ms, restored in {:.1} ms",
            mib(bytes.len() as f64),
            millis(wrote),
            millis(read)
        ));
        Ok(())
    }
}

fn selected(name: &str, times: usize, mut select: impl FnMut() -> Result<usize>) -> Result<()> {
    let mut figures = Figures::default();
    let mut found = 0;
    for _ in 0..times {
        let begun = Instant::now();
        found = select()?;
        figures.add(begun.elapsed());
    }
    ensure!(found > 0, "`{name}` finds something");
    let [median, p99] = [0.5, 0.99].map(|share| figures.quantile(share));
    let each = median.as_nanos() as f64 / found as f64;
    say(&format!(
        "  evenkeel: {name:<40} {found:>7} {median:>11.1?} {p99:>11.1?} {each:>9.1}"
    ));
    Ok(())
}

fn row(name: &str, scrapes: usize, bytes: f64, series: usize) {
    let each = bytes / series as f64;
    let sample = each / scrapes as f64;
    say(&format!(
        "  {name:<50} {scrapes:>7} {:>9.1} {each:>9.1} {sample:>9.2}",
        mib(bytes)
    ));
}

fn mib(bytes: f64) -> f64 {
    bytes / 1_048_576.0
}

fn equal(label: &str, value: &str) -> Matcher {
    matcher(label, MatchOp::Equal(value.to_owned()))
}

fn not(label: &str, value: &str) -> Matcher {
    matcher(label, MatchOp::NotEqual(value.to_owned()))
}

fn regex(label: &str, pattern: &str) -> Result<Matcher> {
    let regex = anchored(pattern).map_err(anyhow::Error::msg)?;
    Ok(matcher(label, MatchOp::Regex(regex)))
}

fn matcher(label: &str, op: MatchOp) -> Matcher {
    Matcher {
        label: label.to_owned(),
        op,
    }
}
