use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const MOST: Most = Most { series: 5, points: 20 };

fn of(answer: &Value) -> Result<Vec<Series>, MetricsError> {
    read(200, answer.to_string().as_bytes(), MOST).result
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
    assert_eq!(of(&success("vector", json!([]))), Ok(vec![]));
}

#[test]
fn errors_are_told_by_whose_fault_they_are() {
    let error = |kind: Value| of(&json!({ "status": "error", "errorType": kind, "error": "parse\nerror" }));
    for kind in [
        json!("bad_data"),
        json!("execution"),
        json!("422"),
        json!("400"),
        json!(422),
    ] {
        assert_eq!(error(kind), Err(MetricsError::Invalid("parse error".into())));
    }
    for (kind, words) in [("timeout", "timeout: parse error"), ("503", "status 503: parse error")] {
        assert_eq!(error(json!(kind)), Err(MetricsError::Unavailable(words.into())));
    }
    assert!(matches!(
        of(&success("string", json!([1, "x"]))),
        Err(MetricsError::Invalid(_))
    ));
    let histogram = json!([{ "metric": {}, "histogram": [1, { "count": "1" }] }]);
    assert!(matches!(
        of(&success("vector", histogram)),
        Err(MetricsError::Invalid(_))
    ));
    for (status, words) in [(502, "status 502, and no JSON"), (401, "`token` names the secret")] {
        let refused = read(status, b"<html>", MOST).result.unwrap_err();
        assert!(matches!(refused, MetricsError::Unavailable(_)), "{refused}");
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

fn one(labels: usize, points: usize) -> Value {
    let labels: serde_json::Map<_, _> = (0..labels).map(|n| (n.to_string(), json!("x"))).collect();
    json!({ "metric": labels, "values": vec![json!([1, "1"]); points] })
}

#[test]
fn what_is_too_much_is_refused_by_the_name_of_its_limit() {
    for (result, words) in [
        (json!(vec![one(0, 1); 6]), "more than 5 series, which is `series`"),
        (
            json!([one(0, 11), one(1, 10)]),
            "more than 20 points, which is `points`",
        ),
        (json!([one(257, 1)]), "more than 256 labels on one series"),
    ] {
        let answered = read(200, success("matrix", result).to_string().as_bytes(), MOST);
        assert_eq!(answered.result, Err(MetricsError::TooLarge));
        assert!(answered.notes[0].text.contains(words), "{:?}", answered.notes);
    }
    let enough = json!([one(256, 4), one(0, 4), one(0, 4), one(0, 4), one(0, 4)]);
    assert_eq!(of(&success("matrix", enough)).unwrap().len(), 5);
    let truncated = success("matrix", json!(vec![one(0, 1); 6])).to_string();
    let truncated = &truncated.as_bytes()[..truncated.len() - 10];
    let refused = read(200, truncated, MOST).result;
    assert_eq!(refused, Err(MetricsError::TooLarge), "what follows is not read");
}

#[test]
fn warnings_and_infos_are_kept_and_bounded() {
    let mut answer = success("vector", json!([]));
    answer["warnings"] = json!(vec!["slow\u{1b}[0m"; 12]);
    answer["infos"] = json!(["x".repeat(1_000)]);
    let Answered { result, notes } = read(200, answer.to_string().as_bytes(), MOST);
    assert_eq!(result, Ok(vec![]));
    assert_eq!((notes.len(), notes[0].level), (12, Level::Warn));
    assert_eq!(
        (notes[0].text.as_str(), notes[10].text.as_str()),
        ("slow [0m", "and 2 more like it")
    );
    assert_eq!((notes[11].level, notes[11].text.len()), (Level::Info, WORDS));
    answer["warnings"] = json!(null);
    answer["infos"] = json!([]);
    assert_eq!(read(200, answer.to_string().as_bytes(), MOST).notes, []);
}

/// The plainest way: all of it as a tree, without bounds. Nothing if it is refused.
fn plainly(body: &[u8]) -> Option<Vec<Series>> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let result = &answer["data"]["result"];
    let pair = |pair: &Value| match pair.as_array()?.as_slice() {
        [at, value] => point(at.as_f64()?, value.as_str()?),
        _ => None,
    };
    let of = |key: &'static str, points: &dyn Fn(&Value) -> Option<Vec<Point>>| {
        let series = |one: &Value| {
            let labels = one.get("metric")?.as_object()?.iter();
            let labels = labels.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            let labels = labels.collect::<Option<_>>()?;
            let points = points(one.get(key)?)?;
            Some(Series { labels, points })
        };
        result.as_array()?.iter().map(series).collect::<Option<Vec<_>>>()
    };
    match (answer["status"].as_str()?, answer["data"]["resultType"].as_str()?) {
        ("success", "vector") => of("value", &|point| Some(vec![pair(point)?])),
        ("success", "matrix") => of("values", &|points| points.as_array()?.iter().map(pair).collect()),
        ("success", "scalar") => {
            let points = vec![pair(result)?];
            Some(vec![Series { labels: vec![], points }])
        }
        _ => None,
    }
}

