//! A group of rules with its state, and what one evaluation of it does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::alert::{Active, Alert, Judge};
use super::definition::{self, Does};
use super::expand::Externals;
use super::outgoing::{self, Outgoing, Resend};
use super::sink::Sink;
use crate::promql::{Answer, Element, Labels, NAME, Options, Query, STALE, Source};

/// What evaluations have in common.
pub struct Settings<'a> {
    pub externals: &'a Externals,
    pub options: &'a Options,
    /// Between two evaluations of a group that names no time of its own.
    pub interval_ms: i64,
    /// Of a group that names none.
    pub query_offset_ms: i64,
    pub resend: Resend,
    /// A clock that only goes forward, for how long a rule took.
    pub stopwatch: &'a dyn Fn() -> Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It was not evaluated yet.
    #[default]
    Unknown,
    Good,
    Bad,
}

impl Health {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "ok",
            Self::Bad => "err",
        }
    }
}

/// How a rule fared when it was evaluated last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fared {
    pub health: Health,
    pub last_error: Option<String>,
    pub at_ms: Option<i64>,
    pub took: Duration,
    /// Series that it gave.
    pub series: usize,
}

/// A rule with its state.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Shared, for what a group shows of itself is a copy of it.
    pub definition: Arc<definition::Rule>,
    pub fared: Fared,
    pub(super) active: Active,
    /// What it gave last; what it then gives no more is marked as ended.
    gave: BTreeSet<Labels>,
    /// Its alerts have the times that they had before a restart, so `ALERTS` may be written.
    pub(super) restored: bool,
}

/// A group with its state.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: String,
    pub file: String,
    pub interval_ms: Option<i64>,
    pub limit: Option<usize>,
    query_offset_ms: Option<i64>,
    pub(super) rules: Vec<Rule>,
    /// Of rules that are no more; marked as ended by the next evaluation.
    ended: Vec<Labels>,
    pub last_evaluation_ms: Option<i64>,
    pub took: Duration,
}

impl Group {
    /// Nothing of it was there before; [`Group::to_be_restored`] is for what may have been.
    pub fn new(definition: definition::Group) -> Self {
        Self::with(definition, true)
    }

    /// Its alerts are not written as series until [`Group::restore`] has looked for what was there before.
    pub fn to_be_restored(definition: definition::Group) -> Self {
        Self::with(definition, false)
    }

    fn with(definition: definition::Group, restored: bool) -> Self {
        let rule = |definition| Rule {
            definition: Arc::new(definition),
            fared: Fared::default(),
            active: Active::new(),
            gave: BTreeSet::new(),
            restored,
        };
        Self {
            name: definition.name,
            file: definition.file,
            interval_ms: definition.interval_ms,
            limit: definition.limit,
            query_offset_ms: definition.query_offset_ms,
            rules: definition.rules.into_iter().map(rule).collect(),
            ended: Vec::new(),
            last_evaluation_ms: None,
            took: Duration::ZERO,
        }
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Goes on where `old` was: rules of the same name and labels, in their order, keep their alerts and series.
    pub fn go_on_from(&mut self, old: Self) {
        let mut left = old.rules;
        for rule in &mut self.rules {
            let Some(at) = left.iter().position(|old| old.is_the_same_as(rule)) else {
                continue;
            };
            let old = left.remove(at);
            (rule.fared, rule.active, rule.gave, rule.restored) = (old.fared, old.active, old.gave, old.restored);
        }
        self.ended = old.ended;
        self.ended.extend(left.into_iter().flat_map(|rule| rule.gave));
        (self.last_evaluation_ms, self.took) = (old.last_evaluation_ms, old.took);
    }

    /// Marks all that it gave as ended: nobody evaluates it any more.
    pub fn end(self, at_ms: i64, sink: &mut dyn Sink) {
        let gave = self.rules.into_iter().flat_map(|rule| rule.gave);
        for labels in gave.chain(self.ended) {
            // A series that can't be ended ends by itself, after the lookback.
            let _ = sink.append(&labels, at_ms, f64::from_bits(STALE));
        }
    }

    /// Evaluates its rules in their order, each seeing what those before it recorded. Returns what is to be told.
    pub fn evaluate(&mut self, at_ms: i64, sink: &mut dyn Sink, settings: &Settings<'_>) -> Vec<Outgoing> {
        let began = (settings.stopwatch)();
        let dated_ms = at_ms.saturating_sub(self.query_offset_ms.unwrap_or(settings.query_offset_ms));
        let turn = Turn {
            at_ms,
            dated_ms,
            interval_ms: self.interval_ms.unwrap_or(settings.interval_ms),
            limit: self.limit,
            settings,
        };
        let mut told = Vec::new();
        for rule in &mut self.rules {
            rule.evaluate(&turn, sink, &mut told);
        }
        for labels in self.ended.drain(..) {
            let _ = sink.append(&labels, dated_ms, f64::from_bits(STALE));
        }
        self.last_evaluation_ms = Some(at_ms);
        self.took = (settings.stopwatch)().saturating_sub(began);
        told
    }
}

/// One evaluation of a group.
struct Turn<'a> {
    at_ms: i64,
    /// The time that is asked about, and that results are given.
    dated_ms: i64,
    interval_ms: i64,
    limit: Option<usize>,
    settings: &'a Settings<'a>,
}

