//! `evenkeel metrics`.

mod reading;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use evenkeel_alerting::exposition::Format;
use evenkeel_model::problem::Problem;
use serde::Serialize;

use self::reading::{Counts, Reading, Stored, read};
use crate::args::{Metrics, MetricsFormat};
use crate::{exit, render};

/// The name of standard input.
const INPUT: &str = "-";

#[derive(Serialize)]
struct Report {
    file: String,
    format: &'static str,
    clean: bool,
    /// Up to the bad place, if there is one.
    #[serde(flatten)]
    counts: Counts,
    problem: Option<Problem>,
    /// What a scrape would store: nothing of a text that is refused.
    stored: Vec<Stored>,
}

pub fn metrics(args: &Metrics) -> Result<ExitCode> {
    let mut reports = Vec::new();
    let mut is_clean = true;
    for file in &args.files {
        let name = file.display().to_string();
        let body = bytes(file).with_context(|| format!("`{name}` can't be read"))?;
        let format = format(args.format, &body);
        let reading = read(&name, &body, format);
        is_clean &= reading.problem.is_none();
        if args.listing.json {
            reports.push(report(name, format, reading));
        } else {
            say(&name, &reading)?;
        }
    }
    if args.listing.json {
        render::json(&reports)?;
    }
    Ok(if is_clean {
        ExitCode::SUCCESS
    } else {
        exit::ERROR.into()
    })
}

fn bytes(file: &Path) -> io::Result<Vec<u8>> {
    if file != Path::new(INPUT) {
        return fs::read(file);
    }
    let mut body = Vec::new();
    io::stdin().lock().read_to_end(&mut body)?;
    Ok(body)
}

fn format(wanted: Option<MetricsFormat>, body: &[u8]) -> Format {
    match wanted {
        Some(MetricsFormat::Text) => Format::Text,
        Some(MetricsFormat::OpenMetrics) => Format::OpenMetrics,
        None if body.trim_ascii_end().ends_with(b"\n# EOF") || body.trim_ascii() == b"# EOF" => Format::OpenMetrics,
        None => Format::Text,
    }
}

fn report(file: String, format: Format, reading: Reading) -> Report {
    Report {
        file,
        format: match format {
            Format::Text => "text",
            Format::OpenMetrics => "openmetrics",
        },
        clean: reading.problem.is_none(),
        counts: reading.counts,
        problem: reading.problem,
        stored: reading.stored,
    }
}

fn say(name: &str, reading: &Reading) -> Result<()> {
    if let Some(problem) = &reading.problem {
        let texts = BTreeMap::from([(problem.file.clone(), reading.text.clone())]);
        let colour = io::stderr().is_terminal();
        render::note(&render::problem::render(std::slice::from_ref(problem), &texts, colour));
        return Ok(());
    }
    let Counts {
        families,
        series,
        samples,
        repeated,
    } = reading.counts;
    let mut line = format!("{name}: families: {families}, series: {series}, samples: {samples}");
    if repeated > 0 {
        line.push_str(&format!(", repeated: {repeated} (a scrape drops them)"));
    }
    render::line(&line)?;
    Ok(())
}
