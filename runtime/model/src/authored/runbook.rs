//! `runbooks/**/*.toml`, one runbook a file.

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::Value;
use toml::de::DeValue;

use super::json::Json;
use super::limits;
use super::role::source;
use super::step::{self, Step};
use super::trigger::{self, selector};
use super::value::{self, Count, Fault, Span};
use super::{At, Reader, Table};
use crate::grant::{Capability, Grant};
use crate::run::Over;
use crate::runbook::{Batch, InputKind, Limits, On, Otherwise, Selector};

const WITHIN: Duration = Duration::from_secs(60);

const KINDS: &[(&str, InputKind)] = &[
    ("string", InputKind::String),
    ("integer", InputKind::Integer),
    ("number", InputKind::Number),
    ("boolean", InputKind::Boolean),
];
const OTHERWISE: &[(&str, Otherwise)] = &[
    ("escalate", Otherwise::Escalate),
    ("undo", Otherwise::Undo),
    ("ignore", Otherwise::Ignore),
];
const PER: &[(&str, Over)] = &[("round", Over::Round), ("customer", Over::Customer)];

pub(crate) struct AuthoredRunbook {
    pub name: Option<At<String>>,
    pub summary: Option<At<String>>,
    pub owner: Option<String>,
    pub on: Vec<At<On>>,
    pub targets: Targets,
    pub limits: Limits,
    pub inputs: Vec<Input>,
    pub steps: Vec<Step>,
    pub healed: Option<Healed>,
    pub after: Vec<(Over, Step)>,
}

pub(crate) struct Targets {
    /// Outer none: the asset `local`. Inner none: something was said about it.
    pub select: Option<Option<At<Selector>>>,
    pub batch: Batch,
    pub per_customer: Option<NonZeroU32>,
    pub stop_after: NonZeroU32,
}

pub(crate) struct Input {
    pub name: At<String>,
    pub summary: Option<String>,
    pub kind: InputKind,
    pub default: Option<Value>,
    /// Right or wrong.
    pub has_default: bool,
}

pub(crate) struct Healed {
    pub proof: Proof,
    pub within: Duration,
    pub otherwise: Otherwise,
}

impl AuthoredRunbook {
    /// Those of `[[after]]` too.
    pub fn into_steps(self) -> Vec<Step> {
        let after = self.after.into_iter().map(|(_, step)| step);
        self.steps.into_iter().chain(after).collect()
    }
}

pub(crate) enum Proof {
    Rerun(At<String>),
    Query { expr: At<String>, source: At<Grant> },
}

/// None: the file is no TOML.
pub(crate) fn read(reader: &Reader<'_>) -> Option<AuthoredRunbook> {
    let document = reader.document()?;
    let root = reader.root(&document);
    let name = root.required::<String>("name");
    if let Some(name) = &name {
        root.check_name("a runbook", name);
    }
    let runbook = AuthoredRunbook {
        name,
        summary: root.required::<String>("summary"),
        owner: root.optional::<String>("owner").map(At::into_inner),
        on: root.tables("on").iter().filter_map(trigger::read).collect(),
        targets: read_targets(root.table("targets").as_ref()),
        limits: limits::read(root.table("limits").as_ref()),
        inputs: root.tables("input").iter().filter_map(read_input).collect(),
        steps: read_steps(&root),
        healed: root.table("healed").and_then(|table| read_healed(&table)),
        after: root.tables("after").iter().map(read_after).collect(),
    };
    root.finish();
    Some(runbook)
}

fn read_steps(root: &Table<'_, '_>) -> Vec<Step> {
    let steps = root.tables("step").iter().map(step::read).collect::<Vec<_>>();
    if steps.is_empty() && root.value("step").is_none_or(|value| value.get_ref().is_array()) {
        let place = root.key_span("step").unwrap_or(0..0);
        let problem = root.problem("no-steps", place, "the runbook has no `[[step]]`");
        root.say(problem.help("a step has an `id`, and `uses` a plugin"));
    }
    steps
}

fn read_after(table: &Table<'_, '_>) -> (Over, Step) {
    let over = table.choice("per", PER).map_or(Over::Round, At::into_inner);
    (over, step::read(table))
}

