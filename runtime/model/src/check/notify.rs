//! Notifiers and routes against the rest of the home.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::assets::LOCAL;
use super::{Scope, grants, runbook};
use crate::asset::Asset;
use crate::authored::notify::{AuthoredRouting, Notifier as AuthoredNotifier, Route as AuthoredRoute};
use crate::authored::{At, Reader};
use crate::home::Home;
use crate::name::AssetId;
use crate::notify::{Notifier, Route, Routing, Topic};
use crate::problem::{File, Problem, quoted};

/// `runbooks` are the names of all that there are.
pub(crate) fn check(
    reader: &Reader<'_>,
    authored: &AuthoredRouting,
    runbooks: &BTreeSet<&str>,
    scope: &Scope<'_>,
) -> Routing {
    let notifiers = authored.notifiers.iter();
    let notifiers = notifiers.filter_map(|notifier| check_notifier(reader, notifier, scope));
    let notifiers = notifiers.map(|notifier| (notifier.name.clone(), Arc::new(notifier)));
    let notifiers: BTreeMap<_, _> = notifiers.collect();
    for route in &authored.routes {
        check_route(reader, route, authored, runbooks, scope);
    }
    warn_of_unused(reader, authored);
    let routes = authored.routes.iter().map(|route| Route {
        on: route.on.clone(),
        customers: route
            .customers
            .iter()
            .map(|name| name.get_ref().as_str().into())
            .collect(),
        grades: route.grades.clone(),
        runbooks: route
            .runbooks
            .iter()
            .map(|name| name.get_ref().as_str().into())
            .collect(),
        notify: route.notify.iter().map(|name| name.get_ref().clone()).collect(),
    });
    Routing {
        notifiers,
        routes: routes.collect(),
    }
}

/// What only the whole home can tell: whether the role's templates have a meaning for a notifier.
pub(crate) fn refuse_meaningless(home: &Home, authored: &AuthoredRouting, file: File<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for notifier in home.routing.notifiers.values() {
        let manifest = home
            .plugins
            .iter()
            .find(|plugin| plugin.digest == notifier.plugin.digest);
        let (Some(installed), Some(target)) = (manifest, notifier.target(home)) else {
            continue;
        };
        if let Err(error) = notifier.access(&installed.manifest, &target, home) {
            let written = authored
                .notifiers
                .iter()
                .find(|written| written.step.name() == notifier.name);
            let place = written.and_then(|written| written.role.as_ref()).map_or(0..0, At::span);
            let problem = file.problem("no-meaning", place, format!("notifier `{}`: {error}", notifier.name));
            problems.push(problem.help("a notifier acts as the asset `local`: give it a role without templates"));
        }
    }
    problems
}

fn check_notifier(reader: &Reader<'_>, notifier: &AuthoredNotifier, scope: &Scope<'_>) -> Option<Notifier> {
    let step = &notifier.step;
    let found = scope.plugins.find(reader, step);
    if let Some(found) = found {
        runbook::check_parameters(reader, step, found, scope);
    }
    let target = notifier.role.as_ref().and_then(|role| target(reader, role, scope));
    grants::check(reader, step, found, &target.iter().collect::<Vec<_>>(), scope);
    Some(Notifier {
        name: step.name().to_owned(),
        plugin: found?.pinned(),
        with: step.with.as_ref()?.value.clone(),
        grant: step.grants.iter().map(|grant| grant.get_ref().clone()).collect(),
        role: notifier.role.as_ref()?.get_ref().as_str().into(),
        timeout: step.timeout,
        rate: notifier.rate,
    })
}

/// The asset `local` with that role.
fn target(reader: &Reader<'_>, role: &At<String>, scope: &Scope<'_>) -> Option<Asset> {
    let name = role.get_ref();
    if !scope.roles.are_known() {
        return None;
    }
    if scope.roles.get(name).is_none() {
        let problem = reader
            .file
            .problem("unknown-role", role.span(), format!("there is no role `{name}`"));
        let problem = problem.suggest(name, scope.roles.names());
        reader.say(problem.help(format!("there are {}", quoted(scope.roles.names()))));
        return None;
    }
    let local = scope.assets.assets.get(&AssetId::from(LOCAL))?;
    Some(Asset {
        role: Some(name.as_str().into()),
        ..Asset::clone(local)
    })
}

fn check_route(
    reader: &Reader<'_>,
    route: &AuthoredRoute,
    authored: &AuthoredRouting,
    runbooks: &BTreeSet<&str>,
    scope: &Scope<'_>,
) {
    let names = || authored.notifiers.iter().map(|notifier| notifier.step.name());
    for name in &route.notify {
        if !names().any(|known| known == name.get_ref()) {
            let message = format!("there is no `[notifier.{}]`", name.get_ref());
            let problem = reader.file.problem("unknown-notifier", name.span(), message);
            let problem = problem.suggest(name.get_ref(), names());
            reader.say(problem.help("a notifier names the plugin that tells people, its parameters and grants"));
        }
    }
    let customers = &scope.assets.customers;
    for name in route.customers.iter().filter(|_| scope.assets.are_known) {
        if !customers.contains_key(&name.get_ref().as_str().into()) {
            let message = format!("there is no customer `{}`", name.get_ref());
            let problem = reader.file.problem("unknown-customer", name.span(), message);
            let known = customers.keys().map(crate::name::CustomerId::as_str);
            reader.say(
                problem
                    .suggest(name.get_ref(), known)
                    .help("customers are in assets.toml"),
            );
        }
    }
    for name in &route.runbooks {
        if !runbooks.contains(name.get_ref().as_str()) {
            let message = format!("there is no runbook `{}`", name.get_ref());
            let problem = reader.file.problem("unknown-runbook", name.span(), message).warning();
            let problem = problem.label("nothing of it is ever told");
            reader.say(problem.suggest(name.get_ref(), runbooks.iter().copied()));
        }
    }
    let only_refusals = route.on.iter().all(|topic| *topic == Topic::Refusal);
    if only_refusals && !route.grades.is_empty() && !route.grades.contains(&crate::alert::Grade::High) {
        let problem = reader
            .file
            .problem("dead-route", route.place.clone(), "this route never tells anybody")
            .warning();
        reader.say(problem.help("a refusal is told of alerts of grade `high` alone: add it to `grade`"));
    }
}

fn warn_of_unused(reader: &Reader<'_>, authored: &AuthoredRouting) {
    let used: BTreeSet<&String> = authored
        .routes
        .iter()
        .flat_map(|route| &route.notify)
        .map(At::get_ref)
        .collect();
    for notifier in &authored.notifiers {
        let Some(name) = notifier.step.id.as_ref().filter(|name| !used.contains(name.get_ref())) else {
            continue;
        };
        let message = format!("no route uses notifier `{}`", name.get_ref());
        let problem = reader.file.problem("unused-notifier", name.span(), message).warning();
        reader.say(problem.help("name it in `notify` of a `[[route]]`, or leave it out"));
    }
}
