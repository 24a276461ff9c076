//! Both judges: each template is an annotation of one alert, which fires for many values.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, ensure};
use evenkeel_tests::{evenkeel::Home, servers::Promtool};
use regex::Regex;
use serde_json::{Value, json};

/// Numbers at which something is written otherwise than at their neighbours.
const VALUES: [&str; 30] = [
    "0",
    "1",
    "-1",
    "1.5",
    "-1.5",
    "0.1",
    "999.95",
    "1000",
    "1023.5",
    "1024",
    "123456",
    "999999",
    "1e6",
    "1e20",
    "1e21",
    "1.23456789e22",
    "1e-4",
    "1e-5",
    "1e-300",
    "1e300",
    "NaN",
    "Inf",
    "-Inf",
    "59.9",
    "3599",
    "86399.99",
    "86400",
    "-86461.5",
    "1435065584.128",
    "9.3e18",
];

/// How long the words of PromQL and of regular expressions are compared, which are other engines' own.
const OWN_WORDS: [&str; 2] = ["error calling query: ", "error parsing regexp: "];

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// When the file was read.
    Refused,
    /// What stands in the annotation, for each value.
    Said(Vec<String>),
}

impl Verdict {
    /// The first texts that differ; `None` where a template was refused.
    pub fn first_other<'a>(&'a self, other: &'a Self) -> (Option<&'a String>, Option<&'a String>) {
        let (Self::Said(ours), Self::Said(others)) = (self, other) else {
            let first = |verdict: &'a Self| match verdict {
                Self::Said(texts) => texts.first(),
                Self::Refused => None,
            };
            return (first(self), first(other));
        };
        let differ = ours.iter().zip(others).find(|(a, b)| a != b);
        differ.map_or((None, None), |(a, b)| (Some(a), Some(b)))
    }

    pub fn says(&self, words: &str) -> bool {
        matches!(self, Self::Said(texts) if texts.iter().any(|text| text.contains(words)))
    }
}

/// Annotations of one alert: evenkeel takes 128, and tells a hundred problems of a file.
const AT_ONCE: usize = 90;

pub struct Both {
    promtool: Promtool,
}

/// Annotations by the number of the alert, then by that of the template.
type Annotations = BTreeMap<usize, BTreeMap<usize, String>>;

impl Both {
    /// # Errors
    /// When there is no promtool.
    pub fn find() -> anyhow::Result<Self> {
        Ok(Self {
            promtool: Promtool::find()?,
        })
    }

    /// promtool's verdict and ours of each.
    ///
    /// # Errors
    /// When one of them says something that is none.
    pub fn judge(&self, home: &Home, templates: &[String]) -> anyhow::Result<Vec<(Verdict, Verdict)>> {
        let mut all = Vec::new();
        for some in templates.chunks(AT_ONCE) {
            all.extend(self.judge_some(home, some)?);
        }
        Ok(all)
    }

    fn judge_some(&self, home: &Home, templates: &[String]) -> anyhow::Result<Vec<(Verdict, Verdict)>> {
        home.write("rules.yml", &rules(templates, |_| true))?;
        let theirs = self.theirs(home.path(), templates, home)?;
        let ours = ours(home, templates)?;
        Ok(theirs.into_iter().zip(ours).collect())
    }

