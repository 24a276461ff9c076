//! A backup is taken while the daemon is at work, and what is restored from it is what it was then.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio};

use anyhow::ensure;
use evenkeel_tests::evenkeel::Home;
use serde_json::Value;

use crate::workshop::{Repair, break_again, broken, fixes, go, is_broken, wait_for_fixes};

fn repairs() -> [Repair; 2] {
    let many = "max_runs = \"none\"\noverlap = \"queue\"";
    [
        Repair::new("repair", "fix").limits(many),
        Repair::new("slow", "slow").limits(many),
    ]
}

fn summaries(home: &Home) -> anyhow::Result<Vec<Value>> {
    let mut runs = home.runs()?;
    runs.sort_by_key(|run| run["run"].as_u64());
    Ok(runs)
}

/// The same home elsewhere, without its data.
fn elsewhere(home: &Home) -> anyhow::Result<Home> {
    let other = broken(&repairs())?;
    fs::remove_dir_all(other.path().join("app"))?;
    fs::create_dir(other.path().join("app"))?;
    ensure!(!other.path().join("data/evenkeel.db").exists());
    ensure!(other.path() != home.path());
    Ok(other)
}

#[test]
fn a_backup_of_a_busy_home_is_restored_elsewhere_as_it_was() -> anyhow::Result<()> {
    let home = broken(&repairs())?;
    home.done(&["run", "repair"])?;
    let daemon = home.serve()?;
    break_again(&home)?;
    // One is in the middle of its repair while the copy is made, and others come and go.
    let mut slow = home.command()?;
    let mut slow = slow
        .args(["run", "slow"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    wait_for_fixes(&home, 2);
    let kept = home.path().join("kept");
    let said = home.done(&["backup", &kept.to_string_lossy()])?;
    assert!(said.stdout.contains("2 runs (1 under way)"), "{said:#?}");
    let then = summaries(&home)?;
    go(&home)?;
    slow.wait()?;
    home.done(&["run", "repair"])?;
    assert_eq!(summaries(&home)?.len(), 3);
    drop(daemon);
    for (file, mode) in [
        ("", 0o700),
        ("home.key", 0o600),
        ("evenkeel.db", 0o600),
        ("components", 0o700),
    ] {
        let mode_of = fs::metadata(kept.join(file))?.permissions().mode() & 0o777;
        assert_eq!(mode_of, mode, "{file}");
    }

    let other = elsewhere(&home)?;
    let checked = other.done(&["restore", "--check", &kept.to_string_lossy()])?;
    assert_eq!(checked.stdout, said.stdout);
    assert!(!other.path().join("data/evenkeel.db").exists(), "it only looked");
    let restored = other.done(&["restore", &kept.to_string_lossy()])?;
    assert!(
        restored
            .stderr
            .contains("1 runs were under way when the backup was taken"),
        "{restored:#?}"
    );

    let now = summaries(&other)?;
    assert_eq!(now.len(), 2);
    assert_eq!(now[0], then[0], "what had ended is as it was");
    other.done(&["audit", "verify"])?;
    assert_eq!(other.story(1)?, home.story(1)?);
    // What was under way did more since, and is not gone on with: the repair is not made a second time.
    let _daemon = other.serve()?;
    let run = other.wait_for_state(2, "finished");
    assert_eq!(run["verdict"], "unknown", "{run:#}");
    assert!(
        run["why"]
            .as_str()
            .is_some_and(|why| why.contains("restored from a backup of")),
        "{run:#}"
    );
    assert!(fixes(&other).is_empty(), "{:?}", fixes(&other));
    // And it serves as any other.
    other.write("app/broken", "")?;
    other.done(&["run", "repair"])?;
    assert!(!is_broken(&other));
    assert_eq!(summaries(&other)?.len(), 3);
    Ok(())
}

#[test]
fn what_a_home_has_is_kept_when_something_else_is_restored() -> anyhow::Result<()> {
    let home = broken(&repairs())?;
    home.done(&["run", "repair"])?;
    let kept = home.path().join("kept");
    let kept = kept.to_string_lossy();
    home.done(&["backup", &kept])?;
    let again = home.run(&["backup", &kept])?;
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("is there already"), "{again:#?}");
    break_again(&home)?;
    home.done(&["run", "repair"])?;

    let refused = home.run(&["restore", &kept])?;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("--force moves it"), "{refused:#?}");
    let daemon = home.serve()?;
    let refused = home.run(&["restore", "--force", &kept])?;
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("works on this home"), "{refused:#?}");
    assert!(daemon.terminate()?.success());
    assert_eq!(summaries(&home)?.len(), 2);

    home.done(&["restore", "--force", &kept])?;
    assert_eq!(summaries(&home)?.len(), 1);
    let aside = fs::read_dir(home.path().join("data"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().contains("before-restore-"));
    let aside = aside.expect("what was there is kept");
    assert!(aside.join("evenkeel.db").exists() && aside.join("home.key").exists());
    Ok(())
}

