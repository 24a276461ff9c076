//! Asks a database with one query and compares a column of each row with levels.

mod params;

use std::collections::BTreeSet;

use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::sql::{Rows, Value};
use evenkeel_sdk::{Error, Finding, Host, Levels, Result, Severity, bail, ensure};
use params::SqlCheck;

/// Rows that are compared at all; the worst of them are told.
const ROWS: u32 = 1_000;

#[evenkeel_sdk::check]
fn sql_check(params: SqlCheck, host: &Host) -> Result<Vec<Finding>> {
    let levels = Levels::new(params.compare, params.warn, params.critical)?;
    let bound = host.sql(&params.database).query(&params.query).bind_all(&params.params);
    let rows = bound.limit(ROWS).rows()?;
    if rows.rows.is_empty() {
        return Ok(vec![params.without_rows()?]);
    }
    let columns = Columns::of(&params, &rows)?;
    let mut findings = Vec::with_capacity(rows.rows.len());
    for row in &rows.rows {
        findings.push(params.finding(row, &columns, &levels)?);
    }
    told_apart(&findings)?;
    // Stable: what is as bad stays in the order of the query.
    findings.sort_by_key(|finding| std::cmp::Reverse(rank(finding.severity)));
    Ok(params.bounded(findings, rows.truncated))
}

/// Where in a row things are.
struct Columns {
    value: usize,
    labels: Vec<(String, usize)>,
}

impl Columns {
    fn of(params: &SqlCheck, rows: &Rows) -> Result<Self> {
        let place = |name: &str| {
            rows.column(name).ok_or_else(|| {
                let there = rows.columns.join("`, `");
                let words = format!("the query has no column `{name}`; it has `{there}`");
                Error::invalid("no-column", words)
            })
        };
        let labels = params
            .labels
            .iter()
            .map(|name| Ok((name.clone(), place(name)?)))
            .collect::<Result<Vec<_>>>()?;
        let value = match &params.column {
            Some(name) => place(name)?,
            None if rows.columns.len() == 1 => 0,
            None => bail!(
                invalid,
                "no-column",
                "the query has {} columns, and `column` doesn't say which one is compared",
                rows.columns.len()
            ),
        };
        Ok(Self { value, labels })
    }
}

impl SqlCheck {
    fn what(&self) -> &str {
        self.what.as_deref().or(self.column.as_deref()).unwrap_or("the value")
    }

    fn without_rows(&self) -> Result<Finding> {
        let words = format!("{}: the query of `{}` has no row", self.what(), self.database);
        let none = Error::permanent("no-row", words);
        let finding = self.absent.finding(&self.code, &self.database, none)?;
        Ok(finding.details(json!({ "rows": 0 })))
    }

    fn finding(&self, row: &[Value], columns: &Columns, levels: &Levels) -> Result<Finding> {
        let labels: Vec<(&str, String)> = columns
            .labels
            .iter()
            .map(|(name, at)| (name.as_str(), row.get(*at).map(text).unwrap_or_default()))
            .collect();
        let subject = match labels.is_empty() {
            true => self.database.clone(),
            false => labels
                .iter()
                .map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
                .join(" "),
        };
        let what = format!("{} of `{subject}`", self.what());
        let finding = match number(row.get(columns.value).unwrap_or(&Value::Null))? {
            Some(value) => levels.finding(&self.code, &subject, &what, value),
            None => {
                let none = Error::permanent("no-number", format!("{what} is null"));
                let finding = self.absent.finding(&self.code, &subject, none)?;
                finding.details(json!({ "value": null }))
            }
        };
        let label = |finding: Finding, (name, value): (&str, String)| finding.label(name, value);
        Ok(labels.into_iter().fold(finding, label))
    }

    /// The worst, and one finding more that counts the others and is as bad as the worst of them.
    fn bounded(&self, mut findings: Vec<Finding>, truncated: bool) -> Vec<Finding> {
        let others = findings.split_off(findings.len().min(self.most));
        if others.is_empty() && !truncated {
            return findings;
        }
        let mut severity = others.first().map_or(Severity::Ok, |finding| finding.severity);
        let bad = others.iter().filter(|finding| rank(finding.severity) > 0).count();
        let mut words = format!("{}: {} more rows, {bad} of them not well", self.what(), others.len());
        if truncated {
            // Nobody has looked at them.
            if severity == Severity::Ok {
                severity = Severity::Warning;
            }
            words.push_str(&format!("; beyond the first {ROWS} rows none was looked at"));
        }
        let more = Finding::new(severity, &self.code, format!("{}: more rows", self.database))
            .summary(words)
            .details(json!({ "more": others.len(), "not_well": bad, "truncated": truncated }));
        findings.push(more);
        findings
    }
}

/// Rows with the same labels would be one alert, and one of them would hide the other.
fn told_apart(findings: &[Finding]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for finding in findings {
        ensure!(
            seen.insert(&finding.labels),
            invalid,
            "rows-alike",
            "several rows are `{}`: `labels` has to name columns that tell them apart",
            finding.subject
        );
    }
    Ok(())
}

/// Nothing for null. Decimals are text.
#[allow(clippy::cast_precision_loss, reason = "levels are floating-point numbers too")]
fn number(value: &Value) -> Result<Option<f64>> {
    let wrong = |what: &str| Error::permanent("no-number", format!("what is compared is {what}, and no number"));
    match value {
        Value::Null => Ok(None),
        Value::Boolean(value) => Ok(Some(f64::from(u8::from(*value)))),
        Value::Integer(value) => Ok(Some(*value as f64)),
        Value::Real(value) if value.is_nan() => Ok(None),
        Value::Real(value) => Ok(Some(*value)),
        Value::Text(text) => match text.trim().parse::<f64>() {
            Ok(value) if value.is_nan() => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(wrong("text")),
        },
        Value::Blob(_) => Err(wrong("a blob")),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
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
