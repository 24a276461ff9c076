//! `evenkeel query`.

use std::path::PathBuf;

use chrono::DateTime;
use clap::Args;
use evenkeel_alerting::promql::duration;

use super::Listing;

#[derive(Args)]
pub struct Query {
    /// A PromQL expression. `-` reads one a line from standard input and prints an answer a line, with `--json`.
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    pub expr: String,
    /// A file of series to ask: `interval:` and `input_series:` as in promtool's unit tests, or a file with one such
    /// test. Its first values are of 1970-01-01T00:00:00Z.
    #[arg(long, value_name = "FILE")]
    pub series: Option<PathBuf>,
    /// When: `2026-01-31T10:00:00Z`, seconds since 1970, or a duration since the first values. The default is the last
    /// sample of the file.
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true, conflicts_with_all = ["start", "end", "step"])]
    pub at: Option<i64>,
    /// The first time of a range, written as `--at`.
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true, requires_all = ["end", "step"])]
    pub start: Option<i64>,
    /// The last time of a range.
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true, requires = "start")]
    pub end: Option<i64>,
    /// From a time of the range to the next, `30s` or a number of seconds.
    #[arg(long, value_name = "DURATION", value_parser = step, requires = "start")]
    pub step: Option<i64>,
    #[command(flatten)]
    pub listing: Listing,
}

/// Milliseconds since 1970.
fn time(text: &str) -> Result<i64, String> {
    if let Some(ms) = duration(text).or_else(|| seconds(text)) {
        return Ok(ms);
    }
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| time.timestamp_millis())
        .map_err(|_| "write it as `2026-01-31T10:00:00Z`, in seconds since 1970, or as `1h30m`".to_owned())
}

fn step(text: &str) -> Result<i64, String> {
    let ms = duration(text).or_else(|| seconds(text)).filter(|ms| *ms > 0);
    ms.ok_or_else(|| "write it as `30s`, `1m30s` or in seconds; it is 1 ms or longer".to_owned())
}

fn seconds(text: &str) -> Option<i64> {
    let ms = text.parse::<f64>().ok()? * 1000.0;
    // All whole numbers up to here are floats too.
    (ms.abs() <= (1_u64 << 53) as f64).then(|| ms.round() as i64)
}
