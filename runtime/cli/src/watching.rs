//! The watch over a home: its adapters, and what of the home it watches.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use evenkeel_alerting::intake;
use evenkeel_alerting::lifecycle::Manner;
use evenkeel_alerting::port::{Clock, Memory as _, Tell};
use evenkeel_alerting::rules::{Externals, Outgoing, definition};
use evenkeel_alerting::series::Limits;
use evenkeel_alerting::watch::{Ports, Watch, Watched};
use evenkeel_engine::port::Clock as _;
use evenkeel_model::alert::Labels;
use evenkeel_model::home::Home;
use evenkeel_model::name::CustomerId;
use evenkeel_model::{scrape, target};
use evenkeel_sandbox::Scraper;
use evenkeel_store::SeriesFiles;
use tracing::{error, warn};

use crate::clock::SystemClock;
use crate::wire::House;
use crate::{home, socket};

/// The source of alerts that rules raise, as if `evenkeel.toml` named it so.
const SOURCE: &str = "rules";

/// Begins with what was kept over the restart; nothing is scraped until it is given the home.
pub fn open(house: &Arc<House>) -> Result<Watch> {
    let kept = house.engine.home().settings.series;
    let dir = home::data(&house.dir).join("series");
    let (files, series) =
        SeriesFiles::open(&dir, limits(kept)).with_context(|| format!("can't read or make `{}`", dir.display()))?;
    let ports = Ports {
        fetch: Arc::new(Scraper::over(house.dir.clone(), house.reach.clone())),
        tell: Arc::new(Teller(house.clone())),
        keep: Arc::new(files),
        clock: house.clock.clone(),
    };
    Ok(Watch::new(ports, Arc::new(series)))
}

/// What of a home is watched.
pub fn watched(home: &Home, groups: Vec<definition::Group>) -> Watched {
    Watched {
        targets: scrape::targets(home),
        groups,
        rules: home.settings.rules.clone(),
    }
}

/// What is taken over once, at the start.
pub fn warn_of_restart(served: &Home, next: &Home) {
    let (served, next) = (&served.settings, &next.settings);
    for (changed, what) in [
        (served.series != next.series, "[series]"),
        (served.listen != next.listen, "[server] listen"),
        (served.group != next.group, "[server] group"),
        (served.runs != next.runs, "[engine] runs"),
    ] {
        if changed {
            warn!("`{what}` has changed: it holds from the next start on");
        }
    }
    if let Some(group) = next.group.as_ref().filter(|group| !socket::is_group(group)) {
        warn!("there is no group `{group}` (`[server] group`): with that the next start fails");
    }
}

fn limits(kept: scrape::Series) -> Limits {
    Limits {
        series: kept.max_series,
        bytes: kept.max_memory,
        retention_ms: i64::try_from(kept.retention.as_millis()).unwrap_or(i64::MAX),
        labels: kept.max_labels,
        ..Limits::default()
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        self.now().timestamp_millis()
    }

    fn passed(&self) -> Duration {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGAN.elapsed()
    }
}

/// Takes alerts of rules in as if a Prometheus had pushed them.
struct Teller(Arc<House>);

#[async_trait]
impl Tell for Teller {
    async fn tell(&self, alerts: Vec<Outgoing>, externals: Arc<Externals>) {
        let house = &self.0;
        let (home, now) = (house.engine.home(), house.clock.now());
        let customer = |labels: &Labels| whose(&home, labels);
        let context = intake::Context {
            source: SOURCE,
            customer: &customer,
            now,
            resolve_timeout: home.settings.resolve_timeout,
        };
        let mut taken = Vec::with_capacity(alerts.len());
        for alert in alerts {
            let labels = alert.labels.clone();
            match alert.into_alert(&externals, &context) {
                Ok(alert) => taken.push(alert),
                Err(why) => warn!(%labels, why, "an alert of a rule can't be taken in"),
            }
        }
        // A firing alert is told again within two evaluations.
        if let Err(cause) = house.store.accept_as(Manner::Repeats, taken, now).await {
            error!(%cause, "alerts of rules can't be taken in for the moment");
        }
    }
}

/// The customer that the labels name, as those of all scraped series do; else the owner of the asset that they name.
fn whose(home: &Home, labels: &Labels) -> CustomerId {
    let named = labels.get(scrape::CUSTOMER).map(|name| CustomerId::from(name.as_str()));
    let named = named.filter(|customer| home.customers.contains_key(customer));
    named.unwrap_or_else(|| target::owner(labels, home))
}
