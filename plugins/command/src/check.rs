//! A command as a check: its exit code is the severity, or it prints findings.

use evenkeel_sdk::exec::Output;
use evenkeel_sdk::serde_json::{Value, from_value, json};
use evenkeel_sdk::{Body, Context, Error, Finding, Host, Params, Result, Severity, bail};

use crate::{Command, Format, nagios};

/// A read-only command, and what its exit codes mean.
#[derive(Params)]
pub struct CommandCheck {
    /// The exec profile; the operator has marked it read-only.
    profile: String,
    /// Further arguments; the profile says which are allowed.
    #[serde(default)]
    args: Vec<String>,
    /// What it reads.
    #[serde(default)]
    stdin: String,
    /// Exit codes that mean a warning.
    #[serde(default = "one")]
    warn_exit: Vec<i32>,
    /// Exit codes that mean that it is critical.
    #[serde(default = "two")]
    critical_exit: Vec<i32>,
    /// `text`: the first line is the summary. `json`: it prints the findings itself.
    #[serde(default)]
    output: Format,
    /// The code of the finding, and so the name of its alert; the profile's name unless it is given.
    #[schemars(regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    code: Option<String>,
    /// What the finding is about; the profile's name unless it is given.
    subject: Option<String>,
}

fn one() -> Vec<i32> {
    vec![1]
}

fn two() -> Vec<i32> {
    vec![2]
}

#[evenkeel_sdk::check]
pub fn command(params: CommandCheck, host: &Host) -> Result<Vec<Finding>> {
    let command = params.command();
    let output = command.exec(host).run()?;
    let Some(severity) = params.severity(&output) else {
        bail!(permanent, "command-unknown", "{}", command.ending(&output));
    };
    match params.output {
        Format::Text => Ok(vec![params.finding(severity, &output)]),
        Format::Json => params.findings(command.json(&output)?),
    }
}

impl CommandCheck {
    fn command(&self) -> Command<'_> {
        Command {
            profile: &self.profile,
            args: &self.args,
            stdin: &self.stdin,
        }
    }

    /// Nothing for codes that mean nothing: the command could not find out.
    fn severity(&self, output: &Output) -> Option<Severity> {
        let code = output.code?;
        if self.critical_exit.contains(&code) {
            Some(Severity::Critical)
        } else if self.warn_exit.contains(&code) {
            Some(Severity::Warning)
        } else {
            (code == 0).then_some(Severity::Ok)
        }
    }

    fn finding(&self, severity: Severity, output: &Output) -> Finding {
        let text = output.stdout_text();
        let (summary, performance) = nagios::line(&text);
        let summary = if summary.is_empty() {
            self.command().ending(output)
        } else {
            summary.to_owned()
        };
        let mut details = json!({ "exit": output.code });
        if !performance.is_empty() {
            details["performance"] = performance.into();
        }
        Finding::new(severity, self.code(), self.subject())
            .summary(summary)
            .details(details)
    }

    /// Either a list of findings, or an object that holds it as `findings`.
    fn findings(&self, printed: Value) -> Result<Vec<Finding>> {
        let list = match printed {
            Value::Object(mut object) => object.remove("findings").unwrap_or_default(),
            other => other,
        };
        let printed: Vec<Printed> = from_value(list).context("the findings that the command printed")?;
        printed.into_iter().map(|printed| self.complete(printed)).collect()
    }

    fn complete(&self, printed: Printed) -> Result<Finding> {
        let severity = match printed.severity.as_str() {
            "ok" => Severity::Ok,
            "info" => Severity::Info,
            "warning" => Severity::Warning,
            "critical" => Severity::Critical,
            other => {
                return Err(Error::invalid(
                    "severity",
                    format!("the command printed the severity `{other}`"),
                ));
            }
        };
        let code = printed.code.unwrap_or_else(|| self.code().to_owned());
        let subject = printed.subject.unwrap_or_else(|| self.subject().to_owned());
        let mut finding = Finding::new(severity, code, subject).summary(printed.summary);
        for (name, value) in printed.labels {
            finding = finding.label(name, value);
        }
        finding.details = printed.details;
        Ok(finding)
    }

    fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_else(|| self.name())
    }

    fn subject(&self) -> &str {
        self.subject.as_deref().unwrap_or_else(|| self.name())
    }

    /// The profile without the asset that it is on.
    fn name(&self) -> &str {
        self.profile.rsplit('/').next().unwrap_or(&self.profile)
    }
}

/// A finding as a command prints it.
#[derive(Body)]
struct Printed {
    code: Option<String>,
    severity: String,
    subject: Option<String>,
    summary: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
    details: Option<Value>,
}