impl Rule {
    /// Pending and firing alerts.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.active.values().filter(|alert| alert.is_active())
    }

    /// Those also that ended lately.
    pub fn remembered(&self) -> impl Iterator<Item = &Alert> {
        self.active.values()
    }

    fn is_the_same_as(&self, other: &Self) -> bool {
        let labels = |rule: &Self| -> Vec<(String, String)> {
            let labels = rule.definition.labels.iter();
            labels
                .map(|(name, text)| (name.clone(), text.source().to_owned()))
                .collect()
        };
        self.definition.is_alert() == other.definition.is_alert()
            && self.definition.name == other.definition.name
            && labels(self) == labels(other)
    }

    fn evaluate(&mut self, turn: &Turn<'_>, sink: &mut dyn Sink, told: &mut Vec<Outgoing>) {
        let began = (turn.settings.stopwatch)();
        let outcome = match self.results(turn, sink) {
            Ok(results) => {
                let series = results.len();
                self.tell(turn, told);
                (series, self.write(results, turn, sink).err())
            }
            Err(error) => (0, Some(error)),
        };
        self.fared = Fared {
            health: if outcome.1.is_some() { Health::Bad } else { Health::Good },
            last_error: outcome.1,
            at_ms: Some(turn.at_ms),
            took: (turn.settings.stopwatch)().saturating_sub(began),
            series: outcome.0,
        };
    }

    /// What is to be written.
    fn results(&mut self, turn: &Turn<'_>, source: &dyn Source) -> Result<Vec<Element>, String> {
        let options = turn.settings.options;
        let elements = vector(&self.definition.query, source, turn.dated_ms, options)?;
        let Does::Alert {
            for_ms,
            keep_firing_for_ms,
            annotations,
        } = &self.definition.does
        else {
            return self.recorded(elements, turn.limit);
        };
        let judge = Judge {
            rule: &self.definition,
            for_ms: *for_ms,
            keep_firing_for_ms: *keep_firing_for_ms,
            annotations,
            limit: turn.limit,
        };
        let mut ask = |text: &str| {
            let query = Query::check(text).map_err(|refusal| refusal.to_string())?;
            vector(&query, source, turn.at_ms, options)
        };
        let held = judge.held(&elements, turn.at_ms, turn.settings.externals, &mut ask)?;
        judge.step(&mut self.active, held, turn.at_ms)?;
        let alive = self.active.values().filter(|alert| self.restored && alert.is_active());
        Ok(alive.flat_map(|alert| judge.series(alert)).collect())
    }

    fn recorded(&self, elements: Vec<Element>, limit: Option<usize>) -> Result<Vec<Element>, String> {
        let mut known = BTreeSet::new();
        let mut recorded = Vec::with_capacity(elements.len());
        for element in elements {
            let mut labels = element.labels.with(NAME, &self.definition.name);
            for (name, text) in &self.definition.labels {
                labels = labels.with(name, text.source());
            }
            if !known.insert(labels.clone()) {
                return Err("vector contains metrics with the same labelset after applying rule labels".to_owned());
            }
            let value = element.value;
            recorded.push(Element { labels, value });
        }
        match limit {
            Some(limit) if recorded.len() > limit => {
                let series = recorded.len();
                Err(format!("exceeded limit of {limit} with {series} series"))
            }
            _ => Ok(recorded),
        }
    }

    fn tell(&mut self, turn: &Turn<'_>, told: &mut Vec<Outgoing>) {
        let (expr, resend) = (&self.definition.expr, turn.settings.resend);
        let for_ms = match self.definition.does {
            Does::Alert { for_ms, .. } => for_ms,
            Does::Record => return,
        };
        let alerts = self.active.values_mut();
        told.extend(
            alerts.filter_map(|alert| outgoing::tell(alert, (expr, for_ms), turn.at_ms, turn.interval_ms, resend)),
        );
    }

    /// Appends what it gave, and the end of what it gave before and no longer gives.
    fn write(&mut self, results: Vec<Element>, turn: &Turn<'_>, sink: &mut dyn Sink) -> Result<(), String> {
        let mut failed = None;
        let mut gives = BTreeSet::new();
        for Element { labels, value } in results {
            match sink.append(&labels, turn.dated_ms, value) {
                Ok(()) => {
                    gives.insert(labels);
                }
                Err(error) => failed = Some(error.to_string()),
            }
        }
        for labels in self.gave.difference(&gives) {
            if let Err(error) = sink.append(labels, turn.dated_ms, f64::from_bits(STALE)) {
                failed = Some(error.to_string());
            }
        }
        self.gave = gives;
        failed.map_or(Ok(()), Err)
    }
}

/// The elements of an answer; a scalar is one without labels.
pub(super) fn vector(
    query: &Query,
    source: &dyn Source,
    at_ms: i64,
    options: &Options,
) -> Result<Vec<Element>, String> {
    match query.instant(source, at_ms, options) {
        Ok(Answer::Vector(elements)) => Ok(elements),
        Ok(Answer::Scalar(value)) => {
            let labels = Labels::default();
            Ok(vec![Element { labels, value }])
        }
        Ok(Answer::Text(_) | Answer::Matrix(_)) => Err("rule result is not a vector or scalar".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