fn read_targets(table: Option<&Table<'_, '_>>) -> Targets {
    let mut targets = Targets {
        select: None,
        batch: Batch::All,
        per_customer: None,
        stop_after: NonZeroU32::MIN,
    };
    let Some(table) = table else {
        return targets;
    };
    targets.select = match table.optional::<String>("select") {
        Some(text) => Some(selector(table, "select", &text).map(|selector| At::new(text.span(), selector))),
        None => table.has("select").then_some(None),
    };
    targets.batch = table.optional("batch").map_or(Batch::All, At::into_inner);
    targets.per_customer = table
        .optional::<Count>("per_customer")
        .and_then(|count| NonZeroU32::new(count.into_inner().0));
    let stop_after = table
        .optional::<Count>("stop_after")
        .and_then(|count| NonZeroU32::new(count.into_inner().0));
    targets.stop_after = stop_after.unwrap_or(NonZeroU32::MIN);
    table.finish();
    targets
}

fn read_input(table: &Table<'_, '_>) -> Option<Input> {
    let name = table.required::<String>("name");
    let summary = table.optional::<String>("summary").map(At::into_inner);
    let kind = table.choice("type", KINDS).map_or(InputKind::String, At::into_inner);
    let default = table
        .value("default")
        .and_then(|value| read_default(table, value, kind));
    table.finish();
    let name = name?;
    if !crate::alert::is_label_name(name.get_ref()) {
        let problem = table.problem(
            "bad-name",
            name.span(),
            format!("`{}` can't name an input", name.get_ref()),
        );
        table.say(problem.help("templates name it as `input.NAME`: letters, digits and `_`, and no digit first"));
    }
    Some(Input {
        name,
        summary,
        kind,
        default,
        has_default: table.has("default"),
    })
}

fn read_default(table: &Table<'_, '_>, value: &At<DeValue<'_>>, kind: InputKind) -> Option<Value> {
    let json = Json::read(table, value).value;
    let fits = match kind {
        InputKind::String => value.get_ref().is_str(),
        InputKind::Integer => json.is_i64(),
        InputKind::Number => json.is_number(),
        InputKind::Boolean => json.is_boolean(),
    };
    if !fits {
        let name = KINDS
            .iter()
            .find(|(_, other)| *other == kind)
            .map_or("", |(name, _)| name);
        table.wrong_type("default", value, &format!("of the type `{name}`"));
    }
    fits.then_some(json)
}

fn read_healed(table: &Table<'_, '_>) -> Option<Healed> {
    let proof = match table.has("query") {
        true => read_query(table),
        false => table.required::<String>("rerun").map(Proof::Rerun),
    };
    let within = table
        .optional::<Span>("within")
        .map_or(WITHIN, |within| within.into_inner().0);
    let otherwise = table
        .choice("otherwise", OTHERWISE)
        .map(At::into_inner)
        .unwrap_or_default();
    table.finish();
    Some(Healed {
        proof: proof?,
        within,
        otherwise,
    })
}

fn read_query(table: &Table<'_, '_>) -> Option<Proof> {
    let expr = table.optional::<String>("query");
    if let Some(rerun) = table.optional::<String>("rerun") {
        let problem = table.problem("one-of", rerun.span(), "`rerun` and `query` stand side by side");
        table.say(problem.label("one of them decides; leave the other out"));
    }
    let named = table.optional::<String>("source");
    if table.has("source") && named.is_none() {
        return None;
    }
    let expr = expr?;
    let (name, span) = match &named {
        Some(named) => (named.get_ref().as_str(), named.span()),
        None => (source::DEFAULT, expr.span()),
    };
    let Ok(source) = Grant::parse(Capability::Metrics, &format!("query {name}")) else {
        let problem = table.problem("bad-value", span, format!("`{name}` names no source"));
        table.say(problem.label("write it as `NAME`, or `ASSET/NAME`"));
        return None;
    };
    Some(Proof::Query {
        expr,
        source: At::new(span, source),
    })
}

impl value::Value for Batch {
    const EXPECTED: &'static str = "a number of targets or a percentage";

    fn read(value: &At<DeValue<'_>>) -> Result<Self, Fault> {
        let wrong = || Fault::Value("write it like `5` or `\"20%\"`".to_owned());
        match value.get_ref() {
            DeValue::Integer(_) => {
                let Count(count) = Count::read(value)?;
                NonZeroU32::new(count).map(Self::Count).ok_or_else(wrong)
            }
            DeValue::String(text) => {
                let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
                percent
                    .filter(|percent| (1..=100).contains(percent))
                    .map(Self::Percent)
                    .ok_or_else(wrong)
            }
            _ => Err(Fault::Type),
        }
    }
}
