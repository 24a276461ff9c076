use super::{Fill, Memory, show, show_range};

#[test]
fn a_rate_reaches_to_the_ends_of_its_window() {
    // Four samples, 60 s apart, from 60 to 240, in the window (0, 240].
    let source = Memory::default().with("a", "0 60 120 180 240");
    // It rises by 180 in 180 s; the first sample is 60 s from the start, less than 66: as far as 240 s.
    assert_eq!(show(&source, "increase(a[4m])", 240), "{} 240");
    // The order of the divisions is Prometheus's, and so is the last digit.
    assert_eq!(
        show(&source, "rate(a[4m])", 240),
        format!("{{}} {}", 180.0 * (240.0 / 180.0 / 240.0))
    );
    assert_eq!(show(&source, "delta(a[4m])", 240), "{} 240");
    assert_eq!(show(&source, "irate(a[4m])", 240), "{} 1");
    assert_eq!(show(&source, "idelta(a[4m])", 240), "{} 60");
    assert_eq!(show(&source, "rate(a[1m])", 240), "");
}

#[test]
fn a_rate_does_not_reach_far_nor_below_zero() {
    // In (-360, 240] the first sample is at 0, 360 s from the start: half of a gap of 60 s is added.
    let gauge = Memory::default().with("a", "0 60 120 180 240");
    assert_eq!(show(&gauge, "delta(a[10m])", 240), "{} 270");
    // A counter that began at 0 adds nothing before.
    assert_eq!(show(&gauge, "increase(a[10m])", 240), "{} 240");
    // One that began at 10 was at zero 10 s before.
    let counter = Memory::default().with("a", "10 70 130 190 250");
    assert_eq!(
        show(&counter, "increase(a[10m])", 240),
        format!("{{}} {}", 240.0 * (250.0 / 240.0))
    );
}

#[test]
fn a_counter_that_falls_has_begun_anew() {
    let source = Memory::default().with("a", "10 20 5 15");
    // 10, then 5 from zero, then 10: 25 over 180 s; the window begins 60 s before, and it was zero 72 s before.
    assert_eq!(
        show(&source, "increase(a[4m])", 180),
        format!("{{}} {}", 25.0 * ((180.0 + 60.0) / 180.0))
    );
    assert_eq!(show(&source, "resets(a[4m])", 180), "{} 1");
    assert_eq!(show(&source, "changes(a[4m])", 180), "{} 3");
    assert_eq!(show(&source, "irate(a[3m])", 120), format!("{{}} {}", 5.0 / 60.0));
    let same = Memory::default().with("a", "NaN NaN 1 1");
    assert_eq!(show(&same, "changes(a[4m])", 180), "{} 1");
}

#[test]
fn lines_through_samples() {
    let source = Memory::default().with("a", "0 120 240 360");
    assert_eq!(show(&source, "deriv(a[4m])", 180), "{} 2");
    assert_eq!(show(&source, "predict_linear(a[4m], 60)", 180), "{} 480");
    assert_eq!(show(&source, "predict_linear(a[3m] offset 1m, 0)", 180), "{} 360");
    let flat = Memory::default().with("a", "3 3 3");
    assert_eq!(show(&flat, "predict_linear(a[4m], 1h)", 120), "{} 3");
}

#[test]
fn functions_over_time() {
    let source = Memory::default().with("a", "1 2 3 NaN 6");
    assert_eq!(show(&source, "max_over_time(a[10m])", 240), "{} 6");
    assert_eq!(show(&source, "min_over_time(a[10m])", 240), "{} 1");
    assert_eq!(show(&source, "avg_over_time(a[3m])", 120), "{} 2");
    assert_eq!(show(&source, "stdvar_over_time(a[2m])", 120), "{} 0.25");
    assert_eq!(show(&source, "stddev_over_time(a[2m])", 120), "{} 0.5");
    assert_eq!(show(&source, "quantile_over_time(0.75, a[2m])", 120), "{} 2.75");
    assert_eq!(show(&source, "last_over_time(a[10m])", 240), "a 6");
    assert_eq!(show(&source, "present_over_time(a[10m])", 240), "{} 1");
    assert_eq!(show(&source, "count_over_time(a[1m])", 600), "");
}

#[test]
fn what_is_absent_has_the_labels_that_were_asked_for() {
    let source = Memory::default().with("a{x=1}", "1");
    assert_eq!(show(&source, "absent(a)", 0), "");
    assert_eq!(
        show(&source, "absent(b{x=\"1\", y=~\"2\", z=\"3\", z!=\"4\"})", 0),
        "{x=\"1\"} 1"
    );
    assert_eq!(show(&source, "absent(sum(b{x=\"1\"}))", 0), "{} 1");
    assert_eq!(show(&source, "absent_over_time(a[1m])", 0), "");
    assert_eq!(
        show_range(&source, "absent_over_time(a{x=\"1\"}[2m])", 0, 3),
        "{x=\"1\"} 1@120 1@180"
    );
}

