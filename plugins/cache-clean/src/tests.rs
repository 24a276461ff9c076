use evenkeel_sdk::files::{Entry, Kind};
use evenkeel_sdk::serde_json::{Value, from_value, json};
use evenkeel_sdk::{MockHost, Risk};

use super::*;

const OLD: Duration = Duration::days(8);

fn clean(more: Value) -> Result<CacheClean> {
    let mut params = json!({ "root": "cache", "older_than": "7d" });
    params
        .as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    Ok(from_value(params)?)
}

fn cache(old: impl IntoIterator<Item = &'static str>) -> MockHost {
    old.into_iter().fold(MockHost::new(), |host, path| {
        host.with_file_aged("cache", path, "12345", OLD)
    })
}

fn planned(actions: &[Action]) -> Vec<&str> {
    let effects = actions.iter().flat_map(|action| &action.effects);
    effects.map(|effect| effect.subject.as_str()).collect()
}

#[test]
fn the_plan_names_every_file_that_it_would_remove() -> Result<()> {
    let host = cache(["a", "d/b"]).with_file("cache", "young", "12345");
    let actions = clean(json!({}))?.plan(&host)?;
    assert_eq!(planned(&actions), ["cache:a", "cache:d/b"]);
    assert_eq!(actions[0].id, "remove-1");
    assert_eq!(actions[0].summary, "removes 2 files of `cache:` older than 7d, 10 B");
    assert_eq!((actions[0].risk, &actions[0].undo), (Risk::Low, &None));
    assert!(
        actions[0]
            .effects
            .iter()
            .all(|effect| effect.operation == "remove" && effect.at_most == 1)
    );
    assert!(host.effects().is_empty());
    Ok(())
}

#[test]
fn nothing_old_is_nothing_to_do() -> Result<()> {
    let host = MockHost::new().with_file_aged("cache", "a", "x", Duration::days(7));
    assert_eq!(clean(json!({}))?.plan(&host)?, []);
    Ok(())
}

#[test]
fn a_cache_that_is_not_there_is_an_error() -> Result<()> {
    let error = clean(json!({ "path": "gone" }))?
        .plan(&cache(["a"]))
        .expect_err("no such directory");
    assert_eq!(
        error.message(),
        "looking for old files: `cache:gone`: there is no such file or directory"
    );
    Ok(())
}

#[test]
fn only_what_is_below_the_path_is_planned() -> Result<()> {
    let actions = clean(json!({ "path": "tmp" }))?.plan(&cache(["tmp/a", "tmp/d/b", "tmpfile", "z"]))?;
    assert_eq!(planned(&actions), ["cache:tmp/a", "cache:tmp/d/b"]);
    Ok(())
}

#[test]
fn what_is_kept_is_kept_at_any_age() -> Result<()> {
    let host = cache(["tmp/a.lock", "tmp/d/b.lock", "tmp/keep/c", "tmp/d/keep/e", "tmp/x"]);
    let actions = clean(json!({ "path": "tmp", "keep": ["*.lock", "keep/**"] }))?.plan(&host)?;
    assert_eq!(planned(&actions), ["cache:tmp/d/keep/e", "cache:tmp/x"]);
    Ok(())
}

#[test]
fn directories_links_and_devices_are_left_alone() -> Result<()> {
    let other = |path: &str, kind| Entry {
        path: path.into(),
        kind,
        bytes: 0,
        modified_ms: 0,
        mode: 0,
        uid: 0,
        gid: 0,
    };
    let host = cache(["d/a"])
        .with_entry("cache", other("link", Kind::Link))
        .with_entry("cache", other("fifo", Kind::Other));
    assert_eq!(planned(&clean(json!({}))?.plan(&host)?), ["cache:d/a"]);
    Ok(())
}

#[test]
fn the_oldest_go_first_and_the_rest_is_told() -> Result<()> {
    let mut host = MockHost::new();
    for (path, days) in [("a", 9), ("b", 30), ("c", 8), ("d", 20)] {
        host = host.with_file_aged("cache", path, "12345", Duration::days(days));
    }
    let actions = clean(json!({ "at_most": 2 }))?.plan(&host)?;
    assert_eq!(planned(&actions), ["cache:b", "cache:d"]);
    assert_eq!(
        actions[0].summary,
        "removes 2 files of `cache:` older than 7d, 10 B; 2 files, 10 B, left for the next run"
    );
    Ok(())
}

#[test]
fn apply_removes_exactly_what_was_planned() -> Result<()> {
    let host = cache(["a", "d/b"]).with_file("cache", "young", "x");
    let params = clean(json!({}))?;
    let actions = params.plan(&host)?;
    // It grew old enough only after the plan was made.
    let host = host.with_file_aged("cache", "c", "x", OLD);
    host.allow(&actions[0]);
    let applied = params.apply(&host, &actions[0])?;
    assert!(applied.changed);
    assert_eq!(applied.summary, "removed 2 of 2 files planned, 10 B");
    assert_eq!(host.paths("cache"), ["c", "d", "young"]);
    assert_eq!(host.made(), ["files.remove cache:a", "files.remove cache:d/b"]);
    Ok(())
}

