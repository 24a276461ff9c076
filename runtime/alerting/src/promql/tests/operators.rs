use super::{Fill, Memory, show, show_range};

#[test]
fn arithmetic_drops_the_name_and_comparisons_keep_it() {
    let source = Memory::default().with("a{x=1}", "7").with("a{x=2}", "3");
    assert_eq!(show(&source, "a * 2", 0), "{x=\"1\"} 14; {x=\"2\"} 6");
    assert_eq!(show(&source, "10 - a", 0), "{x=\"1\"} 3; {x=\"2\"} 7");
    assert_eq!(show(&source, "a % 4", 0), "{x=\"1\"} 3; {x=\"2\"} 3");
    assert_eq!(show(&source, "-a", 0), "{x=\"1\"} -7; {x=\"2\"} -3");
    assert_eq!(show(&source, "a > 5", 0), "a{x=\"1\"} 7");
    assert_eq!(show(&source, "5 < a", 0), "a{x=\"1\"} 7");
    assert_eq!(show(&source, "a > bool 5", 0), "{x=\"1\"} 1; {x=\"2\"} 0");
}

#[test]
fn precedence_and_scalars() {
    let source = Memory::default();
    assert_eq!(show(&source, "-2 ^ 2", 0), "-4");
    assert_eq!(show(&source, "2 ^ 3 ^ 2", 0), "512");
    assert_eq!(show(&source, "1 + 2 * 3 - 4 / 2", 0), "5");
    assert_eq!(show(&source, "7 % -4", 0), "3");
    assert_eq!(show(&source, "1 == bool 1", 0), "1");
    assert_eq!(show(&source, "0 / 0", 0), "NaN");
    assert_eq!(show(&source, "1 atan2 1", 0), "0.7853981633974483");
    assert_eq!(show(&source, "1h + 0x10 + 1e1", 0), "3626");
    assert_eq!(show(&source, "\"words\"", 0), "words");
}

#[test]
fn one_to_one_matches_all_labels_but_the_name() {
    let source = Memory::default()
        .with("a{x=1}", "10")
        .with("a{x=2}", "20")
        .with("b{x=1}", "2")
        .with("b{x=3}", "3")
        .with("c{x=1,y=9}", "5");
    assert_eq!(show(&source, "a / b", 0), "{x=\"1\"} 5");
    assert_eq!(show(&source, "a > b", 0), "a{x=\"1\"} 10");
    assert_eq!(show(&source, "a > bool b", 0), "{x=\"1\"} 1");
    assert_eq!(show(&source, "a + on (x) c", 0), "{x=\"1\"} 15");
    assert_eq!(show(&source, "a > on (x) c", 0), "{x=\"1\"} 10");
    assert_eq!(show(&source, "a + ignoring (y) c", 0), "{x=\"1\"} 15");
    assert_eq!(show(&source, "c > ignoring (y) b", 0), "c{x=\"1\"} 5");
}

#[test]
fn grouping_takes_labels_from_the_side_of_one() {
    let source = Memory::default()
        .with("a{x=1,m=get}", "10")
        .with("a{x=1,m=put}", "20")
        .with("info{x=1,v=2}", "1")
        .with("b{x=1}", "4");
    assert_eq!(
        show(&source, "a * on (x) group_left (v) info", 0),
        "{m=\"get\", v=\"2\", x=\"1\"} 10; {m=\"put\", v=\"2\", x=\"1\"} 20"
    );
    assert_eq!(
        show(&source, "b / on (x) group_right a", 0),
        "{m=\"get\", x=\"1\"} 0.4; {m=\"put\", x=\"1\"} 0.2"
    );
    assert_eq!(
        show(&source, "a > on (x) group_left b + 10", 0),
        "a{m=\"put\", x=\"1\"} 20"
    );
}

#[test]
fn ambiguous_matches_are_errors() {
    let source = Memory::default()
        .with("a{x=1,m=get}", "10")
        .with("a{x=1,m=put}", "20")
        .with("b{x=1}", "4");
    assert!(
        show(&source, "b + on (x) a", 0)
            .contains("found duplicate series for the match group {x=\"1\"} on the right hand-side of the operation")
    );
    assert!(show(&source, "a + on (x) group_right b", 0).contains("on the left hand-side"));
    assert!(show(&source, "a + on (x) b", 0).contains("many-to-one matching must be explicit"));
    assert!(show(&source, "a + on (x) group_left (m) b", 0).contains("grouping labels must ensure unique matches"));
    // Only what passes the comparison can be ambiguous on the left.
    assert_eq!(show(&source, "a > on (x) b * 4", 0), "{x=\"1\"} 20");
    // Nothing on the left: nothing is ambiguous.
    assert_eq!(show(&source, "nothing + on (x) a", 0), "");
}

#[test]
fn set_operators_keep_labels_and_values() {
    let source = Memory::default()
        .with("a{x=1}", "1 1")
        .with("a{x=2}", "2 2")
        .with("b{x=1}", "9 9")
        .with("b{x=3}", "3 3");
    assert_eq!(show(&source, "a and b", 0), "a{x=\"1\"} 1");
    assert_eq!(show(&source, "a unless b", 0), "a{x=\"2\"} 2");
    assert_eq!(show(&source, "a or b", 0), "a{x=\"1\"} 1; a{x=\"2\"} 2; b{x=\"3\"} 3");
    assert_eq!(show(&source, "a and on () b", 0), "a{x=\"1\"} 1; a{x=\"2\"} 2");
    assert_eq!(show(&source, "a unless on () nothing", 0), "a{x=\"1\"} 1; a{x=\"2\"} 2");
    assert_eq!(show(&source, "nothing or vector(0)", 0), "{} 0");
    assert_eq!(show(&source, "a and nothing", 0), "");
    assert_eq!(
        show_range(&source, "a > 1 or a", 0, 1),
        "a{x=\"1\"} 1@0 1@60; a{x=\"2\"} 2@0 2@60"
    );
}

