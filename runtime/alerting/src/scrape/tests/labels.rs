//! The labels of the answer beside those of the target, as a Prometheus 3.5 stored them.

use super::*;

/// What becomes of a text, with the target's labels and `honor_labels`.
fn stored(target: &[(&str, &str)], honor_labels: bool, body: &str) -> Result<Vec<String>, String> {
    let options = Options {
        honor_labels,
        ..Options::default()
    };
    let mut scene = Scene::new(target, options);
    match scene.scrape(body).failure {
        Some(failure) => Err(failure.to_string()),
        None => Ok(scene.told(|name| !is_report(name))),
    }
}

const TARGET: &[(&str, &str)] = &[("job", "j"), ("instance", "i")];

#[test]
fn the_targets_labels_hold_and_the_answers_are_exported() {
    let cases = [
        ("a 1", r#"a{instance="i", job="j"} 1@1000"#),
        (
            r#"a{job="",instance="x",exported_instance="e"} 1"#,
            r#"a{exported_exported_instance="x", exported_instance="e", instance="i", job="j"} 1@1000"#,
        ),
        (
            r#"a{job="x",exported_job="",instance="y",exported_instance=""} 1"#,
            r#"a{exported_instance="y", exported_job="x", instance="i", job="j"} 1@1000"#,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(stored(TARGET, false, body), Ok(vec![expected.to_owned()]), "{body}");
    }
    let target = [TARGET, &[("exported_job", "t")]].concat();
    assert_eq!(
        stored(&target, false, r#"a{exported_job="x",job="y"} 1"#),
        Ok(vec![
            r#"a{exported_exported_exported_job="x", exported_exported_job="y", exported_job="t", instance="i", job="j"} 1@1000"#
                .to_owned()
        ])
    );
}

#[test]
fn the_answers_labels_hold_if_they_are_honoured() {
    let cases = [
        (r#"a{job="x"} 1"#, r#"a{instance="i", job="x"} 1@1000"#),
        (r#"a{job="",instance="x"} 1"#, r#"a{instance="x"} 1@1000"#),
    ];
    for (body, expected) in cases {
        assert_eq!(stored(TARGET, true, body), Ok(vec![expected.to_owned()]), "{body}");
    }
}

#[test]
fn a_label_that_stands_twice_fails_the_scrape() {
    let cases = [
        (
            "z 1\na{x=\"1\",x=\"2\"} 1\n",
            "line 2, column 1: the label `x` stands twice in this series",
        ),
        (
            "a{x=\"1\",x=\"1\"} 1\n",
            "line 1, column 1: the label `x` stands twice in this series",
        ),
        (
            "a{job=\"1\",job=\"2\"} 1\n",
            "line 1, column 1: the label `job` stands twice in this series",
        ),
        (
            "a{__name__=\"b\"} 1\n",
            "line 1, column 1: the label `__name__` stands twice in this series",
        ),
        (
            "a{__name__=\"\"} 1\n",
            "line 1, column 1: this series has no name: its `__name__` is empty",
        ),
        // The first bad place is told, also if the text goes on with another.
        (
            "a{x=\"1\",x=\"2\"} 1\nb{\n",
            "line 1, column 1: the label `x` stands twice in this series",
        ),
    ];
    for (body, expected) in cases {
        for honor_labels in [false, true] {
            assert_eq!(stored(TARGET, honor_labels, body), Err(expected.to_owned()), "{body}");
        }
    }
}

#[test]
fn a_label_that_stands_twice_and_once_empty_is_none() {
    for body in [r#"a{x="",x="2"} 1"#, r#"a{x="1",x=""} 1"#, r#"a{x="",x=""} 1"#] {
        assert_eq!(stored(&[], false, body), Ok(vec!["a 1@1000".to_owned()]), "{body}");
    }
    assert!(stored(TARGET, false, r#"a{job="",job="2"} 1"#).is_err());
}
