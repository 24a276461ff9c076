//! `evenkeel rules test`.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use evenkeel_alerting::rules;
use evenkeel_alerting::rules::definition::Group;
use evenkeel_alerting::rules::unit::{self, Failure, Suite};
use evenkeel_model::problem::{File, Problem};
use regex::Regex;
use serde::Serialize;

use crate::args::RulesTest;
use crate::home::{self, Unclean};
use crate::{exit, render};

/// A test file, and what came of it.
#[derive(Serialize)]
pub struct Tested {
    pub file: String,
    pub passed: bool,
    /// What is wrong with the test file, or with the rule files that it names. Nothing is tested if it is an error.
    pub problems: Vec<Problem>,
    pub tests: Vec<Outcome>,
}

#[derive(Serialize)]
pub struct Outcome {
    /// Empty: it has none.
    pub name: String,
    pub line: usize,
    /// Alerts and expressions that it looks at.
    pub cases: usize,
    pub failures: Vec<Failure>,
}

pub fn test(args: &RulesTest) -> Result<ExitCode> {
    let wanted = wanted(&args.run)?;
    let mut texts = BTreeMap::new();
    let mut all = Vec::new();
    for path in &args.files {
        let tested = file(path, &wanted, &mut texts)?;
        if !args.listing.json {
            show(&tested, &texts)?;
        }
        all.push(tested);
    }
    match args.listing.json {
        true => render::json(&all)?,
        false => render::line(&render::rules::summary(&all))?,
    }
    let passed = all.iter().all(|tested| tested.passed);
    Ok(if passed { ExitCode::SUCCESS } else { exit::ERROR.into() })
}

fn wanted(patterns: &[String]) -> Result<Vec<Regex>> {
    let patterns = patterns.iter().map(|pattern| {
        let read = Regex::new(pattern);
        read.with_context(|| format!("`--run {pattern}` is no regular expression"))
    });
    patterns.collect()
}

fn file(path: &Path, wanted: &[Regex], texts: &mut BTreeMap<String, String>) -> Result<Tested> {
    let name = path.display().to_string();
    let text = text(path)?;
    let place = File {
        path: &name,
        text: &text,
    };
    let unit::Read { suite, mut problems } = unit::read(place);
    let mut groups = Vec::new();
    for rule_file in rule_files(path, &suite, place, &mut problems) {
        let (name, text) = (rule_file.display().to_string(), self::text(&rule_file)?);
        let read = rules::read(File {
            path: &name,
            text: &text,
        });
        groups.extend(read.groups);
        // Whoever tests has checked: what is only noteworthy is not told again.
        problems.extend(read.problems.into_iter().filter(is_error));
        texts.insert(name, text);
    }
    texts.insert(name.clone(), text);
    let tests = match problems.iter().any(is_error) {
        true => Vec::new(),
        false => outcomes(&suite, &groups, wanted),
    };
    Ok(Tested {
        file: name,
        passed: !problems.iter().any(is_error) && tests.iter().all(|test| test.failures.is_empty()),
        problems,
        tests,
    })
}

fn is_error(problem: &Problem) -> bool {
    problem.level == evenkeel_model::problem::Level::Error
}

fn text(path: &Path) -> Result<String> {
    home::read_text(path)?.with_context(|| format!("there is no file `{}`", path.display()))
}

/// The files that the patterns stand for, each once, relative to the directory of the test file.
fn rule_files(test: &Path, suite: &Suite, place: File<'_>, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    let directory = test.parent().unwrap_or(Path::new(""));
    let mut found: Vec<PathBuf> = Vec::new();
    for (pattern, span) in &suite.rule_files {
        let absolute = directory.join(pattern);
        let paths = match glob::glob(&absolute.to_string_lossy()) {
            Ok(paths) => paths,
            Err(error) => {
                let problem = place.problem("bad-pattern", span.clone(), "this is no pattern of files");
                problems.push(problem.label(error.msg));
                continue;
            }
        };
        let paths: Vec<_> = paths
            .filter_map(std::result::Result::ok)
            .filter(|path| path.is_file())
            .collect();
        if paths.is_empty() {
            let problem = place.problem("no-rules", span.clone(), "there is no such rule file");
            let looked = format!("nothing is at `{}`", absolute.display());
            problems.push(problem.label(looked).warning());
        }
        let new: Vec<_> = paths.into_iter().filter(|path| !found.contains(path)).collect();
        found.extend(new);
    }
    found
}

fn outcomes(suite: &Suite, groups: &[Group], wanted: &[Regex]) -> Vec<Outcome> {
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|regex| regex.is_match(name));
    let tests = suite.tests.iter().filter(|test| is_wanted(&test.name));
    let outcomes = tests.map(|test| Outcome {
        name: test.name.clone(),
        line: test.line,
        cases: test.cases(),
        failures: test.run(groups, &suite.group_order),
    });
    outcomes.collect()
}

/// What is wrong goes where problems go, what came out where data goes.
fn show(tested: &Tested, texts: &BTreeMap<String, String>) -> Result<()> {
    let problems = tested.problems.clone();
    if problems.iter().any(is_error) {
        let texts = texts.clone();
        render::note(&Unclean { problems, texts }.render());
    } else if !problems.is_empty() {
        let colour = std::io::stderr().is_terminal();
        render::note(&render::problem::render(&problems, texts, colour));
    }
    for line in render::rules::lines(tested) {
        render::line(&line)?;
    }
    Ok(())
}
