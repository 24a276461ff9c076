//! cache-clean removes exactly the files that its plan names.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant, SystemTime},
};

use evenkeel_tests::{
    evenkeel::{BOUND, Home},
    tree::Tree,
};
use nix::sys::signal::Signal;

use crate::workshop::{ASSETS, ROLE, fill, names};

const CLEAN: &str = r#"
name = "clean"
summary = "Empties the cache"

[targets]
select = 'asset="one"'

[limits]
cooldown = "0s"

[[step]]
id = "clean"
uses = "cache-clean@1"
with = { root = "cache", older_than = "1h", keep = ["*.lock", "keep/**"] }
grant = { files = ["read cache", "remove cache"] }
"#;

fn home() -> anyhow::Result<Home> {
    Home::ready(&[
        ("evenkeel.toml", ROLE),
        ("assets.toml", ASSETS),
        ("runbooks/clean.toml", CLEAN),
    ])
}

/// A file that was not changed for a day.
fn old(path: &Path, content: &str) -> anyhow::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, content)?;
    age(path)
}

fn age(path: &Path) -> anyhow::Result<()> {
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    Ok(fs::File::options().write(true).open(path)?.set_modified(yesterday)?)
}

#[test]
fn exactly_the_old_files_go() -> anyhow::Result<()> {
    let home = home()?;
    let cache = home.path().join("app/cache");
    for name in [
        "a",
        "deep/er/b",
        "with space",
        "ünïcode",
        "-rf",
        "*",
        "x.lock",
        "keep/c",
        "keep/deep/d",
    ] {
        old(&cache.join(name), name)?;
    }
    fs::write(cache.join("young"), "young")?;
    old(&home.path().join("app/outside"), "outside")?;
    std::os::unix::fs::symlink("../outside", cache.join("link"))?;
    std::os::unix::fs::symlink("..", cache.join("out"))?;

    let said = home.done(&["run", "clean"])?;

    let left = Tree::of(&cache)?.files(&cache);
    assert_eq!(left, ["keep/c", "keep/deep/d", "x.lock", "young"], "{}", said.stdout);
    assert!(
        fs::symlink_metadata(cache.join("link")).is_ok(),
        "a link is no old file"
    );
    assert!(home.path().join("app/outside").exists());
    assert!(said.stdout.contains("removed 6 of 6 files planned"), "{}", said.stdout);
    let changes = home.json(&["changes"])?;
    let recorded = changes[0]["effects"].as_array().map_or(0, Vec::len);
    assert_eq!(recorded, 6, "each file stands in the record of the change: {changes:#}");
    let effects = home.json(&["runs", "show", "1"])?;
    let planned = effects["events"].as_array().into_iter().flatten().find_map(|event| {
        let actions = event["body"]["planned"]["actions"].as_array()?;
        let effects = actions
            .iter()
            .flat_map(|action| action["effects"].as_array().into_iter().flatten());
        let mut subjects: Vec<String> = effects
            .filter_map(|e| e["subject"].as_str().map(str::to_owned))
            .collect();
        subjects.sort();
        Some(subjects)
    });
    let expected = [
        "cache:*",
        "cache:-rf",
        "cache:a",
        "cache:deep/er/b",
        "cache:with space",
        "cache:ünïcode",
    ];
    assert_eq!(
        planned,
        Some(expected.map(str::to_owned).to_vec()),
        "the plan names them all"
    );
    Ok(())
}

#[test]
fn a_cache_without_old_files_is_left_as_it_is() -> anyhow::Result<()> {
    let home = home()?;
    let cache = home.path().join("app/cache");
    fs::create_dir_all(&cache)?;
    fs::write(cache.join("young"), "young")?;
    let before = Tree::of(&cache)?;

    let said = home.done(&["run", "clean"])?;

    assert!(said.stdout.contains("nothing to do"), "{}", said.stdout);
    assert_eq!(home.verdicts()?, ["healthy"]);
    assert_eq!(before, Tree::of(&cache)?);
    Ok(())
}

#[test]
fn a_cache_that_is_not_there_is_failed_and_said() -> anyhow::Result<()> {
    let home = home()?;
    let said = home.run(&["run", "clean"])?;
    assert_eq!(said.code, 12, "{said:#?}");
    assert!(said.stdout.contains("No such file or directory"), "{}", said.stdout);
    Ok(())
}

/// Stops a process at once, and lets it go on when dropped.
struct Stopped(nix::unistd::Pid);

impl Stopped {
    fn new(id: u32) -> anyhow::Result<Self> {
        let id = nix::unistd::Pid::from_raw(i32::try_from(id)?);
        nix::sys::signal::kill(id, Signal::SIGSTOP)?;
        Ok(Self(id))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(self.0, Signal::SIGCONT);
    }
}

/// Its plan has several actions, so that the world can be changed after the plan is made and
/// before the last of them is applied: the process is held as soon as the first file has gone.
#[test]
fn what_was_replaced_after_the_plan_is_left_alone() -> anyhow::Result<()> {
    const FILES: usize = 5_000;
    let home = home()?;
    let cache = home.path().join("app/cache");
    fill(&cache, FILES)?;
    for name in names(&cache)? {
        age(&cache.join(name))?;
    }
    let running = home
        .command()?
        .args(["run", "clean"])
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let first = cache.join("00000");
    let until = Instant::now() + BOUND;
    while first.exists() {
        assert!(Instant::now() < until, "nothing was removed");
        std::hint::spin_loop();
    }

    let stopped = Stopped::new(running.id())?;
    // In the last action's part, and still there.
    let replaced = cache.join("04990");
    let same_size = cache.join("04991");
    let gone = cache.join("04992");
    assert!(replaced.exists(), "the cache was cleaned before it could be changed");
    // The same name and the same age; another file.
    fs::remove_file(&replaced)?;
    old(&replaced, "this is new, and nobody planned to remove it")?;
    fs::write(&same_size, "5991")?;
    fs::remove_file(&gone)?;
    fs::write(cache.join("05001"), "came later")?;
    age(&cache.join("05001"))?;
    drop(stopped);
    let said = running.wait_with_output()?;

    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(names(&cache)?, ["04990", "04991", "05001"], "{said}");
    assert_eq!(
        fs::read_to_string(&replaced)?,
        "this is new, and nobody planned to remove it"
    );
    assert!(
        said.contains("1 gone already; 2 changed since and left alone"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_grant_that_the_role_does_not_allow_is_found_before_anything_runs() -> anyhow::Result<()> {
    let home = home()?;
    old(&home.path().join("app/cache/a"), "a")?;
    home.write(
        "evenkeel.toml",
        &ROLE.replace("allow = [\"read\", \"remove\"]", "allow = [\"read\"]"),
    )?;

    let said = home.run(&["run", "clean"])?;

    assert_eq!(said.code, 1, "{said:#?}");
    assert!(said.stderr.contains("remove cache"), "{said:#?}");
    assert!(home.path().join("app/cache/a").exists());
    Ok(())
}
