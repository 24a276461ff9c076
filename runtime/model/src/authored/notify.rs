//! `[notifier.NAME]` and `[[route]]`.

use std::ops::Range;

use super::json::Json;
use super::step::{self, Step};
use super::value::{Fault, Span, Strings, Value};
use super::{At, Reader, Table};
use crate::alert::Grade;
use crate::notify::{Rate, Topic};
use crate::problem::quoted;

/// What messages call one.
pub(crate) const NOTIFIER: &str = "notifier";

#[derive(Default)]
pub(crate) struct AuthoredRouting {
    pub notifiers: Vec<Notifier>,
    pub routes: Vec<Route>,
}

pub(crate) struct Notifier {
    /// Its name is the id.
    pub step: Step,
    pub role: Option<At<String>>,
    pub rate: Option<Rate>,
}

pub(crate) struct Route {
    /// The header.
    pub place: Range<usize>,
    pub on: Vec<Topic>,
    pub customers: Vec<At<String>>,
    pub grades: Vec<Grade>,
    pub runbooks: Vec<At<String>>,
    pub notify: Vec<At<String>>,
}

/// The notifiers of an `evenkeel.toml` that nothing else is read of.
pub(crate) fn steps(reader: &Reader<'_>) -> Vec<Step> {
    let Some(document) = reader.document() else {
        return Vec::new();
    };
    let routing = read(&reader.root(&document));
    routing.notifiers.into_iter().map(|notifier| notifier.step).collect()
}

pub(crate) fn read(root: &Table<'_, '_>) -> AuthoredRouting {
    let notifiers = root.named("notifier").into_iter();
    let notifiers = notifiers.map(|(name, table)| read_notifier(name, &table)).collect();
    let routes = root.tables("route");
    AuthoredRouting {
        notifiers,
        routes: routes.iter().filter_map(read_route).collect(),
    }
}

fn read_notifier(name: At<String>, table: &Table<'_, '_>) -> Notifier {
    table.check_name("a notifier", &name);
    let uses = table.required::<String>("uses");
    let grant = table.table("grant");
    let step = Step {
        what: NOTIFIER,
        place: name.span(),
        id: Some(name),
        runs: None,
        uses: uses.and_then(|uses| step::read_uses(table, &uses)),
        with: step::read_with(table),
        when: None,
        needs: None,
        each: None,
        grants: grant.as_ref().map(step::read_grants).unwrap_or_default(),
        grants_are_sound: grant.as_ref().map_or(!table.has("grant"), Table::is_sound),
        grant: table.key_span("grant"),
        ask_from: None,
        ask: None,
        expires: std::time::Duration::ZERO,
        timeout: table
            .optional::<Span>("timeout")
            .map_or(step::TIMEOUT, |timeout| timeout.into_inner().0),
        retry: Default::default(),
        on_failure: Default::default(),
    };
    if let Some(with) = &step.with {
        refuse_templates(table, with);
    }
    let notifier = Notifier {
        step,
        role: table.required::<String>("role"),
        rate: table.optional::<Rate>("rate").map(At::into_inner),
    };
    table.finish();
    notifier
}

/// There is no run to fill them from: a notifier gets the same parameters each time.
fn refuse_templates(table: &Table<'_, '_>, with: &Json) {
    for text in with.strings() {
        if crate::template::is_template(text.get_ref()) {
            let problem = table.problem("template-in-notifier", text.span(), "a notifier takes no templates");
            table.say(
                problem
                    .label("nothing fills it")
                    .help("what a notice is about is in its title, text and labels"),
            );
        }
    }
}

fn read_route(table: &Table<'_, '_>) -> Option<Route> {
    let on = words(table, "on", &Topic::ALL.map(|topic| (topic.as_str(), topic)));
    let grades = [("low", Grade::Low), ("medium", Grade::Medium), ("high", Grade::High)];
    let grades = words(table, "grade", &grades);
    let notify = table.required::<Strings>("notify");
    let list = |key| table.optional::<Strings>(key).map(At::into_inner).unwrap_or_default();
    let (customers, runbooks) = (list("customer"), list("runbook"));
    if !table.has("on") {
        table.required::<Strings>("on");
    }
    for (key, empty) in [
        ("on", on.as_ref().is_some_and(Vec::is_empty)),
        (
            "notify",
            notify.as_ref().is_some_and(|notify| notify.get_ref().is_empty()),
        ),
    ] {
        if let Some(span) = table.key_span(key).filter(|_| empty) {
            let problem = table.problem("bad-value", span, format!("`{key}` is empty"));
            table.say(problem.label("nobody would ever be told"));
        }
    }
    let sound = table.finish();
    sound.then(|| Route {
        place: table.span.clone(),
        on: on.unwrap_or_default(),
        customers,
        grades: grades.unwrap_or_default(),
        runbooks,
        notify: notify.map(At::into_inner).unwrap_or_default(),
    })
}

/// A list of a few words; None: it is not there, or something was said.
fn words<T: Copy>(table: &Table<'_, '_>, key: &'static str, choices: &[(&'static str, T)]) -> Option<Vec<T>> {
    let list = table.optional::<Strings>(key)?;
    let mut found = Vec::new();
    for word in list.get_ref() {
        match choices.iter().find(|(name, _)| name == word.get_ref()) {
            Some((_, choice)) => found.push(*choice),
            None => {
                let names = choices.iter().map(|(name, _)| *name);
                let message = format!("`{key}` can't hold `{}`", word.get_ref());
                let problem = table.problem("bad-value", word.span(), message);
                let problem = problem.suggest(word.get_ref(), names.clone());
                table.say(problem.help(format!("it holds any of {}", quoted(names))));
            }
        }
    }
    Some(found)
}

impl Value for Rate {
    const EXPECTED: &'static str = "a count in a time, such as `20 in 1m`";
    fn read(value: &At<toml::de::DeValue<'_>>) -> Result<Self, Fault> {
        let text = value.get_ref().as_str().ok_or(Fault::Type)?;
        Self::parse(text).ok_or_else(|| Fault::Value("write it like `20 in 1m`".to_owned()))
    }
}
