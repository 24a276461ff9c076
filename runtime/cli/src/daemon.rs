//! The daemon as its own console sees it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_alerting::watch::{Health, Watch};
use evenkeel_console::port::{About, Circuit, Credential, Daemon as _, Token};
use evenkeel_console::prometheus::Readers;
use evenkeel_console::{Metric, MetricKind};
use evenkeel_engine::port::Clock as _;
use evenkeel_model::change::{ChangeFilter, Recorded};
use evenkeel_model::home::Home;
use evenkeel_model::name::RunId;
use evenkeel_store::Counts;
use tokio::sync::broadcast;
use tracing::{info, warn};

use crate::home::{self, Stamp};
use crate::watching;
use crate::wire::House;

pub struct Daemon {
    house: Arc<House>,
    watch: Arc<Watch>,
    listen: Mutex<SocketAddr>,
    since: DateTime<Utc>,
    sources: RwLock<Arc<Vec<Credential>>>,
    readers: RwLock<Arc<Vec<Credential>>>,
    /// Files with tokens, also of a home that was read and not taken over.
    tokens: Mutex<Vec<PathBuf>>,
    tokens_at_start: Stamp,
    reloading: tokio::sync::Mutex<()>,
    draining: AtomicBool,
    /// The home on disk doesn't check clean; an older one is served.
    stale: AtomicBool,
}

impl Daemon {
    /// Reads the tokens of the home's sources and readers.
    pub fn new(house: Arc<House>, watch: Arc<Watch>, listen: SocketAddr) -> Result<Self> {
        let tokens = token_files(&house.engine.home());
        let tokens_at_start = home::stamp_of(tokens.clone());
        let home = house.engine.home();
        let (sources, readers) = (credentials(&home, "source")?, credentials(&home, "reader")?);
        Ok(Self {
            tokens: Mutex::new(tokens),
            tokens_at_start,
            reloading: tokio::sync::Mutex::default(),
            since: house.clock.now(),
            house,
            watch,
            listen: Mutex::new(listen),
            sources: RwLock::new(Arc::new(sources)),
            readers: RwLock::new(Arc::new(readers)),
            draining: AtomicBool::new(false),
            stale: AtomicBool::new(false),
        })
    }

    pub fn has_sources(&self) -> bool {
        !self.sources().is_empty()
    }

