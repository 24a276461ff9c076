//! `[[step]]`: which plugin, with which parameters, and what it may use.

use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use super::each::{self, Each};
use super::json::Json;
use super::reader::with_verbs;
use super::role::RISKS;
use super::value::{Count, Span, Strings, Value as _};
use super::{At, Table};
use crate::action::Risk;
use crate::grant::{Capability, Grant, GrantError};
use crate::name::is_name;
use crate::plugin::{Kind, Uses, UsesError};
use crate::problem::quoted;
use crate::runbook::{OnFailure, Retry};

pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// How long an approval is waited for if nothing is said.
const EXPIRES: Duration = Duration::from_secs(24 * 3_600);

pub(crate) struct Step {
    /// `step` or `notifier`, as messages call it.
    pub what: &'static str,
    /// The header.
    pub place: Range<usize>,
    pub id: Option<At<String>>,
    pub uses: Option<At<Uses>>,
    /// Another runbook, in the place of a plugin.
    pub runs: Option<At<String>>,
    /// None: something was said about it as a whole.
    pub with: Option<Json>,
    pub when: Option<At<String>>,
    /// None: the step above.
    pub needs: Option<Strings>,
    pub each: Option<Each>,
    pub grants: Vec<At<Grant>>,
    /// The key; none: nothing is granted.
    pub grant: Option<Range<usize>>,
    /// Nothing was said about the lines of `grant`.
    pub grants_are_sound: bool,
    pub ask_from: Option<Risk>,
    pub ask: Option<At<String>>,
    pub expires: Duration,
    pub timeout: Duration,
    pub retry: Retry,
    pub on_failure: OnFailure,
}

const ON_FAILURE: &[(&str, OnFailure)] = &[
    ("stop", OnFailure::Stop),
    ("continue", OnFailure::Continue),
    ("undo", OnFailure::Undo),
];
/// More often helps nobody, and keeps a run for ever.
const TIMES: u32 = 100;

impl Step {
    /// As messages name it.
    pub fn name(&self) -> &str {
        self.id.as_ref().map_or("?", |id| id.get_ref().as_str())
    }

    /// Empty, if it has none.
    pub fn written_id(&self) -> &str {
        self.id.as_ref().map_or("", |id| id.get_ref().as_str())
    }

    /// With what it is.
    pub fn title(&self) -> String {
        format!("{} `{}`", self.what, self.name())
    }
}

pub(crate) fn read(table: &Table<'_, '_>) -> Step {
    let id = table.required::<String>("id");
    if let Some(id) = &id {
        table.check_name("a step", id);
    }
    let runs = table.optional::<String>("runs");
    let uses = match &runs {
        Some(runs) => {
            refuse_with_runs(table, runs);
            None
        }
        None => table
            .required::<String>("uses")
            .and_then(|uses| read_uses(table, &uses)),
    };
    let with = read_with(table);
    let grant = table.table("grant");
    let grants = grant.as_ref().map(read_grants).unwrap_or_default();
    let when = table.optional::<String>("when");
    let step = Step {
        what: "step",
        place: table.span.clone(),
        id,
        uses,
        runs,
        with,
        when,
        needs: table.optional::<Strings>("needs").map(At::into_inner),
        each: each::read(table),
        grants,
        grants_are_sound: grant.as_ref().map_or(!table.has("grant"), Table::is_sound),
        grant: table.key_span("grant"),
        ask_from: read_ask_from(table),
        ask: table.optional::<String>("ask"),
        expires: table
            .optional::<Span>("expires")
            .map_or(EXPIRES, |expires| expires.into_inner().0),
        timeout: table
            .optional::<Span>("timeout")
            .map_or(TIMEOUT, |timeout| timeout.into_inner().0),
        retry: table.table("retry").map(|retry| read_retry(&retry)).unwrap_or_default(),
        on_failure: table
            .choice("on_failure", ON_FAILURE)
            .map(At::into_inner)
            .unwrap_or_default(),
    };
    table.finish();
    step
}

/// What another runbook does, it says itself.
fn refuse_with_runs(table: &Table<'_, '_>, runs: &At<String>) {
    for key in ["uses", "grant", "ask_from", "ask", "expires", "timeout", "retry"] {
        if let Some(place) = table.key_span(key) {
            let message = format!("`{key}` is not for a step that runs `{}`", runs.get_ref());
            let problem = table.problem("with-runs", place, message);
            table.say(problem.help("that runbook says it of its own steps; leave it out here"));
        }
    }
    // Said already.
    table.optional::<String>("uses");
}

