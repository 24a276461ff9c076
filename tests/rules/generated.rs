//! Made-up series and rules: the same alerts are pending, fire and end at the same instants, with the same words.

use std::env;

use evenkeel_tests::dice::Dice;
use evenkeel_tests::{evenkeel::Home, servers::Promtool};
use serde_json::{Value, json};

use crate::expectations;

/// Of each seed: one rule file, one test.
const SEEDS: u64 = 16;

/// `EVENKEEL_SEEDS=FROM..TO` tries others.
#[expect(clippy::disallowed_methods, reason = "whoever runs the test asks for its long form")]
fn seeds() -> std::ops::Range<u64> {
    let wanted = env::var("EVENKEEL_SEEDS").ok();
    let range = wanted.as_deref().and_then(|range| range.split_once(".."));
    let range = range.map(|(from, to)| (from.parse::<u64>(), to.parse::<u64>()));
    match range {
        Some((Ok(from), Ok(to))) => from..to,
        _ => 0..SEEDS,
    }
}

#[test]
fn made_up_rules_have_the_same_states_at_the_same_instants() -> anyhow::Result<()> {
    let (promtool, home) = (Promtool::find()?, Home::empty()?);
    let (mut expected, mut failing) = (0, 0);
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let names: Vec<String> = (0..6).map(|n| format!("A{n}")).collect();
        home.write("rules.yml", &rules(&mut dice, &names).to_string())?;
        let mut file = test(&mut dice, &names);
        expected += expectations::fill(&home, &mut file)?;
        expectations::assert_agreement(&home, &promtool, &file, &format!("seed {seed}"))?;
        if let Some(otherwise) = otherwise(&mut dice, &file) {
            failing += 1;
            expectations::assert_agreement(&home, &promtool, &otherwise, &format!("seed {seed}, otherwise"))?;
        }
    }
    assert!(
        expected as u64 > seeds().count() as u64 * 10,
        "only {expected} things were expected"
    );
    assert!(failing > 0, "nothing was expected otherwise");
    Ok(())
}

/// One expectation changed.
fn otherwise(dice: &mut Dice, file: &Value) -> Option<Value> {
    let mut file = file.clone();
    let cases = file["tests"][0]["promql_expr_test"].as_array_mut()?;
    let filled: Vec<_> = cases
        .iter_mut()
        .filter(|case| case["exp_samples"][0].is_object())
        .collect();
    let count = filled.len() as u64;
    let case = filled
        .into_iter()
        .nth(usize::try_from(dice.below(count.max(1))).ok()?)?;
    match dice.below(3) {
        0 => case["exp_samples"][0]["value"] = json!(-17.25),
        1 => case["exp_samples"][0]["labels"] = json!("other{a=\"b\"}"),
        _ => drop(case["exp_samples"].as_array_mut()?.pop()),
    }
    Some(file)
}

fn rules(dice: &mut Dice, names: &[String]) -> Value {
    let mut groups = vec![json!({"name": "recorded", "rules": [
        {"record": "i:m:max", "expr": "max by (i) (m)"},
        {"record": "i:c:rate", "expr": "rate(c[2m])", "labels": {"from": "rules"}},
    ]})];
    for (n, names) in names.chunks(3).enumerate() {
        let rules: Vec<Value> = names.iter().map(|name| alert(dice, name)).collect();
        let mut group = json!({"name": format!("g{n}"), "rules": rules});
        if dice.once_in(3) {
            group["query_offset"] = json!(dice.pick(&["30s", "1m", "90s"]));
        }
        if dice.once_in(6) {
            group["limit"] = json!(dice.below(4) + 2);
        }
        if dice.once_in(3) {
            group["labels"] = json!({"team": "t", "severity": "{{ $labels.i }}"});
        }
        groups.push(group);
    }
    json!({"groups": groups})
}

