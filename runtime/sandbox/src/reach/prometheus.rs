//! PromQL over the HTTP API of a Prometheus, asked from where the asset is.

mod answer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use evenkeel_engine::port::metrics::{At, Metrics, MetricsError, Question, Series};
use evenkeel_engine::port::reach::{HttpError, Reach, Request, Response};
use evenkeel_model::action::Risk;
use evenkeel_model::call::Level;
use evenkeel_model::name::AssetId;
use evenkeel_model::role::{Origin, Source};
use evenkeel_model::secret::Value as Secret;

use crate::capability::{Target, addresses};
use crate::ports::{Answered, Note, Noting};
use answer::Most;

/// Asks through a reach, so that a Prometheus inside a customer's network is asked from there.
pub struct Prometheus {
    reach: Arc<dyn Reach>,
}

impl Prometheus {
    pub fn over(reach: Arc<dyn Reach>) -> Self {
        Self { reach }
    }

    async fn ask(
        &self,
        asset: &AssetId,
        source: &Source,
        token: Option<&Secret>,
        question: &Question,
    ) -> Result<Response, HttpError> {
        let began = Instant::now();
        let origin = origin(source);
        let target = Target::of(&source.url).map_err(HttpError::Other)?;
        let to = addresses(self.reach.clone(), asset, &origin, &source.url, &target);
        let to = tokio::time::timeout(question.timeout, to)
            .await
            .unwrap_or(Err(HttpError::TimedOut))?;
        let left = question.timeout.saturating_sub(began.elapsed());
        let mut headers = vec![
            (
                "content-type".to_owned(),
                "application/x-www-form-urlencoded".to_owned(),
            ),
            ("accept".to_owned(), "application/json".to_owned()),
        ];
        if let Some(token) = token {
            headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose())));
        }
        let request = Request {
            to,
            tls: target.tls,
            host: target.host.clone(),
            authority: target.authority.clone(),
            method: "POST".into(),
            path: target.join(path(question.at)),
            headers,
            body: form(question, left).into_bytes(),
            timeout: left,
            limit: question.bytes,
        };
        self.reach.send(asset, &origin, request).await
    }
}

#[async_trait]
impl Noting for Prometheus {
    async fn noting(&self, asset: &AssetId, source: &Source, token: Option<&Secret>, question: Question) -> Answered {
        if let Err(error) = bounded(&question) {
            let text = format!("the range has more than {}", most_points(question.points));
            let too_large = error == MetricsError::TooLarge;
            return Answered {
                result: Err(error),
                notes: too_large.then(|| warning(text)).into_iter().collect(),
            };
        }
        match self.ask(asset, source, token, &question).await {
            Err(error) => Err(unreachable(error)).into(),
            Ok(response) => {
                let Question { series, points, .. } = question;
                answer::read(response.status, &response.body, Most { series, points })
            }
        }
    }
}

#[async_trait]
impl Metrics for Prometheus {
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

/// What can't be small enough is not asked for. Both ends of a range are asked for.
fn bounded(question: &Question) -> Result<(), MetricsError> {
    let At::Range {
        from_ms,
        to_ms,
        step_ms,
    } = question.at
    else {
        return Ok(());
    };
    if step_ms == 0 || to_ms < from_ms {
        return Err(MetricsError::Invalid(
            "a range goes forwards, in steps of a millisecond or more".into(),
        ));
    }
    let steps = (to_ms - from_ms) / step_ms;
    match usize::try_from(steps).is_ok_and(|steps| steps < question.points) {
        true => Ok(()),
        false => Err(MetricsError::TooLarge),
    }
}

/// A bound, and where it can be changed.
fn most_points(points: usize) -> String {
    format!("{points} points, which is `points` of [sandbox]")
}

fn warning(text: String) -> Note {
    let level = Level::Warn;
    Note { level, text }
}

fn path(at: At) -> &'static str {
    match at {
        At::Now | At::Instant(_) => "/api/v1/query",
        At::Range { .. } => "/api/v1/query_range",
    }
}

/// One series more than is wanted is asked for, so that too many can be told from enough.
fn form(question: &Question, timeout: Duration) -> String {
    let mut fields = vec![("query", question.expr.clone())];
    match question.at {
        At::Now => {}
        At::Instant(at) => fields.push(("time", seconds(at))),
        At::Range {
            from_ms,
            to_ms,
            step_ms,
        } => fields.extend([
            ("start", seconds(from_ms)),
            ("end", seconds(to_ms)),
            ("step", seconds(step_ms)),
        ]),
    }
    fields.push(("timeout", format!("{}ms", timeout.as_millis().max(1))));
    fields.push(("limit", (question.series + 1).to_string()));
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
}

/// As a form has it: everything but letters, digits and `-._~` by its bytes (RFC 3986, 2.3).
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn origin(source: &Source) -> Origin {
    Origin {
        url: source.url.clone(),
        allow: vec!["POST".into()],
        read_only: Vec::new(),
        private: source.private,
        ca: source.ca.clone(),
        risk: Risk::Low,
        timeout: source.timeout,
    }
}

fn unreachable(error: HttpError) -> MetricsError {
    match error {
        HttpError::Denied(why) => MetricsError::Denied(why),
        HttpError::TooLarge => MetricsError::TooLarge,
        error => MetricsError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(at: At) -> Question {
        Question {
            expr: "sum by (a) (x{b=\"é&\"})".into(),
            at,
            timeout: Duration::from_secs(5),
            series: 10,
            points: 100,
            bytes: 1_000,
        }
    }

    #[test]
    fn a_question_is_a_form() {
        let now = form(&question(At::Now), Duration::from_millis(2_500));
        assert_eq!(
            now,
            "query=sum%20by%20%28a%29%20%28x%7Bb%3D%22%C3%A9%26%22%7D%29&timeout=2500ms&limit=11"
        );
        let range = At::Range {
            from_ms: 1_005,
            to_ms: 61_000,
            step_ms: 15_000,
        };
        let range = form(&question(range), Duration::ZERO);
        assert!(
            range.contains("&start=1.005&end=61.000&step=15.000&timeout=1ms&"),
            "{range}"
        );
    }

    #[test]
    fn a_range_that_is_too_long_or_goes_nowhere_is_not_asked_for() {
        let range = |from_ms, to_ms, step_ms| {
            bounded(&question(At::Range {
                from_ms,
                to_ms,
                step_ms,
            }))
        };
        assert_eq!(range(0, 99, 1), Ok(()));
        assert_eq!(range(0, 100, 1), Err(MetricsError::TooLarge));
        assert_eq!(range(0, u64::MAX, 1), Err(MetricsError::TooLarge));
        assert!(matches!(range(0, 1, 0), Err(MetricsError::Invalid(_))));
        assert!(matches!(range(2, 1, 1), Err(MetricsError::Invalid(_))));
    }
}