    /// The address that was got, where port 0 was asked for.
    pub fn bound(&self, address: SocketAddr) {
        *self.listen.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    pub fn drains(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// A home that can't be read has the stamp of nothing. Tokens are part of it.
    pub fn stamp(&self) -> Stamp {
        let mut stamp = home::stamp(&self.house.dir).unwrap_or_default();
        stamp.extend(home::stamp_of(
            self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        ));
        stamp
    }

    /// As it was before what is served now was read.
    pub fn stamp_at_start(&self) -> Stamp {
        let mut stamp = self.house.stamp.clone();
        stamp.extend(self.tokens_at_start.iter().cloned());
        stamp
    }

    /// Reloads, and says in the log what came of it.
    pub async fn take_over(&self) {
        match self.try_reload().await {
            Ok(()) => info!("the changed home is served"),
            Err(error) => warn!("the changed home is not served, the one before it is:\n{error:#}"),
        }
    }

    async fn try_reload(&self) -> Result<()> {
        let result = self.reload_all().await;
        self.stale.store(result.is_err(), Ordering::Relaxed);
        result
    }

    async fn reload_all(&self) -> Result<()> {
        // One after the other, or an older reading could be taken over last.
        let _one = self.reloading.lock().await;
        let (next, rules) = self.house.next().await?;
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = token_files(&next);
        let (sources, readers) = (credentials(&next, "source")?, credentials(&next, "reader")?);
        let listen = *self.listen.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.is_empty() && !listen.ip().is_loopback() {
            bail!("the last `[source]` is gone, and {listen} can be reached from elsewhere");
        }
        *self.sources.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sources);
        *self.readers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(readers);
        watching::warn_of_restart(&self.house.engine.home(), &next);
        let watched = watching::watched(&next, rules);
        self.house.engine.reload(Arc::new(next));
        self.watch.take(watched).await;
        Ok(())
    }
}

fn token_files(home: &Home) -> Vec<PathBuf> {
    let bearers = home.settings.sources.iter().chain(&home.settings.readers);
    bearers.map(|bearer| home.dir.join(&bearer.token_file)).collect()
}

/// Of all that `evenkeel.toml` has as `[kind.NAME]`.
fn credentials(home: &Home, kind: &str) -> Result<Vec<Credential>> {
    let read = |source: &evenkeel_model::home::Source| {
        Ok(Credential {
            name: source.name.clone(),
            token: token(&home.dir, &source.token_file, &format!("{kind}.{}", source.name))?,
            customer: source.customer.clone(),
        })
    };
    let bearers = match kind {
        "source" => &home.settings.sources,
        _ => &home.settings.readers,
    };
    let read: Vec<Credential> = bearers.iter().map(read).collect::<Result<_>>()?;
    for (n, one) in read.iter().enumerate() {
        if let Some(other) = read[..n].iter().find(|other| other.token.equals(&one.token)) {
            bail!(
                "`[{kind}.{}]` and `[{kind}.{}]` have the same token: give each its own",
                other.name,
                one.name
            );
        }
    }
    Ok(read)
}

/// The file's first line.
fn token(dir: &Path, file: &Path, whose: &str) -> Result<Token> {
    let path = dir.join(file);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("can't read `{}`, the token of `[{whose}]`", path.display()))?;
    match text.lines().next().map(str::trim) {
        Some(token) if token.len() >= 16 => Ok(Token::new(token)),
        _ => bail!(
            "`{}` holds no token: its first line must have 16 characters or more",
            path.display()
        ),
    }
}

#[async_trait]
impl evenkeel_console::port::Daemon for Daemon {
    fn about(&self) -> About {
        About {
            home: self.house.dir.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen: self.listen.lock().unwrap_or_else(PoisonError::into_inner).to_string(),
            since: self.since,
        }
    }