    fn theirs(&self, directory: &Path, templates: &[String], home: &Home) -> anyhow::Result<Vec<Verdict>> {
        let check = ["check", "rules", "--lint=none", "rules.yml"];
        let said = self.promtool.judge(directory, &check)?.said;
        let refused = numbers(&said, r#"annotation "t(\d+)": "#)?;
        home.write("rest.yml", &rules(templates, |n| !refused.contains(&n)))?;
        home.write("test.yml", &test("rest.yml"))?;
        let said = self.promtool.judge(directory, &["test", "rules", "test.yml"])?.said;
        verdicts(templates.len(), &refused, &printed(&said)?)
            .with_context(|| said.chars().take(2000).collect::<String>())
    }
}

fn ours(home: &Home, templates: &[String]) -> anyhow::Result<Vec<Verdict>> {
    let said = home.run(&["rules", "check", "--json", "rules.yml"])?;
    let refused = numbers(&said.stdout, r"`t(\d+)` is no template")?;
    home.write("rest.yml", &rules(templates, |n| !refused.contains(&n)))?;
    home.write("test.yml", &test("rest.yml"))?;
    let said = home.run(&["rules", "test", "--json", "test.yml"])?;
    let report: Value = serde_json::from_str(&said.stdout).with_context(|| format!("{said:?}"))?;
    let got = report
        .pointer("/0/tests/0/failures/0/alerts/got")
        .and_then(Value::as_array)
        .with_context(|| format!("no alerts in {report}"))?;
    let mut all = Annotations::new();
    for alert in got {
        let number = alert["labels"]["n"]
            .as_str()
            .context("an alert without its number")?
            .parse()?;
        let texts = alert["annotations"]
            .as_object()
            .context("an alert without annotations")?;
        let texts = texts
            .iter()
            .filter_map(|(name, text)| Some((name[1..].parse().ok()?, text.as_str()?.to_owned())));
        all.insert(number, texts.collect());
    }
    verdicts(templates.len(), &refused, &all)
}

fn verdicts(count: usize, refused: &[usize], all: &Annotations) -> anyhow::Result<Vec<Verdict>> {
    ensure!(all.len() == VALUES.len(), "{} alerts fire", all.len());
    let said = |n: usize| {
        let text = |texts: &BTreeMap<usize, String>| texts.get(&n).map_or_else(String::new, |text| cut(text));
        Verdict::Said(all.values().map(text).collect())
    };
    let verdict = |n| {
        if refused.contains(&n) {
            Verdict::Refused
        } else {
            said(n)
        }
    };
    Ok((0..count).map(verdict).collect())
}

fn cut(text: &str) -> String {
    let own = OWN_WORDS.iter().find_map(|words| Some(text.find(words)? + words.len()));
    text[..own.unwrap_or(text.len())].to_owned()
}

fn numbers(text: &str, pattern: &str) -> anyhow::Result<Vec<usize>> {
    let found = Regex::new(pattern)?;
    let numbers = found.captures_iter(text).map(|found| Ok(found[1].parse()?));
    numbers.collect()
}

fn rules(templates: &[String], wanted: impl Fn(usize) -> bool) -> String {
    let mut text =
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: m\n    annotations:\n      last: x\n".to_owned();
    for (n, template) in templates.iter().enumerate().filter(|(n, _)| wanted(*n)) {
        writeln!(text, "      t{n}: {}", json!(template)).expect("a string takes any text");
    }
    text
}

/// Nothing is expected, so all that fires is shown.
fn test(rules: &str) -> String {
    let odd = r#"odd="a\"b\\c\n<é>""#;
    let mut series: Vec<Value> = (VALUES.iter().enumerate())
        .map(|(n, value)| json!({"series": format!(r#"m{{n="{n}",instance="host.example.com:9100",foo="bar",{odd}}}"#), "values": value}))
        .collect();
    for (name, value) in [("x{a=\"a\"}", "8"), ("x{a=\"b\"}", "7"), ("one{foo=\"bar\"}", "1.5")] {
        series.push(json!({"series": name, "values": value}));
    }
    json!({
        "rule_files": [rules],
        "tests": [{
            "interval": "1m",
            "external_labels": {"site": "fra"},
            "external_url": "https://evenkeel.example/base%20path",
            "input_series": series,
            "alert_rule_test": [{"eval_time": "0m", "alertname": "A", "exp_alerts": []}],
        }],
    })
    .to_string()
}

/// Out of what promtool prints of a failed test: labels and annotations in lines of their own, quoted as Go quotes.
fn printed(said: &str) -> anyhow::Result<Annotations> {
    let alert = Regex::new(r#"Labels:\{.*\bn="(\d+)".*\}\n\s*Annotations:\{(.*)\},?\n"#)?;
    let annotation = Regex::new(r#"\bt(\d+)="((?:[^"\\]|\\.)*)""#)?;
    let mut all = Annotations::new();
    for found in alert.captures_iter(said) {
        let mut texts = BTreeMap::new();
        for pair in annotation.captures_iter(&found[2]) {
            texts.insert(pair[1].parse()?, unquoted(&pair[2])?);
        }
        all.insert(found[1].parse()?, texts);
    }
    Ok(all)
}

fn unquoted(text: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let kind = escaped.chars().next().context("a backslash at the end")?;
        let digits = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        rest = &escaped[1 + digits..];
        let code = || u32::from_str_radix(&escaped[1..=digits], 16);
        match kind {
            'x' => bytes.push(u8::try_from(code()?)?),
            'u' | 'U' => bytes.extend(char::from_u32(code()?).context("no character")?.to_string().bytes()),
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            't' => bytes.push(b'\t'),
            'n' => bytes.push(b'\n'),
            'v' => bytes.push(11),
            'f' => bytes.push(12),
            'r' => bytes.push(b'\r'),
            _ => bytes.extend(kind.to_string().bytes()),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
