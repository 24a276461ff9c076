//! What holds of any text: it is read as it was written, and whatever comes, nothing panics.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

type Labels = Vec<(String, String)>;

/// A sample, as owned by a test; its numbers as bits, for a NaN equals nothing.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    name: String,
    labels: Labels,
    value: u64,
    timestamp: Option<i64>,
    exemplar: Option<(Labels, u64, Option<i64>)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Line {
    Help(String, String),
    Type(String, Kind),
    Sample(Told),
}

fn owned(labels: &[Label<'_>]) -> Labels {
    labels
        .iter()
        .map(|label| (label.name.read().into_owned(), label.value.read().into_owned()))
        .collect()
}

fn read(text: &str, format: Format) -> Result<Vec<Line>, Fault> {
    let mut lines = Vec::new();
    parse(text.as_bytes(), format, &Limits::default(), |entry| {
        lines.push(match entry {
            Entry::Help { family, text } => Line::Help(family.into_owned(), text.into_owned()),
            Entry::Type { family, kind } => Line::Type(family.into_owned(), kind),
            Entry::Unit { .. } => unreachable!("none is written"),
            Entry::Sample(sample) => Line::Sample(Told {
                name: sample.name.read().into_owned(),
                labels: owned(sample.labels),
                value: sample.value.to_bits(),
                timestamp: sample.timestamp,
                exemplar: sample
                    .exemplar
                    .map(|exemplar| (owned(exemplar.labels), exemplar.value.to_bits(), exemplar.timestamp)),
            }),
        });
    })?;
    Ok(lines)
}

fn write(lines: &[Line], format: Format) -> String {
    let mut text = String::new();
    for line in lines {
        match line {
            Line::Help(name, help) => {
                let mut help = help.replace('\\', "\\\\").replace('\n', "\\n");
                if format == Format::OpenMetrics {
                    help = help.replace('"', "\\\"");
                }
                writeln!(text, "# HELP {} {help}", quoted_if_needed(name))
            }
            Line::Type(name, kind) => {
                writeln!(text, "# TYPE {} {}", quoted_if_needed(name), word(*kind))
            }
            Line::Sample(told) => writeln!(text, "{}", sample(told, format)),
        }
        .unwrap();
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn sample(told: &Told, format: Format) -> String {
    let mut labels = labels(&told.labels);
    let mut line = if is_bare(&told.name, true) {
        told.name.clone()
    } else {
        labels.insert(0, quoted(&told.name));
        String::new()
    };
    if !labels.is_empty() {
        write!(line, "{{{}}}", labels.join(",")).unwrap();
    }
    write!(line, " {}", f64::from_bits(told.value)).unwrap();
    if let Some(timestamp) = told.timestamp {
        write!(line, " {}", time(timestamp, format)).unwrap();
    }
    if let Some((exemplar_labels, value, timestamp)) = &told.exemplar {
        let exemplar_labels = self::labels(exemplar_labels).join(",");
        write!(line, " # {{{exemplar_labels}}} {:e}", f64::from_bits(*value)).unwrap();
        if let Some(timestamp) = timestamp {
            write!(line, " {}", time(*timestamp, format)).unwrap();
        }
    }
    line
}

fn labels(labels: &[(String, String)]) -> Vec<String> {
    labels
        .iter()
        .map(|(name, value)| {
            let name = if is_bare(name, false) {
                name.clone()
            } else {
                quoted(name)
            };
            format!("{name}={}", quoted(value))
        })
        .collect()
}

/// Seconds only as far as a float tells them from their milliseconds.
fn time(milliseconds: i64, format: Format) -> String {
    match format {
        Format::Text => milliseconds.to_string(),
        Format::OpenMetrics => (milliseconds / 1000).to_string(),
    }
}

fn quoted_if_needed(name: &str) -> String {
    if is_bare(name, true) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
    )
}

fn is_bare(name: &str, of_metric: bool) -> bool {
    let may = |c: char| c.is_ascii_alphanumeric() || c == '_' || (of_metric && c == ':');
    !name.is_empty() && name.chars().all(may) && !name.starts_with(|c: char| c.is_ascii_digit())
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        _ => "gauge",
    }
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zA-Z_][a-zA-Z0-9_]{0,20}",
        1 => "[^\0]{1,12}",
    ]
}

/// Not all of Unicode's: what the lexers look at must come up.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z0-9./ -]{0,24}", 2 => "[\"\\\\\nn{},= #a]{0,8}", 1 => "[^\0]{0,12}"]
}

fn any_labels() -> impl Strategy<Value = Labels> {
    proptest::collection::vec((any_name(), any_value()), 0..5)
}

fn any_float() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<f64>(),
        any::<i32>().prop_map(f64::from),
        (any::<i32>(), 0..9).prop_map(|(number, power)| f64::from(number) / 10_f64.powi(power)),
        Just(f64::NAN),
    ]
    .prop_map(|number| {
        if number.is_nan() {
            f64::NAN.to_bits()
        } else {
            number.to_bits()
        }
    })
}

