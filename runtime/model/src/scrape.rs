//! What is scraped, what is kept of it, and by what rules are evaluated.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::Labels;
use crate::asset::{Asset, Customer};
use crate::home::Home;
use crate::name::{AssetId, CustomerId};
use crate::runbook::Selector;
use crate::template;

/// The label that says whose a series is.
pub const CUSTOMER: &str = "customer";

/// Labels of a target that `labels` of a `[scrape]` can't be: they say whose series these are.
pub const OWN_LABELS: [&str; 4] = ["asset", CUSTOMER, "instance", "job"];

/// `[scrape.NAME]`: an address on each asset that is selected, asked for exposition text.
#[derive(Clone, Debug, PartialEq)]
pub struct Scrape {
    /// The label `job`.
    pub name: String,
    /// None: all assets.
    pub select: Option<Selector>,
    /// May hold `{{ asset.… }}` and `{{ customer.… }}`.
    pub url: String,
    pub every: Duration,
    /// Not longer than `every`.
    pub timeout: Duration,
    /// On all series of it.
    pub labels: Labels,
    /// Labels in the text take the place of the target's; otherwise they get `exported_` before their names.
    pub honor_labels: bool,
    /// Times in the text are those of the samples.
    pub honor_timestamps: bool,
    /// What `Authorization: Bearer` holds, relative to the home.
    pub token_file: Option<PathBuf>,
    /// PEM file with further certificate authorities, relative to the home.
    pub ca: Option<PathBuf>,
    /// More in one answer, and none of it is taken.
    pub max_samples: usize,
    /// The same of its bytes, unpacked.
    pub max_body: usize,
}

/// One asset's part in a scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub scrape: Arc<Scrape>,
    pub asset: AssetId,
    pub customer: CustomerId,
    pub url: String,
    /// Host and port of the URL: the label `instance`.
    pub instance: String,
}

impl Target {
    /// What all series of it have.
    pub fn labels(&self) -> Labels {
        let own = [
            ("asset", self.asset.as_str()),
            (CUSTOMER, self.customer.as_str()),
            ("instance", &self.instance),
            ("job", &self.scrape.name),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.scrape.labels.clone().into_iter().chain(own).collect()
    }
}

impl Scrape {
    pub(crate) fn selects(&self, asset: &Asset) -> bool {
        let selector = self.select.as_ref();
        selector.is_none_or(|select| select.matches(&asset.selectable()))
    }

    /// None: the URL has no meaning on that asset, which a checked home has refused.
    fn target(self: &Arc<Self>, asset: &Asset, customer: &Customer) -> Option<Target> {
        let url = template::render_text(&self.url, &template::role_context(asset, customer)).ok()?;
        let instance = instance(&url)?;
        Some(Target {
            scrape: self.clone(),
            asset: asset.id.clone(),
            customer: asset.customer.clone(),
            url,
            instance,
        })
    }
}

/// Host and port, the scheme's if it says none, as Prometheus has it.
pub(crate) fn instance(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    let port = match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    Some(format!("{}:{}", uri.host()?, uri.port_u16().unwrap_or(port)))
}

/// All that a home scrapes, by job and asset.
pub fn targets(home: &Home) -> Vec<Target> {
    let assets = || home.assets.values();
    let of = |scrape: &Arc<Scrape>| {
        let targets = assets().filter(|asset| scrape.selects(asset)).filter_map(|asset| {
            let customer = home.customers.get(&asset.customer)?;
            scrape.target(asset, customer)
        });
        targets.collect::<Vec<_>>()
    };
    home.settings.scrapes.iter().flat_map(of).collect()
}

/// `[series]`: what the series may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    pub retention: Duration,
    pub max_series: usize,
    /// Bytes.
    pub max_memory: usize,
    /// Of one series.
    pub max_labels: usize,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(86_400),
            max_series: 200_000,
            max_memory: 512 << 20,
            max_labels: 64,
        }
    }
}

/// `[rules]`: what holds for all rule files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// For groups that say nothing.
    pub every: Duration,
    /// `$externalLabels` of templates.
    pub external_labels: Labels,
    /// `$externalURL` of templates, and where the links of alerts begin.
    pub external_url: String,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(60),
            external_labels: Labels::new(),
            external_url: String::new(),
        }
    }
}