#[test]
fn the_same_labels_twice_are_an_error() {
    let both = Memory::default().with("a{x=1}", "1").with("b{x=1}", "2");
    assert!(show(&both, "-{x=\"1\"}", 0).contains("vector cannot contain metrics with the same labelset"));
    assert!(show(&both, "rate({x=\"1\"}[1m])", 0).is_empty());
    assert!(show(&both, "last_over_time({x=\"1\"}[1m])", 0).contains("a{x=\"1\"} 1"));
    assert!(show(&both, "label_replace({x=\"1\"}, \"__name__\", \"c\", \"\", \"\")", 0).contains("same labelset"));
    let apart = Memory::default().with("a{x=1}", "1 stale").with("b{x=1}", "_ 2");
    assert_eq!(show_range(&apart, "abs({x=\"1\"})", 0, 1), "{x=\"1\"} 1@0 2@60");
    // Never at the same step, and yet an error, as in Prometheus.
    for query in [
        "-{x=\"1\"}",
        "max_over_time({x=\"1\"}[1m])",
        "label_join({x=\"1\"}, \"__name__\", \"\", \"x\")",
    ] {
        assert!(show_range(&apart, query, 0, 1).contains("same labelset"), "{query}");
    }
}

#[test]
fn aggregations_group_by_and_without() {
    let source = Memory::default()
        .with("a{x=1,y=1}", "1")
        .with("a{x=1,y=2}", "3")
        .with("a{x=2,y=1}", "8");
    assert_eq!(show(&source, "sum(a)", 0), "{} 12");
    assert_eq!(show(&source, "avg(a)", 0), "{} 4");
    assert_eq!(show(&source, "sum by (x) (a)", 0), "{x=\"1\"} 4; {x=\"2\"} 8");
    assert_eq!(show(&source, "max without (x) (a)", 0), "{y=\"1\"} 8; {y=\"2\"} 3");
    assert_eq!(show(&source, "min by (z) (a)", 0), "{} 1");
    assert_eq!(show(&source, "count by (__name__) (a)", 0), "a 3");
    assert_eq!(show(&source, "group(a)", 0), "{} 1");
    assert_eq!(show(&source, "stdvar by (x) (a)", 0), "{x=\"1\"} 1; {x=\"2\"} 0");
    assert_eq!(show(&source, "stddev(a{x=\"1\"})", 0), "{} 1");
    assert_eq!(show(&source, "quantile(0.5, a)", 0), "{} 3");
    assert_eq!(show(&source, "quantile(0.25, a)", 0), "{} 2");
    assert_eq!(show(&source, "quantile(2, a)", 0), "{} inf");
    assert_eq!(
        show(&source, "count_values(\"v\", a > 1)", 0),
        "{v=\"3\"} 1; {v=\"8\"} 1"
    );
    assert_eq!(
        show(&source, "count_values by (x) (\"v\", a % 2)", 0),
        "{v=\"1\", x=\"1\"} 2; {v=\"0\", x=\"2\"} 1"
    );
    assert_eq!(show(&source, "sum(nothing)", 0), "");
}

#[test]
fn the_first_of_a_group_are_in_their_order() {
    let source = Memory::default()
        .with("a{x=1}", "1 5")
        .with("a{x=2}", "3 3")
        .with("a{x=3}", "2 4")
        .with("a{x=4}", "NaN NaN");
    assert_eq!(show(&source, "topk(2, a)", 0), "a{x=\"2\"} 3; a{x=\"3\"} 2");
    assert_eq!(show(&source, "bottomk(2, a)", 0), "a{x=\"1\"} 1; a{x=\"3\"} 2");
    assert_eq!(
        show(&source, "topk(9, a)", 0),
        "a{x=\"2\"} 3; a{x=\"3\"} 2; a{x=\"1\"} 1; a{x=\"4\"} NaN"
    );
    assert_eq!(show(&source, "topk(0, a)", 0), "");
    assert_eq!(
        show_range(&source, "topk(1, a)", 0, 1),
        "a{x=\"1\"} 5@60; a{x=\"2\"} 3@0"
    );
    assert!(show(&source, "topk(NaN, a)", 0).contains("`topk` can't take NaN"));
    assert_eq!(
        show(&source, "sort(a)", 0),
        "a{x=\"1\"} 1; a{x=\"3\"} 2; a{x=\"2\"} 3; a{x=\"4\"} NaN"
    );
    assert_eq!(
        show(&source, "sort_desc(a)", 0),
        "a{x=\"2\"} 3; a{x=\"3\"} 2; a{x=\"1\"} 1; a{x=\"4\"} NaN"
    );
    assert_eq!(show(&source, "max(a)", 0), "{} 3");
    let equal = Memory::default().with("a{x=2}", "1").with("a{x=1}", "1");
    assert_eq!(show(&equal, "topk(1, a)", 0), "a{x=\"1\"} 1");
}

#[test]
fn a_sum_that_cancels_out_is_exact() {
    let source = Memory::default()
        .with("a{x=1}", "1e100")
        .with("a{x=2}", "1")
        .with("a{x=3}", "-1e100");
    assert_eq!(show(&source, "sum(a)", 0), "{} 1");
    let large = Memory::default().with("a{x=1}", "1.7e308").with("a{x=2}", "1.7e308");
    assert_eq!(show(&large, "avg(a)", 0), format!("{{}} {}", 1.7e308));
}
