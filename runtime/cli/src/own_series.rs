//! Sources of metrics that are the daemon's own series: what a plugin or `[healed]` asks of them is answered here, and
//! anything else by who answered before.

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use evenkeel_alerting::promql::{Answer, Labels, Only, Options, Query, Sample, Steps};
use evenkeel_alerting::series::Store;
use evenkeel_engine::Engine;
use evenkeel_engine::port::metrics::{At, Metrics, MetricsError, Point, Question, Series};
use evenkeel_model::name::AssetId;
use evenkeel_model::role::Source;
use evenkeel_model::scrape::CUSTOMER;
use evenkeel_model::secret::Value as Secret;
use evenkeel_sandbox::{Answered, Noting};
use tokio::sync::Semaphore;

use crate::clock::SystemClock;

/// Questions that are answered at a time; others wait for their turn.
static TURNS: Semaphore = Semaphore::const_new(4);
/// Samples that one may read and make: some 160 MB.
const SAMPLES: usize = 10_000_000;

pub struct OwnSeries {
    others: Arc<dyn Noting>,
    own: OnceLock<Own>,
}

struct Own {
    engine: Weak<Engine>,
    series: Arc<Store>,
}

impl OwnSeries {
    pub fn beside(others: Arc<dyn Noting>) -> Self {
        Self {
            others,
            own: OnceLock::new(),
        }
    }

    /// From now on there is a daemon, and it has series.
    pub fn begin(&self, engine: &Arc<Engine>, series: &Arc<Store>) {
        let engine = Arc::downgrade(engine);
        let series = series.clone();
        let _ = self.own.set(Own { engine, series });
    }

    async fn ask(&self, asset: &AssetId, question: Question) -> Result<Vec<Series>, MetricsError> {
        let Some(own) = self.own.get() else {
            let why = "the daemon's series are there while it serves: start `evenkeel serve`";
            return Err(MetricsError::Unavailable(why.to_owned()));
        };
        let home = own.engine.upgrade().map(|engine| engine.home());
        let owner = home.and_then(|home| Some(home.assets.get(asset)?.customer.clone()));
        let Some(owner) = owner else {
            return Err(MetricsError::Denied(format!("there is no asset `{asset}` any more")));
        };
        let (series, timeout) = (own.series.clone(), question.timeout);
        let turn = TURNS.acquire().await;
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            // A customer's plugin sees that customer's series.
            let source = Only {
                source: &*series,
                besides: Some(Only::label(CUSTOMER, owner.as_str())),
            };
            answer(&source, &question)
        });
        match tokio::time::timeout(timeout, asked).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => Err(MetricsError::Unavailable(error.to_string())),
            Err(_) => Err(MetricsError::Unavailable("no answer in time".to_owned())),
        }
    }
}

fn answer(source: &Only<'_>, question: &Question) -> Result<Vec<Series>, MetricsError> {
    let invalid = |error: &dyn std::fmt::Display| MetricsError::Invalid(error.to_string());
    let query = Query::check(&question.expr).map_err(|refusal| invalid(&refusal))?;
    let mut options = Options::default();
    options.limits.samples = SAMPLES;
    let lines: Vec<(Labels, Vec<Sample>)> = match question.at {
        At::Range {
            from_ms,
            to_ms,
            step_ms,
        } => {
            let steps = Steps {
                start_ms: signed(from_ms),
                end_ms: signed(to_ms),
                step_ms: signed(step_ms),
            };
            let found = query.range(source, steps, &options).map_err(|error| invalid(&error))?;
            found.into_iter().map(|line| (line.labels, line.samples)).collect()
        }
        At::Now | At::Instant(_) => {
            let at_ms = match question.at {
                At::Instant(at_ms) => signed(at_ms),
                _ => evenkeel_alerting::port::Clock::now_ms(&SystemClock),
            };
            let found = query
                .instant(source, at_ms, &options)
                .map_err(|error| invalid(&error))?;
            at_once(found, at_ms)?
        }
    };
    let points: usize = lines.iter().map(|(_, samples)| samples.len()).sum();
    if lines.len() > question.series || points > question.points {
        return Err(MetricsError::TooLarge);
    }
    Ok(lines
        .into_iter()
        .map(|(labels, samples)| told(&labels, &samples))
        .collect())
}

fn at_once(answer: Answer, at_ms: i64) -> Result<Vec<(Labels, Vec<Sample>)>, MetricsError> {
    Ok(match answer {
        Answer::Scalar(value) => vec![(Labels::default(), vec![(at_ms, value)])],
        Answer::Vector(elements) => {
            let one = elements
                .into_iter()
                .map(|element| (element.labels, vec![(at_ms, element.value)]));
            one.collect()
        }
        Answer::Matrix(lines) => lines.into_iter().map(|line| (line.labels, line.samples)).collect(),
        Answer::Text(_) => {
            let why = "the expression is a string, and no series";
            return Err(MetricsError::Invalid(why.to_owned()));
        }
    })
}

fn told(labels: &Labels, samples: &[Sample]) -> Series {
    let pairs = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let point = |(at_ms, value): &Sample| Point {
        at_ms: u64::try_from(*at_ms).unwrap_or(0),
        value: *value,
    };
    Series {
        labels: pairs.collect(),
        points: samples.iter().map(point).collect(),
    }
}

fn signed(at_ms: u64) -> i64 {
    i64::try_from(at_ms).unwrap_or(i64::MAX)
}

#[async_trait]
impl Noting for OwnSeries {
    async fn noting(&self, asset: &AssetId, source: &Source, token: Option<&Secret>, question: Question) -> Answered {
        if !source.is_embedded() {
            return self.others.noting(asset, source, token, question).await;
        }
        self.ask(asset, question).await.into()
    }
}

#[async_trait]
impl Metrics for OwnSeries {
    async fn query(
        &self,
        asset: &AssetId,
        source: &Source,
        token: Option<&Secret>,
        question: Question,
    ) -> Result<Vec<Series>, MetricsError> {
        self.noting(asset, source, token, question).await.result
    }
}
