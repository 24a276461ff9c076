use proptest::prelude::*;

use super::{Fill, Memory};
use crate::promql::{Answer, Error, Labels, Options, Query, Steps};

fn source() -> Memory {
    Memory::default()
        .with("a{x=1,le=1}", "1 2 4 stale 3 5 NaN 9 10 12")
        .with("a{x=1,le=+Inf}", "2 3 5 6 4 7 8 10 15 20")
        .every(45, "a{x=2}", "5 _ _ _ _ 1 2 3 2 9 8")
        .every(15, "b{x=1}", "1 1 2 3 5 8 13 21 34 55 89 3 6 9 12 15 18 21 24 27 30")
        .with("b{x=2,y=3}", "0 0 0 _ _ _ _ _ _ 7")
}

fn vector() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("a".to_string()),
        Just("b{x=\"1\"}".to_string()),
        Just("{x=~\"1|2\"}".to_string()),
        Just("a offset 90s".to_string()),
        Just("b offset -30s".to_string()),
        Just("a @ 300".to_string()),
        Just("vector(time())".to_string()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let name = |names: &'static [&'static str]| prop::sample::select(names);
        let aggregators = name(&["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]);
        let grouping = name(&["", "by (x)", "without (x)", "by (x, le)"]);
        let functions = name(&["abs", "ceil", "-", "absent", "timestamp", "sgn", "hour", "sort"]);
        let over = name(&[
            "rate",
            "increase",
            "delta",
            "irate",
            "idelta",
            "deriv",
            "changes",
            "resets",
            "avg_over_time",
            "sum_over_time",
            "last_over_time",
            "count_over_time",
            "stddev_over_time",
            "absent_over_time",
            "max_over_time",
        ]);
        let ranges = name(&["a[3m]", "b[90s]", "b[2m] offset 1m", "a[5m] @ 240", "{x=\"1\"}[2m]"]);
        let operators = name(&["+", "/", "%", "^", ">", "== bool", "< bool", "and", "or", "unless"]);
        let matching = name(&["", "on (x)", "ignoring (le, y)"]);
        let widths = name(&["[2m:]", "[3m:45s]", "[100s:20s] offset 30s"]);
        prop_oneof![
            (aggregators, grouping, inner.clone()).prop_map(|(op, by, v)| format!("{op} {by} ({v})")),
            (functions, inner.clone()).prop_map(|(f, v)| format!("{f}({v})")),
            (over.clone(), ranges).prop_map(|(f, r)| format!("{f}({r})")),
            (over, inner.clone(), widths).prop_map(|(f, v, w)| format!("{f}(({v}){w})")),
            (inner.clone(), operators.clone(), matching, inner.clone())
                .prop_map(|(l, op, on, r)| format!("({l}) {op} {on} ({r})")),
            (
                inner.clone(),
                prop::sample::select(&["+ 2", "> 3", "* scalar(b{x=\"1\"})", "!= bool 1"][..])
            )
                .prop_map(|(l, op)| format!("({l}) {op}")),
            (1..3_u8, inner.clone()).prop_map(|(k, v)| format!("topk by (x) ({k}, {v})")),
            inner.clone().prop_map(|v| format!("histogram_quantile(0.7, {v})")),
            inner.prop_map(|v| format!("label_replace({v}, \"x\", \"$1\", \"le\", \"(.).*\")")),
        ]
    })
}

/// Of the expressions made here, enough must have an answer for the properties to mean something.
#[test]
fn most_made_expressions_have_an_answer() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let answered = (0..200).filter(|_| {
        let text = vector().new_tree(&mut runner).unwrap().current();
        at(&Query::check(&text).unwrap(), 300_000).is_ok_and(|all| !all.is_empty())
    });
    let count = answered.count();
    assert!(count > 100, "{count} of 200");
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn at(query: &Query, time: i64) -> Result<Vec<(Labels, f64)>, Error> {
    let Answer::Vector(elements) = query.instant(&source(), time, &Options::default())? else {
        panic!("no vector")
    };
    let mut all: Vec<(Labels, f64)> = elements
        .into_iter()
        .map(|element| (element.labels, element.value))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

/// Of many steps each is what the query is at its time; where one step is an error, so is the whole.
fn same_at_every_step(text: &str, start_ms: i64, step_ms: i64) -> Result<(), TestCaseError> {
    let query = Query::check(text).unwrap();
    let steps = Steps {
        start_ms,
        end_ms: start_ms + 9 * step_ms,
        step_ms,
    };
    let times = (0..10).map(|i| start_ms + i * step_ms);
    let lines = match query.range(&source(), steps, &Options::default()) {
        Ok(lines) => lines,
        Err(_) => {
            let any = times.map(|time| at(&query, time)).any(|answer| answer.is_err());
            // A subquery covers other steps than each of its windows, so only what stands alone must agree.
            prop_assert!(any || text.contains(':'), "{text}: only the range fails");
            return Ok(());
        }
    };
    for time in times {
        let value = |line: &crate::promql::Line| {
            line.samples
                .iter()
                .find(|sample| sample.0 == time)
                .map(|sample| sample.1)
        };
        let of_range: Vec<_> = lines
            .iter()
            .filter_map(|line| Some((line.labels.clone(), value(line)?)))
            .collect();
        let Ok(of_instant) = at(&query, time) else {
            panic!("{text} at {time}: only the instant fails")
        };
        let same = of_range.len() == of_instant.len()
            && of_range
                .iter()
                .zip(&of_instant)
                .all(|(a, b)| a.0 == b.0 && near(a.1, b.1));
        prop_assert!(
            same,
            "{text} at {time}: {of_range:?} in the range, {of_instant:?} alone"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_range_is_its_instants(text in vector(), start in 0..600_000_i64, step in 1_000..90_000_i64) {
        same_at_every_step(&text, start, step)?;
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = Query::check(&text).map(|query| query.instant(&source(), 300_000, &Options::default()));
    }

    #[test]
    fn no_words_make_it_panic(words in prop::collection::vec(prop::sample::select(WORDS), 0..12)) {
        let text = words.concat();
        let _ = Query::check(&text).map(|query| query.instant(&source(), 300_000, &Options::default()));
    }

    #[test]
    fn no_edit_of_a_query_makes_it_panic(text in vector(), cut in any::<prop::sample::Index>(), word in prop::sample::select(WORDS)) {
        let mut text = text;
        text.insert_str(cut.index(text.len() + 1), word);
        let _ = Query::check(&text).map(|query| query.instant(&source(), 300_000, &Options::default()));
    }
}

const WORDS: &[&str] = &[
    "a",
    "b",
    "{",
    "}",
    "x=",
    "=~",
    "\"1\"",
    "`\\d`",
    "'",
    "(",
    ")",
    "[",
    "]",
    ":",
    "5m",
    "1e400",
    "0x",
    "inf",
    "NaN",
    "-1",
    "offset ",
    "@",
    "start()",
    "end()",
    " by (x) ",
    "on",
    "sum",
    "topk(",
    "rate(",
    "a[5m]",
    "[1m:30s]",
    ",",
    "+",
    "-",
    "^",
    " and ",
    " or ",
    "bool",
    "#",
    "\n",
    "é",
    "\\",
    "time()",
    "label_replace(",
    "..",
    "1.",
    "99999999999999999999",
    " ",
    "!",
    "==",
    "group_left",
    "1y",
    "1ms",
    "0",
    ".5",
    "quantile(2,",
    "count_values(\"v\",",
    "absent(",
    "round(",
    "9e99s",
    "__name__",
    "\u{0}",
];
