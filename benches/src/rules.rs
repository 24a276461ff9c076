//! `evenkeel rules test` beside `promtool test rules`, on the same files: the rules of `tests/rules/wild`, evaluated
//! once a minute of half a day.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::Setting;
use crate::build::{command, done, root};
use crate::figures::say;
use crate::race::{Contender, Turn, race};

/// Files of `tests/rules/wild`.
const FILES: [&str; 5] = ["node", "kubernetes", "databases", "web", "services"];

pub fn run(setting: &Setting) -> Result<()> {
    let evenkeel = setting.evenkeel()?;
    let directory = tempfile::tempdir()?;
    let hours = setting.scale.hours;
    let mut rules = 0;
    for name in FILES {
        rules += write(directory.path(), name, hours)?;
    }
    let mut contenders = vec![contender(
        "`evenkeel rules test`",
        evenkeel,
        &["rules", "test"],
        directory.path(),
    )];
    match promtool() {
        Some(promtool) => contenders.push(contender(
            "`promtool test rules`",
            promtool,
            &["test", "rules"],
            directory.path(),
        )),
        None => say("there is no promtool: `cargo test --workspace --test rules` fetches one"),
    }
    let title = format!("{rules} rules over {hours} hours, from the start of the program to its end");
    race(&title, contenders, setting.scale.starts, 1)
}

fn contender<'a>(
    name: &'static str,
    program: PathBuf,
    arguments: &'static [&str],
    directory: &'a Path,
) -> Contender<'a> {
    Contender::new(name, move |steps| -> Result<Turn> {
        let start = Instant::now();
        let mut each = Vec::new();
        for _ in 0..steps {
            let step = Instant::now();
            let tests = FILES.map(|name| format!("{name}.test.yml"));
            done(command(&program).args(arguments).args(tests).current_dir(directory))?;
            each.push(step.elapsed());
        }
        Ok((start.elapsed(), each))
    })
}

/// On the PATH, or where the tests keep theirs.
fn promtool() -> Option<PathBuf> {
    if done(command("promtool").arg("--version")).is_ok() {
        return Some("promtool".into());
    }
    let servers = fs::read_dir(root().join("target/servers")).ok()?;
    let kept = servers.filter_map(|entry| Some(entry.ok()?.path().join("usr/bin/promtool")));
    kept.filter(|path| path.is_file())
        .find(|path| done(command(path).arg("--version")).is_ok())
}

/// The rules, and a test that expects nothing but what always holds; each series goes through its hour `hours` times. Returns
/// how many rules there are.
fn write(directory: &Path, name: &str, hours: usize) -> Result<usize> {
    let wild = root().join("tests/rules/wild");
    let rules = fs::read_to_string(wild.join(format!("{name}.yml")))?;
    fs::write(directory.join(format!("{name}.yml")), &rules)?;
    let series = fs::read_to_string(wild.join(format!("{name}.series")))?;
    let mut test = format!("rule_files: [{name}.yml]\ntests:\n- interval: 1m\n  input_series:\n");
    for line in series.lines() {
        let (series, values) = line.split_once(" | ").context("a series has values")?;
        let values = vec![values; hours].join(" ");
        test += &format!("  - series: '{series}'\n    values: '{values}'\n");
    }
    let minutes = hours * 60;
    test += &format!(
        "  promql_expr_test:\n  - expr: vector(1)\n    eval_time: {minutes}m\n    exp_samples: [{{labels: '{{}}', value: 1}}]\n"
    );
    fs::write(directory.join(format!("{name}.test.yml")), test)?;
    let is_rule = |line: &&str| {
        ["- alert:", "- record:"]
            .iter()
            .any(|key| line.trim_start().starts_with(key))
    };
    Ok(rules.lines().filter(is_rule).count())
}
