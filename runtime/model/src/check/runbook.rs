//! A runbook against the rest of the home.

use std::collections::BTreeSet;

use super::assets::LOCAL;
use super::needs::Needs;
use super::plugins::Found;
use super::templates::{self, Variables};
use super::{Scope, grants, healed, parameters, refuse_duplicates};
use crate::action::hex;
use crate::asset::Asset;
use crate::authored::each::List;
use crate::authored::json::Json;
use crate::authored::runbook::{AuthoredRunbook, Proof};
use crate::authored::step::Step as AuthoredStep;
use crate::authored::{At, Reader, inside};
use crate::name::{AssetId, StepId};
use crate::problem::closest;
use crate::run::Over;
use crate::runbook::{self, Does, Input, MatchOp, On, Runbook, Selector, Step, Targets};
use crate::{query, template};

use sha2::{Digest as _, Sha256};

/// The runbook, if nothing kept it from being put together; problems are said either way.
pub(crate) fn check(reader: &Reader<'_>, authored: &AuthoredRunbook, scope: &Scope<'_>) -> Option<Runbook> {
    let targets = targets(reader, authored, scope);
    check_names(reader, authored);
    refuse_same_triggers(reader, &authored.on);
    let mut used_inputs = BTreeSet::new();
    let series = Series::new(reader, authored.steps.iter().collect(), targets, false);
    let (mut steps, mut kinds) = (Vec::new(), Vec::new());
    for at in 0..series.steps.len() {
        let (found, checked) = series.check(reader, authored, at, &mut used_inputs, scope);
        kinds.push(found.map(|found| found.kind));
        steps.extend(checked);
    }
    let after = check_after(reader, authored, &mut used_inputs, scope);
    check_inputs(reader, authored, &used_inputs);
    let healed = authored.healed.as_ref();
    if let Some(healed) = healed {
        match &healed.proof {
            Proof::Rerun(rerun) => healed::check_rerun(reader, rerun, &authored.steps, &kinds),
            Proof::Query { expr, source } => {
                used_inputs.extend(series.check_query(reader, authored, expr));
                grants::check_ceilings(reader, source, &series.targets, scope);
            }
        }
    }
    Some(Runbook {
        name: authored.name.as_ref()?.get_ref().as_str().into(),
        file: reader.file.path.to_owned(),
        text: reader.file.text.to_owned(),
        hash: hex(&Sha256::digest(reader.file.text)),
        summary: authored.summary.as_ref()?.get_ref().clone(),
        owner: authored.owner.clone(),
        on: authored.on.iter().map(|on| on.get_ref().clone()).collect(),
        targets: Targets {
            select: authored.targets.select.clone().flatten().map(At::into_inner),
            batch: authored.targets.batch,
            per_customer: authored.targets.per_customer,
            stop_after: authored.targets.stop_after,
        },
        limits: authored.limits.clone(),
        inputs: checked_inputs(authored),
        steps,
        healed: healed.map(|healed| runbook::Healed {
            proof: match &healed.proof {
                Proof::Rerun(rerun) => runbook::Proof::Rerun(rerun.get_ref().as_str().into()),
                Proof::Query { expr, source } => runbook::Proof::Query {
                    expr: expr.get_ref().clone(),
                    source: source.get_ref().clone(),
                },
            },
            within: healed.within,
            otherwise: healed.otherwise,
        }),
        after,
    })
}

/// Steps that see each other's results.
struct Series<'r, 's> {
    steps: Vec<&'r AuthoredStep>,
    targets: Vec<&'s Asset>,
    /// They are of `[[after]]`.
    after: bool,
    needs: Needs<'r>,
}

impl<'r, 's> Series<'r, 's> {
    fn new(reader: &Reader<'_>, steps: Vec<&'r AuthoredStep>, targets: Vec<&'s Asset>, after: bool) -> Self {
        Self {
            needs: Needs::read(reader, &steps),
            steps,
            targets,
            after,
        }
    }

