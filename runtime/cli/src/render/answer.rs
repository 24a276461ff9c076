//! Answers of series: a row a value.

use chrono::{DateTime, SecondsFormat};
use evenkeel_alerting::promql::{Answer, Labels, Line, Sample};

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
