//! Exposition text: no bytes panic, places lie in the text, and what was read is read again when it is written anew.

use std::fmt::Write as _;

use evenkeel_alerting::exposition::{Entry, Fault, Format, Label, Limits, parse};

/// What an entry says, owned; numbers as bits, for a NaN equals nothing.
#[derive(Debug, PartialEq)]
enum Told {
    About(String),
    Sample {
        name: String,
        labels: Vec<(String, String)>,
        value: u64,
        time: Option<i64>,
    },
}

/// One byte for the format and the limits, and the text.
pub fn try_one(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else {
        return;
    };
    let format = if choice & 1 == 0 {
        Format::Text
    } else {
        Format::OpenMetrics
    };
    let limits = match choice & 2 {
        0 => Limits::default(),
        _ => Limits {
            line_bytes: 40,
            labels: 2,
            name_bytes: 8,
            value_bytes: 10,
            samples: 3,
        },
    };
    match read(body, format, &limits) {
        Err(fault) => judge(body, &fault),
        Ok(told) => {
            assert!(told.iter().filter(|told| matches!(told, Told::Sample { .. })).count() <= limits.samples);
            again(&told);
            let whole = read(body, format, &Limits::default());
            assert_eq!(whole.as_ref(), Ok(&told), "limits change what is read");
        }
    }
}

fn read(body: &[u8], format: Format, limits: &Limits) -> Result<Vec<Told>, Fault> {
    let mut told = Vec::new();
    parse(body, format, limits, |entry| told.push(owned(body, &entry)))?;
    Ok(told)
}

fn owned(body: &[u8], entry: &Entry<'_>) -> Told {
    let Entry::Sample(sample) = entry else {
        return Told::About(format!("{entry:?}"));
    };
    let series = sample.series.as_bytes();
    assert!(
        body[sample.at..].starts_with(series),
        "a sample is where it says that it is"
    );
    if let Some(exemplar) = sample.exemplar {
        let _ = pairs(exemplar.labels);
    }
    assert!(!sample.value.is_nan() || sample.value.to_bits() == f64::NAN.to_bits());
    Told::Sample {
        name: sample.name.read().into_owned(),
        labels: pairs(sample.labels),
        value: sample.value.to_bits(),
        time: sample.timestamp,
    }
}

fn pairs(labels: &[Label<'_>]) -> Vec<(String, String)> {
    let pairs = labels.iter();
    pairs
        .map(|label| (label.name.read().into_owned(), label.value.read().into_owned()))
        .collect()
}

fn judge(body: &[u8], fault: &Fault) {
    let line = body.split(|byte| *byte == b'\n').nth(fault.line - 1);
    let line = line.expect("the line of a fault is in the text");
    assert!((1..=line.len() + 1).contains(&fault.column), "{fault}");
    assert!(!fault.message.chars().any(char::is_control), "{fault}");
}

/// Writes the samples in the text format, which has no bounds to spell anew without a type, and reads that.
fn again(told: &[Told]) {
    let mut text = String::new();
    let mut expected = Vec::new();
    for one in told {
        let Told::Sample {
            name,
            labels,
            value,
            time,
        } = one
        else {
            continue;
        };
        // The text format has no time before 1970.
        if time.is_some_and(|time| time < 0) || has_nul(name) || labels.iter().any(|(name, _)| has_nul(name)) {
            continue;
        }
        write!(text, "{{{}", quoted(name)).expect("a string takes all");
        for (name, value) in labels {
            write!(text, ",{}={}", quoted(name), quoted(value)).expect("a string takes all");
        }
        let time = time.map(|time| time.to_string()).unwrap_or_default();
        writeln!(text, "}} {:e} {time}", f64::from_bits(*value)).expect("a string takes all");
        expected.push(one);
    }
    let limits = Limits {
        line_bytes: usize::MAX,
        name_bytes: usize::MAX,
        value_bytes: usize::MAX,
        ..Limits::default()
    };
    let read = read(text.as_bytes(), Format::Text, &limits);
    let read = read.unwrap_or_else(|fault| panic!("{fault} in {text:?}"));
    assert_eq!(read.iter().collect::<Vec<_>>(), expected, "{text:?}");
}

fn has_nul(name: &str) -> bool {
    name.contains('\0')
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
    format!("\"{escaped}\"")
}
