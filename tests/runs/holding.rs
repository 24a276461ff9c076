//! What people hold back, with the commands that they have for it.

use anyhow::ensure;
use evenkeel_tests::{alerts::Alert, evenkeel::BOUND, wait::wait_until};

use crate::workshop::{ON_ALERT, Repair, broken, fixes, is_broken};

fn alert() -> Alert {
    Alert::new("Broken").label("asset", "one")
}

#[test]
fn a_pause_that_is_made_without_a_daemon_is_kept_by_the_next_one() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(ON_ALERT)])?;
    let said = home.done(&["pause", "--all", "--for", "2h", "--why", "the move"])?;
    assert!(
        said.stdout.starts_with("everything is paused until "),
        "{}",
        said.stdout
    );
    let daemon = home.serve()?;
    daemon.push(&[alert().firing()])?;
    home.wait_for_state(1, "waiting");
    assert!(is_broken(&home));
    let listed = home.done(&["pauses"])?.stdout;
    assert!(listed.contains("everything") && listed.contains("the move"), "{listed}");
    let story = home.story(1)?;
    assert!(
        story.contains("for `pause`") && story.contains("paused everything until"),
        "{story}"
    );

    home.done(&["unpause", "--all"])?;
    assert_eq!(home.finished(1)[0]["verdict"], "changed");
    assert_eq!(fixes(&home), ["fixed"]);
    assert_eq!(home.json(&["pauses"])?, serde_json::json!([]));
    let again = home.run(&["unpause", "--all"])?;
    assert_eq!(
        (again.code, again.stderr.contains("everything is not paused")),
        (1, true),
        "{again:#?}"
    );
    Ok(())
}

#[test]
fn what_only_looks_or_is_refused_goes_on_with_nothing_that_was_left() -> anyhow::Result<()> {
    let repairs = [Repair::new("repair", "fix").and(ON_ALERT), Repair::new("other", "fix")];
    let home = broken(&repairs)?;
    home.done(&["pause", "--all", "--why", "the move"])?;
    let daemon = home.serve()?;
    daemon.push(&[alert().firing()])?;
    home.wait_for_state(1, "waiting");
    daemon.terminate()?;
    home.done(&["unpause", "--all"])?;
    for arguments in [
        &["run", "other", "--dry-run"][..],
        &["approve", "1"],
        &["approve", "--round", "9"],
        &["decline", "9"],
        &["runs", "resolve", "1", "--done"],
        &["runs", "undo", "1", "--dry-run"],
        &["runs", "undo", "1"],
    ] {
        let said = home.run(arguments)?;
        assert!(!said.stderr.contains("left unfinished"), "{arguments:?}: {said:#?}");
        assert_eq!(home.runs()?[0]["state"], "waiting", "{arguments:?}");
        assert!(is_broken(&home) && fixes(&home).is_empty(), "{arguments:?}");
    }
    let said = home.run(&["run", "other"])?;
    assert!(
        said.stderr.contains("what was left unfinished goes on beside this"),
        "{said:#?}"
    );
    let _daemon = home.serve()?;
    let runs = home.finished(3);
    assert!(!is_broken(&home) && fixes(&home) == ["fixed"], "{runs:#?}");
    Ok(())
}

#[test]
fn a_pause_of_what_is_not_there_is_refused_with_what_was_meant() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(ON_ALERT)])?;
    let words = "there is no runbook `repare`; did you mean `repair`?";
    let pause = ["pause", "--runbook", "repare", "--why", "x"];
    let alone = home.run(&pause)?;
    let _daemon = home.serve()?;
    let asked = home.run(&pause)?;
    for said in [alone, asked] {
        assert_eq!((said.code, said.stderr.contains(words)), (1, true), "{said:#?}");
    }
    assert_eq!(home.run(&["pause", "--why", "x"])?.code, 2, "of what?");
    Ok(())
}