#[test]
fn what_was_replaced_since_is_left_alone() -> Result<()> {
    let host = cache(["a", "b", "c", "d"]);
    let params = clean(json!({}))?;
    let actions = params.plan(&host)?;
    // Of the same size but now, of another size at the same time, and gone.
    host.put_file("cache", "a", "54321");
    let host = host.with_file_aged("cache", "b", "1", OLD);
    host.take_file("cache", "c");
    host.allow(&actions[0]);
    let applied = params.apply(&host, &actions[0])?;
    assert_eq!(
        applied.summary,
        "removed 1 of 4 files planned, 5 B; 1 gone already; 2 changed since and left alone"
    );
    assert_eq!(
        applied.output,
        Some(json!({ "removed": 1, "bytes": 5, "gone": 1, "changed": 2, "left": 0, "seen_all": true }))
    );
    assert_eq!(host.paths("cache"), ["a", "b"]);
    Ok(())
}

#[test]
fn a_cache_that_vanished_is_no_change() -> Result<()> {
    let host = cache(["tmp/a"]);
    let params = clean(json!({ "path": "tmp" }))?;
    let actions = params.plan(&host)?;
    host.take_file("cache", "tmp/a");
    host.take_file("cache", "tmp");
    host.allow(&actions[0]);
    let applied = params.apply(&host, &actions[0])?;
    assert_eq!((applied.changed, host.effects()), (false, Vec::new()));
    Ok(())
}

#[test]
fn a_large_cache_is_cleaned_in_parts_that_cover_it_once() -> Result<()> {
    let mut host = MockHost::new();
    for n in 0..2_500 {
        host = host.with_file_aged("cache", &format!("{}/{n:04}", n % 7), "x", OLD);
    }
    let params = clean(json!({}))?;
    let actions = params.plan(&host)?;
    let sizes: Vec<_> = actions.iter().map(|action| action.effects.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
    assert_eq!(
        actions[2].summary,
        "removes 500 files of `cache:` older than 7d, 500 B (part 3 of 3)"
    );
    for action in &actions {
        host.allow(action);
        assert_eq!(
            params.apply(&host, action)?.output.map(|output| output["gone"].clone()),
            Some(json!(0))
        );
    }
    assert_eq!(host.paths("cache").len(), 7);
    Ok(())
}

#[test]
fn long_names_make_smaller_parts_and_a_bounded_plan() -> Result<()> {
    let mut host = MockHost::new();
    for n in 0..3_000 {
        host = host.with_file_aged("cache", &format!("{n:04}{}", "x".repeat(1_000)), "x", OLD);
    }
    let actions = clean(json!({}))?.plan(&host)?;
    let json = |action: &Action| {
        action.body.to_string().len() + action.effects.iter().map(|e| e.subject.len() + 60).sum::<usize>()
    };
    assert!(actions.iter().all(|action| json(action) < 1 << 20));
    assert!(actions.iter().map(json).sum::<usize>() < 4 << 20);
    let planned = planned(&actions).len();
    assert!(
        actions
            .last()
            .is_some_and(|last| last.summary.contains(&format!("{} files", 3_000 - planned)))
    );
    Ok(())
}

#[test]
fn a_cache_too_large_to_look_at_is_cleaned_as_far_as_it_was_seen() -> Result<()> {
    let mut host = MockHost::new().with_file_aged("cache", "a", "x", OLD);
    for n in 0..12_000 {
        host = host.with_file("cache", &format!("b{n:05}{}", "x".repeat(1_000)), "x");
    }
    let host = host.with_file_aged("cache", "c", "x", OLD);
    let params = clean(json!({}))?;
    let actions = params.plan(&host)?;
    assert_eq!(planned(&actions), ["cache:a"]);
    let words = "removes 1 file of `cache:` older than 7d, 1 B; a part of the cache was not looked at";
    assert_eq!(actions[0].summary, words);
    host.allow(&actions[0]);
    let output = params.apply(&host, &actions[0])?.output;
    assert_eq!(output.map(|output| output["seen_all"].clone()), Some(json!(false)));
    Ok(())
}

#[test]
fn a_walk_that_takes_too_long_still_makes_a_plan() -> Result<()> {
    let mut host = MockHost::new()
        .with_deadline(Duration::seconds(30))
        .with_slow_calls(Duration::seconds(7));
    for n in 0..9_000 {
        host = host.with_file_aged("cache", &format!("{n:04}"), "x", OLD);
    }
    let actions = clean(json!({}))?.plan(&host)?;
    assert_eq!(planned(&actions).len(), 8_000);
    assert!(host.logs().iter().any(|(_, line)| line.contains("stopped looking")));
    Ok(())
}