#[test]
fn values_one_by_one() {
    let source = Memory::default().with("a{x=1}", "-2.5").with("a{x=2}", "7");
    assert_eq!(show(&source, "abs(a)", 0), "{x=\"1\"} 2.5; {x=\"2\"} 7");
    assert_eq!(show(&source, "sgn(a)", 0), "{x=\"1\"} -1; {x=\"2\"} 1");
    assert_eq!(show(&source, "ceil(a)", 0), "{x=\"1\"} -2; {x=\"2\"} 7");
    assert_eq!(show(&source, "floor(a)", 0), "{x=\"1\"} -3; {x=\"2\"} 7");
    assert_eq!(show(&source, "round(a)", 0), "{x=\"1\"} -2; {x=\"2\"} 7");
    assert_eq!(show(&source, "round(a, 5)", 0), "{x=\"1\"} 0; {x=\"2\"} 5");
    assert_eq!(show(&source, "clamp(a, 0, 5)", 0), "{x=\"1\"} 0; {x=\"2\"} 5");
    assert_eq!(show(&source, "clamp(a, 5, 0)", 0), "");
    assert_eq!(show(&source, "clamp_min(a, 0)", 0), "{x=\"1\"} 0; {x=\"2\"} 7");
    assert_eq!(show(&source, "clamp_max(a, NaN)", 0), "{x=\"1\"} NaN; {x=\"2\"} NaN");
    assert_eq!(show(&source, "deg(vector(pi()))", 0), "{} 180");
    assert_eq!(
        show(
            &source,
            "exp(vector(0)) + ln(vector(1)) + sqrt(vector(9)) + log2(vector(8))",
            0
        ),
        "{} 7"
    );
}

#[test]
fn scalars_vectors_and_time() {
    let source = Memory::default().with("a{x=1}", "4 5").with("a{x=2}", "4");
    assert_eq!(show(&source, "scalar(a{x=\"1\"})", 0), "4");
    assert_eq!(show(&source, "scalar(a)", 0), "NaN");
    assert_eq!(show(&source, "vector(time())", 90), "{} 90");
    assert_eq!(show(&source, "time() - timestamp(a{x=\"1\"})", 100), "{x=\"1\"} 40");
    assert_eq!(show(&source, "timestamp(a{x=\"1\"} offset 1m)", 100), "{x=\"1\"} 0");
    assert_eq!(show(&source, "timestamp(-a{x=\"1\"})", 100), "{x=\"1\"} 100");
    assert_eq!(show_range(&source, "vector(scalar(a{x=\"1\"}))", 0, 1), "{} 4@0 5@60");
}

#[test]
fn dates_are_in_utc() {
    // Thursday, 29 February 2024, 13:45:10.
    let (source, at) = (Memory::default(), 1_709_214_310);
    for (query, value) in [
        ("year()", 2024),
        ("month()", 2),
        ("day_of_month()", 29),
        ("days_in_month()", 29),
        ("day_of_week()", 4),
        ("day_of_year()", 60),
        ("hour()", 13),
        ("minute()", 45),
        ("hour(vector(0))", 0),
        ("year(vector(-1))", 1969),
    ] {
        assert_eq!(show(&source, query, at), format!("{{}} {value}"), "{query}");
    }
    assert_eq!(show(&source, "year(vector(NaN))", at), "{} NaN");
}

#[test]
fn labels_are_replaced_and_joined() {
    let source = Memory::default().with("a{x=host:9100,y=b}", "1");
    let replaced = |to: &str, pattern: &str| {
        show(
            &source,
            &format!("label_replace(a, \"z\", \"{to}\", \"x\", \"{pattern}\")"),
            0,
        )
    };
    assert_eq!(replaced("$1", "(.*):.*"), "a{x=\"host:9100\", y=\"b\", z=\"host\"} 1");
    assert_eq!(
        replaced("${h}-$2", "(?P<h>.*):(.*)"),
        "a{x=\"host:9100\", y=\"b\", z=\"host-9100\"} 1"
    );
    assert_eq!(replaced("no", "host"), "a{x=\"host:9100\", y=\"b\"} 1");
    assert_eq!(
        show(&source, "label_replace(a, \"y\", \"\", \"x\", \".*\")", 0),
        "a{x=\"host:9100\"} 1"
    );
    assert_eq!(
        show(&source, "label_join(a, \"y\", \"/\", \"y\", \"none\", \"x\")", 0),
        "a{x=\"host:9100\", y=\"b//host:9100\"} 1"
    );
}

#[test]
fn quantiles_of_classic_histograms() {
    let source = Memory::default()
        .with("h{le=1}", "10")
        .with("h{le=2.0}", "30")
        .with("h{le=4}", "40")
        .with("h{le=+Inf}", "50")
        .with("h{le=words}", "9");
    // Rank 25 is 15 of the 20 between 1 and 2.
    assert_eq!(show(&source, "histogram_quantile(0.5, h)", 0), "{} 1.75");
    assert_eq!(show(&source, "histogram_quantile(0.1, h)", 0), "{} 0.5");
    assert_eq!(show(&source, "histogram_quantile(0.99, h)", 0), "{} 4");
    assert_eq!(show(&source, "histogram_quantile(-1, h)", 0), "{} -inf");
    assert_eq!(show(&source, "histogram_quantile(1.1, h)", 0), "{} inf");
    assert_eq!(show(&source, "histogram_quantile(0.5, h{le!=\"+Inf\"})", 0), "{} NaN");
    assert_eq!(show(&source, "histogram_quantile(0.5, nothing)", 0), "");
    // 30 is lifted over the 25 that follows it.
    let falling = Memory::default()
        .with("h{le=1}", "30")
        .with("h{le=2}", "25")
        .with("h{le=+Inf}", "40");
    assert_eq!(show(&falling, "histogram_quantile(0.75, h)", 0), "{} 1");
    let below = Memory::default().with("h{le=-1}", "5").with("h{le=+Inf}", "10");
    assert_eq!(show(&below, "histogram_quantile(0.2, h)", 0), "{} -1");
}
