//! From a rule file to groups of rules, or to all that is wrong with it.

use std::collections::{BTreeMap, HashMap, HashSet};

use evenkeel_model::problem::{File, Level, Problem};
use evenkeel_model::quantity;

use super::definition::{Does, Group, Rule};
use super::duration;
use super::expand::Text;
use super::reader::{Fields, Language, Reader};
use super::tree::Written;
use crate::intake::LABELS;
use crate::promql::{Query, Type};

/// What a file says.
#[derive(Debug, Default)]
pub struct Read {
    /// Those that nothing is wrong with; all of them, unless a problem is an error.
    pub groups: Vec<Group>,
    pub problems: Vec<Problem>,
}

impl Read {
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| problem.level != Level::Error)
    }
}

/// A Prometheus rule file, or one of ours, by the ending of its name.
pub fn read(file: File<'_>) -> Read {
    let language = Language::of(file.path);
    let reader = Reader::new(file, language);
    let mut groups = Vec::new();
    if let Some(document) = reader.document() {
        match language {
            Language::Yaml => {
                if let Some(root) = reader.root(&document, "the file") {
                    let tables = root.tables("groups", "a group");
                    root.finish();
                    groups.extend(tables.iter().filter_map(|table| group(table, YAML)));
                }
            }
            Language::Toml => groups.extend(reader.root(&document, "the file").and_then(|root| group(&root, TOML))),
        }
    }
    say_repeated_groups(&reader, &groups);
    say_repeated_rules(&reader, &groups);
    let problems = reader.into_problems();
    Read {
        groups: groups.into_iter().map(|placed| placed.group).collect(),
        problems,
    }
}

/// What differs between the two languages.
#[derive(Clone, Copy)]
struct Manner {
    language: Language,
    interval: &'static str,
    rules: &'static str,
}

const YAML: Manner = Manner {
    language: Language::Yaml,
    interval: "interval",
    rules: "rules",
};
const TOML: Manner = Manner {
    language: Language::Toml,
    interval: "every",
    rules: "rule",
};

/// A group with the places that are wanted when all of them are known.
struct Placed {
    group: Group,
    name: Written,
    rules: Vec<Written>,
}

fn group(table: &Fields<'_, '_>, manner: Manner) -> Option<Placed> {
    let name = table.string("name").filter(|name| !name.text.is_empty());
    if name.is_none() {
        let problem = table.problem("missing-key", table.span(), "a group has no `name`");
        table.say(problem.label("give it one"));
    }
    let interval = time(table, manner, manner.interval);
    let query_offset = time(table, manner, "query_offset");
    let limit = limit(table, manner);
    let labels = labels(table, "labels", Which::Labels);
    let tables = table.tables(manner.rules, "a rule");
    table.finish();
    let rules: Vec<_> = tables.iter().filter_map(|table| rule(table, manner, &labels)).collect();
    let name = name?;
    let (rules, places) = rules.into_iter().unzip();
    Some(Placed {
        group: Group {
            name: name.text.clone(),
            file: table.reader.file.path.to_owned(),
            interval_ms: interval.filter(|interval| *interval > 0),
            query_offset_ms: query_offset,
            limit,
            rules,
        },
        name,
        rules: places,
    })
}

/// None: no limit.
fn limit(table: &Fields<'_, '_>, manner: Manner) -> Option<usize> {
    let limit = table.integer("limit")?;
    if limit <= 0 && manner.language == Language::Toml {
        let span = table.key_span("limit").unwrap_or_default();
        let problem = table.problem("bad-value", span, format!("`limit` can't be `{limit}`"));
        table.say(problem.label("it is at least 1; without it there is none"));
    }
    usize::try_from(limit).ok().filter(|limit| *limit > 0)
}

