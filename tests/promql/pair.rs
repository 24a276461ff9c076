//! The two that are asked.

use std::{
    fmt,
    io::Write as _,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, ensure};
use evenkeel_tests::{programs, servers::Prometheus};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    answer::{Answer, difference},
    purpose::is_on_purpose,
    series,
};

/// When expressions are asked, in seconds since 1970.
pub enum When {
    At(&'static str),
    Range(&'static str, &'static str, &'static str),
}

pub const WHENS: [When; 6] = [
    When::At("1800"),
    When::At("1234.5"),
    When::At("3300"),
    When::Range("900", "2700", "60"),
    When::Range("1000.25", "1400", "13"),
    When::Range("0", "3900", "300"),
];

pub struct Pair {
    directory: TempDir,
    prometheus: Prometheus,
}

/// What came of comparing.
#[derive(Default)]
pub struct Report {
    pub asked: usize,
    pub answered: usize,
    pub refused: usize,
    pub on_purpose: usize,
    /// Expressions that were not refused.
    pub taken: Vec<String>,
    differences: Vec<String>,
}

impl Pair {
    pub fn new() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let all = series::all();
        std::fs::write(directory.path().join("series.yml"), series::file(&all))?;
        let prometheus = Prometheus::with_series(directory.path(), &all)?;
        Ok(Self { directory, prometheus })
    }

    /// Asks both, each expression at the time of `WHENS` that it names.
    pub fn compare(&self, asks: &[(usize, String)]) -> anyhow::Result<Report> {
        let mut report = Report::default();
        for (i, when) in WHENS.iter().enumerate() {
            let expressions: Vec<&str> = asks.iter().filter(|ask| ask.0 == i).map(|ask| ask.1.as_str()).collect();
            let (ours, theirs) = thread::scope(|scope| {
                let ours = scope.spawn(|| self.ours(when, &expressions));
                let theirs = self.theirs(when, &expressions);
                (ours.join().expect("it does not panic"), theirs)
            });
            for ((expression, ours), theirs) in expressions.iter().zip(ours?).zip(theirs?) {
                report.take(when, expression, &ours, &theirs);
            }
        }
        Ok(report)
    }

    fn ours(&self, when: &When, expressions: &[&str]) -> anyhow::Result<Vec<Answer>> {
        let mut command = Command::new(programs::program("evenkeel")?);
        command
            .args(["query", "-", "--json", "--series", "series.yml"])
            .current_dir(self.directory.path());
        match when {
            When::At(at) => command.args(["--at", at]),
            When::Range(start, end, step) => command.args(["--start", start, "--end", end, "--step", step]),
        };
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("it has a standard input")?;
        let asked = expressions
            .iter()
            .map(|expression| format!("{expression}\n"))
            .collect::<String>();
        let writer = thread::spawn(move || stdin.write_all(asked.as_bytes()));
        let output = child.wait_with_output()?;
        writer.join().expect("it does not panic")?;
        let text = String::from_utf8(output.stdout)?;
        let answers: Vec<Answer> = text
            .lines()
            .map(|line| {
                let answer: Value = serde_json::from_str(line)?;
                Ok(match answer["error"].as_str() {
                    Some(error) => Answer::Refused(error.to_owned()),
                    None => Answer::Given(answer),
                })
            })
            .collect::<anyhow::Result<_>>()?;
        ensure!(
            answers.len() == expressions.len(),
            "{} answers to {} expressions",
            answers.len(),
            expressions.len()
        );
        Ok(answers)
    }

    fn theirs(&self, when: &When, expressions: &[&str]) -> anyhow::Result<Vec<Answer>> {
        let client = reqwest::blocking::Client::new();
        let one = |expression: &&str| {
            let (path, times) = match when {
                When::At(at) => ("query", vec![("time", *at)]),
                When::Range(start, end, step) => {
                    ("query_range", vec![("start", *start), ("end", *end), ("step", *step)])
                }
            };
            let form: Vec<(&str, &str)> = [("query", *expression)].into_iter().chain(times).collect();
            let body = form
                .iter()
                .map(|(name, value)| format!("{name}={}", encoded(value)))
                .collect::<Vec<_>>();
            let answer: Value = client
                .post(format!("{}/api/v1/{path}", self.prometheus.url))
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(body.join("&"))
                .send()?
                .json()?;
            Ok(match answer["error"].as_str() {
                Some(error) => Answer::Refused(error.to_owned()),
                None => Answer::Given(answer["data"].clone()),
            })
        };
        expressions.iter().map(one).collect()
    }
}

/// Every byte that is no letter or digit as `%XX`.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

impl Report {
    fn take(&mut self, when: &When, expression: &str, ours: &Answer, theirs: &Answer) {
        self.asked += 1;
        self.answered += usize::from(theirs.has_series());
        self.refused += usize::from(theirs.is_refused());
        if !theirs.is_refused() || !ours.is_refused() {
            self.taken.push(expression.to_owned());
        }
        let trimmed = expression.trim_start();
        let ordered = matches!(when, When::At(_))
            && ["sort(", "sort_desc(", "topk", "bottomk"]
                .iter()
                .any(|word| trimmed.starts_with(word));
        if let Some(differs) = difference(ours, theirs, ordered) {
            if is_on_purpose(expression) {
                self.on_purpose += 1;
            } else {
                let text = format!("{when} {expression}\n  {differs}\n  ours:   {ours}\n  theirs: {theirs}");
                self.differences.push(text);
            }
        }
    }

    pub fn all_same(&self) -> anyhow::Result<()> {
        let count = self.differences.len();
        let shown: Vec<&str> = self.differences.iter().take(200).map(String::as_str).collect();
        ensure!(count == 0, "{count} differ:\n\n{}", shown.join("\n\n"));
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            asked,
            answered,
            refused,
            on_purpose,
            differences,
            ..
        } = self;
        let differ = differences.len();
        write!(
            f,
            "{asked} asked, {answered} with series, {refused} refused by Prometheus, {on_purpose} differ on purpose, {differ} differ"
        )
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => write!(f, "@{at}"),
            Self::Range(start, end, step) => write!(f, "{start}..{end}/{step}"),
        }
    }
}
