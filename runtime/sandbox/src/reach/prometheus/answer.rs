//! What a Prometheus answers: JSON of its HTTP API, version 1.

use evenkeel_engine::port::metrics::{MetricsError, Point, Series};
use serde_json::Value;

/// Of what a source says is wrong, in characters.
const WORDS: usize = 500;

/// A vector, a matrix, or a scalar, which is one series without labels.
pub fn read(status: u16, body: &[u8]) -> Result<Vec<Series>, MetricsError> {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else {
        return Err(strange(&format!("status {status}, and no JSON")));
    };
    if answer["status"] != "success" {
        return Err(refused(status, &answer));
    }
    let result = &answer["data"]["result"];
    if holds_histograms(result) {
        let why = "the expression answers native histograms, which are no numbers: take a quantile, a count or a sum";
        return Err(MetricsError::Invalid(why.into()));
    }
    let read = match answer["data"]["resultType"].as_str() {
        Some("vector") => series(result, "value", |point| Some(vec![sample(point)?])),
        Some("matrix") => series(result, "values", |points| {
            points.as_array()?.iter().map(sample).collect()
        }),
        Some("scalar") => sample(result).map(|point| {
            vec![Series {
                labels: Vec::new(),
                points: vec![point],
            }]
        }),
        Some("string") => {
            return Err(MetricsError::Invalid(
                "the expression is a string, and no series".into(),
            ));
        }
        _ => None,
    };
    read.ok_or_else(|| strange("a result of no type that is known"))
}

/// They come under a key of their own, beside the numbers or instead of them.
fn holds_histograms(result: &Value) -> bool {
    let mut series = result.as_array().into_iter().flatten();
    series.any(|series| series.get("histogram").is_some() || series.get("histograms").is_some())
}

fn series(result: &Value, key: &str, points: impl Fn(&Value) -> Option<Vec<Point>>) -> Option<Vec<Series>> {
    let one = |series: &Value| {
        let points = points(series.get(key)?)?;
        let labels = series.get("metric")?.as_object()?.iter();
        let labels = labels.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Some(Series {
            labels: labels.collect::<Option<_>>()?,
            points,
        })
    };
    result.as_array()?.iter().map(one).collect()
}

/// `[seconds, "value"]`
fn sample(pair: &Value) -> Option<Point> {
    let [at, value] = pair.as_array()?.as_slice() else {
        return None;
    };
    let at = (at.as_f64()? * 1_000.0).round();
    let value = match value.as_str()? {
        "NaN" => f64::NAN,
        "+Inf" | "Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().ok()?,
    };
    // Before 1970 there was nothing to measure; the conversion saturates.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates, which is what is wanted"
    )]
    let at_ms = at as u64;
    Some(Point { at_ms, value })
}

fn refused(status: u16, answer: &Value) -> MetricsError {
    let words = answer["error"].as_str().unwrap_or("it does not say why");
    let words: String = words.chars().take(WORDS).collect();
    match answer["errorType"].as_str() {
        Some("bad_data" | "execution") => MetricsError::Invalid(words),
        Some(kind) => MetricsError::Unavailable(format!("{kind}: {words}")),
        None => strange(&format!("status {status}, and neither success nor an error")),
    }
}

fn strange(what: &str) -> MetricsError {
    MetricsError::Unavailable(format!("the source does not answer like a Prometheus: {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(answer: &Value) -> Result<Vec<Series>, MetricsError> {
        read(200, answer.to_string().as_bytes())
    }

    fn success(kind: &str, result: Value) -> Value {
        json!({ "status": "success", "data": { "resultType": kind, "result": result } })
    }

    #[test]
    fn vectors_matrices_and_scalars_are_series() {
        let vector = json!([{ "metric": { "__name__": "up", "job": "é" }, "value": [1_700_000_000.123, "+Inf"] }]);
        let read = of(&success("vector", vector)).unwrap();
        assert_eq!(read[0].labels[1], ("job".to_owned(), "é".to_owned()));
        assert_eq!(read[0].points[0].at_ms, 1_700_000_000_123);
        assert_eq!(read[0].points[0].value, f64::INFINITY);
        let matrix = json!([{ "metric": {}, "values": [[1, "1.5"], [2, "NaN"]] }]);
        let read = of(&success("matrix", matrix)).unwrap();
        assert_eq!(
            read[0].points[0],
            Point {
                at_ms: 1_000,
                value: 1.5
            }
        );
        assert!(read[0].points[1].value.is_nan());
        assert_eq!(of(&success("scalar", json!([3, "-Inf"]))).unwrap().len(), 1);
    }

    #[test]
    fn errors_are_told_by_whose_fault_they_are() {
        let error = |kind: &str| of(&json!({ "status": "error", "errorType": kind, "error": "parse error" }));
        assert_eq!(error("bad_data"), Err(MetricsError::Invalid("parse error".into())));
        assert_eq!(
            error("timeout"),
            Err(MetricsError::Unavailable("timeout: parse error".into()))
        );
        assert!(matches!(
            of(&success("string", json!([1, "x"]))),
            Err(MetricsError::Invalid(_))
        ));
        let histogram = json!([{ "metric": {}, "histogram": [1, { "count": "1" }] }]);
        assert!(matches!(
            of(&success("vector", histogram)),
            Err(MetricsError::Invalid(_))
        ));
        assert!(matches!(read(502, b"<html>"), Err(MetricsError::Unavailable(_))));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(
            kind in "vector|matrix|scalar|string|x",
            result in prop_oneof![
                Just(json!(null)), Just(json!([])), Just(json!([null])), Just(json!([[1]])),
                Just(json!([{ "metric": [], "value": [1, 2] }])), Just(json!([{ "metric": { "a": 1 } }])),
                Just(json!([1e308, "1"])), Just(json!([-1, "1e999"])), Just(json!([1, "x"])),
            ],
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = of(&success(&kind, result));
            let _ = read(200, &bytes);
        }
    }
}
