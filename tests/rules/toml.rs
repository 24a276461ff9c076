//! Rule files of evenkeel's own: what is wrong with them is shown at its place, and what is right means what the same rules mean
//! to Prometheus.

use evenkeel_tests::{evenkeel::Home, golden::assert_golden};

use crate::ours;

const TOML: &str = r#"name = "disk"
every = "30s"
labels = { team = "platform" }

[[rule]]
record = "instance:disk_free:ratio"
expr = "disk_free_bytes / disk_size_bytes"

[[rule]]
alert = "DiskFilling"
expr = "instance:disk_free:ratio < 0.1"
for = "2m"
keep_firing_for = "3m"
grade = "high"
labels = { disk = "{{ $labels.device }}" }
annotations = { summary = "{{ $labels.instance }} has {{ $value | humanizePercentage }} left" }
"#;

const YAML: &str = r#"groups:
- name: disk
  interval: 30s
  labels: {team: platform}
  rules:
  - record: instance:disk_free:ratio
    expr: disk_free_bytes / disk_size_bytes
  - alert: DiskFilling
    expr: instance:disk_free:ratio < 0.1
    for: 2m
    keep_firing_for: 3m
    labels: {severity: critical, disk: '{{ $labels.device }}'}
    annotations: {summary: '{{ $labels.instance }} has {{ $value | humanizePercentage }} left'}
"#;

const TEST: &str = r#"rule_files: [RULES]
tests:
- interval: 1m
  input_series:
  - {series: 'disk_free_bytes{instance="a", device="sda"}', values: '50 9x4 50x10'}
  - {series: 'disk_size_bytes{instance="a", device="sda"}', values: '100x20'}
  alert_rule_test:
  - {eval_time: 2m, alertname: DiskFilling}
  - eval_time: 3m
    alertname: DiskFilling
    exp_alerts: &firing
    - exp_labels: {instance: a, device: sda, disk: sda, severity: critical, team: platform}
      exp_annotations: {summary: a has 9% left}
  - {eval_time: 8m, alertname: DiskFilling, exp_alerts: *firing}
  - {eval_time: 9m, alertname: DiskFilling}
  promql_expr_test:
  - {expr: 'instance:disk_free:ratio', eval_time: 2m, exp_samples: [{labels: 'instance:disk_free:ratio{instance="a", device="sda", team="platform"}', value: 0.09}]}
"#;

const WRONG: &str = r#"name = "disk"
evry = "30s"
limit = 0

[[rule]]
alert = "DiskFilling"
expr = "disk_free_bytes / on (instance disk_size_bytes < 0.1"
for = "2 minutes"
grade = "hihg"
annotations = { summary = "{{ $label.instance }} is full" }

[[rule]]
record = "instance:{disk}"
expr = "sum(disk_free_bytes"
for = "5m"
grade = "low"

[[rule]]
alert = "Both"
record = "both"
expr = "up"

[[rule]]
alert = "Graded"
expr = "up == 0"
grade = "low"
labels = { severity = "critical", __name__ = "x", number = 5 }
"#;

#[test]
fn the_same_rules_mean_the_same_in_toml_and_in_yaml() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write("rules/disk.toml", TOML)?;
    home.write("rules/disk.yml", YAML)?;
    for rules in ["rules/disk.toml", "rules/disk.yml"] {
        home.write("test.yml", &TEST.replace("RULES", rules))?;
        let (passed, said) = ours::judge(&home, "test", "test.yml")?;
        assert!(passed, "{rules}: {said:#?}");
    }
    Ok(())
}

#[test]
fn all_that_is_wrong_is_shown_at_once_at_its_place() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write("disk.toml", WRONG)?;
    let (passed, said) = ours::judge(&home, "check", "disk.toml")?;
    assert!(!passed, "{said:#?}");
    assert_golden("rules/golden/toml.txt", &said.stderr);
    Ok(())
}

#[test]
fn without_a_file_all_rules_of_the_home_are_checked() -> anyhow::Result<()> {
    let home = Home::empty()?;
    home.write("evenkeel.toml", "")?;
    home.write("rules/disk.toml", TOML)?;
    home.write("rules/linux/disk.yaml", YAML)?;
    let said = home.done(&["rules", "check"])?;
    assert_eq!(
        said.stdout,
        "clean: 2 files, 2 groups, 2 alerting rules, 2 recording rules\n"
    );

    home.write(
        "rules/more.yml",
        "groups:\n- name: x\n  rules:\n  - alert: X\n    expr: up ==\n",
    )?;
    let said = home.run(&["rules", "check", "--json"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    let report: serde_json::Value = serde_json::from_str(&said.stdout)?;
    let problem = &report["problems"][0];
    assert_eq!(
        (
            problem["file"].as_str(),
            problem["line"].as_u64(),
            problem["column"].as_u64()
        ),
        (Some("rules/more.yml"), Some(5), Some(16)),
        "{report:#}"
    );
    Ok(())
}