fn any_line(format: Format) -> impl Strategy<Value = Line> {
    let time = || proptest::option::of((0..2_000_000_000_i64).prop_map(|seconds| seconds * 1000));
    let exemplar = match format {
        Format::Text => Just(None).boxed(),
        Format::OpenMetrics => proptest::option::of((any_labels(), any_float(), time())).boxed(),
    };
    let sample = (any_name(), any_labels(), any_float(), time(), exemplar).prop_map(
        |(name, labels, value, timestamp, exemplar)| {
            Line::Sample(Told {
                name,
                labels,
                value,
                timestamp,
                exemplar,
            })
        },
    );
    // A help of blanks alone is an empty one.
    let help = (any_name(), any_value().prop_map(|help| help.trim().to_owned()));
    prop_oneof![
        5 => sample,
        1 => help.prop_map(|(name, help)| Line::Help(name, help)),
        1 => (any_name(), any::<bool>()).prop_map(|(name, counts)| {
            Line::Type(name, if counts { Kind::Counter } else { Kind::Gauge })
        }),
    ]
}

/// What the lexers look at: texts of these get further than random ones.
const PIECES: &[&[u8]] = &[
    b"# HELP ",
    b"# TYPE ",
    b"# UNIT ",
    b"# EOF\n",
    b" counter\n",
    b" # {",
    b"a",
    b"le",
    b"{",
    b"}",
    b"\"",
    b"=\"",
    b"\\",
    b",",
    b" ",
    b"\t",
    b"\n",
    b"1",
    b"-1.5e3",
    b"NaN",
    "é".as_bytes(),
    b"\xff",
    b"\0",
    b"\r",
];

fn near_texts() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|pieces| pieces.concat())
}

/// Every place that is told lies in the text, and no message has what a terminal acts on.
fn judge(body: &[u8]) {
    for format in [Format::Text, Format::OpenMetrics] {
        let Err(fault) = parse(body, format, &Limits::default(), |entry| drop(format!("{entry:?}"))) else {
            continue;
        };
        let line = body
            .split(|byte| *byte == b'\n')
            .nth(fault.line - 1)
            .expect("such a line");
        assert!((1..=line.len() + 1).contains(&fault.column), "{fault}");
        assert!(!fault.message.chars().any(char::is_control), "{fault}");
    }
}

proptest! {
    #[test]
    fn text_is_read_as_it_was_written(lines in proptest::collection::vec(any_line(Format::Text), 0..12)) {
        let text = write(&lines, Format::Text);
        prop_assert_eq!(read(&text, Format::Text), Ok(lines), "{}", text);
    }

    #[test]
    fn openmetrics_is_read_as_it_was_written(
        lines in proptest::collection::vec(any_line(Format::OpenMetrics), 0..12),
    ) {
        let text = write(&lines, Format::OpenMetrics);
        prop_assert_eq!(read(&text, Format::OpenMetrics), Ok(lines), "{}", text);
    }

    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        judge(&body);
    }

    #[test]
    fn no_text_that_is_nearly_right_panics(body in near_texts()) {
        judge(&body);
    }

    #[test]
    fn a_text_cut_anywhere_does_not_panic(
        lines in proptest::collection::vec(any_line(Format::OpenMetrics), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = write(&lines, Format::OpenMetrics);
        let body = &text.as_bytes()[..cut.index(text.len())];
        judge(body);
        // It must not pass for a whole one, but for the line break after the end.
        let is_whole = parse(body, Format::OpenMetrics, &Limits::default(), |_| {}).is_ok();
        prop_assert_eq!(is_whole, body.len() + 1 == text.len());
    }

    #[test]
    fn a_quick_number_is_the_right_one(word in "-?[0-9]{0,20}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?") {
        if let Some((number, length)) = number::quick(word.as_bytes()) {
            let expected: f64 = word[..length].parse().unwrap();
            prop_assert_eq!(number.to_bits(), expected.to_bits(), "{}", word);
        }
    }

    /// Where the crate can be trusted: plain names, and values without `,`, `=`, `}`, `\` and quotes.
    #[test]
    fn simple_samples_are_what_prometheus_parse_reads(
        samples in proptest::collection::vec(
            (
                "[a-z][a-z0-9_]{0,12}",
                proptest::collection::btree_map("[a-z][a-z0-9_]{0,8}", "[a-zA-Z0-9./:-]{1,12}", 1..4),
                any::<i32>().prop_map(|number| f64::from(number) / 64.0),
                0..2_000_000_000_000_i64,
            ),
            1..8,
        ),
    ) {
        let mut text = String::new();
        for (name, labels, value, time) in &samples {
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
            writeln!(text, "{name}{{{}}} {value} {time}", labels.join(",")).unwrap();
        }
        let ours = read(&text, Format::Text).unwrap();
        let theirs = prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
        let theirs: Vec<_> = theirs.samples.iter().map(|sample| {
            let mut labels: Vec<_> =
                sample.labels.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            labels.sort();
            let prometheus_parse::Value::Untyped(value) = sample.value else { unreachable!("no type is told") };
            Line::Sample(Told {
                name: sample.metric.clone(),
                labels,
                value: value.to_bits(),
                timestamp: Some(sample.timestamp.timestamp_millis()),
                exemplar: None,
            })
        }).collect();
        prop_assert_eq!(ours, theirs);
    }
}
