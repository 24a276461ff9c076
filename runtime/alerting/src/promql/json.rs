//! Answers as Prometheus's API writes them under `data`: `{"resultType": …, "result": …}`.

use serde_json::{Map, Number, Value, json};

use super::math::text;
use super::{Answer, Element, Labels, Line, Sample};

/// An answer at one time.
pub fn instant(answer: &Answer, at_ms: i64) -> Value {
    match answer {
        Answer::Scalar(value) => data("scalar", sample((at_ms, *value))),
        Answer::Text(text) => data("string", json!([seconds(at_ms), text])),
        Answer::Vector(elements) => {
            let one = |element: &Element| json!({ "metric": metric(&element.labels), "value": sample((at_ms, element.value)) });
            data("vector", elements.iter().map(one).collect())
        }
        Answer::Matrix(lines) => range(lines),
    }
}

/// An answer over a range of time.
pub fn range(lines: &[Line]) -> Value {
    let one = |line: &Line| {
        let values: Vec<Value> = line.samples.iter().copied().map(sample).collect();
        json!({ "metric": metric(&line.labels), "values": values })
    };
    data("matrix", lines.iter().map(one).collect())
}

fn data(result_type: &str, result: Value) -> Value {
    json!({ "resultType": result_type, "result": result })
}

fn metric(labels: &Labels) -> Value {
    let pairs = labels.iter().map(|(name, value)| (name.to_owned(), value.into()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn sample((at_ms, value): Sample) -> Value {
    json!([seconds(at_ms), text(value)])
}

fn seconds(ms: i64) -> Value {
    if ms % 1000 == 0 {
        return (ms / 1000).into();
    }
    Number::from_f64(ms as f64 / 1000.0).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::NAME;

    #[test]
    fn answers_have_prometheus_s_shape() {
        let labels = Labels::new([(NAME, "up"), ("job", "x\"")]);
        let line = Line {
            labels: labels.clone(),
            samples: vec![(1500, f64::NEG_INFINITY), (2000, 1e21)],
        };
        let vector = Answer::Vector(vec![Element {
            labels,
            value: f64::NAN,
        }]);
        assert_eq!(
            instant(&vector, 1500).to_string(),
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"x\""},"value":[1.5,"NaN"]}]}"#
        );
        let values = r#""values":[[1.5,"-Inf"],[2,"1000000000000000000000"]]"#;
        assert!(range(&[line]).to_string().contains(values));
        assert_eq!(
            instant(&Answer::Scalar(0.5), -1000).to_string(),
            r#"{"resultType":"scalar","result":[-1,"0.5"]}"#
        );
        assert_eq!(
            instant(&Answer::Text("a".into()), 0).to_string(),
            r#"{"resultType":"string","result":[0,"a"]}"#
        );
    }
}
