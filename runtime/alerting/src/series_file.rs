//! Series that a person has written down, in the layout of promtool's unit tests: YAML with `interval` and
//! `input_series`, by themselves or as the one of `tests`. All else that such a test says is passed over.

use std::ops::Range;

use evenkeel_model::problem::{File, Problem};

use crate::notation::{self, Fault};
use crate::promql::{Memory, duration};
use crate::rules::tree::{Node, Value};
use crate::rules::yaml;

/// Values of a whole file, gaps included.
const MOST: usize = 5_000_000;
/// As far as times are evaluated, in milliseconds since 1970.
const LONGEST_MS: i64 = 1_000_000_000_000_000;

/// The series, the first value of each at 1970-01-01T00:00:00Z and one an interval from there.
///
/// # Errors
/// The file is none of series, with the place.
pub fn read(file: File<'_>) -> Result<Memory, Box<Problem>> {
    let Some(root) = yaml::parse(file)?.root else {
        return Err(file.problem_as_a_whole("no-series", "the file says nothing").into());
    };
    let root = &*root;
    let fail = |span: &Range<usize>, message: &str| Err(Box::new(file.problem("no-series", span.clone(), message)));
    let test = match get(root, "tests").map(|tests| (&tests.value, tests)) {
        None => root,
        Some((Value::List(items), _)) if items.len() == 1 => &*items[0],
        Some((_, tests)) => {
            return fail(
                &tests.span,
                "one test is read; write the one that you mean into a file of its own",
            );
        }
    };
    let interval = get(test, "interval").or_else(|| get(root, "evaluation_interval"));
    let interval_ms = match interval.map(|node| (node, text(node))) {
        None => 60_000,
        Some((node, text)) => match text.and_then(duration).filter(|ms| (1..=LONGEST_MS).contains(ms)) {
            Some(ms) => ms,
            None => return fail(&node.span, "write the interval as `30s` or `1m`"),
        },
    };
    let Some(Value::List(series)) = get(test, "input_series").map(|node| &node.value) else {
        return fail(&test.span, "there is no list `input_series`");
    };
    let (mut memory, mut left) = (Memory::default(), MOST);
    for entry in series {
        take(file, entry, interval_ms, &mut memory, &mut left)?;
    }
    Ok(memory)
}

fn take(
    file: File<'_>,
    entry: &Node,
    interval_ms: i64,
    into: &mut Memory,
    left: &mut usize,
) -> Result<(), Box<Problem>> {
    let part = |name: &str| {
        let node = get(entry, name);
        node.and_then(|node| Some((node, text(node)?))).ok_or_else(|| {
            let message = format!("`{name}` is missing here, or no text");
            Box::new(file.problem("no-series", entry.span.clone(), message))
        })
    };
    let ((series_at, series), (values_at, values)) = (part("series")?, part("values")?);
    let labels = notation::series(series).map_err(|fault| problem(file, series_at, series, &fault))?;
    let values = notation::values(values, *left).map_err(|fault| problem(file, values_at, values, &fault))?;
    *left -= values.len();
    for (i, value) in values.into_iter().enumerate() {
        let (Some(value), Ok(i)) = (value, i64::try_from(i)) else {
            continue;
        };
        let at = i.saturating_mul(interval_ms);
        if at > LONGEST_MS || into.append(&labels, at, value).is_err() {
            let message = if at > LONGEST_MS {
                "its last values are too far from its first"
            } else {
                "this series is there twice"
            };
            return Err(file.problem("no-series", series_at.span.clone(), message).into());
        }
    }
    Ok(())
}

/// The place within the text, where the file has the text as it is read.
fn problem(file: File<'_>, node: &Node, text: &str, fault: &Fault) -> Box<Problem> {
    let whole = file.text.get(node.span.clone()).unwrap_or_default();
    let span = match whole.find(text) {
        Some(at) => node.span.start + at + fault.place.start..node.span.start + at + fault.place.end,
        None => node.span.clone(),
    };
    Box::new(file.problem("no-series", span, fault.to_string()))
}

/// What a table has under a name.
fn get<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Map(entries) => {
            let mut found = entries.iter().filter(|(key, _)| key.text == name);
            found.next().map(|(_, value)| &**value)
        }
        _ => None,
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(_, text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Memory, Box<Problem>> {
        super::read(File { path: "s.yml", text })
    }

    fn shown(text: &str) -> String {
        let memory = read(text).unwrap();
        let all = memory.iter().map(|(labels, samples)| format!("{labels} {samples:?}"));
        all.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_file_is_read_as_promtool_reads_a_test() {
        let plain = "interval: 30s\ninput_series:\n  - series: 'up{job=\"x\"}'\n    values: 1 _ 2\n  - series: down\n    values: >-\n      3\n      4\n";
        let wanted = r#"down [(0, 3.0), (30000, 4.0)]; up{job="x"} [(0, 1.0), (60000, 2.0)]"#;
        assert_eq!(shown(plain), wanted);
        let json = r#"{"interval": "30s", "input_series": [{"series": "down", "values": "3 4"}, {"series": "up{job='x'}", "values": "1 _ 2"}]}"#;
        assert_eq!(shown(json), wanted);
        let test = "evaluation_interval: 15s\nrule_files: [a.yml]\ntests:\n- input_series:\n  - {series: a, values: 1 1}\n  alert_rule_test: []\n";
        assert_eq!(shown(test), "a [(0, 1.0), (15000, 1.0)]");
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        for (text, line, column, word) in [
            ("input_series:\n- series: 'é{}{'\n  values: 1\n", 2, 12, "a series is"),
            (
                "input_series:\n- series: up\n  values: '1 é'\n",
                3,
                14,
                "a value belongs here",
            ),
            ("input_series:\n- series: up\n", 2, 3, "`values` is missing"),
            ("interval: soon\ninput_series: []\n", 1, 11, "`30s`"),
            ("interval: 1m\n", 1, 1, "input_series"),
            ("tests: [{}, {}]", 1, 8, "one test"),
            (
                "input_series:\n- {series: a, values: 1}\n- {series: a, values: 1}\n",
                3,
                12,
                "twice",
            ),
            ("input_series: [", 1, 16, "no YAML"),
            ("input_series: &a [*a]", 1, 19, "alias"),
        ] {
            let problem = read(text).map(|_| ()).unwrap_err();
            assert_eq!((problem.line, problem.column), (line, column), "{problem}");
            assert!(problem.message.contains(word), "{problem}");
        }
        assert!(read("").is_err());
        assert!(read(&"[".repeat(100)).is_err());
        let long = "interval: 1y\ninput_series:\n- {series: a, values: 1x4000000}";
        assert!(read(long).map(|_| ()).unwrap_err().message.contains("too far"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), yaml in "[a-z_:\\[\\]{}&*, \n'\"é-]{0,40}") {
            let _ = (read(&text), read(&yaml), read(&format!("input_series:\n- {{series: {yaml}, values: {text}}}")));
        }
    }
}
