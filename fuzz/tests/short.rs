//! The short form of each target: what `libFuzzer` looks for at length is looked for at random here.

use evenkeel_fuzz::{cron, effects, grants, manifest, paths, series, subjects};
use proptest::collection::vec;
use proptest::prelude::*;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn schedules_only_go_forward(
        place in any::<[u8; 5]>(),
        text in "((\\*|[0-9]{1,2}(-[0-9]{1,2})?)(/[1-9])?(,[0-9]{1,2})? ){4,5}(\\*|[0-7]|[a-z]{3}|1-5)|@(hourly|daily|weekly|monthly|yearly)|[@a-z0-9*/, -]{0,20}",
    ) {
        cron::try_one(&[&place, text.as_bytes()].concat());
    }

    #[test]
    fn effects_are_matched_as_the_plainest_way_says(bytes in vec(any::<u8>(), 0..200)) {
        effects::try_one(&bytes);
    }

    #[test]
    fn a_grant_is_all_that_stands_there(text in "(read|GET|use|TERM) ?[a-z0-9/{}. -]{0,12}|.{0,20}") {
        grants::try_one(text.as_bytes());
    }

    #[test]
    fn a_manifest_is_refused_or_holds_together(
        kind in 0u8..4,
        json in r#"\{"name":"[a-z.]{1,5}","version":"1.0.0","summary":"","kinds":\{("check":(\{\}|true|1))?\}(,"capabilities":\{"files":\["(read|reed)"\]\})?\}|.{0,60}"#,
    ) {
        manifest::try_one(&[&[kind], json.as_bytes()].concat());
    }

    #[test]
    fn what_follows_a_header_never_panics(kind in 0u8..2, bytes in vec(any::<u8>(), 0..200)) {
        manifest::try_one(&[&[kind], &bytes[..]].concat());
    }

    #[test]
    fn accepted_paths_stay_below(path in "/?([a.;/%]|%2e|%2F|%25|%5c){0,12}(\\?.{0,5})?") {
        paths::try_one(path.as_bytes());
    }

    #[test]
    fn any_snapshot_and_log_make_a_sound_store(kind in 0u8..4, first in 0u8..3, bytes in vec(prop_oneof![0u8..4, any::<u8>()], 0..200)) {
        series::try_one(&[&[kind, first], &bytes[..]].concat());
    }

    #[test]
    fn host_and_sdk_write_the_same_subjects(bytes in vec(any::<u8>(), 0..100)) {
        subjects::try_one(&bytes);
    }
}

/// The made-up component is one, or the target would try nothing.
#[test]
fn the_made_up_component_has_a_manifest() {
    let json = br#"{"name":"a","version":"1.0.0","summary":"","kinds":{"check":{}}}"#;
    assert_eq!(
        manifest::made_up(json).map(|manifest| manifest.name),
        Some("a".to_owned())
    );
}
