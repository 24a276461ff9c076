//! Whatever stands in the files of a home, reading them ends with a home or with problems that
//! have a place in them.

#![allow(clippy::unwrap_used, reason = "a test fails and says why")]

use evenkeel_model::check::{Sources, check};
use evenkeel_model::home::lock;
use evenkeel_model::problem::Problem;
use proptest::prelude::*;

const SETTINGS: &str = include_str!("../../../tests/check/base/evenkeel.toml");
const ASSETS: &str = include_str!("../../../tests/check/base/assets.toml");
const RUNBOOKS: [&str; 3] = [
    include_str!("../../../tests/check/valid/free-disk-space.toml"),
    include_str!("../../../tests/check/valid/templates.toml"),
    include_str!("../../../tests/check/valid/seconds.toml"),
];
const MANIFESTS: [&str; 3] = [
    include_str!("../../../tests/check/base/manifests/disk-usage-1.0.0.json"),
    include_str!("../../../tests/check/base/manifests/http-probe-1.0.0.json"),
    include_str!("../../../tests/check/base/manifests/command-1.0.0.json"),
];

fn installed() -> Vec<evenkeel_model::plugin::Installed> {
    let installed = MANIFESTS.iter().map(|json| evenkeel_model::plugin::Installed {
        manifest: evenkeel_model::plugin::Manifest::parse(json.as_bytes()).unwrap(),
        digest: evenkeel_model::plugin::Digest("0".repeat(64)),
        file: "plugins/x.wasm".to_owned(),
    });
    installed.collect()
}

/// A text with some of its parts cut out, doubled or replaced.
fn changed(text: &'static str) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[\\[\\]{}=\",'.\n# a-z0-9ä-]{0,6}",
        Just("{{ ".to_owned()),
        Just("= []\n".to_owned()),
        Just("= {}\n".to_owned()),
        Just("= 1e400\n".to_owned()),
        Just("= 99999999999999999999\n".to_owned()),
        Just("= 1979-05-27\n".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("\\u00e4".to_owned()),
    ];
    let change = (any::<prop::sample::Index>(), 0usize..12, piece);
    prop::collection::vec(change, 0..5).prop_map(move |changes| {
        let mut text = text.to_owned();
        for (at, cut, piece) in changes {
            let start = text.floor_char_boundary(at.index(text.len().max(1)));
            let end = text.floor_char_boundary((start + cut).min(text.len()));
            text.replace_range(start..end.max(start), &piece);
        }
        text
    })
}

fn runbook() -> impl Strategy<Value = String> {
    prop_oneof![changed(RUNBOOKS[0]), changed(RUNBOOKS[1]), changed(RUNBOOKS[2])]
}

fn have_places(problems: &[Problem], sources: &Sources) -> Result<(), TestCaseError> {
    prop_assert!(!problems.is_empty());
    for problem in problems {
        let text = match problem.file.as_str() {
            "evenkeel.toml" => sources.evenkeel.as_deref(),
            "assets.toml" => sources.assets.as_deref(),
            "evenkeel.lock" => sources.lock.as_deref(),
            "plugins/x.wasm" => None,
            _ => Some(sources.runbooks[0].1.as_str()),
        };
        if let (Some(span), Some(text)) = (&problem.span, text) {
            prop_assert!(text.get(span.clone()).is_some(), "{problem}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_home_has_problems_with_places(
        settings in changed(SETTINGS),
        assets in changed(ASSETS),
        runbook in runbook(),
    ) {
        let installed = installed();
        let sources = Sources {
            dir: "/home/of/tests".into(),
            evenkeel: Some(settings),
            assets: Some(assets),
            runbooks: vec![("runbooks/a.toml".into(), runbook)],
            lock: None,
        };
        let _ = lock::resolve(&sources, &installed);
        match check(&sources, &installed) {
            Ok(checked) => prop_assert_eq!(checked.home.runbooks.len(), 1),
            Err(problems) => have_places(&problems, &sources)?,
        }
    }

    #[test]
    fn any_text_has_problems_with_places(text in any::<String>(), lock in any::<String>()) {
        let sources = Sources {
            dir: "/home/of/tests".into(),
            evenkeel: Some(text.clone()),
            assets: Some(text.clone()),
            runbooks: vec![("runbooks/a.toml".into(), text)],
            lock: Some(lock),
        };
        if let Err(problems) = check(&sources, &[]) {
            have_places(&problems, &sources)?;
        }
    }
}

#[test]
fn a_deep_nesting_is_refused_and_not_followed() {
    for text in [
        format!("a = {}1{}", "[".repeat(10_000), "]".repeat(10_000)),
        format!("a = {}1{}", "{ a = ".repeat(10_000), " }".repeat(10_000)),
        format!("[{}a]", "a.".repeat(100_000)),
    ] {
        let sources = Sources {
            evenkeel: Some(text),
            ..Sources::default()
        };
        assert!(check(&sources, &[]).is_err());
    }
}

#[test]
fn a_long_chain_of_assets_is_followed_without_recursion() {
    let assets = (0..20_000).map(|n| format!("[[asset]]\nid = \"a{n}\"\ndepends_on = [\"a{}\"]\n", n + 1));
    let mut assets = assets.collect::<String>();
    assets.push_str("[[asset]]\nid = \"a20000\"\n");
    let sources = Sources {
        evenkeel: Some(String::new()),
        assets: Some(assets),
        ..Sources::default()
    };
    assert_eq!(check(&sources, &[]).unwrap().home.assets.len(), 20_002);
}

#[test]
fn without_its_main_file_there_is_no_home() {
    let problems = check(&Sources::default(), &[]).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "evenkeel.toml: error[missing-file]: there is no `evenkeel.toml`: this is no home"
    );
}

#[test]
fn a_plugin_without_a_lock_is_said_once() {
    let sources = Sources {
        evenkeel: Some(SETTINGS.into()),
        assets: Some(ASSETS.into()),
        runbooks: vec![("runbooks/a.toml".into(), RUNBOOKS[2].into())],
        ..Sources::default()
    };
    let problems = check(&sources, &installed()).unwrap_err();
    let locks = problems.iter().filter(|problem| problem.code == "not-locked");
    assert_eq!(locks.count(), 1, "{problems:?}");
}
