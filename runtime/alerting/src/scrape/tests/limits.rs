//! Bounds on what a target may answer, and on what is kept of it.

use std::fmt::Write as _;

use super::*;
use crate::exposition::{Kind, Limits};

fn limited(options: Options) -> Scene {
    Scene::new(&[("job", "j")], options)
}

#[test]
fn more_samples_than_allowed_fail_the_scrape_and_are_all_counted() {
    let mut scene = limited(Options {
        sample_limit: Some(2),
        ..Options::default()
    });
    scene.scrape("a 1\nb 1\n");
    let outcome = scene.scrape("a 2\nb 2\nc 2\nd 2\n");
    fails(
        &outcome,
        "sample limit exceeded: the answer has 4 samples, more than the 2 of `max_samples` of its [scrape]",
    );
    assert_eq!(
        (outcome.scraped, outcome.post_relabeling, outcome.series_added),
        (4, 4, 0)
    );
    scene.scrape("a 3\nb 3\n");
    scene.holds(&[r#"a{job="j"} 1@1000 3@3000"#, r#"b{job="j"} 1@1000 3@3000"#]);
}

#[test]
fn a_sample_that_comes_again_does_not_count_for_the_limit() {
    let mut scene = limited(Options {
        sample_limit: Some(2),
        ..Options::default()
    });
    assert!(scene.scrape("a 1\na 1\na 1\nb 1\n").is_up());
}

#[test]
fn labels_past_a_limit_fail_the_scrape() {
    let count = Options {
        label_limit: Some(2),
        ..Options::default()
    };
    fails(
        &limited(count).scrape("a 1\na{b=\"1\"} 1\n"),
        "line 2, column 1: label_limit exceeded: 3 labels is more than 2",
    );
    let name = Options {
        label_name_length_limit: Some(10),
        ..Options::default()
    };
    fails(
        &limited(name).scrape("a 1\na{bbbbbbbbbbbb=\"1\"} 1\n"),
        "line 2, column 1: label_name_length_limit exceeded: the length 12 of `bbbbbbbbbbbb` is more than 10",
    );
    let value = Options {
        label_value_length_limit: Some(3),
        ..Options::default()
    };
    fails(
        &limited(value).scrape("a 1\na{b=\"1234\"} 1\n"),
        "line 2, column 1: label_value_length_limit exceeded: the length 4 of the value of `b` is more than 3",
    );
}

#[test]
fn a_body_of_the_limit_is_too_big() {
    let mut scene = limited(Options {
        body_size_limit: Some(8),
        ..Options::default()
    });
    scene.scrape("abc 12\n");
    fails(
        &scene.scrape("abc 123\n"),
        "body size limit exceeded: the answer has 8 bytes or more, the `body_size_limit`",
    );
    scene.holds(&[r#"abc{job="j"} 12@1000 end@2000"#]);
}

#[test]
fn what_is_read_at_all_is_bounded() {
    let mut scene = limited(Options {
        limits: Limits {
            samples: 1,
            ..Limits::default()
        },
        ..Options::default()
    });
    fails(&scene.scrape("a 1\nb 1\n"), "line 2, column 1: more than 1 samples");
}

#[test]
fn metadata_is_kept_for_a_while() {
    let mut scene = Scene::plain();
    let content_type = Some("application/openmetrics-text; version=1.0.0");
    scene.scrape_as(
        content_type,
        "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds What it took.\n# HELP b Nothing.\n# EOF\n",
    );
    let told = |scene: &Scene| {
        let mut told: Vec<_> = scene
            .target
            .metadata()
            .map(|(family, of)| format!("{family} {:?} {:?} {:?}", of.kind, of.help, of.unit))
            .collect();
        told.sort();
        told
    };
    assert_eq!(
        told(&scene),
        [
            r#"a_seconds Counter "What it took." "seconds""#,
            r#"b Unknown "Nothing." """#
        ]
    );
    for _ in 0..10 {
        scene.scrape("# TYPE b gauge\na 1\n");
        assert_eq!(told(&scene).len(), 2);
    }
    scene.scrape("# TYPE b gauge\na 1\n");
    assert_eq!(told(&scene), [r#"b Gauge "Nothing." """#]);
}

#[test]
fn metadata_is_bounded() {
    let mut scene = Scene::plain();
    let help = "ä".repeat(5000);
    scene.scrape(&format!("# HELP a {help}\na 1\n"));
    let (_, metadata) = scene.target.metadata().next().unwrap();
    assert_eq!(metadata.help.len(), 4096);
    let mut body = String::new();
    for n in 0..25_000 {
        writeln!(body, "# TYPE f{n} gauge").unwrap();
    }
    scene.scrape(&body);
    assert_eq!(scene.target.metadata().count(), 20_000);
    assert!(
        scene
            .target
            .metadata()
            .all(|(_, of)| matches!(of.kind, Kind::Gauge | Kind::Unknown))
    );
}

#[test]
fn a_target_that_makes_up_names_and_fails_does_not_fill_the_memory() {
    let mut scene = Scene::plain();
    for scrape in 0..20 {
        let mut body = String::new();
        for n in 0..500 {
            writeln!(body, "made_up_{scrape}_{n} 1").unwrap();
        }
        scene.scrape(&format!("{body}bad{{"));
        assert!(scene.target.known() <= 1500, "{}", scene.target.known());
    }
}
