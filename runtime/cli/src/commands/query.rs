//! `evenkeel query`.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use evenkeel_alerting::promql::{self, Answer, Line, Memory, Options, Refusal, Source, Steps, Why, json};
use evenkeel_alerting::series_file;
use evenkeel_model::problem::{File, Problem};
use serde::Deserialize;
use serde_json::Value;

use crate::args::{Moment, Query};
use crate::client::Client;
use crate::home::{self, Unclean};
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
    /// What the daemon answered.
    Told(Value),
}

enum Failed {
    Refused(Refusal),
    Unanswered(promql::Error),
}

pub async fn query(dir: &Path, args: &Query, now: DateTime<Utc>) -> Result<ExitCode> {
    if args.expr == "-" && !args.listing.json {
        bail!("expressions from standard input are answered a line each: add `--json`");
    }
    let mut asked = match &args.series {
        Some(file) => Asked::File(read(file)?),
        None => Asked::Daemon(daemon(dir).await?),
    };
    let when = when(args, &asked, now.timestamp_millis());
    if args.expr == "-" {
        return lines(&mut asked, when).await;
    }
    match asked.ask(&args.expr, when).await? {
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

async fn daemon(dir: &Path) -> Result<Client> {
    let home = home::locate(dir).context("the daemon of a home is asked, or a file with `--series FILE`")?;
    let client = Client::connect(&home).await?;
    client.with_context(|| {
        let home = home.display();
        format!("no daemon serves `{home}`, and the series are its: start `evenkeel serve`, or ask a file with `--series FILE`")
    })
}

fn when(args: &Query, asked: &Asked, now_ms: i64) -> When {
    let moment = |moment: Moment| match asked {
        Asked::File(_) => moment.of_file(),
        Asked::Daemon(_) => moment.before(now_ms),
    };
    if let (Some(start), Some(end), Some(step_ms)) = (args.start, args.end, args.step) {
        return When::Over(Steps {
            start_ms: moment(start),
            end_ms: moment(end),
            step_ms,
        });
    }
    let otherwise = match asked {
        Asked::File(memory) => memory.iter().filter_map(|(_, samples)| Some(samples.last()?.0)).max(),
        Asked::Daemon(_) => Some(now_ms),
    };
    When::At(args.at.map(moment).or(otherwise).unwrap_or(0))
}

/// Whose series are asked.
enum Asked {
    File(Memory),
    Daemon(Client),
}

impl Asked {
    /// The error of the answer itself, when there is none at all.
    async fn ask(&mut self, expr: &str, when: When) -> Result<Result<Found, Failed>> {
        match self {
            Self::File(memory) => Ok(ask(memory, expr, when)),
            Self::Daemon(client) => {
                // Judged here, so that its place can be shown.
                if let Err(refusal) = promql::Query::check(expr) {
                    return Ok(Err(Failed::Refused(refusal)));
                }
                let answer: Envelope = client.get(&path(expr, when)).await?;
                Ok(Ok(Found::Told(answer.data)))
            }
        }
    }
}

#[derive(Deserialize)]
struct Envelope {
    data: Value,
}

fn path(expr: &str, when: When) -> String {
    let seconds = |ms: i64| format!("{}", ms as f64 / 1000.0);
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("query", expr);
    match when {
        When::At(at_ms) => {
            query.append_pair("time", &seconds(at_ms));
            format!("/api/v1/query?{}", query.finish())
        }
        When::Over(steps) => {
            query.append_pair("start", &seconds(steps.start_ms));
            query.append_pair("end", &seconds(steps.end_ms));
            query.append_pair("step", &seconds(steps.step_ms));
            format!("/api/v1/query_range?{}", query.finish())
        }
    }
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
        let mut text = String::new();
        match self {
            Self::Instant(answer, at_ms) => json::answer(&mut text, answer, *at_ms),
            Self::Range(lines) => json::lines(&mut text, lines),
            Self::Told(data) => return data.clone(),
        }
        serde_json::from_str(&text).expect("it was written as JSON")
    }

    fn text(&self) -> String {
        match self {
            Self::Instant(answer, at_ms) => render::answer::instant(answer, *at_ms),
            Self::Range(lines) => render::answer::range(lines),
            Self::Told(data) => render::answer::told(data),
        }
    }
}

/// An answer or an error for each line of standard input, each a line.
async fn lines(asked: &mut Asked, when: When) -> Result<ExitCode> {
    let mut failed = false;
    for expr in std::io::stdin().lines() {
        let expr = expr.context("can't read standard input")?;
        let answer = match asked.ask(&expr, when).await {
            Err(error) => {
                failed = true;
                serde_json::json!({ "error": error.to_string() })
            }
            Ok(Ok(found)) => found.json(),
            Ok(Err(error)) => {
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
