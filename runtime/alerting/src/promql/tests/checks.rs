use super::{Fill, Memory, show};
use crate::promql::{Answer, Error, Limits, Options, Query, Steps, Type, Why};

fn refused(text: &str) -> (Why, &str) {
    let refusal = Query::check(text).expect_err(text);
    (refusal.why, &text[refusal.place])
}

#[test]
fn what_is_left_out_is_refused_by_name_at_its_place() {
    assert_eq!(
        refused("sum(mad_over_time(a[5m]))"),
        (Why::Unsupported, "mad_over_time")
    );
    assert_eq!(refused("1 + limitk(1, a)"), (Why::Unsupported, "limitk"));
    assert_eq!(
        refused("limit_ratio by (x) (0.5, a)"),
        (Why::Unsupported, "limit_ratio")
    );
    assert_eq!(refused("histogram_count(a)"), (Why::Unsupported, "histogram_count"));
    assert_eq!(
        refused("holt_winters(a[5m], 0.5, 0.5)"),
        (Why::Unsupported, "holt_winters")
    );
    assert_eq!(refused("a * on (x) fill (0) b"), (Why::Unsupported, "fill"));
    assert_eq!(refused("info(a)").0, Why::Unsupported);
    let refusal = Query::check("sort_by_label(a, \"x\")").unwrap_err();
    assert!(refusal.to_string().contains("ask a remote source"), "{refusal}");
}

#[test]
fn an_unknown_function_and_a_wrong_type_have_their_place() {
    assert_eq!(refused("a + rat(b[5m])"), (Why::Unknown, "rat"));
    assert_eq!(refused("a + ln(0)"), (Why::Invalid, "0"));
    assert_eq!(refused("(a + 1))"), (Why::Invalid, ")"));
    assert_eq!(refused("sum((a)"), (Why::Invalid, "("));
    assert_eq!(
        refused("label_replace(a, \"\", \"\", \"x\", \"\")"),
        (Why::Invalid, "\"\"")
    );
    assert_eq!(
        refused("label_replace(a, \"y\", \"\", \"x\", \"(\")"),
        (Why::Invalid, "\"(\"")
    );
}

#[test]
fn what_is_no_promql_is_refused() {
    for text in [
        "",
        " ",
        "#",
        "a b",
        "1 +",
        "sum()",
        "sum(1)",
        "sum(a[5m])",
        "a[5m] + 1",
        "rate(a)",
        "rate(a[0s])",
        "a[inf]",
        "a[nan:1m]",
        "a[-5m]",
        "a offset inf",
        "a offset 1e30",
        "a[300y]",
        "1 > 2",
        "a > bool",
        "a and 1",
        "a + bool b",
        "{x=~\".*\"}",
        "{}",
        "a{__name__=\"b\"}",
        "a{x=\"1\" or x=\"2\"}",
        "time()[5m:1m]",
        "a[5m:0s]",
        "a @ nan",
        "-\"x\"",
        "a + on (x) group_left (x) b",
        "a and on (x) group_left b",
        "topk(\"1\", a)",
        "count_values(1, a)",
        "absent(1)",
        "a{x=~\"(\"}",
        "'unclosed",
        "a offset 1m offset 1m",
        "a[5m5h]",
        "scalar(1)",
        "vector(a)",
        "quantile(a)",
        "time(1)",
        "a[50000000000s]",
        "a[1h5000000000000000000ms]",
        "clamp(a, 1)",
        "round(a, 1, 2)",
        "a @ 1e300",
    ] {
        assert!(Query::check(text).is_err(), "{text}");
    }
}

#[test]
fn what_real_rules_write_is_taken() {
    for text in [
        "a",
        "a:b:c",
        "-a ^ 2",
        "1e3",
        "0x1F",
        ".5",
        "Inf",
        "-NaN",
        "5m",
        "a[5m]",
        "a[300]",
        "a offset -1h30m",
        "a offset 0s",
        "a @ 1.5",
        "a @ start()",
        "a[5m] @ end() offset 1m",
        "a[1h:]",
        "a[1h:30s]",
        "sum by (x) (a)",
        "sum(a) without (x,)",
        "a == bool on (x) group_left (y) b",
        "a unless ignoring (x) b",
        "{\"a.b\", x!~\"y\"}",
        "a{x=~`\\d+\"`}",
        "sum by (\"a.b\") (a)",
        "# words\na # more",
        "SUM(a) BY (on)",
        "a Or b",
        "start + end",
        "histogram_quantile(0.9, a)",
        "label_join(a, \"x\", \"-\")",
        "day_of_week()",
        "count_values(\"v\", a)",
        "a atan2 b",
        "a{}",
        "1 < bool 2",
    ] {
        assert!(
            Query::check(text).is_ok(),
            "{text}: {}",
            Query::check(text).unwrap_err()
        );
    }
    assert_eq!(Query::check("a[5m]").unwrap().value_type(), Type::Matrix);
    assert_eq!(Query::check("-scalar(a) + 1").unwrap().value_type(), Type::Scalar);
}