    /// The step at this place, if it is one.
    fn check(
        &self,
        reader: &Reader<'_>,
        authored: &AuthoredRunbook,
        at: usize,
        used_inputs: &mut BTreeSet<String>,
        scope: &'s Scope<'_>,
    ) -> (Option<Found<'s>>, Option<Step>) {
        let step = self.steps[at];
        used_inputs.extend(self.check_templates(reader, authored, at));
        if let Some(runs) = &step.runs {
            let does = Does::Runbook(runs.get_ref().as_str().into());
            return (None, checked_step(step, self.needs.of(at), does));
        }
        let found = scope.plugins.find(reader, step);
        if let Some(found) = found {
            check_parameters(reader, step, found, scope);
        }
        grants::check(reader, step, found, &self.targets, scope);
        check_ask(reader, step, scope);
        (
            found,
            found.and_then(|found| checked_step(step, self.needs.of(at), Does::Plugin(found.pinned()))),
        )
    }

    /// The inputs that the step's templates name.
    fn check_templates(&self, reader: &Reader<'_>, authored: &AuthoredRunbook, at: usize) -> BTreeSet<String> {
        let step = self.steps[at];
        let variables = self.variables(authored, at);
        let of_items = Variables {
            item: step.each.is_some(),
            ..self.variables(authored, at)
        };
        let (expression, items) = match step.each.as_ref().map(|each| &each.list) {
            Some(List::Expression(expression)) => (Some(expression.clone()), None),
            Some(List::Items(items)) => (None, Some(items)),
            None => (None, None),
        };
        let expressions = step.when.clone().into_iter().chain(expression);
        let expressions = expressions.flat_map(|text| used_inputs(reader, &text, EXPRESSION, &variables));
        let items = templates_in(items).flat_map(|text| used_inputs(reader, &text, TEMPLATE, &variables));
        let with = templates_in(step.with.as_ref()).flat_map(|text| used_inputs(reader, &text, TEMPLATE, &of_items));
        expressions.chain(items).chain(with).collect()
    }

    /// The same of a query, which sees the results of all steps.
    fn check_query(&self, reader: &Reader<'_>, authored: &AuthoredRunbook, expr: &At<String>) -> BTreeSet<String> {
        if let Err(misplaced) = query::check(expr.get_ref()) {
            let span = inside(reader.file, expr, misplaced.span());
            let problem = reader.file.problem("bad-query", span, "this template can't be filled");
            reader.say(
                problem
                    .label(misplaced.to_string())
                    .help("what it stands for may be an alert's text, and must not become a part of the expression"),
            );
            return BTreeSet::new();
        }
        match template::is_template(expr.get_ref()) {
            true => {
                let variables = self.variables(authored, self.steps.len());
                used_inputs(reader, expr, TEMPLATE, &variables)
            }
            false => BTreeSet::new(),
        }
    }

    fn variables<'v>(&'v self, authored: &'v AuthoredRunbook, at: usize) -> Variables<'v> {
        let inputs = authored.inputs.iter().map(|input| input.name.get_ref().as_str());
        Variables {
            inputs: inputs.collect(),
            steps: self.steps.iter().map(|step| step.written_id()).collect(),
            at,
            before: self.needs.before(at),
            after: self.after,
            item: false,
        }
    }
}

const TEMPLATE: template::Kind = template::Kind::Template;
const EXPRESSION: template::Kind = template::Kind::Expression;

fn templates_in(json: Option<&Json>) -> impl Iterator<Item = At<String>> {
    let strings = json.map(Json::strings).unwrap_or_default().into_iter();
    strings.filter(|text| template::is_template(text.get_ref()))
}

