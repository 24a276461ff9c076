//! What is appended, what ends, and what is reported. Each fact was seen in a Prometheus 3.5 that scraped the same texts.

use super::*;

#[test]
fn samples_get_the_time_of_the_scrape() {
    let mut scene = Scene::new(&[("job", "j")], Options::default());
    assert_eq!(
        scene.scrape("a 1\nb{x=\"y\"} 2\n"),
        Outcome {
            scraped: 2,
            post_relabeling: 2,
            series_added: 2,
            ..Outcome::default()
        }
    );
    assert_eq!(scene.scrape("a 3\nb{x=\"y\"} 4\n").series_added, 0);
    scene.holds(&[r#"a{job="j"} 1@1000 3@2000"#, r#"b{job="j", x="y"} 2@1000 4@2000"#]);
}

#[test]
fn every_scrape_is_reported() {
    let mut scene = Scene::new(&[("job", "j")], Options::default());
    scene.scrape("a 1\nb 1\nc 1\n");
    scene.scrape("a 1\nb{ 1\nc 1\n");
    scene.unanswered();
    let reports = [
        ("up", r#"up{job="j"} 1@1000 0@2000 0@3000"#),
        (
            "scrape_duration_seconds",
            r#"scrape_duration_seconds{job="j"} 0.25@1000 0.25@2000 0.25@3000"#,
        ),
        (
            "scrape_samples_scraped",
            r#"scrape_samples_scraped{job="j"} 3@1000 1@2000 0@3000"#,
        ),
        (
            "scrape_samples_post_metric_relabeling",
            r#"scrape_samples_post_metric_relabeling{job="j"} 3@1000 1@2000 0@3000"#,
        ),
        (
            "scrape_series_added",
            r#"scrape_series_added{job="j"} 3@1000 0@2000 0@3000"#,
        ),
    ];
    for (name, expected) in reports {
        assert_eq!(scene.report(name), expected);
    }
}

#[test]
fn a_series_that_is_not_there_any_more_ends() {
    let mut scene = Scene::plain();
    scene.scrape("a 1\nb 1\n");
    scene.scrape("a 2\n");
    assert_eq!(scene.scrape("b 3\na 3\n").series_added, 1);
    scene.holds(&["a 1@1000 2@2000 3@3000", "b 1@1000 end@2000 3@3000"]);
}

#[test]
fn a_bad_line_fails_the_scrape_and_tells_its_place() {
    let mut scene = Scene::plain();
    let outcome = scene.scrape("a 1\nb{ 2\nc 2\n");
    fails(&outcome, "line 2, column 4: expected a label's name or `}`, found `2`");
    assert_eq!((outcome.scraped, outcome.series_added), (1, 1));
    scene.holds(&[]);
    // It is known from now on, although it has no sample.
    assert_eq!(scene.scrape("a 1\nb 2\n").series_added, 1);
    scene.holds(&["a 1@2000", "b 2@2000"]);
}

#[test]
fn what_came_before_the_bad_line_does_not_end() {
    let mut scene = Scene::plain();
    scene.scrape("a 1\nb 1\nc 1\n");
    scene.scrape("a 2\nb{ 2\nc 2\n");
    scene.holds(&["a 1@1000", "b 1@1000 end@2000", "c 1@1000 end@2000"]);
    scene.scrape("a 2\nb{ 2\nc 2\n");
    scene.scrape("a 3\nb 3\n");
    scene.holds(&["a 1@1000 3@4000", "b 1@1000 end@2000 3@4000", "c 1@1000 end@2000"]);
}

#[test]
fn without_an_answer_everything_ends_once() {
    let mut scene = Scene::plain();
    scene.scrape("a 1\nb 1\n");
    fails(&scene.unanswered(), "connection refused");
    scene.unanswered();
    assert_eq!(scene.scrape("a 4\nb 4\n").series_added, 0);
    scene.holds(&["a 1@1000 end@2000 4@4000", "b 1@1000 end@2000 4@4000"]);
}

#[test]
fn an_empty_answer_is_up_and_ends_everything() {
    let mut scene = Scene::plain();
    scene.scrape("a 1\n");
    for content_type in [None, Some("text/plain"), Some("application/openmetrics-text")] {
        assert!(scene.scrape_as(content_type, "").is_up());
    }
    scene.holds(&["a 1@1000 end@2000"]);
    assert_eq!(scene.report("up"), "up 1@1000 1@2000 1@3000 1@4000");
}

#[test]
fn an_answer_of_no_known_type_fails() {
    let mut scene = Scene::plain();
    fails(
        &scene.scrape_as(Some("application/json"), "a 1\n"),
        "the answer's Content-Type is `application/json`, and only `text/plain` and `application/openmetrics-text` are \
         read; the target has no format to fall back on",
    );
    let options = Options {
        fallback_scrape_protocol: Some(Format::Text),
        ..Options::default()
    };
    assert!(
        Scene::new(&[], options)
            .scrape_as(Some("application/json"), "a 1\n")
            .is_up()
    );
}

#[test]
fn a_series_that_comes_twice_has_its_first_sample() {
    let mut scene = Scene::plain();
    let outcome = scene.scrape("a 1\na 2\n");
    assert!(outcome.is_up());
    assert_eq!(
        (outcome.scraped, outcome.post_relabeling, outcome.series_added),
        (2, 2, 1)
    );
    assert_eq!(outcome.dropped.duplicate, 1);
    scene.holds(&["a 1@1000"]);
}

#[test]
fn a_series_written_in_two_ways_is_one_and_counts_twice() {
    let mut scene = Scene::plain();
    let body = "a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n";
    assert_eq!(scene.scrape(body).series_added, 2);
    assert_eq!(scene.scrape(body).series_added, 0);
    scene.scrape("a{y=\"2\",x=\"1\"} 3\n");
    scene.holds(&[r#"a{x="1", y="2"} 1@1000 1@2000 3@3000"#]);
}

#[test]
fn a_time_of_its_own_is_kept_and_does_not_end() {
    let mut scene = Scene::plain();
    scene.scrape("a 1 500\nb 1\n");
    scene.scrape("b 1\n");
    scene.holds(&["a 1@500", "b 1@1000 1@2000"]);
}

#[test]
fn a_time_of_its_own_ends_if_that_is_tracked() {
    let options = Options {
        track_timestamps_staleness: true,
        ..Options::default()
    };
    let mut scene = Scene::new(&[], options);
    scene.scrape("a 1 500\n");
    scene.scrape("b 1\n");
    scene.holds(&["a 1@500 end@2000", "b 1@2000"]);
}

#[test]
fn a_time_that_is_not_honoured_counts_for_nothing() {
    let options = Options {
        honor_timestamps: false,
        ..Options::default()
    };
    let mut scene = Scene::new(&[], options);
    assert_eq!(scene.scrape("a 1 500\na 2 600\nb 1\n").dropped.duplicate, 1);
    scene.scrape("b 1\n");
    scene.holds(&["a 1@1000 end@2000", "b 1@1000 1@2000"]);
}

#[test]
fn samples_out_of_order_or_out_of_bounds_are_dropped_alone() {
    let mut scene = Scene::plain();
    scene.memory.oldest_ms = 100;
    let outcome = scene.scrape("a 1 500\na 2 500\na 3 400\nb 1 50\nc 1 601001\nc 2\nd 1 601000\n");
    assert!(outcome.is_up());
    assert_eq!(
        outcome.dropped,
        Dropped {
            duplicate: 1,
            out_of_order: 1,
            out_of_bounds: 2,
            full: 0
        }
    );
    // What was dropped is no new series, and so it can still have a sample in the same text.
    assert_eq!(outcome.series_added, 3);
    scene.holds(&["a 1@500", "c 2@1000", "d 1@601000"]);
}

#[test]
fn a_series_that_lost_its_time_ends_and_goes_on() {
    let mut scene = Scene::plain();
    scene.scrape("b 1\n");
    let outcome = scene.scrape("b 2 10\n");
    assert_eq!((outcome.dropped.out_of_order, outcome.series_added), (1, 0));
    scene.scrape("b 3\n");
    scene.holds(&["b 1@1000 end@2000 3@3000"]);
}

#[test]
fn a_target_that_goes_away_ends_its_reports_too() {
    let mut scene = Scene::plain();
    scene.scrape("a 1\nb 1 500\n");
    let Scene { target, mut memory, .. } = scene;
    target.gone(3000, &mut memory);
    let scene = Scene {
        memory,
        ..Scene::plain()
    };
    scene.holds(&["a 1@1000 end@3000", "b 1@500"]);
    assert_eq!(scene.report("up"), "up 1@1000 end@3000");
    assert_eq!(
        scene.report("scrape_series_added"),
        "scrape_series_added 2@1000 end@3000"
    );
}

#[test]
fn a_nan_is_no_end() {
    let mut scene = Scene::plain();
    scene.scrape("a NaN\n");
    scene.scrape("a nan\n");
    scene.holds(&["a NaN@1000 NaN@2000"]);
}

#[test]
fn a_known_text_keeps_its_labels_whatever_its_type_is_now() {
    let mut scene = Scene::plain();
    scene.scrape("# TYPE h histogram\nh_bucket{le=\"1\"} 1\n");
    scene.scrape("h_bucket{le=\"1\"} 2\n");
    scene.holds(&[r#"h_bucket{le="1.0"} 1@1000 2@2000"#]);
}

#[test]
fn a_new_series_finds_no_room_and_the_known_ones_go_on() {
    let mut scene = Scene::plain();
    scene.scrape("a 1\n");
    scene.memory.most = Some(scene.memory.series.len());
    for _ in 0..2 {
        let outcome = scene.scrape("b 2\na 2\n");
        assert!(outcome.is_up());
        assert_eq!((outcome.dropped.full, outcome.series_added), (1, 0));
    }
    scene.memory.most = None;
    assert_eq!(scene.scrape("b 3\na 3\n").series_added, 1);
    scene.holds(&["a 1@1000 2@2000 2@3000 3@4000", "b 3@4000"]);
}

#[test]
fn a_series_that_the_store_dropped_is_made_again() {
    let mut scene = Scene::plain();
    scene.scrape("a 1\nb 1\n");
    scene.memory.dropped = scene.memory.series.len() as u64;
    assert_eq!(scene.scrape("a 2\nb 2\n").dropped, Dropped::default());
    scene.scrape("a 3\n");
    scene.holds(&["a 1@1000", "a 2@2000 3@3000", "b 1@1000", "b 2@2000 end@3000"]);
    assert_eq!(scene.report("up"), "up 1@1000; up 1@2000 1@3000");
}

#[test]
fn the_order_of_the_lines_does_not_matter() {
    let mut scene = Scene::plain();
    scene.scrape("a 1\nb 1\nc 1\nd 1\n");
    scene.scrape("d 2\nb 2\na 2\n");
    scene.scrape("e 3\nb 3\nc 3\nd 3\n");
    scene.holds(&[
        "a 1@1000 2@2000 end@3000",
        "b 1@1000 2@2000 3@3000",
        "c 1@1000 end@2000 3@3000",
        "d 1@1000 2@2000 3@3000",
        "e 3@3000",
    ]);
}
