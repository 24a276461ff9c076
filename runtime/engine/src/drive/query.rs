//! Asks a source whether a run has healed what it was about.

use std::time::Instant;

use evenkeel_model::query;
use evenkeel_model::run::Body;

use super::run::Course;
use crate::decide::Query;
use crate::port::JournalError;
use crate::port::metrics::{MetricsError, Series};
use crate::words;

/// Series that the answer tells one by one.
const TOLD: usize = 5;

impl Course {
    pub(super) async fn ask_source(&mut self, asked: Query) -> Result<(), JournalError> {
        let Query {
            asset,
            source,
            question,
        } = asked;
        let expr = question.expr.clone();
        let began = Instant::now();
        let answer = self.engine.ports.plugins.ask(&asset, &source, question);
        let mut killed = self.live.killed.subscribe();
        let answered = tokio::select! {
            answered = answer => answered,
            _ = killed.wait_for(|killed| *killed) => return Ok(()),
        };
        let (healed, told) = judged(answered, query::filters(&expr));
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let queried = Body::Queried {
            expr,
            healed,
            told,
            took_ms,
        };
        self.live.recorder.append(vec![queried]).await
    }
}

/// Healed: there is an answer, and, unless it `filters`, no value of it is 0 or not a number.
fn judged(answered: Result<Vec<Series>, MetricsError>, filters: bool) -> (bool, String) {
    let series = match answered {
        Ok(series) => series,
        Err(error) => return (false, format!("the source can't say: {error}")),
    };
    let value = |series: &Series| series.points.last().map_or(f64::NAN, |point| point.value);
    let holds = |series: &&Series| filters || (value(series) != 0.0 && !value(series).is_nan());
    let holding = series.iter().filter(holds).count();
    let told: Vec<String> = series
        .iter()
        .take(TOLD)
        .map(|series| told(series, value(series)))
        .collect();
    let more = match series.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match series.len() {
        0 => (false, "no series answers it".to_owned()),
        all => (
            holding == all,
            format!(
                "{holding} of {} hold: {}{more}",
                words::count(all, "value"),
                told.join(", ")
            ),
        ),
    }
}

fn told(series: &Series, value: f64) -> String {
    let labels: Vec<String> = series
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value:?}"))
        .collect();
    match labels.is_empty() {
        true => value.to_string(),
        false => format!("{{{}}} {value}", labels.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::metrics::Point;

    fn series(values: &[f64]) -> Vec<Series> {
        let one = |value: &f64| Series {
            labels: vec![("job".into(), "a\"b".into())],
            points: vec![Point {
                at_ms: 1,
                value: *value,
            }],
        };
        values.iter().map(one).collect()
    }

    #[test]
    fn every_value_has_to_hold_and_there_has_to_be_one() {
        let healed = |values: &[f64]| judged(Ok(series(values)), false).0;
        assert!(healed(&[1.0]) && healed(&[-1.0, 7.5]) && healed(&[f64::INFINITY]));
        assert!(!healed(&[]) && !healed(&[0.0]) && !healed(&[1.0, 0.0]) && !healed(&[f64::NAN]) && !healed(&[-0.0]));
        assert!(!judged(Err(MetricsError::TooLarge), true).0);
        assert!(judged(Ok(series(&[0.0])), true).0 && !judged(Ok(series(&[])), true).0);
        let told = judged(Ok(series(&[1.0, 0.0])), false).1;
        assert_eq!(told, r#"1 of 2 values hold: {job="a\"b"} 1, {job="a\"b"} 0"#);
    }
}
