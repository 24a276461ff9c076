//! `evenkeel rules …`.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use evenkeel_alerting::rules;
use evenkeel_model::problem::{File, Level, Problem};
use serde::Serialize;

use crate::args::{Rules, RulesCheck};
use crate::home::{self, Unclean};
use crate::{exit, render};

pub fn rules(dir: &Path, command: &Rules) -> Result<ExitCode> {
    match command {
        Rules::Check(args) => check(dir, args),
        Rules::Test(args) => super::rules_test::test(args),
    }
}

#[derive(Default, Serialize)]
struct Report {
    clean: bool,
    problems: Vec<Problem>,
    files: Vec<Checked>,
}

#[derive(Serialize)]
struct Checked {
    file: String,
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    name: String,
    alerting: usize,
    recording: usize,
}

fn check(dir: &Path, args: &RulesCheck) -> Result<ExitCode> {
    let mut report = Report::default();
    let mut texts = BTreeMap::new();
    for (name, path) in named(dir, &args.files)? {
        let text = home::read_text(&path)?.with_context(|| format!("there is no file `{}`", path.display()))?;
        let file = File {
            path: &name,
            text: &text,
        };
        let read = rules::read(file);
        report.files.push(checked(&name, &read));
        report.problems.extend(read.problems);
        texts.insert(name, text);
    }
    report.clean = report.problems.iter().all(|problem| problem.level != Level::Error);
    if args.listing.json {
        render::json(&report)?;
        return Ok(if report.clean {
            ExitCode::SUCCESS
        } else {
            exit::ERROR.into()
        });
    }
    if !report.clean {
        let problems = report.problems;
        return Err(Unclean { problems, texts }.into());
    }
    if !report.problems.is_empty() {
        let colour = std::io::stderr().is_terminal();
        render::note(&render::problem::render(&report.problems, &texts, colour));
    }
    render::line(&summary(&report))?;
    Ok(ExitCode::SUCCESS)
}

/// Files by the names that they were given, or those of the home by their names in it.
fn named(dir: &Path, files: &[PathBuf]) -> Result<Vec<(String, PathBuf)>> {
    if !files.is_empty() {
        return Ok(files
            .iter()
            .map(|path| (path.display().to_string(), path.clone()))
            .collect());
    }
    let home = home::locate(dir)?;
    let found = home::rule_files(&home)?.into_iter().map(|path| {
        let name = path.strip_prefix(&home).expect("it was found under the home");
        (name.display().to_string(), path)
    });
    Ok(found.collect())
}

fn checked(name: &str, read: &rules::Read) -> Checked {
    let groups = read.groups.iter().map(|group| {
        let alerting = group.rules.iter().filter(|rule| rule.is_alert()).count();
        Group {
            name: group.name.clone(),
            alerting,
            recording: group.rules.len() - alerting,
        }
    });
    Checked {
        file: name.to_owned(),
        groups: groups.collect(),
    }
}

/// `clean: 1 file, 2 groups, 3 alerting rules, 1 recording rule`
fn summary(report: &Report) -> String {
    let groups = || report.files.iter().flat_map(|file| &file.groups);
    format!(
        "clean: {}, {}, {}, {}",
        count(report.files.len(), "file"),
        count(groups().count(), "group"),
        count(groups().map(|group| group.alerting).sum(), "alerting rule"),
        count(groups().map(|group| group.recording).sum(), "recording rule"),
    )
}

/// `1 file`, `3 files`.
fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}