fn read_retry(table: &Table<'_, '_>) -> Retry {
    let mut retry = Retry::default();
    if let Some(times) = table.optional::<Count>("times") {
        match NonZeroU32::new(times.get_ref().0).filter(|times| times.get() <= TIMES) {
            Some(number) => retry.times = number,
            None => {
                let problem = table.problem("bad-value", times.span(), "`times` is too large");
                table.say(problem.label(format!("write a number from 1 to {TIMES}; 1 never tries again")));
            }
        }
    }
    if let Some(wait) = table.optional::<Span>("wait") {
        retry.wait = wait.into_inner().0;
    }
    retry.longest = retry.longest.max(retry.wait);
    if let Some(longest) = table.optional::<Span>("longest") {
        retry.longest = longest.into_inner().0;
    }
    table.finish();
    retry
}

pub(super) fn read_uses(table: &Table<'_, '_>, text: &At<String>) -> Option<At<Uses>> {
    match Uses::parse(text.get_ref()) {
        Ok(uses) => Some(At::new(text.span(), uses)),
        Err(error) => {
            let problem = table.problem("bad-uses", text.span(), format!("`{}` names no plugin", text.get_ref()));
            let problem = problem.label(error.to_string());
            table.say(match &error {
                UsesError::Kind(word) => problem.suggest(word, Kind::ALL.map(Kind::as_str)),
                UsesError::Requirement(..) => {
                    problem.help("a requirement is written as in Cargo: `1`, `1.2`, `>=1.2, <3`")
                }
                _ => problem,
            });
            None
        }
    }
}

pub(super) fn read_with(table: &Table<'_, '_>) -> Option<Json> {
    match table.value("with") {
        Some(with) if with.get_ref().is_table() => Some(Json::read(table, with)),
        Some(other) => {
            table.wrong_type("with", other, "a table");
            None
        }
        None => Some(Json::absent(table.span.clone())),
    }
}

fn read_ask_from(table: &Table<'_, '_>) -> Option<Risk> {
    let mut choices = vec![("never", None)];
    choices.extend(RISKS.iter().map(|(name, risk)| (*name, Some(*risk))));
    table
        .choice("ask_from", &choices)
        .map_or(Some(Risk::Medium), At::into_inner)
}

pub(super) fn read_grants(grant: &Table<'_, '_>) -> Vec<At<Grant>> {
    let mut grants = Vec::new();
    for (key, value) in grant.entries() {
        let word = key.get_ref().as_ref();
        let Some(capability) = Capability::ALL
            .into_iter()
            .find(|capability| capability.as_str() == word)
        else {
            let problem = grant.problem(
                "unknown-capability",
                key.span(),
                format!("there is no capability `{word}`"),
            );
            let all = Capability::ALL.map(Capability::as_str);
            grant.say(problem.suggest(word, all).help(format!("there are {}", quoted(all))));
            continue;
        };
        if !capability.is_granted() {
            let problem = grant.problem("needless-grant", key.span(), "`state` needs no grant");
            grant.say(problem.help("leave it out: every plugin has its own memory"));
            continue;
        }
        match Strings::read(value) {
            Ok(lines) => grants.extend(lines.iter().filter_map(|line| read_grant(grant, capability, line))),
            Err(fault) => grant.say_fault(word, value, Strings::EXPECTED, fault),
        }
    }
    grants
}

fn read_grant(table: &Table<'_, '_>, capability: Capability, line: &At<String>) -> Option<At<Grant>> {
    let text = line.get_ref();
    let problem = match Grant::parse(capability, text) {
        Ok(grant) => return Some(At::new(line.span(), grant)),
        Err(GrantError::Template) => table
            .problem("template-in-grant", line.span(), "a grant holds no template")
            .label("it is read as it stands")
            .help("no alert's text may decide what a plugin is allowed to do"),
        Err(GrantError::Verb(verb)) => {
            let message = format!("`{capability}` has no verb `{verb}`");
            with_verbs(table.problem("unknown-verb", line.span(), message), capability, &verb)
        }
        Err(GrantError::Form) => table
            .problem("bad-grant", line.span(), format!("`{text}` is no grant"))
            .label(GrantError::Form.to_string())
            .help(form_help(text)),
    };
    table.say(problem);
    None
}

fn form_help(text: &str) -> String {
    let name = text.rsplit([' ', '/']).next().unwrap_or_default();
    match is_name(name) {
        true => "the verb and the name are parted by one space".to_owned(),
        false => format!("`{name}` can't name a thing of a role"),
    }
}