    fn sources(&self) -> Arc<Vec<Credential>> {
        self.sources.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn readers(&self) -> Readers {
        let readers = self.readers.read().unwrap_or_else(PoisonError::into_inner).clone();
        let listen = *self.listen.lock().unwrap_or_else(PoisonError::into_inner);
        match readers.is_empty() {
            false => Readers::These(readers),
            true if listen.ip().is_loopback() => Readers::Anybody,
            true => Readers::Nobody,
        }
    }

    async fn reload(&self) -> Result<(), String> {
        self.try_reload().await.map_err(|error| format!("{error:#}"))
    }

    async fn ailments(&self) -> Vec<String> {
        let mut ailments = Vec::new();
        if self.draining.load(Ordering::Relaxed) {
            ailments.push("the daemon is stopping".to_owned());
        }
        if let Err(why) = self.house.store.writable().await {
            ailments.push(format!("the journal can't be written: {why}"));
        }
        ailments
    }

    async fn changes(&self, filter: ChangeFilter) -> Result<Vec<Recorded>, String> {
        self.house.store.changes(filter).await
    }

    fn appended(&self) -> broadcast::Receiver<RunId> {
        self.house.store.appended()
    }

    fn circuits(&self) -> Vec<Circuit> {
        let now = self.house.clock.now();
        let open = self.house.sandbox.open_circuits().into_iter();
        let open = open.map(|open| Circuit {
            plugin: open.plugin,
            version: open.version.to_string(),
            digest: open.digest.to_string(),
            customer: open.customer,
            since: now - open.since,
            retry: now + open.retry,
            why: open.why,
        });
        open.collect()
    }

    fn close_circuits(&self, plugin: &str, version: Option<&str>, who: &str) -> usize {
        let wanted = version.map(semver::Version::parse).transpose();
        let closed = wanted.map_or(0, |version| self.house.sandbox.close_circuits(plugin, version.as_ref()));
        if closed > 0 {
            info!(plugin, closed, by = who, "circuits were closed");
        }
        closed
    }

    fn metrics(&self) -> Vec<Metric> {
        let counts = self.house.store.counts();
        let counter = |name, help, value: u64| Metric::new(name, help, MetricKind::Counter).value(value as f64);
        let gauge = |name, help, value: f64| Metric::new(name, help, MetricKind::Gauge).value(value);
        let mut finished = Metric::new(
            "evenkeel_runs_finished_total",
            "Runs that finished, by verdict.",
            MetricKind::Counter,
        );
        for (verdict, count) in &counts.verdicts {
            finished = finished.labelled(vec![("verdict", (*verdict).to_owned())], *count as f64);
        }
        let build = Metric::new("evenkeel_build_info", "The version that serves.", MetricKind::Gauge)
            .labelled(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0);
        let stale = f64::from(u8::from(self.stale.load(Ordering::Relaxed)));
        let mut metrics = vec![
            build,
            gauge(
                "evenkeel_start_time_seconds",
                "When the daemon started.",
                self.since.timestamp() as f64,
            ),
            gauge(
                "evenkeel_home_stale",
                "1: the home on disk has problems, and an older one is served.",
                stale,
            ),
            counter("evenkeel_rounds_total", "Rounds that were opened.", counts.rounds),
            counter("evenkeel_runs_total", "Runs that were asked for.", counts.runs),
            finished,
            counter(
                "evenkeel_invocations_total",
                "Calls of plugins that began.",
                counts.invocations,
            ),
            counter(
                "evenkeel_journal_events_total",
                "Events that were written.",
                counts.events,
            ),
            counter("evenkeel_journal_groups_total", "Transactions.", counts.groups),
            gauge(
                "evenkeel_circuits_open",
                "Plugins that a customer's runs don't call for a while, because they trapped.",
                self.house.sandbox.open_circuits().len() as f64,
            ),
            gauge("evenkeel_journal_queued", "Writes that wait.", counts.queued as f64),
        ];
        metrics.extend(told(&counts));
        metrics.extend(watched(&self.watch));
        metrics
    }
}

/// What is scraped and judged.
fn watched(watch: &Watch) -> [Metric; 6] {
    let gauge = |name, help, value: usize| Metric::new(name, help, MetricKind::Gauge).value(value as f64);
    let (targets, groups) = (watch.targets(), watch.groups());
    let up = targets.iter().filter(|target| target.health == Health::Up).count();
    let rules = groups.iter().flat_map(|group| group.rules());
    let failing = rules.clone().filter(|rule| rule.fared.last_error.is_some()).count();
    [
        gauge("evenkeel_series", "Series that are kept.", watch.series().len()),
        gauge(
            "evenkeel_series_bytes",
            "Memory that series take, about.",
            watch.series().bytes(),
        ),
        gauge("evenkeel_targets", "Targets that are scraped.", targets.len()),
        gauge("evenkeel_targets_up", "Those whose last scrape went well.", up),
        gauge("evenkeel_rules", "Rules that are evaluated.", rules.count()),
        gauge("evenkeel_rules_failing", "Those whose last evaluation failed.", failing),
    ]
}

/// How people are told.
fn told(counts: &Counts) -> [Metric; 4] {
    let counter = |name, help, value: u64| Metric::new(name, help, MetricKind::Counter).value(value as f64);
    [
        counter(
            "evenkeel_notices_total",
            "Notices for people that came in.",
            counts.notices,
        ),
        counter(
            "evenkeel_notices_delivered_total",
            "Notices that were delivered.",
            counts.delivered,
        ),
        counter(
            "evenkeel_notices_given_up_total",
            "Notices that were given up.",
            counts.given_up,
        ),
        counter(
            "evenkeel_notice_tries_total",
            "Tries to deliver a notice.",
            counts.tries,
        ),
    ]
}