fn told(series: &[Series]) -> String {
    // Two that are no number are the same here.
    format!("{series:?}")
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        9 => (0_u32..3_000_000, "-?[0-9]{1,3}(\\.[0-9]{1,3})?|NaN|[+-]?Inf").prop_map(|(at, v)| json!([f64::from(at) / 1_000.0, v])),
        1 => prop_oneof![
            Just(json!([1, 2])), Just(json!([1])), Just(json!([1, "x"])), Just(json!(null)),
            Just(json!([-1, "1e999"])), Just(json!([1e308, "1"])), Just(json!([1, "1", 1])),
        ],
    ]
}

fn a_series() -> impl Strategy<Value = Value> {
    let labels = prop_oneof![
        9 => proptest::collection::hash_map("[a-z]{1,2}", "\\PC{0,4}", 0..4).prop_map(|labels| json!(labels)),
        1 => prop_oneof![Just(json!({ "a": 1 })), Just(json!([])), Just(json!(null))],
    ];
    (labels, value(), vec(value(), 0..6), 0..20_u8).prop_map(|(labels, value, values, shape)| match shape {
        0 => json!({ "metric": labels }),
        1 => json!({ "value": value, "other": [{}], "metric": labels }),
        2 => json!([labels]),
        3..=11 => json!({ "metric": labels, "value": value }),
        _ => json!({ "metric": labels, "values": values }),
    })
}

proptest! {
    /// Within the bounds it is read as the plainest way reads it, whatever the order; beyond them it is too large.
    #[test]
    fn an_answer_is_read_as_the_plainest_way_reads_it(
        (status, kind) in ("success|success|success|error", "vector|matrix|scalar|string|x"),
        result in prop_oneof![vec(a_series(), 0..8).prop_map(Value::from), value()],
        turned in any::<bool>(),
    ) {
        let data = match turned {
            false => json!({ "resultType": kind, "result": result }),
            true => json!({ "result": result, "more": 1, "resultType": kind }),
        };
        let body = json!({ "status": status, "data": data }).to_string();
        let plain = plainly(body.as_bytes());
        match read(200, body.as_bytes(), MOST).result {
            Ok(series) => {
                prop_assert_eq!(Some(told(&series)), plain.as_deref().map(told));
                let points: usize = series.iter().map(|series| series.points.len()).sum();
                prop_assert!(series.len() <= MOST.series && points <= MOST.points);
            }
            Err(MetricsError::TooLarge) => {
                if let Some(plain) = plain {
                    let points: usize = plain.iter().map(|series| series.points.len()).sum();
                    prop_assert!(plain.len() > MOST.series || points > MOST.points);
                }
            }
            Err(_) => prop_assert_eq!(plain, None),
        }
    }

    #[test]
    fn a_torn_or_made_up_answer_is_refused(bytes in vec(any::<u8>(), 0..100), end in 0_usize..200) {
        let _ = read(200, &bytes, MOST);
        let whole = success("matrix", json!([one(2, 3), one(1, 2)])).to_string();
        let torn = &whole.as_bytes()[..end.min(whole.len() - 1)];
        prop_assert!(read(200, torn, MOST).result.is_err());
    }
}