fn used_inputs(
    reader: &Reader<'_>,
    text: &At<String>,
    kind: template::Kind,
    variables: &Variables<'_>,
) -> BTreeSet<String> {
    let names = templates::check(reader, text, kind, |path| variables.judge(path));
    let inputs = names.into_iter().flatten().filter(|path| path.names[0] == "input");
    // `input` as a whole may be any of them.
    let names = inputs.filter_map(|mut path| {
        path.names.truncate(2);
        path.names.pop()
    });
    names.collect()
}

/// Steps of `[[after]]` see those that are over the same, and act on `local`.
fn check_after(
    reader: &Reader<'_>,
    authored: &AuthoredRunbook,
    used_inputs: &mut BTreeSet<String>,
    scope: &Scope<'_>,
) -> Vec<(Over, Step)> {
    let mut checked = Vec::new();
    for over in [Over::Round, Over::Customer] {
        let steps = authored.after.iter().filter(|(of, _)| *of == over);
        let series = Series::new(reader, steps.map(|(_, step)| step).collect(), local(scope), true);
        for at in 0..series.steps.len() {
            let (_, step) = series.check(reader, authored, at, used_inputs, scope);
            checked.extend(step.map(|step| (over, step)));
        }
    }
    checked
}

fn checked_inputs(authored: &AuthoredRunbook) -> Vec<Input> {
    let inputs = authored.inputs.iter().map(|input| Input {
        name: input.name.get_ref().clone(),
        summary: input.summary.clone(),
        kind: input.kind,
        default: input.default.clone(),
    });
    inputs.collect()
}

fn checked_step(step: &AuthoredStep, needs: Vec<StepId>, does: Does) -> Option<Step> {
    Some(Step {
        id: step.id.as_ref()?.get_ref().as_str().into(),
        does,
        needs,
        when: step.when.as_ref().map(|when| when.get_ref().clone()),
        each: match &step.each {
            Some(each) => Some(each.checked()?),
            None => None,
        },
        with: step.with.as_ref()?.value.clone(),
        grant: step.grants.iter().map(|grant| grant.get_ref().clone()).collect(),
        ask_from: step.ask_from,
        ask: step.ask.as_ref().map(|ask| ask.get_ref().clone()),
        expires: step.expires,
        timeout: step.timeout,
        retry: step.retry,
        on_failure: step.on_failure,
    })
}

fn check_names(reader: &Reader<'_>, authored: &AuthoredRunbook) {
    let after = authored.after.iter().map(|(_, step)| step);
    let steps = authored.steps.iter().chain(after);
    refuse_duplicates(reader, "steps", steps.filter_map(|step| step.id.as_ref()));
    refuse_duplicates(reader, "inputs", authored.inputs.iter().map(|input| &input.name));
    if let Some(empty) = authored
        .summary
        .as_ref()
        .filter(|text| text.get_ref().trim().is_empty())
    {
        let problem = reader.file.problem("bad-value", empty.span(), "`summary` is empty");
        reader.say(problem.label("say in a sentence what the runbook is for"));
    }
}

/// The assets that the runbook may run on; none, if that can't be known.
fn targets<'s>(reader: &Reader<'_>, authored: &AuthoredRunbook, scope: &'s Scope<'_>) -> Vec<&'s Asset> {
    let all = scope.assets.assets.values().map(AsRef::as_ref);
    if !scope.assets.are_known || !scope.roles.are_known() {
        return Vec::new();
    }
    match &authored.targets.select {
        None => local(scope),
        Some(None) => Vec::new(),
        Some(Some(select)) => {
            let selected = all
                .clone()
                .filter(|asset| select.get_ref().matches(&asset.selectable()));
            let selected = selected.collect::<Vec<_>>();
            if selected.is_empty() {
                refuse_empty(reader, select, &all.collect::<Vec<_>>());
            }
            selected
        }
    }
}

/// None, if that can't be known.
fn local<'s>(scope: &'s Scope<'_>) -> Vec<&'s Asset> {
    let is_known = scope.assets.are_known && scope.roles.are_known();
    let local = scope.assets.assets.get(&AssetId::from(LOCAL)).filter(|_| is_known);
    local.map(AsRef::as_ref).into_iter().collect()
}

