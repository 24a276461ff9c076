//! Answers of series: a row a value.

use chrono::{DateTime, SecondsFormat};
use evenkeel_alerting::promql::{Answer, Labels, Line, Sample};

use serde_json::Value;

use super::{safe, table as columns};

struct Row {
    series: String,
    sample: Sample,
}

/// What was found at one time.
pub fn instant(answer: &Answer, at_ms: i64) -> String {
    let row = |series: String, value| Row {
        series,
        sample: (at_ms, value),
    };
    match answer {
        Answer::Scalar(value) => table(&[row("scalar".to_owned(), *value)]),
        Answer::Text(text) => safe::text(text),
        Answer::Vector(elements) => {
            let rows = elements
                .iter()
                .map(|element| row(labels(&element.labels), element.value));
            table(&rows.collect::<Vec<_>>())
        }
        Answer::Matrix(lines) => range(lines),
    }
}

pub fn range(lines: &[Line]) -> String {
    let rows = lines.iter().flat_map(|line| {
        line.samples.iter().map(|sample| Row {
            series: labels(&line.labels),
            sample: *sample,
        })
    });
    table(&rows.collect::<Vec<_>>())
}

/// A table; nothing found is said in words.
fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no series".to_owned();
    }
    let mut shown = columns::new(&["series", "value", "time"]);
    for row in rows {
        let (at_ms, value) = row.sample;
        shown.add_row([row.series.clone(), value_text(value), time(at_ms)]);
    }
    columns::text(&shown)
}

/// What a daemon answered, as the API has it.
pub fn told(data: &Value) -> String {
    let sample = |pair: &Value| {
        let seconds = pair[0].as_f64().unwrap_or(f64::NAN);
        let value = pair[1].as_str().and_then(|text| text.parse().ok());
        ((seconds * 1000.0).round() as i64, value.unwrap_or(f64::NAN))
    };
    let result = &data["result"];
    let kind = data["resultType"].as_str().unwrap_or_default();
    if !matches!(kind, "vector" | "matrix") {
        let alone = Row {
            series: "scalar".to_owned(),
            sample: sample(result),
        };
        return match result[1].as_str().filter(|_| kind == "string") {
            Some(text) => safe::text(text),
            None => table(&[alone]),
        };
    }
    let mut rows = Vec::new();
    for found in result.as_array().into_iter().flatten() {
        let pairs = found["metric"].as_object().into_iter().flatten();
        let series = labels(&Labels::new(
            pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())),
        ));
        let one = found.get("value").into_iter();
        let samples = one.chain(found["values"].as_array().into_iter().flatten());
        rows.extend(samples.map(|pair| Row {
            series: series.clone(),
            sample: sample(pair),
        }));
    }
    table(&rows)
}

fn labels(labels: &Labels) -> String {
    safe::text(&labels.to_string())
}

fn value_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

fn time(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).map_or_else(
        || format!("{ms} ms"),
        |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    )
}
