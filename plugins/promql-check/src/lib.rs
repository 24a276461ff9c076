//! Asks a source of metrics with PromQL and compares each series with levels.

use evenkeel_sdk::metrics::Series;
use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::{Absent, Compare, Error, Finding, Host, Levels, Params, Result, Severity};

/// The label that holds a metric's name: it says nothing about which series it is.
const NAME: &str = "__name__";

/// What to ask, and which values are well.
#[derive(Params)]
struct PromqlCheck {
    /// The source to ask.
    source: String,
    /// The expression, evaluated now.
    #[schemars(length(min = 1))]
    expr: String,
    /// On which side of a level a value is bad.
    #[serde(default)]
    compare: Compare,
    /// The level beyond which it is a warning.
    warn: Option<f64>,
    /// The level beyond which it is critical.
    critical: Option<f64>,
    /// What it is when there is no series, or one whose value is no number.
    #[serde(default)]
    absent: Absent,
    /// The code of the findings, and so the name of their alerts.
    #[serde(default = "code")]
    #[schemars(regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    code: String,
    /// What the value is, in words; the expression unless it is given.
    what: Option<String>,
    /// How many series are told one by one, the worst first.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100))]
    most: usize,
}

fn code() -> String {
    "promql-value".into()
}

fn twenty() -> usize {
    20
}

#[evenkeel_sdk::check]
fn promql_check(params: PromqlCheck, host: &Host) -> Result<Vec<Finding>> {
    let levels = Levels::new(params.compare, params.warn, params.critical)?;
    let series = host.metrics(&params.source).query(&params.expr)?;
    if series.is_empty() {
        return Ok(vec![params.without_series()?]);
    }
    let mut findings = Vec::with_capacity(series.len());
    for one in &series {
        findings.push(params.finding(one, &levels)?);
    }
    // Stable: what is as bad stays in the order of the source.
    findings.sort_by_key(|finding| std::cmp::Reverse(rank(finding.severity)));
    Ok(params.bounded(findings))
}

impl PromqlCheck {
    fn what(&self) -> &str {
        self.what.as_deref().unwrap_or(&self.expr)
    }

    fn without_series(&self) -> Result<Finding> {
        let words = format!("{}: `{}` has no series", self.what(), self.source);
        let none = Error::permanent("no-series", words);
        let finding = self.absent.finding(&self.code, &self.source, none)?;
        Ok(finding.details(json!({ "series": 0 })))
    }

    fn finding(&self, series: &Series, levels: &Levels) -> Result<Finding> {
        let subject = self.subject(series);
        let value = series
            .points
            .last()
            .map(|point| point.value)
            .filter(|value| !value.is_nan());
        let what = format!("{} of {subject}", self.what());
        let finding = match value {
            Some(value) => levels.finding(&self.code, &subject, &what, value),
            None => {
                let none = Error::permanent("no-number", format!("{what} is no number"));
                let finding = self.absent.finding(&self.code, &subject, none)?;
                finding.details(json!({ "value": null }))
            }
        };
        let labels = series.labels.iter().filter(|(name, _)| name != NAME);
        Ok(labels.fold(finding, |finding, (name, value)| finding.label(name, value)))
    }

    /// `{instance="a", job="b"}`, or the source for what has no labels.
    fn subject(&self, series: &Series) -> String {
        let labels: Vec<String> = series
            .labels
            .iter()
            .filter(|(name, _)| name != NAME)
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        match labels.is_empty() {
            true => self.source.clone(),
            false => format!("{{{}}}", labels.join(", ")),
        }
    }

    /// The worst, and one finding more that counts the others and is as bad as the worst of them.
    fn bounded(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        if findings.len() <= self.most {
            return findings;
        }
        let others = findings.split_off(self.most);
        let severity = others.first().map_or(Severity::Ok, |finding| finding.severity);
        let bad = others.iter().filter(|finding| rank(finding.severity) > 0).count();
        let words = format!("{}: {} more series, {bad} of them not well", self.what(), others.len());
        let more = Finding::new(severity, &self.code, &self.source)
            .summary(words)
            .details(json!({ "more": others.len(), "not_well": bad }));
        findings.push(more);
        findings
    }
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 2,
        Severity::Warning => 1,
        Severity::Ok | Severity::Info => 0,
    }
}

#[cfg(test)]
mod tests;
