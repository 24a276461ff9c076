use std::cell::RefCell;

use super::{Fill, Memory, show, show_range};
use evenkeel_model::runbook::Matcher;

use crate::promql::{Options, Query, Series, Source, SourceError, Steps};

/// Writes down what is asked.
struct Asked(Memory, RefCell<Vec<(i64, i64)>>);

impl Source for Asked {
    fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Result<Vec<Series<'_>>, SourceError> {
        self.1.borrow_mut().push((start_ms / 1000, end_ms / 1000));
        self.0.select(matchers, start_ms, end_ms)
    }
}

#[test]
fn a_source_is_asked_once_a_selector_for_what_all_steps_need() {
    let source = Asked(Memory::default().with("a", "1 2 4 8 16"), RefCell::default());
    let query = Query::check("rate(a[5m] offset 1m) + max_over_time(b[2m:1m]) > c @ 30").unwrap();
    let steps = Steps {
        start_ms: 600_000,
        end_ms: 1_200_000,
        step_ms: 60_000,
    };
    query.range(&source, steps, &Options::default()).unwrap();
    // Of b the first step within is at 540, and it looks back by 300.
    assert_eq!(*source.1.borrow(), [(240, 1140), (240, 1200), (-269, 30)]);
}

#[test]
fn what_a_source_says_is_the_error() {
    struct Broken;
    impl Source for Broken {
        fn select(&self, _: &[Matcher], _: i64, _: i64) -> Result<Vec<Series<'_>>, SourceError> {
            Err(SourceError("the disk is full".into()))
        }
    }
    let error = Query::check("sum(a)")
        .unwrap()
        .instant(&Broken, 0, &Options::default())
        .unwrap_err();
    assert_eq!(error.to_string(), "the source of series: the disk is full");
}

#[test]
fn the_lookback_is_open_to_the_left() {
    let source = Memory::default().with("a", "1");
    assert_eq!(show(&source, "a", 0), "a 1");
    assert_eq!(show(&source, "a", 299), "a 1");
    assert_eq!(show(&source, "a", 300), "");
    assert_eq!(show(&source, "a", -1), "");
}

#[test]
fn a_stale_series_is_gone_at_once_and_its_marker_is_no_sample() {
    let source = Memory::default().with("a", "1 2 stale _ 5");
    assert_eq!(show_range(&source, "a", 0, 4), "a 1@0 2@60 5@240");
    assert_eq!(show(&source, "count_over_time(a[5m])", 240), "{} 3");
    assert_eq!(show(&source, "sum_over_time(a[5m])", 180), "{} 3");
    let nan = Memory::default().with("a", "NaN");
    assert_eq!(show(&nan, "a", 0), "a NaN");
}

#[test]
fn windows_are_open_to_the_left() {
    let source = Memory::default().with("a", "1 2 4 8 16");
    assert_eq!(show(&source, "sum_over_time(a[2m])", 240), "{} 24");
    assert_eq!(show(&source, "sum_over_time(a[121s])", 240), "{} 28");
    assert_eq!(show(&source, "a[2m]", 240), "a [(180000, 8.0), (240000, 16.0)]");
    assert_eq!(
        show_range(&source, "sum_over_time(a[2m])", 0, 5),
        "{} 1@0 3@60 6@120 12@180 24@240 16@300"
    );
}

#[test]
fn offsets_go_back_and_forward_and_at_pins_the_time() {
    let source = Memory::default().with("a", "1 2 4 8 16");
    assert_eq!(show(&source, "a offset 1m", 180), "a 4");
    assert_eq!(show(&source, "a offset -1m", 120), "a 8");
    assert_eq!(show(&source, "a @ 60", 240), "a 2");
    assert_eq!(show(&source, "a @ 120 offset 1m", 240), "a 2");
    assert_eq!(show(&source, "sum_over_time(a[2m] @ 120)", 0), "{} 6");
    assert_eq!(
        show_range(&source, "a @ end() - a @ start()", 1, 3),
        "{} 6@60 6@120 6@180"
    );
    assert_eq!(show_range(&source, "a offset 1m", 0, 2), "a 1@60 2@120");
}

#[test]
fn subqueries_stand_on_absolute_time() {
    let source = Memory::default().with("a", "1 2 4 8 16");
    // At 250 s the minutes within (130, 250] are 180 and 240.
    assert_eq!(show(&source, "sum_over_time(a[2m:])", 250), "{} 24");
    // At 240 s the window is open at 120.
    assert_eq!(show(&source, "sum_over_time(a[2m:1m])", 240), "{} 24");
    assert_eq!(show(&source, "count_over_time(a[2m:30s])", 240), "{} 4");
    assert_eq!(show(&source, "max_over_time(sum(a)[2m:1m] offset 1m)", 240), "{} 8");
    assert_eq!(show(&source, "max_over_time(a[2m:1m] @ 120)", 240), "{} 4");
    assert_eq!(
        show_range(&source, "max_over_time(a[2m:1m])", 2, 4),
        "{} 4@120 8@180 16@240"
    );
    assert_eq!(show(&source, "a[2m:1m]", 240), "a [(180000, 8.0), (240000, 16.0)]");
}

#[test]
fn matchers_take_a_missing_label_as_empty_and_whole_values() {
    let source = Memory::default()
        .with("a{x=one}", "1")
        .with("a{y=two}", "2")
        .with("a{x=one more}", "3");
    assert_eq!(show(&source, "a{x=\"\"}", 0), "a{y=\"two\"} 2");
    assert_eq!(show(&source, "a{x=~\"one\"}", 0), "a{x=\"one\"} 1");
    assert_eq!(show(&source, "a{x!~\"one.*\"}", 0), "a{y=\"two\"} 2");
    assert_eq!(
        show(&source, "{__name__=~\"a|b\", x!=\"\"}", 0),
        "a{x=\"one\"} 1; a{x=\"one more\"} 3"
    );
}

#[test]
fn a_range_is_in_the_order_of_labels_and_of_a_scalar_without() {
    let source = Memory::default().with("a{x=2}", "1 1").with("a{x=1}", "2 _");
    assert_eq!(
        show_range(&source, "sort_desc(a)", 0, 1),
        "a{x=\"1\"} 2@0 2@60; a{x=\"2\"} 1@0 1@60"
    );
    assert_eq!(show_range(&source, "time()", 0, 1), "{} 0@0 60@60");
}