/// A duration in milliseconds, in the words of the language.
fn time(table: &Fields<'_, '_>, manner: Manner, key: &'static str) -> Option<i64> {
    let written = table.string(key)?;
    let read = match manner.language {
        Language::Yaml => duration::parse(&written.text),
        Language::Toml => quantity::duration(&written.text)
            .and_then(|duration| i64::try_from(duration.as_millis()).ok())
            .ok_or("write it like `90s`, `10m` or `1h30m`"),
    };
    match read {
        Ok(milliseconds) => Some(milliseconds),
        Err(write) => {
            let message = format!("`{key}` can't be `{}`", written.text);
            table.say(table.problem("bad-value", written.span, message).label(write));
            None
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Labels,
    Annotations,
}

fn labels(table: &Fields<'_, '_>, key: &'static str, which: Which) -> Vec<(Written, Written)> {
    let mut pairs = table.strings_by_name(key);
    if pairs.len() > LABELS {
        let span = table.key_span(key).unwrap_or_default();
        let message = format!("`{key}` has {} entries", pairs.len());
        let problem = table.problem("too-big", span, message);
        table.say(problem.label(format!("an alert has {LABELS} at most")));
        pairs.truncate(LABELS);
    }
    for (name, _) in &pairs {
        let message = match (which, name.text.as_str()) {
            (Which::Labels, "") => "a label must have a name",
            (Which::Annotations, "") => "an annotation must have a name",
            (Which::Labels, "__name__") => "`__name__` can't be a label of a rule",
            _ => continue,
        };
        let problem = table.problem("bad-name", name.span.clone(), message);
        table.say(match name.text.is_empty() {
            true => problem.label("write one"),
            false => problem.help("`record` names the series of a recording rule, `alert` an alert"),
        });
    }
    pairs
}

fn rule(table: &Fields<'_, '_>, manner: Manner, outer: &[(Written, Written)]) -> Option<(Rule, Written)> {
    let record = table.string("record").filter(|name| !name.text.is_empty());
    let alert = table.string("alert").filter(|name| !name.text.is_empty());
    let expression = expression(table);
    let for_ms = time(table, manner, "for");
    let keep_firing_for_ms = time(table, manner, "keep_firing_for");
    let mut own = labels(table, "labels", Which::Labels);
    if manner.language == Language::Toml {
        own.extend(graded(table, &own, alert.is_some()));
    }
    let annotations = labels(table, "annotations", Which::Annotations);
    let (name, alerts) = name(table, record, alert)?;
    match alerts {
        true => {
            templates(table, &own);
            templates(table, &annotations);
        }
        false => check_record(table, &name, [for_ms, keep_firing_for_ms], &annotations),
    }
    if !table.finish() {
        return None;
    }
    let (expr, query) = expression?;
    if let (Type::Matrix | Type::Text, span) = (query.value_type(), expr.span.clone()) {
        let message = "this rule never gives anything: its expression is no scalar and no instant vector";
        let problem = table.problem("never-evaluates", span, message).warning();
        table.say(problem.label(format!("this is of type {}", query.value_type().name())));
    }
    let does = match alerts {
        false => Does::Record,
        true => Does::Alert {
            for_ms: for_ms.unwrap_or_default(),
            keep_firing_for_ms: keep_firing_for_ms.unwrap_or_default(),
            annotations: texts(&[], &annotations),
        },
    };
    let rule = Rule {
        name: name.text.clone(),
        expr: expr.text,
        query,
        labels: texts(outer, &own),
        does,
        line: table.reader.line(table.span().start),
    };
    Some((rule, name))
}

/// What the rule is called, and whether it is an alert.
fn name(table: &Fields<'_, '_>, record: Option<Written>, alert: Option<Written>) -> Option<(Written, bool)> {
    match (record, alert) {
        (Some(name), None) => Some((name, false)),
        (None, Some(name)) => Some((name, true)),
        (Some(_), Some(alert)) => {
            let problem = table.problem("two-names", alert.span, "a rule has both `record` and `alert`");
            table.say(problem.label("write two rules"));
            table.finish();
            None
        }
        (None, None) => {
            let problem = table.problem("missing-key", table.span(), "a rule has neither `record` nor `alert`");
            table.say(problem.label("what does it do?"));
            table.finish();
            None
        }
    }
}

fn expression(table: &Fields<'_, '_>) -> Option<(Written, Query)> {
    let Some(written) = table.string("expr").filter(|expr| !expr.text.is_empty()) else {
        let problem = table.problem("missing-key", table.span(), "a rule lacks `expr`");
        table.say(problem.label("add `expr`: a PromQL expression"));
        return None;
    };
    match Query::check(&written.text) {
        Ok(query) => Some((written, query)),
        Err(refusal) => {
            let span = written.inside(table.reader.file, &refusal.place);
            let problem = table.problem("bad-expression", span, "`expr` can't be evaluated");
            let problem = problem.label(refusal.message);
            table.say(match refusal.advice {
                Some(advice) => problem.help(advice),
                None => problem,
            });
            None
        }
    }
}

/// The label that `grade` stands for: the word of it that rule sets use, and that alerts are graded by.
fn graded(table: &Fields<'_, '_>, labels: &[(Written, Written)], alerts: bool) -> Option<(Written, Written)> {
    const GRADES: [(&str, &str); 3] = [("low", "info"), ("medium", "warning"), ("high", "critical")];
    let grade = table.string("grade")?;
    let span = table.key_span("grade").unwrap_or_default();
    if !alerts {
        let problem = table.problem("misplaced-key", span, "`grade` goes with `alert`");
        table.say(problem.label("this rule records"));
        return None;
    }
    if let Some((name, _)) = labels.iter().find(|(name, _)| name.text == "severity") {
        let problem = table.problem(
            "two-grades",
            name.span.clone(),
            "a rule has both `grade` and the label `severity`",
        );
        table.say(problem.label("`grade` sets it: write one of the two"));
        return None;
    }
    let Some((_, severity)) = GRADES.iter().find(|(name, _)| *name == grade.text) else {
        let problem = table.problem("bad-value", grade.span, format!("`grade` can't be `{}`", grade.text));
        let problem = problem.suggest(&grade.text, GRADES.map(|(name, _)| name));
        table.say(problem.help("it is one of `low`, `medium`, `high`"));
        return None;
    };
    let written = |text: &str| Written {
        text: text.to_owned(),
        span: span.clone(),
    };
    Some((written("severity"), written(severity)))
}

fn check_record(table: &Fields<'_, '_>, name: &Written, times: [Option<i64>; 2], annotations: &[(Written, Written)]) {
    let [for_ms, keep_firing_for_ms] = times.map(|time| time.is_some_and(|time| time > 0));
    let misplaced = [
        ("for", for_ms),
        ("keep_firing_for", keep_firing_for_ms),
        ("annotations", !annotations.is_empty()),
    ];
    for (key, _) in misplaced.iter().filter(|(_, there)| *there) {
        let span = table.key_span(key).unwrap_or_default();
        let problem = table.problem("misplaced-key", span, format!("`{key}` goes with `alert`"));
        table.say(problem.label("this rule records"));
    }
    if name.text.contains(['{', '}']) {
        let message = format!("`{}` can't be the name of a series", name.text);
        let problem = table.problem("bad-name", name.span.clone(), message);
        table.say(problem.label("braces belong into `expr`, and labels under `labels`"));
    }
}

fn templates(table: &Fields<'_, '_>, pairs: &[(Written, Written)]) {
    for (name, written) in pairs {
        let Err(fault) = Text::new(&written.text).template() else {
            continue;
        };
        let span = written.inside(table.reader.file, &fault.place);
        let problem = table.problem("bad-template", span, format!("`{}` is no template", name.text));
        table.say(problem.label(fault.message));
    }
}

/// By name; what is within goes before what is around.
fn texts(outer: &[(Written, Written)], own: &[(Written, Written)]) -> Vec<(String, Text)> {
    let pairs = outer.iter().chain(own);
    let texts: BTreeMap<String, Text> = pairs
        .map(|(name, value)| (name.text.clone(), Text::new(&value.text)))
        .collect();
    texts.into_iter().collect()
}

fn say_repeated_groups(reader: &Reader<'_>, groups: &[Placed]) {
    let mut known = HashSet::new();
    for placed in groups.iter().filter(|placed| !known.insert(&placed.name.text)) {
        let message = format!("the group `{}` stands in this file twice", placed.name.text);
        let problem = reader.problem("duplicate-group", placed.name.span.clone(), message);
        reader.say(problem.label("give it another name"));
    }
}

/// Rules of one name and the same labels write the same series.
fn say_repeated_rules(reader: &Reader<'_>, groups: &[Placed]) {
    let mut known = HashMap::new();
    let rules = groups
        .iter()
        .flat_map(|placed| placed.group.rules.iter().zip(&placed.rules));
    for (rule, written) in rules {
        let labels = rule.labels.iter().map(|(name, text)| (name.as_str(), text.source()));
        let labels: Vec<_> = labels.collect();
        let start = written.span.start;
        let (first, line) = *known.entry((&rule.name, labels)).or_insert((start, rule.line));
        if first != start {
            let message = format!("`{}` is there with the same labels in line {line}", rule.name);
            let problem = reader.problem("duplicate-rule", written.span.clone(), message);
            reader.say(problem.label("the two write the same series").warning());
        }
    }
}
