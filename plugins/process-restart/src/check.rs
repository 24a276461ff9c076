//! The check: whether enough processes run, and how they are.

use evenkeel_sdk::files::Size;
use evenkeel_sdk::process::Process;
use evenkeel_sdk::serde_json::{Value, json};
use evenkeel_sdk::{Duration, Finding, Host, Params, Result, Severity, ensure};

use crate::seen::{Rule, Seen, Stuck};
use crate::{MIB, age, counted, named};

/// Which processes to look at, and what is well.
#[derive(Params)]
pub struct ProcessCheck {
    /// The process profile.
    pub profile: String,
    /// How many have to run.
    #[serde(default = "one")]
    pub least: u32,
    /// How many may run.
    pub most: Option<u32>,
    /// States in which a process is stuck, if three looks in a row see it in one.
    #[serde(default = "Stuck::all")]
    pub stuck: Vec<Stuck>,
    /// MiB of memory above which a process is a warning.
    #[schemars(range(min = 1))]
    pub memory_warn: Option<u64>,
    /// MiB of memory above which a process is critical.
    #[schemars(range(min = 1))]
    pub memory_critical: Option<u64>,
    /// How long a process may run before it is a warning.
    pub age_warn: Option<Duration>,
    /// How long a process may run before it is critical.
    pub age_critical: Option<Duration>,
    /// The pause between two looks.
    #[serde(default = "one_second")]
    pub every: Duration,
}

pub fn one() -> u32 {
    1
}

pub fn one_second() -> Duration {
    Duration::seconds(1)
}

#[evenkeel_sdk::check]
pub fn process_check(params: ProcessCheck, host: &Host) -> Result<Vec<Finding>> {
    params.validate()?;
    let seen = params.rule().confirmed(host)?;
    let mut findings = vec![params.missing(&seen)];
    findings.extend(params.surplus(&seen));
    findings.push(params.stuck(&seen));
    findings.extend(params.memory(&seen));
    findings.extend(params.age(&seen, host.now_ms()));
    Ok(findings)
}

impl ProcessCheck {
    fn validate(&self) -> Result<()> {
        self.rule().validate()?;
        if let (Some(warn), Some(critical)) = (self.memory_warn, self.memory_critical) {
            ensure!(
                warn <= critical,
                invalid,
                "levels",
                "`memory_warn` ({warn}) is above `memory_critical` ({critical})"
            );
        }
        if let (Some(warn), Some(critical)) = (self.age_warn, self.age_critical) {
            ensure!(
                warn <= critical,
                invalid,
                "levels",
                "`age_warn` ({warn}) is above `age_critical` ({critical})"
            );
        }
        Ok(())
    }

    fn rule(&self) -> Rule<'_> {
        Rule {
            profile: &self.profile,
            least: self.least,
            most: self.most,
            stuck: &self.stuck,
            every: self.every,
        }
    }

    fn missing(&self, seen: &Seen) -> Finding {
        let severity = if seen.missing { Severity::Critical } else { Severity::Ok };
        let running = seen.running().len();
        self.finding(severity, "process-missing")
            .summary(format!(
                "{} of `{}`, at least {} wanted",
                counted(running),
                self.profile,
                self.least
            ))
            .details(json!({ "running": running, "least": self.least }))
    }

    /// Only if the runbook says how many are too many.
    fn surplus(&self, seen: &Seen) -> Option<Finding> {
        let most = self.most?;
        let severity = if seen.surplus { Severity::Critical } else { Severity::Ok };
        let running = seen.running().len();
        let finding = self
            .finding(severity, "process-surplus")
            .summary(format!(
                "{} of `{}`, at most {most} wanted",
                counted(running),
                self.profile
            ))
            .details(json!({ "running": running, "most": most }));
        Some(finding)
    }

    fn stuck(&self, seen: &Seen) -> Finding {
        let stuck = seen.stuck();
        if stuck.is_empty() {
            return self
                .finding(Severity::Ok, "process-stuck")
                .summary(format!("no process of `{}` is stuck", self.profile));
        }
        let details: Vec<Value> = stuck.iter().map(|process| told(process)).collect();
        self.finding(Severity::Critical, "process-stuck")
            .summary(format!(
                "{} of `{}` stuck: {}",
                counted(stuck.len()),
                self.profile,
                named(&stuck)
            ))
            .details(json!({ "processes": details }))
    }

    /// The largest, if the runbook says what is too large.
    fn memory(&self, seen: &Seen) -> Option<Finding> {
        let levels = (
            self.memory_warn.map(|mib| mib.saturating_mul(MIB)),
            self.memory_critical.map(|mib| mib.saturating_mul(MIB)),
        );
        let level = levels.0.or(levels.1)?;
        let largest = seen
            .running()
            .into_iter()
            .max_by_key(|process| process.resident_bytes)?;
        let bytes = largest.resident_bytes;
        let (severity, passed) = judge(bytes, levels);
        let passed = passed.unwrap_or(level);
        let finding = self
            .finding(severity, "process-memory")
            .summary(format!(
                "{} of `{}` holds {}, at most {} is well",
                named(&[largest]),
                self.profile,
                Size(bytes),
                Size(passed)
            ))
            .details(json!({ "process": told(largest), "level_bytes": passed }));
        Some(finding)
    }

    /// The oldest, if the runbook says what is too old.
    fn age(&self, seen: &Seen, now_ms: u64) -> Option<Finding> {
        let levels = (self.age_warn, self.age_critical);
        let level = levels.0.or(levels.1)?;
        let oldest = seen.running().into_iter().min_by_key(|process| process.started_ms)?;
        let age = age(oldest, now_ms);
        let (severity, passed) = judge(age, levels);
        let passed = passed.unwrap_or(level);
        let finding = self
            .finding(severity, "process-age")
            .summary(format!(
                "{} of `{}` has run for {age}, at most {passed} is well",
                named(&[oldest]),
                self.profile
            ))
            .details(json!({ "process": told(oldest), "age_ms": age.as_ms(), "level_ms": passed.as_ms() }));
        Some(finding)
    }

    fn finding(&self, severity: Severity, code: &str) -> Finding {
        Finding::new(severity, code, &self.profile).label("profile", &self.profile)
    }
}

/// How bad it is, and the level that it has passed.
fn judge<T: PartialOrd + Copy>(value: T, (warn, critical): (Option<T>, Option<T>)) -> (Severity, Option<T>) {
    let passed = |level: Option<T>| level.filter(|level| value > *level);
    match (passed(critical), passed(warn)) {
        (Some(level), _) => (Severity::Critical, Some(level)),
        (None, Some(level)) => (Severity::Warning, Some(level)),
        (None, None) => (Severity::Ok, None),
    }
}

fn told(process: &Process) -> Value {
    json!({
        "pid": process.pid,
        "name": process.name,
        "user": process.user,
        "state": process.state,
        "started_ms": process.started_ms,
        "resident_bytes": process.resident_bytes,
    })
}
