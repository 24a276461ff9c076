//! From a test file to tests, or to all that is wrong with it.

use std::collections::{BTreeMap, HashSet};

use evenkeel_model::alert;
use evenkeel_model::problem::{File, Level, Problem};

use super::{AlertCase, ExpressionCase, Firing, Suite, Test};
use crate::notation;
use crate::promql::{Labels, Query};
use crate::rules::alert::ALERTNAME;
use crate::rules::duration;
use crate::rules::expand::Externals;
use crate::rules::reader::{Fields, Reader};
use crate::rules::tree::Written;

/// Values of one series.
const VALUES: usize = 1_000_000;
/// Evaluations of one test.
const EVALUATIONS: i64 = 1_000_000;
const MINUTE_MS: i64 = 60_000;

#[derive(Debug, Default)]
pub struct Read {
    /// Only sound if no problem is an error.
    pub suite: Suite,
    pub problems: Vec<Problem>,
}

impl Read {
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| problem.level != Level::Error)
    }
}

/// A test file in YAML, as promtool takes it.
pub fn read(file: File<'_>) -> Read {
    let reader = Reader::of_tests(file);
    let document = reader.document();
    let root = document.and_then(|document| reader.root(&document, "the file"));
    let suite = root.map(|root| suite(&root)).unwrap_or_default();
    Read {
        suite,
        problems: reader.into_problems(),
    }
}

fn suite(root: &Fields<'_, '_>) -> Suite {
    let rule_files = root.strings("rule_files");
    let interval = time(root, "evaluation_interval").filter(|time| *time > 0);
    let order = root.strings("group_eval_order");
    let fuzzy = root.boolean("fuzzy_compare").unwrap_or_default();
    let tests = root.tables("tests", "a test");
    root.finish();
    let mut known = HashSet::new();
    for name in order.iter().filter(|name| !known.insert(name.text.as_str())) {
        let message = format!("the group `{}` stands in the order twice", name.text);
        root.say(root.problem("duplicate-group", name.span.clone(), message));
    }
    let common = Common {
        interval_ms: interval.unwrap_or(MINUTE_MS),
        fuzzy,
    };
    Suite {
        rule_files: rule_files.into_iter().map(|file| (file.text, file.span)).collect(),
        group_order: order.into_iter().map(|name| name.text).collect(),
        tests: tests.iter().map(|table| test(table, &common)).collect(),
    }
}

/// What holds for all tests of a file.
struct Common {
    interval_ms: i64,
    fuzzy: bool,
}

fn test(table: &Fields<'_, '_>, common: &Common) -> Test {
    let name = table.string("name").unwrap_or_default();
    let interval = time(table, "interval").filter(|time| *time > 0);
    let series = table.tables("input_series", "a series");
    let alerts = table.tables("alert_rule_test", "a test of alerts");
    let expressions = table.tables("promql_expr_test", "a test of an expression");
    let labels = table.strings_by_name("external_labels");
    let url = table.string("external_url").unwrap_or_default();
    table.finish();
    let test = Test {
        name: name.text,
        line: line(table, table.span().start),
        interval_ms: interval.unwrap_or(common.interval_ms),
        evaluation_interval_ms: common.interval_ms,
        fuzzy: common.fuzzy,
        series: inputs(&series),
        alerts: alerts.iter().filter_map(alert_case).collect(),
        expressions: expressions.iter().filter_map(expression_case).collect(),
        externals: Externals {
            labels: Labels::new(labels.into_iter().map(|(name, value)| (name.text, value.text))),
            url: url.text,
        },
    };
    if test.last_ms() / common.interval_ms > EVALUATIONS {
        let message = format!("this test takes more than {EVALUATIONS} evaluations");
        let problem = table.problem("too-big", table.span(), message);
        table.say(problem.label("take a longer `evaluation_interval`, or earlier times"));
    }
    test
}

/// Of a series that is there twice the last one counts, as in promtool.
fn inputs(tables: &[Fields<'_, '_>]) -> Vec<(Labels, Vec<Option<f64>>)> {
    let inputs: BTreeMap<_, _> = tables.iter().filter_map(input).collect();
    inputs.into_iter().collect()
}

