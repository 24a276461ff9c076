//! Templates and `when`, judged without their values.

use std::collections::BTreeSet;

use crate::authored::{At, Reader, inside};
use crate::problem::{Problem, closest, quoted};
use crate::template::{Kind, Path, STEP_FIELDS, variables};

/// What templates of a runbook see.
const RUNBOOK: [&str; 5] = ["alert", "target", "customer", "input", "steps"];
/// What templates of a role see.
const ROLE: [&str; 2] = ["asset", "customer"];

const ALERT: &[&str] = &[
    "name",
    "labels",
    "annotations",
    "grade",
    "starts_at",
    "fingerprint",
    "generator_url",
    "source",
];
const ASSET: &[&str] = &[
    "id",
    "customer",
    "role",
    "address",
    "labels",
    "vars",
    "depends_on",
    "reach",
];
const CUSTOMER: &[&str] = &["id", "name", "tier", "vars"];

/// Why a variable can't be there.
pub(crate) struct Refusal {
    code: &'static str,
    /// Which of the path's names is at fault.
    name: usize,
    message: String,
    label: Option<String>,
    help: Option<String>,
}

/// Says what is wrong with a text. Returns what it names; none: it is no template at all.
pub(crate) fn check(
    reader: &Reader<'_>,
    text: &At<String>,
    kind: Kind,
    judge: impl Fn(&Path) -> Option<Refusal>,
) -> Option<Vec<Path>> {
    match variables(text.get_ref(), kind) {
        Ok(paths) => {
            for path in &paths {
                if let Some(refusal) = judge(path) {
                    reader.say(refusal.problem(reader, text, path));
                }
            }
            Some(paths)
        }
        Err(error) => {
            let part = error.span.filter(|part| text.get_ref().get(part.clone()).is_some());
            let part = part.unwrap_or(0..text.get_ref().len());
            let span = inside(reader.file, text, part);
            let what = match kind {
                Kind::Template => "template",
                Kind::Expression => "expression",
            };
            let problem = reader.file.problem("bad-template", span, format!("this is no {what}"));
            let problem = problem.label(error.message);
            reader.say(match kind {
                Kind::Expression if text.get_ref().contains("{{") => {
                    problem.help("it is an expression by itself, without `{{ }}`")
                }
                _ => problem,
            });
            None
        }
    }
}

/// What the templates of one step may name.
pub(crate) struct Variables<'r> {
    pub inputs: BTreeSet<&'r str>,
    /// In order.
    pub steps: Vec<&'r str>,
    /// The step's own place among them.
    pub at: usize,
    /// Those whose results are there when it begins.
    pub before: BTreeSet<&'r str>,
    /// They are those of `[[after]]`, and see `runs`.
    pub after: bool,
    /// They are filled for each item of a list, and see `item` and `index`.
    pub item: bool,
}

impl Variables<'_> {
    pub fn judge(&self, path: &Path) -> Option<Refusal> {
        let names = path.names.iter().map(String::as_str).collect::<Vec<_>>();
        match names.as_slice() {
            ["alert", field, ..] => unknown_field("alert", field, ALERT),
            ["target", field, ..] => unknown_field("target", field, ASSET),
            ["customer", field, ..] => unknown_field("customer", field, CUSTOMER),
            ["input", name, ..] => self.judge_input(name),
            ["steps", id, rest @ ..] => self.judge_step(id, rest),
            ["item" | "index", ..] if self.item => None,
            [name @ ("item" | "index"), ..] => unknown_variable(name, &RUNBOOK).map(|refusal| Refusal {
                label: None,
                help: Some("only `with` of a step with `each` sees an item".to_owned()),
                ..refusal
            }),
            ["runs", ..] if self.after => None,
            ["runs", ..] => unknown_variable("runs", &RUNBOOK).map(|refusal| Refusal {
                label: None,
                help: Some("only `[[after]]` sees the runs of a round".to_owned()),
                ..refusal
            }),
            [first, ..] => unknown_variable(first, &self.known()),
            [] => None,
        }
    }

    fn known(&self) -> Vec<&str> {
        let runs = self.after.then_some("runs");
        let item = self.item.then_some(["item", "index"]).into_iter().flatten();
        RUNBOOK.into_iter().chain(runs).chain(item).collect()
    }

    fn judge_input(&self, name: &str) -> Option<Refusal> {
        (!self.inputs.contains(name)).then(|| Refusal {
            code: "unknown-input",
            name: 1,
            message: format!("there is no input `{name}`"),
            label: meant(name, self.inputs.iter().copied()),
            help: Some(format!("declare it: `[[input]]` with `name = \"{name}\"`")),
        })
    }

    fn judge_step(&self, id: &str, rest: &[&str]) -> Option<Refusal> {
        let earlier = &self.steps[..self.at];
        if self.before.contains(id) {
            let field = rest.first()?;
            return unknown_field(&format!("steps.{id}"), field, &STEP_FIELDS)
                .map(|refusal| Refusal { name: 2, ..refusal });
        }
        let (code, message, label) = match self.steps.iter().position(|step| *step == id) {
            Some(n) if n == self.at => ("later-step", format!("step `{id}` asks for its own result"), None),
            Some(n) if n < self.at => ("not-needed", format!("it does not wait for step `{id}`"), None),
            Some(_) => ("later-step", format!("step `{id}` comes later"), None),
            None => (
                "unknown-step",
                format!("there is no step `{id}`"),
                meant(id, earlier.iter().copied()),
            ),
        };
        let dashed = self.steps.iter().find(|step| step.starts_with(&format!("{id}-")));
        Some(Refusal {
            code,
            name: 1,
            message,
            label,
            help: match dashed {
                Some(step) if code == "unknown-step" => Some(format!("`-` is minus: write `steps['{step}']`")),
                _ if code == "not-needed" => Some(format!("add \"{id}\" to its `needs`")),
                _ => Some("a step sees the results of those before it".to_owned()),
            },
        })
    }
}

pub(crate) fn role_variable(path: &Path) -> Option<Refusal> {
    let names = path.names.iter().map(String::as_str).collect::<Vec<_>>();
    match names.as_slice() {
        ["asset", field, ..] => unknown_field("asset", field, ASSET),
        ["customer", field, ..] => unknown_field("customer", field, CUSTOMER),
        [first, ..] => unknown_variable(first, &ROLE),
        [] => None,
    }
}

fn unknown_variable(name: &str, known: &[&str]) -> Option<Refusal> {
    let all = quoted(known);
    (!known.contains(&name)).then(|| Refusal {
        code: "unknown-variable",
        name: 0,
        message: format!("there is no variable `{name}`"),
        label: meant(name, known.iter().copied()),
        help: Some(format!("there are {all}")),
    })
}

fn unknown_field(of: &str, field: &str, known: &[&str]) -> Option<Refusal> {
    let all = quoted(known);
    (!known.contains(&field)).then(|| Refusal {
        code: "unknown-variable",
        name: 1,
        message: format!("`{of}` has no `{field}`"),
        label: meant(field, known.iter().copied()),
        help: Some(format!("it has {all}")),
    })
}

fn meant<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    closest(word, known).map(|near| format!("did you mean `{near}`?"))
}

impl Refusal {
    fn problem(self, reader: &Reader<'_>, text: &At<String>, path: &Path) -> Problem {
        let span = match path.span(self.name) {
            Some(part) => inside(reader.file, text, part),
            None => text.span(),
        };
        Problem {
            label: self.label,
            help: self.help,
            ..reader.file.problem(self.code, span, self.message)
        }
    }
}
