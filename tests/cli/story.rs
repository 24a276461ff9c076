//! What `run` and `runs show` tell.

use std::fs;

use evenkeel_tests::{golden::assert_golden, stable::stable};

/// Whoever runs the tests asks for the runs.
fn without_the_user(text: &str) -> anyhow::Result<String> {
    let user = String::from_utf8(std::process::Command::new("id").arg("-un").output()?.stdout)?;
    Ok(text.replace(&format!("asked by {}", user.trim()), "asked by USER"))
}

#[test]
fn a_full_repair_is_told_from_its_cause_to_its_verdict() -> anyhow::Result<()> {
    let home = super::home()?;

    let followed = home.done(&["run", "clean"])?;

    let story = without_the_user(&home.stable_story(1)?)?;
    assert_golden("cli/golden/story-repaired.txt", &story);
    let followed = without_the_user(&stable(&followed.stdout, home.path()))?;
    assert_eq!(followed, story, "`run` tells what `runs show` tells later");
    let left: Vec<_> = fs::read_dir(home.path().join("app/cache"))?
        .map(|entry| entry.map(|e| e.file_name()))
        .collect::<Result<_, _>>()?;
    assert_eq!(left, ["a.lock"]);
    Ok(())
}

#[test]
fn a_dry_run_tells_its_plan() -> anyhow::Result<()> {
    let home = super::home()?;
    let told = home.done(&["run", "clean", "--dry-run"])?;
    let told = without_the_user(&stable(&told.stdout, home.path()))?;
    assert_golden("cli/golden/story-planned.txt", &told);
    Ok(())
}

#[test]
fn the_alert_of_a_file_is_what_the_runbook_sees() -> anyhow::Result<()> {
    let home = super::home()?;
    let alert = evenkeel_tests::alerts::Alert::new("CacheCrowded").label("severity", "critical");
    let pushed = serde_json::json!([alert.firing()]);
    let webhook = evenkeel_tests::alerts::notification(&[alert.notified("firing")]);
    for (run, text) in (1..).zip([alert.firing(), pushed, webhook]) {
        home.write("alert.json", &text.to_string())?;
        home.done(&["run", "clean", "--dry-run", "--alert", "alert.json"])?;
        let story = home.story(run)?;
        assert!(story.contains("CacheCrowded{severity=\"critical\"}"), "{story}");
    }
    let two = serde_json::json!([alert.firing(), alert.clone().label("a", "b").firing()]);
    for (wrong, words) in [
        ("{", "holds no alert"),
        ("[]", "sees one alert, and there are 0"),
        (&*two.to_string(), "sees one alert, and there are 2"),
    ] {
        home.write("alert.json", wrong)?;
        let said = home.run(&["run", "clean", "--dry-run", "--alert", "alert.json"])?;
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(said.stderr.contains(words), "{words}: {said:#?}");
    }
    let missing = home.run(&["run", "clean", "--alert", "missing.json"])?;
    assert!(missing.stderr.contains("can't read `missing.json`"), "{missing:#?}");
    assert_eq!(home.runs()?.len(), 3, "what is wrong starts nothing");
    Ok(())
}

#[test]
fn a_run_that_is_not_there_is_said() -> anyhow::Result<()> {
    let home = super::home()?;
    for served in [false, true] {
        let _daemon = if served { Some(home.serve()?) } else { None };
        let said = home.run(&["runs", "show", "99"])?;
        assert_eq!((said.code, said.stdout.as_str()), (1, ""), "{said:#?}");
        assert!(said.stderr.contains("there is no run 99"), "{said:#?}");
    }
    assert_eq!(home.run(&["runs", "show", "first"])?.code, 2);
    Ok(())
}

#[test]
fn a_runbook_or_a_target_that_is_not_there_is_said_with_a_suggestion() -> anyhow::Result<()> {
    let home = super::home()?;
    for served in [false, true] {
        let _daemon = if served { Some(home.serve()?) } else { None };
        let said = home.run(&["run", "claen"])?;
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(
            said.stderr
                .contains("there is no runbook `claen`; did you mean `clean`?"),
            "{said:#?}"
        );
        let said = home.run(&["run", "clean", "--target", "lokal"])?;
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(
            said.stderr.contains("there is no asset `lokal`; did you mean `local`?"),
            "{said:#?}"
        );
        let said = home.run(&["run", "clean", "--set", "size=3"])?;
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(said.stderr.contains("input `size`"), "{said:#?}");
    }
    assert!(home.runs()?.is_empty());
    Ok(())
}

#[test]
fn without_a_daemon_there_is_nothing_to_cancel() -> anyhow::Result<()> {
    let home = super::home()?;
    let said = home.run(&["runs", "cancel", "1"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stderr.contains("no daemon serves this home"), "{said:#?}");
    Ok(())
}