fn input(table: &Fields<'_, '_>) -> Option<(Labels, Vec<Option<f64>>)> {
    let series = table.string("series").unwrap_or_else(|| nothing(table));
    let values = table.string("values").unwrap_or_default();
    table.finish();
    let labels = labels(table, &series);
    let values = notation::values(&values.text, VALUES).map_err(|fault| {
        let span = values.inside(table.reader.file, &fault.place);
        let problem = table.problem("bad-values", span, "`values` can't be read");
        table.say(
            problem
                .label(fault.message)
                .help("write them like `0 1 _ 5x3 0+10x5 stale`"),
        );
    });
    Some((labels?, values.ok()?))
}

/// A string that is not there, at the place where it is missed.
fn nothing(table: &Fields<'_, '_>) -> Written {
    Written {
        text: String::new(),
        span: table.span(),
    }
}

fn labels(table: &Fields<'_, '_>, series: &Written) -> Option<Labels> {
    match notation::series(&series.text) {
        Ok(labels) => Some(labels),
        Err(fault) => {
            let span = match series.text.is_empty() {
                true => series.span.clone(),
                false => series.inside(table.reader.file, &fault.place),
            };
            let problem = table.problem("bad-series", span, "this is no series");
            table.say(problem.label(fault.message));
            None
        }
    }
}

fn alert_case(table: &Fields<'_, '_>) -> Option<AlertCase> {
    let at_ms = time(table, "eval_time").unwrap_or_default();
    let name = table.string("alertname").filter(|name| !name.text.is_empty());
    let expected = table.tables("exp_alerts", "an expected alert");
    table.finish();
    let Some(name) = name else {
        let problem = table.problem("missing-key", table.span(), "a test of alerts lacks `alertname`");
        table.say(problem.label("add `alertname`: whose alerts are looked at"));
        return None;
    };
    let expected = expected.iter().map(|table| {
        let mut labels = pairs(table, "exp_labels");
        labels.insert(ALERTNAME.to_owned(), name.text.clone());
        let annotations = pairs(table, "exp_annotations");
        table.finish();
        Firing { labels, annotations }
    });
    Some(AlertCase {
        at_ms,
        expected: expected.collect(),
        name: name.text.clone(),
        line: line(table, table.span().start),
    })
}

fn expression_case(table: &Fields<'_, '_>) -> Option<ExpressionCase> {
    let expr = table.string("expr").unwrap_or_else(|| nothing(table));
    let at_ms = time(table, "eval_time").unwrap_or_default();
    let samples = table.tables("exp_samples", "an expected sample");
    table.finish();
    let samples: Vec<_> = samples.iter().map(sample).collect();
    let query = Query::check(&expr.text).map_err(|refusal| {
        let span = expr.inside(table.reader.file, &refusal.place);
        let problem = table
            .problem("bad-expression", span, "`expr` can't be evaluated")
            .label(refusal.message);
        table.say(match refusal.advice {
            Some(advice) => problem.help(advice),
            None => problem,
        });
    });
    Some(ExpressionCase {
        at_ms,
        query: query.ok()?,
        expr: expr.text,
        expected: samples.into_iter().collect::<Option<_>>()?,
        line: line(table, table.span().start),
    })
}

fn sample(table: &Fields<'_, '_>) -> Option<(Labels, f64)> {
    let written = table.string("labels").unwrap_or_default();
    let value = table.float("value").unwrap_or_default();
    if table
        .string("histogram")
        .is_some_and(|histogram| !histogram.text.is_empty())
    {
        let span = table.key_span("histogram").unwrap_or_default();
        let problem = table.problem("unsupported", span, "native histograms are not evaluated here");
        table.say(problem.label("no expression gives one"));
    }
    table.finish();
    let labels = match written.text.trim() {
        "" | "{}" => Some(Labels::default()),
        _ => labels(table, &written),
    };
    Some((labels?, value))
}

fn pairs(table: &Fields<'_, '_>, key: &'static str) -> alert::Labels {
    let pairs = table.strings_by_name(key).into_iter();
    let pairs: BTreeMap<_, _> = pairs.map(|(name, value)| (name.text, value.text)).collect();
    pairs
}

fn time(table: &Fields<'_, '_>, key: &'static str) -> Option<i64> {
    let written = table.string(key)?;
    match duration::parse(&written.text) {
        Ok(milliseconds) => Some(milliseconds),
        Err(write) => {
            let message = format!("`{key}` can't be `{}`", written.text);
            table.say(table.problem("bad-value", written.span, message).label(write));
            None
        }
    }
}

fn line(table: &Fields<'_, '_>, at: usize) -> usize {
    table.reader.line(at)
}