fn alert(dice: &mut Dice, name: &str) -> Value {
    let k = dice.below(7);
    let expr = match dice.below(14) {
        0 => format!("m == {k}"),
        1 => format!("rate(c[2m]) > 0.0{k}"),
        2 => format!("sum by (i) (m) >= {k}"),
        3 => format!("m > {k} and on (i) n < 5"),
        4 => format!("avg_over_time(m[3m]) >= {k}"),
        5 => format!("changes(m[5m]) > {k}"),
        6 => format!("i:m:max > {k}"),
        7 => "ALERTS{alertname=\"A0\", alertstate=\"firing\"}".to_owned(),
        8 => format!("m offset 2m > {k}"),
        9 => "absent(m{i=\"a\"})".to_owned(),
        10 => format!("count(m > {k}) > 1"),
        11 => format!("i:c:rate > 0.0{k} or n > 6"),
        12 => format!("max_over_time(m[4m:1m]) - m > {k}"),
        _ => format!("m > {k}"),
    };
    let times = ["0s", "1m", "2m", "150s", "5m"];
    let mut rule = json!({"alert": name, "expr": expr, "for": dice.pick(&times)});
    if dice.once_in(2) {
        rule["keep_firing_for"] = json!(dice.pick(&times));
    }
    rule["labels"] = match dice.below(5) {
        0 => json!({"value": "{{ $value }}"}),
        1 => json!({"severity": "page", "copy": "{{ $labels.i }}-{{ $labels.j }}"}),
        2 => json!({"none": "{{ $labels.none }}"}),
        3 => json!({"i": "", "j": "one"}),
        _ => json!({"severity": "{{ if gt $value 4.0 }}high{{ else }}low{{ end }}"}),
    };
    rule["annotations"] = match dice.below(4) {
        0 => json!({"said": "{{ $labels.i | toUpper }} has {{ humanize $value }} {{ $externalLabels.site }}"}),
        1 => json!({"said": "{{ with query \"sort(m)\" }}{{ . | first | value | printf \"%.1f\" }}{{ end }}"}),
        2 => {
            json!({"said": "{{ range query \"n\" | sortByLabel \"i\" }}{{ .Labels.i }}:{{ .Value }},{{ end }}", "b": "{{ $value | humanizeDuration }}"})
        }
        _ => json!({}),
    };
    rule
}

fn test(dice: &mut Dice, names: &[String]) -> Value {
    let evaluation = dice.pick(&["30s", "1m", "2m"]);
    let times: Vec<String> = (0..40).map(|minute| format!("{}ms", minute * 60_000)).collect();
    let mut series = Vec::new();
    for name in ["m", "n", "c"] {
        for i in ["a", "b", "c"] {
            if !dice.once_in(5) {
                let j = dice.below(2);
                series.push(
                    json!({"series": format!("{name}{{i=\"{i}\",j=\"{j}\"}}"), "values": values(dice, name == "c")}),
                );
            }
        }
    }
    let alerts = times.iter().step_by(3).flat_map(|time| {
        let alert = move |name: &String| json!({"alertname": name, "eval_time": time});
        names.iter().map(alert)
    });
    let expressions = times.iter().flat_map(|time| {
        let asked = ["ALERTS", "ALERTS_FOR_STATE", "{__name__=~\"i:.*\"}"];
        asked.map(|expr| json!({"expr": expr, "eval_time": time}))
    });
    // Without an order promtool takes any, and rules look at the alerts of other groups.
    let order = ["recorded", "g0", "g1"];
    json!({"rule_files": ["rules.yml"], "evaluation_interval": evaluation, "group_eval_order": order, "tests": [{
        "interval": dice.pick(&["15s", "30s", "1m"]),
        "input_series": series,
        "external_labels": {"site": "here"},
        "alert_rule_test": alerts.collect::<Vec<_>>(),
        "promql_expr_test": expressions.collect::<Vec<_>>(),
    }]})
}

/// Samples for some forty minutes: level, rising, missing, ended.
fn values(dice: &mut Dice, counts: bool) -> String {
    let mut parts = Vec::new();
    for _ in 0..12 {
        let (value, step, times) = (dice.below(9), dice.below(3), dice.below(8));
        parts.push(match dice.below(if counts { 3 } else { 6 }) {
            0 => format!("_x{}", times + 1),
            1 => "stale".to_owned(),
            2 => format!("{value}+{step}x{times}"),
            3 => format!("{value}-{step}x{times}"),
            4 => format!("{value}.5x{times}"),
            _ => format!("{value}x{times}"),
        });
    }
    parts.join(" ")
}