/// A backup of one run, and another home that it is to be restored in.
struct Kept {
    home: Home,
    other: Home,
}

impl Kept {
    fn take() -> anyhow::Result<Self> {
        let home = broken(&repairs())?;
        home.done(&["run", "repair"])?;
        let kept = Self {
            other: elsewhere(&home)?,
            home,
        };
        kept.home.done(&["backup", &kept.path("").to_string_lossy()])?;
        Ok(kept)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.home.path().join("kept").join(file)
    }

    fn refused(&self, part: &str, words: &str) -> anyhow::Result<()> {
        let said = self.other.run(&["restore", &self.path("").to_string_lossy()])?;
        ensure!(said.code == 1 && said.stderr.contains(words), "{part}: {said:#?}");
        ensure!(
            !self.other.path().join("data/evenkeel.db").exists(),
            "{part}: it was restored"
        );
        Ok(())
    }

    fn restored(&self) -> anyhow::Result<()> {
        self.other.done(&["restore", &self.path("").to_string_lossy()])?;
        ensure!(summaries(&self.other)?.len() == 1);
        Ok(())
    }
}

#[test]
fn a_damaged_backup_is_refused_with_the_part_that_is() -> anyhow::Result<()> {
    let kept = Kept::take()?;
    let journal = kept.path("evenkeel.db");
    let sound = fs::read(&journal)?;
    let mut damaged = sound.clone();
    damaged[sound.len() / 2] ^= 1;
    fs::write(&journal, damaged)?;
    kept.refused("a bit", "evenkeel.db` is damaged")?;
    fs::write(&journal, &sound[..sound.len() - 1])?;
    kept.refused("an end", "evenkeel.db` is damaged")?;
    fs::remove_file(&journal)?;
    kept.refused("a part", "evenkeel.db")?;
    fs::write(&journal, &sound)?;
    let key = kept.path("home.key");
    let sound = fs::read(&key)?;
    let mut damaged = sound.clone();
    damaged[0] = if sound[0] == b'0' { b'1' } else { b'0' };
    fs::write(&key, damaged)?;
    kept.refused("the key", "home.key` is damaged")?;
    fs::write(&key, sound)?;
    kept.restored()
}

#[test]
fn a_manifest_that_says_something_else_is_refused() -> anyhow::Result<()> {
    let kept = Kept::take()?;
    let manifest = kept.path("manifest.json");
    let sound = fs::read_to_string(&manifest)?;
    for (part, changed, words) in [
        (
            "a place",
            sound.replace("\"home.key\"", "\"../home.key\""),
            "a part that no backup has",
        ),
        (
            "a count",
            sound.replace("\"runs\": 1", "\"runs\": 2"),
            "does not hold what its manifest says",
        ),
        (
            "a version",
            sound.replace("\"version\": 1", "\"version\": 9"),
            "of a newer evenkeel",
        ),
        ("a text", "{".to_owned(), "no manifest of a backup"),
    ] {
        ensure!(changed != sound, "{part}: nothing was changed");
        fs::write(&manifest, changed)?;
        kept.refused(part, words)?;
    }
    fs::write(&manifest, sound)?;
    kept.restored()
}
