//! What came of unit tests of rules: what was expected and what was got, side by side.

use std::fmt::Display;

use evenkeel_alerting::rules::unit::{Failure, Firing, Sample};
use evenkeel_alerting::rules::written;

use super::safe;
use crate::commands::rules_test::{Outcome, Tested};

/// A line for each test that passed, and for each that failed all that is wrong.
pub fn lines(tested: &Tested) -> Vec<String> {
    if tested.tests.is_empty() && !tested.passed {
        return vec![format!("failed  {}: nothing was tested", safe::text(&tested.file))];
    }
    tested
        .tests
        .iter()
        .flat_map(|test| of_test(&tested.file, test))
        .collect()
}

/// `2 of 7 tests failed, in 3 files`
pub fn summary(all: &[Tested]) -> String {
    let files = count(all.len(), "file");
    let unread = all.iter().filter(|file| file.tests.is_empty() && !file.passed).count();
    let tests: Vec<_> = all.iter().flat_map(|file| &file.tests).collect();
    let failed = tests.iter().filter(|test| !test.failures.is_empty()).count();
    let cases = tests.iter().map(|test| test.cases).sum();
    match (failed, unread) {
        (0, 0) => format!(
            "passed: {files}, {}, {}",
            count(tests.len(), "test"),
            count(cases, "case")
        ),
        (_, 0) => format!("failed: {failed} of {} in {files}", count(tests.len(), "test")),
        (0, _) => format!("failed: {unread} of {files} can't be tested"),
        _ => format!(
            "failed: {failed} of {} in {files}, and {} that can't be tested",
            count(tests.len(), "test"),
            count(unread, "file")
        ),
    }
}

/// `1 file`, `3 files`.
fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

fn of_test(file: &str, test: &Outcome) -> Vec<String> {
    let name = match test.name.as_str() {
        "" => String::new(),
        name => format!(" `{}`", safe::text(name)),
    };
    let place = format!("{}:{}{name}", safe::text(file), test.line);
    if test.failures.is_empty() {
        return vec![format!("passed  {place}: {}", count(test.cases, "case"))];
    }
    let mut lines = vec![format!("failed  {place}")];
    for failure in &test.failures {
        lines.extend(of_failure(file, failure));
    }
    lines
}

fn of_failure(file: &str, failure: &Failure) -> Vec<String> {
    match failure {
        Failure::Rule { rule, at_ms, error } => vec![format!(
            "  the rule `{}` could not be evaluated at {}: {}",
            safe::text(rule),
            written(*at_ms),
            safe::text(error)
        )],
        Failure::Expression {
            line,
            expr,
            at_ms,
            error,
        } => vec![head(
            file,
            *line,
            expr,
            *at_ms,
            &format!("no answer: {}", safe::text(error)),
        )],
        Failure::Alerts {
            line,
            name,
            at_ms,
            expected,
            got,
        } => {
            let found = format!("{} expected, {} fire", expected.len(), got.len());
            let mut lines = vec![head(file, *line, name, *at_ms, &found)];
            lines.extend(alerts(expected, got));
            lines
        }
        Failure::Samples {
            line,
            expr,
            at_ms,
            expected,
            got,
        } => {
            let found = format!("{} expected, got {}", count(expected.len(), "sample"), got.len());
            let mut lines = vec![head(file, *line, expr, *at_ms, &found)];
            lines.extend(changed(&texts(expected), &texts(got), "    "));
            lines
        }
    }
}

fn head(file: &str, line: usize, what: &str, at_ms: i64, found: &str) -> String {
    let (file, what) = (safe::text(file), safe::text(what));
    format!("  {file}:{line}: `{what}` at {}: {found}", written(at_ms))
}

fn texts(samples: &[Sample]) -> Vec<String> {
    samples
        .iter()
        .map(|sample| format!("{} {}", sample.labels, sample.value))
        .collect()
}

/// `-` was expected and is not there, `+` is there and was not expected; alerts that are most alike are set side by side.
fn alerts(expected: &[Firing], got: &[Firing]) -> Vec<String> {
    let mut left: Vec<&Firing> = got.iter().collect();
    let mut missed = Vec::new();
    for firing in expected {
        match left.iter().position(|got| *got == firing) {
            Some(at) => drop(left.remove(at)),
            None => missed.push(firing),
        }
    }
    let mut lines = Vec::new();
    for firing in missed {
        let alike = (0..left.len()).max_by_key(|at| (in_common(firing, left[*at]), usize::MAX - at));
        match alike {
            Some(at) => {
                lines.push("    an alert that is otherwise".to_owned());
                lines.extend(changed(&parts(firing), &parts(left.remove(at)), "      "));
            }
            None => {
                lines.push("    an alert that does not fire".to_owned());
                lines.extend(parts(firing).iter().map(|part| format!("      - {}", safe::text(part))));
            }
        }
    }
    for firing in left {
        lines.push("    an alert that was not expected".to_owned());
        lines.extend(parts(firing).iter().map(|part| format!("      + {}", safe::text(part))));
    }
    lines
}

fn in_common(a: &Firing, b: &Firing) -> usize {
    let b = parts(b);
    parts(a).iter().filter(|part| b.contains(part)).count()
}

fn parts(firing: &Firing) -> Vec<String> {
    let of = |what: &str, name: &dyn Display, value: &str| format!("{what} {name} = {value:?}");
    let labels = firing.labels.iter().map(|(name, value)| of("label", name, value));
    let annotations = firing
        .annotations
        .iter()
        .map(|(name, value)| of("annotation", name, value));
    labels.chain(annotations).collect()
}

/// Both in one list; what they have in common is marked with nothing.
fn changed(expected: &[String], got: &[String], indent: &str) -> Vec<String> {
    let mut left: Vec<&String> = got.iter().collect();
    let mut lines = Vec::new();
    for line in expected {
        let sign = match left.iter().position(|got| *got == line) {
            Some(at) => {
                left.remove(at);
                ' '
            }
            None => '-',
        };
        lines.push(format!("{indent}{sign} {}", safe::text(line)));
    }
    lines.extend(left.iter().map(|line| format!("{indent}+ {}", safe::text(line))));
    lines
}
