use evenkeel_sdk::serde_json::{from_value, json};
use evenkeel_sdk::{Class, Finding, MockHost, Result, Severity};

use super::*;

const GIB: u64 = 1 << 30;

fn check(capacity: Capacity) -> Result<Vec<Finding>> {
    let host = MockHost::new().with_capacity("data", capacity);
    disk_usage(from_value(json!({ "root": "data" }))?, &host)
}

fn capacity(free_bytes: u64, free_inodes: u64) -> Capacity {
    Capacity {
        total_bytes: 100 * GIB,
        free_bytes,
        total_inodes: 1_000,
        free_inodes,
    }
}

fn severities(findings: &[Finding]) -> Vec<(&str, Severity)> {
    findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.severity))
        .collect()
}

#[test]
fn a_half_full_disk_is_told_with_its_numbers() -> Result<()> {
    let findings = check(capacity(50 * GIB, 900))?;
    assert_eq!(
        severities(&findings),
        [("disk-filling", Severity::Ok), ("inodes-filling", Severity::Ok)]
    );
    assert_eq!(
        findings[0].summary,
        "`data` is 50.0 % full: 50.0 GiB of 100.0 GiB are free"
    );
    assert_eq!(
        findings[0].details,
        Some(json!({ "percent": 50.0, "free_bytes": 50 * GIB, "total_bytes": 100 * GIB }))
    );
    Ok(())
}

#[test]
fn a_level_is_reached_at_its_percentage() -> Result<()> {
    for (free, severity) in [
        (21, Severity::Ok),
        (20, Severity::Warning),
        (11, Severity::Warning),
        (10, Severity::Critical),
    ] {
        assert_eq!(
            check(capacity(free * GIB, 900))?[0].severity,
            severity,
            "{free} GiB free"
        );
    }
    Ok(())
}

#[test]
fn inodes_run_out_on_their_own() -> Result<()> {
    let findings = check(capacity(50 * GIB, 50))?;
    assert_eq!(
        severities(&findings),
        [("disk-filling", Severity::Ok), ("inodes-filling", Severity::Critical)]
    );
    assert_eq!(
        findings[1].summary,
        "`data` has 95.0 % of its inodes in use: 50 of 1000 are free"
    );
    Ok(())
}

#[test]
fn a_file_system_without_inodes_has_no_finding_on_them() -> Result<()> {
    let space = Capacity {
        total_inodes: 0,
        free_inodes: 0,
        ..capacity(50 * GIB, 0)
    };
    assert_eq!(severities(&check(space)?), [("disk-filling", Severity::Ok)]);
    Ok(())
}

#[test]
fn a_file_system_without_a_size_is_an_error_and_not_well() {
    let error = check(Capacity {
        total_bytes: 0,
        ..capacity(0, 0)
    })
    .expect_err("no size");
    assert_eq!((error.class(), error.code()), (Class::Permanent, "no-capacity"));
}

#[test]
fn levels_in_the_wrong_order_are_refused() -> Result<()> {
    let host = MockHost::new().with_capacity("data", capacity(0, 0));
    let params = from_value(json!({ "root": "data", "warn": 95, "critical": 90 }))?;
    assert_eq!(
        disk_usage(params, &host).expect_err("wrong order").class(),
        Class::Invalid
    );
    Ok(())
}

#[test]
fn a_root_that_is_not_granted_is_denied() -> Result<()> {
    let error = disk_usage(from_value(json!({ "root": "data" }))?, &MockHost::new()).expect_err("no such root");
    assert_eq!((error.class(), error.code()), (Class::Denied, "files-denied"));
    Ok(())
}