#[test]
fn what_is_too_deep_or_too_long_is_refused_before_it_is_parsed() {
    for text in [
        format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{}a{}", "(".repeat(1000), ")".repeat(1000)),
        "-".repeat(30_000) + "a",
        "a + ".repeat(10_000) + "a",
        "a ^ ".repeat(300) + "a",
        "a or ".repeat(600) + "a",
        "a".repeat(70_000),
    ] {
        assert_eq!(Query::check(&text).unwrap_err().why, Why::TooBig);
    }
    assert!(Query::check(&("a or ".repeat(90) + "a")).is_ok());
}

#[test]
fn each_limit_has_an_error_of_its_own() {
    let source = Memory::default().with("a{x=1}", "1 2 3").with("a{x=2}", "1 2 3");
    let limits = |series, samples, steps| Options {
        limits: Limits { series, samples, steps },
        ..Options::default()
    };
    let instant = |text: &str, options| Query::check(text).unwrap().instant(&source, 120_000, &options);
    assert_eq!(
        instant("a", limits(1, 100, 100)),
        Err(Error::TooManySeries { found: 2, limit: 1 })
    );
    assert_eq!(instant("a", limits(2, 1, 100)), Err(Error::TooManySamples { limit: 1 }));
    assert_eq!(
        instant("max_over_time(a[1h:1m])", limits(2, 1000, 59)),
        Err(Error::TooManySteps { steps: 60, limit: 59 })
    );
    let range = |steps| Query::check("a").unwrap().range(&source, steps, &limits(2, 100, 3));
    let steps = Steps {
        start_ms: 0,
        end_ms: 180_000,
        step_ms: 60_000,
    };
    assert_eq!(range(steps), Err(Error::TooManySteps { steps: 4, limit: 3 }));
    assert_eq!(range(Steps { step_ms: 0, ..steps }), Err(Error::BadStep(0)));
    assert_eq!(range(Steps { end_ms: -1, ..steps }), Err(Error::BadTimes));
    assert_eq!(
        range(Steps {
            start_ms: i64::MIN,
            ..steps
        }),
        Err(Error::BadTimes)
    );
    assert!(matches!(instant("a", limits(2, 3, 1)), Ok(Answer::Vector(all)) if all.len() == 2));
}

#[test]
fn raw_strings_keep_their_backslashes() {
    let source = Memory::default().with("a{x=17}", "1").with("a{x=b}", "1");
    assert_eq!(show(&source, "a{x=~`\\d+`}", 0), "a{x=\"17\"} 1");
}

#[test]
fn the_deepest_that_is_taken_fits_on_a_small_stack() {
    let deep = format!("{}a{}{}", "sum(abs(".repeat(31), "))".repeat(31), " + a".repeat(36));
    let long = "a or ".repeat(98) + "a";
    let ranges = format!("{}a{}", "max_over_time(".repeat(31), "[5m:1m])".repeat(31));
    let evaluate = move || {
        let source = Memory::default().with("a", "1");
        for text in [deep, long, ranges] {
            let query = Query::check(&text).unwrap();
            let _ = query.instant(&source, 0, &Options::default());
        }
    };
    std::thread::Builder::new()
        .stack_size(3 << 19)
        .spawn(evaluate)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn a_word_out_of_turn_has_its_place() {
    let at = |text: &str| {
        let refusal = Query::check(text).unwrap_err();
        format!("{} {}", refusal.place.start, refusal.message)
    };
    assert_eq!(at("up foo"), "3 `foo` stands where an operator belongs");
    assert_eq!(at("sum by (x) (a) b"), "15 `b` stands where an operator belongs");
    assert_eq!(at("up * / 2"), "5 `/` stands where a value belongs");
    assert_eq!(at("rate(a[5m]) >"), "13 it ends where a value belongs");
    assert_eq!(at("a{x=\"1\"} offset 5m 3"), "19 `3` stands where an operator belongs");
    assert_eq!(
        at("a == on (x) group_left (y) b = 1"),
        "29 `=` stands where an operator belongs"
    );
}
