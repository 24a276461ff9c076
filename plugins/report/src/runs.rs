//! The runs of a round, as the host gives them.

use std::collections::BTreeMap;

use evenkeel_sdk::serde::Deserialize;
use evenkeel_sdk::serde_json::Value;
use evenkeel_sdk::{Error, Host, Result};

/// One run. What else the host says of it, this version doesn't need.
#[derive(Deserialize)]
#[serde(crate = "evenkeel_sdk::serde")]
pub struct Run {
    pub run: u64,
    pub target: Option<String>,
    pub customer: Option<String>,
    pub verdict: String,
    #[serde(default)]
    pub why: String,
    #[serde(default)]
    pub steps: BTreeMap<String, Step>,
}

#[derive(Deserialize)]
#[serde(crate = "evenkeel_sdk::serde")]
pub struct Step {
    pub severity: Option<String>,
    #[serde(default)]
    pub summary: String,
    #[serde(default)]
    pub output: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Well,
    Bad,
    /// It was not looked at: refused, rejected, cancelled.
    NotKnown,
}

/// # Errors
/// There are none: the step doesn't stand in `[[after]]`.
pub fn read(host: &Host) -> Result<Vec<Run>> {
    let runs: Option<Vec<Run>> = host.input("runs")?;
    runs.ok_or_else(|| {
        let words = "there are no `runs`: this step belongs into `[[after]]`";
        Error::invalid("no-runs", words)
    })
}

impl Run {
    pub fn standing(&self) -> Standing {
        match self.verdict.as_str() {
            "healthy" | "repaired" | "changed" | "planned" => Standing::Well,
            "rejected" | "cancelled" => Standing::NotKnown,
            _ => Standing::Bad,
        }
    }

    /// The target; a run may have none.
    pub fn place(&self) -> String {
        self.target.clone().unwrap_or_else(|| format!("run {}", self.run))
    }
}

/// "9 of 12 well: 8 healthy, 1 repaired, 2 unhealthy, 1 rejected"
pub fn counted(runs: &[Run]) -> String {
    let well = runs.iter().filter(|run| run.standing() == Standing::Well).count();
    let mut verdicts = BTreeMap::<(u8, &str), usize>::new();
    for run in runs {
        let order = match run.standing() {
            Standing::Well => 0,
            Standing::Bad => 1,
            Standing::NotKnown => 2,
        };
        *verdicts.entry((order, &run.verdict)).or_default() += 1;
    }
    let verdicts: Vec<_> = verdicts
        .iter()
        .map(|((_, verdict), count)| format!("{count} {verdict}"))
        .collect();
    format!("{well} of {} well: {}", runs.len(), verdicts.join(", "))
}
