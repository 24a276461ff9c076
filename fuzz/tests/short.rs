//! The short form of each target: what `libFuzzer` looks for at length is looked for at random here.

use evenkeel_fuzz::{
    cron, effects, exposition, grants, manifest, paths, promql, rules, scrape, series, subjects, template,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The words of templates, so that many of them are some.
const TEMPLATE_PARTS: &str = "\\{\\{ |\\{\\{- |-?\\}\\}| \\|? ?\\(?|\\) |if |range |with |else |end ?|define \"a\"|template \"a\" |break|continue\
    |\\$x :?= |\\$(x|labels|value|labels\\.odd)|\\.(Value|Labels)?|[0-9]{1,3}(\\.[0-9]{1,2})?(e[0-9])?|\"%[-+# 0]?[0-9]{0,4}(\\.[0-9])?[a-zA-Z]\" \
    |\"[a-z.:é \\\\]{0,6}\" |nil |printf |print |html |query |first |value |index |slice |len |eq |lt |and |or |args \
    |humanize(Duration|1024|Timestamp)? |toTime |title |reReplaceAll |match |stripDomain |parseDuration |sortByLabel ";

/// Lines that are nearly right.
fn exposition_text() -> impl Strategy<Value = String> {
    let line = "(# (TYPE|HELP) [ab]_?(bucket)? (counter|histogram|text)|[ab](_bucket)?(\\{(le|x|job|\"y z\")=\"[01a\\\\n]{0,3}\",?\\})? (1|0\\.5|NaN|1e3)( [1-9]{4,6})?|# EOF|.{0,12})\n";
    vec(line, 0..6).prop_map(|lines| lines.concat())
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
    fn rule_files_are_refused_at_a_place_or_evaluated(
        kind in 0u8..3,
        text in "(groups:|- |  |rules:|tests:|name: a|record: b|alert: c|expr: (up|sum by \\(x\\) \\(up\\)|up\\[|ALERTS) ?(> 0|\\+)?|for: 5m|labels: \\{(a: b)?\\}|annotations: \\{x: '\\{\\{ (\\$value|\\.) \\}\\}'\\}|&a|\\*a|<<: |\\[\\[rule\\]\\]|name = \"a\"|[a-z]+ = \"[a-z]*\"|\n|\n  |\n- |'|\"|\\||>|ü|\t|.){0,24}",
    ) {
        rules::try_one(&[&[kind], text.as_bytes()].concat());
    }

    #[test]
    fn templates_are_refused_with_a_place_or_rendered_within_their_limits(
        bytes in any::<[u8; 2]>(),
        parts in vec(TEMPLATE_PARTS, 0..12),
        closed in any::<bool>(),
    ) {
        let end = if closed { " }}" } else { "" };
        template::try_one(&[&bytes, parts.concat().as_bytes(), end.as_bytes()].concat());
    }

    #[test]
    fn exposition_text_is_read_as_it_was_written(choice in any::<u8>(), text in exposition_text()) {
        exposition::try_one(&[&[choice], text.as_bytes()].concat());
    }

    #[test]
    fn exposition_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        exposition::try_one(&bytes);
    }

    #[test]
    fn scrapes_of_a_target_hold_together(
        choice in any::<u8>(),
        scrapes in vec((any::<u8>(), exposition_text()), 1..6),
    ) {
        let mut bytes = vec![choice];
        for (kind, text) in scrapes {
            // Most are answers of a type that is read.
            bytes.push(if kind < 200 { kind & 1 } else { kind });
            bytes.extend(text.bytes());
            bytes.push(0xff);
        }
        scrape::try_one(&bytes);
    }

    #[test]
    fn expressions_are_refused_or_have_an_answer(
        choice in any::<u8>(),
        text in "(sum|rate|topk|avg by ?\\(n\\) |histogram_quantile|label_replace|abs|-)?\\(?([cgh]|odd|ended|h_bucket|0\\.9, )(\\{n=~?\"[0-2.*]{1,3}\"\\})?(\\[[1-9][ms](:[1-9]s)?\\])?\\)?( ?(offset [1-9]m|@ 9[0-9]{2}|[-+*/%^]|==|> bool|and|or|unless) ?([cg]|[0-9]))?|.{0,40}",
    ) {
        promql::try_one(&[&[choice], text.as_bytes()].concat());
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