pub(super) fn refuse_empty(reader: &Reader<'_>, select: &At<Selector>, assets: &[&Asset]) {
    let problem = reader
        .file
        .problem("no-target", select.span(), "`select` matches no asset");
    let meant = select.get_ref().matchers.iter().find_map(|matcher| {
        let MatchOp::Equal(wanted) = &matcher.op else {
            return None;
        };
        let values = assets
            .iter()
            .filter_map(|asset| asset.selectable().remove(&matcher.label))
            .collect::<Vec<_>>();
        let near = closest(wanted, values.iter().map(String::as_str)).filter(|near| near != wanted)?;
        Some(format!("did you mean `{}=\"{near}\"`?", matcher.label))
    });
    let problem = match meant {
        Some(meant) => problem.label(meant),
        None => problem,
    };
    reader.say(problem.help("it sees the labels of assets.toml, and `asset`, `customer` and `role`"));
}

/// A tick, or an alert, starts a runbook once.
fn refuse_same_triggers(reader: &Reader<'_>, triggers: &[At<On>]) {
    let mut seen = BTreeSet::new();
    for on in triggers {
        let key = match on.get_ref() {
            On::Alert { name, matching, .. } => format!("alert {name} {}", matching.text),
            On::Cron { schedule, .. } => format!("cron {} {}", schedule.expression, schedule.zone),
        };
        if !seen.insert(key) {
            let problem = reader
                .file
                .problem("duplicate-trigger", on.span(), "two `[[on]]` are the same");
            reader.say(problem.label("one of them is enough"));
        }
    }
}

/// Nobody gives values when a schedule or an alert starts a runbook.
fn check_inputs(reader: &Reader<'_>, authored: &AuthoredRunbook, used: &BTreeSet<String>) {
    for input in &authored.inputs {
        let name = input.name.get_ref();
        if !input.has_default && !authored.on.is_empty() {
            let message = format!("input `{name}` has no default");
            let problem = reader.file.problem("no-default", input.name.span(), message);
            let problem = problem.label("who would give it when an `[[on]]` starts the runbook?");
            reader.say(problem.help("add a `default`"));
        }
        if !used.contains(name) && !used.contains("input") {
            let message = format!("nothing uses input `{name}`");
            let problem = reader
                .file
                .problem("unused-input", input.name.span(), message)
                .warning();
            reader.say(problem.help(format!("leave it out, or name it as `input.{name}`")));
        }
    }
}

/// Somebody has to be able to say yes.
fn check_ask(reader: &Reader<'_>, step: &AuthoredStep, scope: &Scope<'_>) {
    let (Some(ask), Some(approvers)) = (&step.ask, scope.approvers()) else {
        return;
    };
    let name = ask.get_ref();
    if approvers.contains_key(name) {
        return;
    }
    let message = format!("there is no `[approvers.{name}]` in evenkeel.toml");
    let known = approvers.keys().map(String::as_str);
    let problem = reader.file.problem("unknown-approvers", ask.span(), message);
    reader.say(
        problem
            .suggest(name, known)
            .help("it names the people who may approve, as `people = [\"ada\"]`"),
    );
}

pub(super) fn check_parameters(reader: &Reader<'_>, step: &AuthoredStep, found: Found<'_>, scope: &Scope<'_>) {
    if let Some(schema) = scope.plugins.schema(found) {
        if let Some(with) = &step.with {
            parameters::check(reader, step, with, found, &schema);
        }
        return;
    }
    let place = step.uses.as_ref().map_or(step.place.clone(), At::span);
    let problem = reader.file.problem(
        "bad-schema",
        place,
        "the plugin's own schema of its parameters can't be used",
    );
    reader.say(problem.help("install another version of the plugin"));
}
