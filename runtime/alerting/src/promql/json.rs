//! Answers as the HTTP API of Prometheus has them (its page "HTTP API", "Expression query result formats"): the value of
//! `data`. Numbers are strings, since JSON has no `NaN`; times are seconds with three places at most.

use super::labels::Labels;
use super::math;
use super::{Answer, Element, Line, Sample};

/// An answer at one time.
pub fn answer(out: &mut String, answer: &Answer, at_ms: i64) {
    match answer {
        Answer::Scalar(value) => alone(open(out, "scalar"), at_ms, &math::text(*value)),
        Answer::Text(text) => alone(open(out, "string"), at_ms, text),
        Answer::Vector(elements) => {
            list(open(out, "vector"), elements, |out, Element { labels, value }| {
                metric(out, labels, "value");
                pair(out, at_ms, |out| number(out, *value));
            });
        }
        Answer::Matrix(lines) => matrix(open(out, "matrix"), lines),
    }
    out.push('}');
}

/// An answer over time.
pub fn lines(out: &mut String, lines: &[Line]) {
    matrix(open(out, "matrix"), lines);
    out.push('}');
}

/// `{"name":"value",…}`
pub fn labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (n, (name, value)) in labels.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        string(out, name);
        out.push(':');
        string(out, value);
    }
    out.push('}');
}

/// A number in quotes, with an exponent below 1e-6 and from 1e21 on, as Go's JSON has it.
pub fn number(out: &mut String, value: f64) {
    out.push('"');
    out.push_str(&shortest(value));
    out.push('"');
}

/// The shortest digits that are this number and no other.
pub fn shortest(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    exponent(value)
}

/// As Go's `'e'` has a number: one digit before the point, an exponent always, of two digits at least.
pub fn exponent(value: f64) -> String {
    if !value.is_finite() {
        return shortest(value);
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => text,
    }
}

fn open<'o>(out: &'o mut String, kind: &str) -> &'o mut String {
    out.push_str("{\"resultType\":\"");
    out.push_str(kind);
    out.push_str("\",\"result\":");
    out
}

fn matrix(out: &mut String, lines: &[Line]) {
    list(out, lines, |out, Line { labels, samples }| {
        metric(out, labels, "values");
        list(out, samples, |out, (at, value): &Sample| {
            pair(out, *at, |out| number(out, *value))
        });
    });
}

/// The caller writes the value, and the end of the object is [`list`]'s.
fn metric(out: &mut String, of: &Labels, key: &str) {
    out.push_str("\"metric\":");
    labels(out, of);
    out.push_str(",\"");
    out.push_str(key);
    out.push_str("\":");
}

fn list<T: Listed>(out: &mut String, items: &[T], each: impl Fn(&mut String, &T)) {
    out.push('[');
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        out.push_str(T::OPEN);
        each(out, item);
        out.push_str(T::CLOSE);
    }
    out.push(']');
}

/// How an item of a list is enclosed.
trait Listed {
    const OPEN: &'static str = "{";
    const CLOSE: &'static str = "}";
}

impl Listed for Element {}
impl Listed for Line {}
impl Listed for Sample {
    const OPEN: &'static str = "";
    const CLOSE: &'static str = "";
}

fn pair(out: &mut String, at_ms: i64, value: impl Fn(&mut String)) {
    out.push('[');
    time(out, at_ms);
    out.push(',');
    value(out);
    out.push(']');
}

/// What is no series has its time without zeros at the end, and its number without an exponent: Prometheus writes these with
/// another encoder.
fn alone(out: &mut String, at_ms: i64, text: &str) {
    let mut seconds = String::new();
    time(&mut seconds, at_ms);
    if seconds.contains('.') {
        seconds.truncate(seconds.trim_end_matches('0').len());
    }
    out.push('[');
    out.push_str(&seconds);
    out.push(',');
    string(out, text);
    out.push(']');
}

fn time(out: &mut String, at_ms: i64) {
    let (seconds, rest) = (at_ms / 1000, (at_ms % 1000).abs());
    if at_ms < 0 && seconds == 0 {
        out.push('-');
    }
    out.push_str(&seconds.to_string());
    if rest > 0 {
        out.push_str(format!(".{rest:03}").as_str());
    }
}

fn string(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).expect("a string has no key that is none"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_go() {
        let shown = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-6, "0.000001"),
            (9.9e-7, "9.9e-07"),
            (5e-324, "5e-324"),
            (1e20, "100000000000000000000"),
            (-1e21, "-1e+21"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, text) in shown {
            assert_eq!(shortest(value), text);
        }
    }

    #[test]
    fn an_answer_is_the_data_of_the_api() {
        let labels = Labels::new([("__name__", "up"), ("job", "a\"b")]);
        let mut out = String::new();
        let elements = vec![Element {
            labels: labels.clone(),
            value: 1.5,
        }];
        answer(&mut out, &Answer::Vector(elements), 1_000);
        let wanted =
            r#"{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a\"b"},"value":[1,"1.5"]}]}"#;
        assert_eq!(out, wanted);

        let mut out = String::new();
        let samples = vec![(-1, 1.0), (1_250, f64::NAN)];
        lines(&mut out, &[Line { labels, samples }]);
        let wanted = r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a\"b"},"values":[[-0.001,"1"],[1.250,"NaN"]]}]}"#;
        assert_eq!(out, wanted);

        let mut out = String::new();
        answer(&mut out, &Answer::Scalar(2.0), 10);
        assert_eq!(out, r#"{"resultType":"scalar","result":[0.01,"2"]}"#);

        let mut out = String::new();
        answer(&mut out, &Answer::Scalar(1e21), 1_000);
        assert_eq!(out, r#"{"resultType":"scalar","result":[1,"1000000000000000000000"]}"#);
    }
}
