use super::{Fake, show, show_range};

#[test]
fn the_lookback_is_open_to_the_left() {
    let source = Fake::default().with("a", "1");
    assert_eq!(show(&source, "a", 0), "a 1");
    assert_eq!(show(&source, "a", 299), "a 1");
    assert_eq!(show(&source, "a", 300), "");
    assert_eq!(show(&source, "a", -1), "");
}

#[test]
fn a_stale_series_is_gone_at_once_and_its_marker_is_no_sample() {
    let source = Fake::default().with("a", "1 2 stale _ 5");
    assert_eq!(show_range(&source, "a", 0, 4), "a 1@0 2@60 5@240");
    assert_eq!(show(&source, "count_over_time(a[5m])", 240), "{} 3");
    assert_eq!(show(&source, "sum_over_time(a[5m])", 180), "{} 3");
    let nan = Fake::default().with("a", "NaN");
    assert_eq!(show(&nan, "a", 0), "a NaN");
}

#[test]
fn windows_are_open_to_the_left() {
    let source = Fake::default().with("a", "1 2 4 8 16");
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
    let source = Fake::default().with("a", "1 2 4 8 16");
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
    let source = Fake::default().with("a", "1 2 4 8 16");
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
    let source = Fake::default()
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
    let source = Fake::default().with("a{x=2}", "1 1").with("a{x=1}", "2 _");
    assert_eq!(
        show_range(&source, "sort_desc(a)", 0, 1),
        "a{x=\"1\"} 2@0 2@60; a{x=\"2\"} 1@0 1@60"
    );
    assert_eq!(show_range(&source, "time()", 0, 1), "{} 0@0 60@60");
}
