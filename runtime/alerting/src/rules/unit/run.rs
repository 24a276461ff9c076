//! Plays a test: series come in as time goes on, groups are evaluated, and what they give is compared.

use std::time::Duration;

use serde::Serialize;

use super::{AlertCase, ExpressionCase, Firing, Test};
use crate::promql::{Labels, Memory, Options};
use crate::rules::alert::State;
use crate::rules::definition;
use crate::rules::group::{Group, Rule, Settings, vector};
use crate::rules::outgoing::Resend;

/// What came out otherwise than expected. Times are milliseconds from the test's begin.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// A rule could not be evaluated; the test goes no further.
    Rule { rule: String, at_ms: i64, error: String },
    /// Other alerts fire.
    Alerts {
        line: usize,
        name: String,
        at_ms: i64,
        expected: Vec<Firing>,
        got: Vec<Firing>,
    },
    /// An expression gives something else.
    Samples {
        line: usize,
        expr: String,
        at_ms: i64,
        expected: Vec<Sample>,
        got: Vec<Sample>,
    },
    /// An expression gives no samples at all.
    Expression {
        line: usize,
        expr: String,
        at_ms: i64,
        error: String,
    },
}

/// A series, as it is written, with its value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    pub labels: String,
    /// As text: JSON has no infinity.
    pub value: String,
}

impl Test {
    /// All that fails. Groups that `order` names are evaluated in its order.
    pub fn run(&self, groups: &[definition::Group], order: &[String]) -> Vec<Failure> {
        let rank = |group: &definition::Group| order.iter().position(|name| *name == group.name).unwrap_or(0);
        let mut ordered: Vec<_> = groups.iter().collect();
        ordered.sort_by_key(|group| rank(group));
        let mut playing = Playing {
            test: self,
            groups: ordered.into_iter().cloned().map(Group::new).collect(),
            memory: Memory::default(),
            options: Options {
                subquery_step_ms: self.evaluation_interval_ms,
                ..Options::default()
            },
            given: vec![0; self.series.len()],
        };
        playing.play()
    }

    /// When it ends.
    pub(super) fn last_ms(&self) -> i64 {
        let alerts = self.alerts.iter().map(|case| case.at_ms);
        let expressions = self.expressions.iter().map(|case| case.at_ms);
        alerts.chain(expressions).max().unwrap_or_default()
    }
}

struct Playing<'t> {
    test: &'t Test,
    groups: Vec<Group>,
    memory: Memory,
    options: Options,
    /// Values that each series has given.
    given: Vec<usize>,
}

impl Playing<'_> {
    fn play(&mut self) -> Vec<Failure> {
        let step = self.test.evaluation_interval_ms;
        let mut failures = Vec::new();
        let mut at_ms = 0;
        while at_ms <= self.test.last_ms() {
            self.give(at_ms);
            self.evaluate(at_ms);
            failures.extend(self.failed(at_ms));
            if !failures.is_empty() && failures.iter().any(|failure| matches!(failure, Failure::Rule { .. })) {
                return failures;
            }
            let now = at_ms..at_ms.saturating_add(step);
            let due = self.test.alerts.iter().filter(|case| now.contains(&case.at_ms));
            failures.extend(due.filter_map(|case| self.alerts(case)));
            at_ms = now.end;
        }
        failures.extend(self.test.expressions.iter().filter_map(|case| self.expression(case)));
        failures
    }

    /// The samples up to this time.
    fn give(&mut self, at_ms: i64) {
        for ((labels, values), given) in self.test.series.iter().zip(&mut self.given) {
            while let Some(value) = values.get(*given) {
                let time = self
                    .test
                    .interval_ms
                    .saturating_mul(i64::try_from(*given).unwrap_or(i64::MAX));
                if time > at_ms {
                    break;
                }
                *given += 1;
                if let Some(value) = value {
                    // A series that a rule has written at that time already keeps its value.
                    let _ = self.memory.append(labels, time, *value);
                }
            }
        }
    }

    fn evaluate(&mut self, at_ms: i64) {
        let settings = Settings {
            externals: &self.test.externals,
            options: &self.options,
            interval_ms: self.test.interval_ms,
            query_offset_ms: 0,
            resend: Resend::default(),
            stopwatch: &|| Duration::ZERO,
        };
        for group in &mut self.groups {
            group.evaluate(at_ms, &mut self.memory, &settings);
        }
    }

    fn failed(&self, at_ms: i64) -> impl Iterator<Item = Failure> {
        self.rules().filter_map(move |rule| {
            Some(Failure::Rule {
                rule: rule.definition.name.clone(),
                at_ms,
                error: rule.fared.last_error.clone()?,
            })
        })
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| group.rules())
    }

    fn alerts(&self, case: &AlertCase) -> Option<Failure> {
        let rules = self
            .rules()
            .filter(|rule| rule.definition.is_alert() && rule.definition.name == case.name);
        let firing = rules.flat_map(|rule| rule.alerts().filter(|alert| alert.state == State::Firing));
        let got = firing.map(|alert| Firing {
            labels: alert
                .labels
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            annotations: alert.annotations.clone(),
        });
        let (mut got, mut expected): (Vec<_>, _) = (got.collect(), case.expected.clone());
        got.sort();
        expected.sort();
        (got != expected).then(|| Failure::Alerts {
            line: case.line,
            name: case.name.clone(),
            at_ms: case.at_ms,
            expected,
            got,
        })
    }

    fn expression(&self, case: &ExpressionCase) -> Option<Failure> {
        let got = vector(&case.query, &self.memory, case.at_ms, &self.options);
        let got = match got {
            Ok(got) => got.into_iter().map(|element| (element.labels, element.value)),
            Err(error) => {
                return Some(Failure::Expression {
                    line: case.line,
                    expr: case.expr.clone(),
                    at_ms: case.at_ms,
                    error,
                });
            }
        };
        let (mut got, mut expected): (Vec<_>, _) = (got.collect(), case.expected.clone());
        got.sort_by(|a: &(Labels, f64), b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        let same = got.len() == expected.len()
            && got
                .iter()
                .zip(&expected)
                .all(|(a, b)| a.0 == b.0 && self.is_same(a.1, b.1));
        (!same).then(|| Failure::Samples {
            line: case.line,
            expr: case.expr.clone(),
            at_ms: case.at_ms,
            expected: samples(&expected),
            got: samples(&got),
        })
    }

    /// No number is the same as NaN, as promtool has it.
    fn is_same(&self, a: f64, b: f64) -> bool {
        a == b || self.test.fuzzy && (a.next_up() == b || a.next_down() == b)
    }
}

fn samples(of: &[(Labels, f64)]) -> Vec<Sample> {
    let sample = |(labels, value): &(Labels, f64)| Sample {
        labels: labels.to_string(),
        value: value.to_string(),
    };
    of.iter().map(sample).collect()
}