#[test]
fn a_silenced_alert_starts_nothing_until_the_silence_is_ended() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(ON_ALERT)])?;
    let daemon = home.serve()?;
    let silence = home.json(&[
        "silence",
        "add",
        "alertname=Broken",
        "asset=~o.e",
        "--for",
        "1h",
        "--why",
        "known",
    ])?;
    daemon.push(&[alert().firing()])?;
    home.wait_for_state(1, "waiting");
    let told = home.done(&["why", "--runbook", "repair"])?.stdout;
    assert!(
        told.contains("waits for `silence`") && told.contains("held back:"),
        "{told}"
    );
    let simulated = home.done(&["why", "--simulate", &fingerprint(&home)?])?.stdout;
    assert!(
        simulated.contains("`repair` on `one`: would wait") && simulated.contains("silence  waits"),
        "{simulated}"
    );

    home.done(&["silence", "end", &silence["id"].to_string()])?;
    assert_eq!(home.finished(1)[0]["verdict"], "changed");
    assert_eq!(home.run(&["silence", "end", "9"])?.code, 1);
    Ok(())
}

fn fingerprint(home: &evenkeel_tests::evenkeel::Home) -> anyhow::Result<String> {
    let runs = home.runs()?;
    let fingerprint = runs[0]["occurrence"]["alert"]["identity"]["fingerprint"].as_str();
    ensure!(fingerprint.is_some(), "{runs:#?}");
    Ok(fingerprint.unwrap_or_default().to_owned())
}

#[test]
fn in_a_freeze_a_person_is_told_how_to_change_something_all_the_same() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix")])?;
    let settings = std::fs::read_to_string(home.path().join("evenkeel.toml"))?;
    let freeze = "[[freeze]]\nname = \"year-end\"\nfrom = \"2020-01-01T00:00:00Z\"\nuntil = 2099-01-01T00:00:00Z\n";
    home.write("evenkeel.toml", &format!("{settings}\n{freeze}"))?;
    let refused = home.run(&["run", "repair"])?;
    assert_eq!((refused.code, is_broken(&home)), (13, true), "{refused:#?}");
    assert!(
        refused.stdout.contains("`one` is frozen by `year-end` until 2099"),
        "{}",
        refused.stdout
    );
    let said = home.done(&["run", "repair", "--override-freeze", "the shop is down"])?;
    assert!(said.stdout.contains("set aside: the shop is down"), "{said:#?}");
    assert_eq!(home.run(&["run", "repair", "--override-freeze", " "])?.code, 2, "why?");
    assert!(!is_broken(&home));
    Ok(())
}

#[test]
fn what_was_given_up_is_tried_again_once_its_strikes_are_cleared() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fail").limits("strikes = 1").and(ON_ALERT)])?;
    let daemon = home.serve()?;
    daemon.push(&[alert().firing()])?;
    home.finished(2);
    let runs = home.runs()?;
    assert_eq!(
        (&runs[0]["verdict"], &runs[1]["verdict"]),
        (&"failed".into(), &"rejected".into()),
        "{runs:#?}"
    );
    assert!(home.story(2)?.contains("by `strikes`"), "{}", home.story(2)?);

    let said = home.done(&["strikes", "clear", "repair", "one"])?;
    assert_eq!(said.stdout, "`repair` may try again on `one`\n");
    daemon.push(&[alert().label("n", "2").firing()])?;
    wait_until(BOUND, "it was tried again", || {
        let runs = home.runs()?;
        ensure!(runs.len() >= 3 && runs[2]["verdict"] == "failed", "{runs:#?}");
        Ok(())
    });
    Ok(())
}

#[test]
fn an_alert_is_tried_from_a_file_without_a_daemon() -> anyhow::Result<()> {
    let home = broken(&[Repair::new("repair", "fix").and(ON_ALERT)])?;
    let one = serde_json::to_string(&[alert().firing()])?;
    home.write("alert.json", &one)?;
    let file = home.path().join("alert.json").display().to_string();
    let told = home.done(&["why", "--simulate", &file])?.stdout;
    assert!(told.contains("`repair` on `one`: would start"), "{told}");
    assert!(home.runs()?.is_empty() && is_broken(&home));
    let other = one.replace("Broken", "Brokem");
    home.write("alert.json", &other)?;
    let told = home.json(&["why", "--simulate", &file])?;
    let others = told["others"][0].as_str().unwrap_or_default();
    assert_eq!(
        others,
        "no runbook takes an alert `Brokem`; the nearest is `Broken`, which `repair` takes"
    );
    Ok(())
}
