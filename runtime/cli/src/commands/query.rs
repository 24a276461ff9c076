//! `evenkeel query`.

use std::fs;
use std::io::{BufRead as _, Read as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use evenkeel_alerting::promql::{self, Answer, Line, Memory, Options, Refusal, Source, Steps, Why, json};
use evenkeel_alerting::series_file;
use evenkeel_model::problem::{File, Problem};
use serde_json::Value;

use crate::args::Query;
use crate::home::Unclean;
use crate::{exit, render};

/// A larger file of series is refused before it is read.
const LARGEST: u64 = 64 << 20;

/// When an expression is asked.
#[derive(Clone, Copy)]
enum When {
    At(i64),
    Over(Steps),
}

enum Found {
    Instant(Answer, i64),
    Range(Vec<Line>),
}

enum Failed {
    Refused(Refusal),
    Unanswered(promql::Error),
}

pub fn query(args: &Query) -> Result<ExitCode> {
    let Some(file) = &args.series else {
        bail!("give the series to ask: `--series FILE`, in the layout of promtool's unit tests");
    };
    let memory = read(file)?;
    let when = when(args, &memory);
    if args.expr == "-" {
        if !args.listing.json {
            bail!("expressions from standard input are answered a line each: add `--json`");
        }
        return lines(&memory, when);
    }
    match ask(&memory, &args.expr, when) {
        Ok(found) => {
            match args.listing.json {
                true => render::json(&found.json())?,
                false => render::line(&found.text())?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(Failed::Refused(refusal)) => Err(unclean(&args.expr, refusal).into()),
        Err(Failed::Unanswered(error)) => Err(error.into()),
    }
}

fn read(path: &Path) -> Result<Memory> {
    let name = path.display().to_string();
    let file = fs::File::open(path).with_context(|| format!("can't read `{name}`"))?;
    let mut text = String::new();
    let read = file.take(LARGEST + 1).read_to_string(&mut text);
    read.with_context(|| format!("can't read `{name}`"))?;
    if text.len() as u64 > LARGEST {
        bail!("`{name}` is larger than {} MiB", LARGEST >> 20);
    }
    let file = File {
        path: &name,
        text: &text,
    };
    series_file::read(file).map_err(|problem| one_problem(*problem, &text).into())
}

fn when(args: &Query, memory: &Memory) -> When {
    if let (Some(start_ms), Some(end_ms), Some(step_ms)) = (args.start, args.end, args.step) {
        return When::Over(Steps {
            start_ms,
            end_ms,
            step_ms,
        });
    }
    let last = memory.iter().filter_map(|(_, samples)| Some(samples.last()?.0)).max();
    When::At(args.at.or(last).unwrap_or(0))
}

fn ask(source: &dyn Source, expr: &str, when: When) -> Result<Found, Failed> {
    let query = promql::Query::check(expr).map_err(Failed::Refused)?;
    let options = Options::default();
    let found = match when {
        When::At(at_ms) => {
            let answer = query.instant(source, at_ms, &options);
            answer.map(|answer| Found::Instant(answer, at_ms))
        }
        When::Over(steps) => query.range(source, steps, &options).map(Found::Range),
    };
    found.map_err(Failed::Unanswered)
}

impl Found {
    fn json(&self) -> Value {
        match self {
            Self::Instant(answer, at_ms) => json::instant(answer, *at_ms),
            Self::Range(lines) => json::range(lines),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Instant(answer, at_ms) => render::answer::instant(answer, *at_ms),
            Self::Range(lines) => render::answer::range(lines),
        }
    }
}

/// An answer or an error for each line of standard input, each a line.
fn lines(source: &dyn Source, when: When) -> Result<ExitCode> {
    let mut failed = false;
    for expr in std::io::stdin().lock().lines() {
        let answer = match ask(source, &expr.context("can't read standard input")?, when) {
            Ok(found) => found.json(),
            Err(error) => {
                failed = true;
                serde_json::json!({ "error": match error {
                    Failed::Refused(refusal) => refusal.to_string(),
                    Failed::Unanswered(error) => error.to_string(),
                }})
            }
        };
        render::line(&answer.to_string())?;
    }
    Ok(if failed { exit::ERROR.into() } else { ExitCode::SUCCESS })
}

fn unclean(expr: &str, refusal: Refusal) -> Unclean {
    let file = File {
        path: "expression",
        text: expr,
    };
    let code = match refusal.why {
        Why::Invalid => "no-promql",
        Why::Unknown => "unknown-function",
        Why::Unsupported => "not-evaluated",
        Why::TooBig => "too-big",
    };
    let mut problem = file.problem(code, refusal.place, refusal.message);
    problem.help = refusal.advice.map(str::to_owned);
    one_problem(problem, expr)
}

fn one_problem(problem: Problem, text: &str) -> Unclean {
    Unclean {
        texts: [(problem.file.clone(), text.to_owned())].into(),
        problems: vec![problem],
    }
}
