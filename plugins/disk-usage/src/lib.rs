//! Looks how full the file system of a root is, in bytes and inodes.

use evenkeel_sdk::files::{Capacity, Size};
use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::{Finding, Host, Params, Result, Severity, ensure};

/// Where to look, and from when on it matters.
#[derive(Params)]
struct DiskUsage {
    /// The root whose file system is looked at.
    root: String,
    /// Percent in use from which it is a warning.
    #[serde(default = "eighty")]
    #[schemars(range(min = 1, max = 100))]
    warn: u8,
    /// Percent in use from which it is critical.
    #[serde(default = "ninety")]
    #[schemars(range(min = 1, max = 100))]
    critical: u8,
    /// Whether inodes are looked at too: a file system can be full of tiny files.
    #[serde(default = "yes")]
    inodes: bool,
}

fn eighty() -> u8 {
    80
}

fn ninety() -> u8 {
    90
}

fn yes() -> bool {
    true
}

#[evenkeel_sdk::check]
fn disk_usage(params: DiskUsage, host: &Host) -> Result<Vec<Finding>> {
    let (warn, critical) = (params.warn, params.critical);
    ensure!(
        warn <= critical,
        invalid,
        "levels",
        "`warn` ({warn}) is above `critical` ({critical})"
    );
    let space = host.files(&params.root).space()?;
    let mut findings = vec![params.bytes(&space)?];
    if params.inodes {
        // Some file systems (btrfs, most network ones) have no fixed number of inodes and say 0.
        findings.extend(params.inodes(&space));
    }
    Ok(findings)
}

impl DiskUsage {
    fn bytes(&self, space: &Capacity) -> Result<Finding> {
        let Some(percent) = space.used_percent() else {
            evenkeel_sdk::bail!(
                permanent,
                "no-capacity",
                "the file system of `{}` does not say how large it is",
                self.root
            )
        };
        let (free, total) = (Size(space.free_bytes), Size(space.total_bytes));
        let finding = Finding::new(self.severity(percent), "disk-filling", &self.root)
            .summary(format!(
                "`{}` is {percent:.1} % full: {free} of {total} are free",
                self.root
            ))
            .label("root", &self.root)
            .details(json!({
                "percent": rounded(percent),
                "free_bytes": space.free_bytes,
                "total_bytes": space.total_bytes,
            }));
        Ok(finding)
    }

    fn inodes(&self, space: &Capacity) -> Option<Finding> {
        let percent = space.used_inodes_percent()?;
        let (free, total) = (space.free_inodes, space.total_inodes);
        let finding = Finding::new(self.severity(percent), "inodes-filling", &self.root)
            .summary(format!(
                "`{}` has {percent:.1} % of its inodes in use: {free} of {total} are free",
                self.root
            ))
            .label("root", &self.root)
            .details(json!({ "percent": rounded(percent), "free_inodes": free, "total_inodes": total }));
        Some(finding)
    }

    fn severity(&self, percent: f64) -> Severity {
        if percent >= f64::from(self.critical) {
            Severity::Critical
        } else if percent >= f64::from(self.warn) {
            Severity::Warning
        } else {
            Severity::Ok
        }
    }
}

/// One decimal is what a person compares; more would only differ from run to run.
fn rounded(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
