//! `metrics`: PromQL over a source that the operator named.

mod noted;

use std::time::Duration;

use evenkeel_engine::port::metrics::{At, MetricsError, Question, Series};
use evenkeel_model::call::Call;
use evenkeel_model::grant::Capability;
use evenkeel_model::name::AssetId;
use evenkeel_model::role::{Resource, Source};
use serde_json::{Value, json};

use super::{asset, granted};
use crate::bindings::evenkeel::cap::metrics;
use crate::call::Admitted;
use crate::ports::Note;
use crate::state::State;
use noted::{Heard, Noted, Refused, noted};

/// Of an expression, in bytes.
const EXPRESSION: usize = 16 << 10;
/// Left to the plugin of its time when a source takes too long.
const MARGIN: Duration = Duration::from_millis(500);

type Answer = wasmtime::Result<Result<Vec<metrics::Series>, metrics::MetricsError>>;

impl metrics::Host for State {
    async fn query(&mut self, source: String, expr: String, at_ms: Option<u64>) -> Answer {
        let request = json!({ "source": source, "expr": expr, "at-ms": at_ms });
        let at = at_ms.map_or(At::Now, At::Instant);
        self.question("query", source, expr, at, request).await
    }

    async fn query_range(&mut self, source: String, expr: String, from_ms: u64, to_ms: u64, step_ms: u64) -> Answer {
        let request = json!({ "source": source, "expr": expr, "from-ms": from_ms, "to-ms": to_ms, "step-ms": step_ms });
        let at = At::Range {
            from_ms,
            to_ms,
            step_ms,
        };
        self.question("query-range", source, expr, at, request).await
    }
}

impl State {
    async fn question(&mut self, operation: &str, source: String, expr: String, at: At, request: Value) -> Answer {
        let call = Call {
            capability: Capability::Metrics,
            operation: operation.to_owned(),
            subject: source.clone(),
            request,
            content: None,
            effect: false,
            repeatable: true,
        };
        let name = call.subject.clone();
        let granted = short(&expr).and_then(|()| self.source(&source));
        let answer = match self.admit(call, &[], granted).await? {
            Admitted::Answered(answer) => answer,
            Admitted::Live((place, source), ticket) => {
                let answer = self.answer(&place, &source, expr, at).await;
                let answer = self.finish(ticket, answer).await?;
                answer.map(Heard::from).map_err(|refused| refused.error.into())
            }
        };
        Ok(answer.map(|heard| self.pass_on(&name, heard)))
    }

    /// What the contract has no place for is for people.
    fn pass_on(&self, source: &str, Heard { series, notes }: Heard) -> Vec<metrics::Series> {
        for Note { level, text } in notes {
            self.log.write(level, &format!("source `{source}`: {text}"), Vec::new());
        }
        series
    }

    async fn answer(&mut self, place: &AssetId, source: &Source, expr: String, at: At) -> Result<Noted, Refused> {
        let limits = &self.invocation.limits;
        let timeout = self.patience(source.timeout, MARGIN);
        let question = Question {
            expr,
            at,
            timeout,
            series: limits.series,
            points: limits.points,
            bytes: limits.answer_bytes,
        };
        let asked = async {
            let token = match &source.token {
                Some(secret) => Some(
                    self.ports
                        .vault
                        .value(secret)
                        .await
                        .map_err(MetricsError::Unavailable)?,
                ),
                None => None,
            };
            let token = match token {
                Some(None) => return Err(MetricsError::Unavailable("the source's token is not there".into())),
                Some(Some(token)) => {
                    self.redactor.add(&token);
                    Some(token)
                }
                None => None,
            };
            let metrics = &self.ports.metrics;
            Ok(metrics.noting(place, source, token.as_ref(), question).await)
        };
        let answered = tokio::time::timeout(timeout, asked)
            .await
            .unwrap_or_else(|_| Err(MetricsError::Unavailable("no answer in time".into())));
        noted(answered?)
    }

    /// The operator's definition, if it may be asked.
    fn source(&self, name: &str) -> Result<(AssetId, Source), String> {
        let resource = granted(&self.invocation.access, Capability::Metrics, "query", name)?;
        let Resource::Source(source) = resource else {
            return Err(format!("`{name}` is no source"));
        };
        Ok((asset(name, &self.invocation.target.id), source.clone()))
    }
}

fn short(expr: &str) -> Result<(), String> {
    match expr.len() <= EXPRESSION {
        true => Ok(()),
        false => Err(format!(
            "the expression has {} bytes, and {} KiB are allowed",
            expr.len(),
            EXPRESSION >> 10
        )),
    }
}

impl From<Series> for metrics::Series {
    fn from(series: Series) -> Self {
        let point = |point: evenkeel_engine::port::metrics::Point| metrics::Point {
            at_ms: point.at_ms,
            value: point.value,
        };
        Self {
            labels: series.labels,
            points: series.points.into_iter().map(point).collect(),
        }
    }
}

impl From<MetricsError> for metrics::MetricsError {
    fn from(error: MetricsError) -> Self {
        match error {
            MetricsError::Denied(why) => Self::Denied(why),
            MetricsError::Invalid(why) => Self::Invalid(why),
            MetricsError::Unavailable(why) => Self::Unavailable(why),
            MetricsError::TooLarge => Self::TooLarge,
        }
    }
}
