//! What a step grants, between what the plugin asks for and what the ceilings allow.

use std::collections::BTreeSet;

use super::Scope;
use super::assets::Assets;
use super::plugins::Found;
use crate::access::thing;
use crate::asset::Asset;
use crate::authored::role::Role;
use crate::authored::step::Step;
use crate::authored::{At, Reader};
use crate::grant::{Capability, Grant};
use crate::name::AssetId;
use crate::problem::{Problem, quoted};

/// Without a plugin (a problem was said), the grants are still held against the ceilings; with no
/// `targets`, against the plugin alone.
pub(crate) fn check(reader: &Reader<'_>, step: &Step, found: Option<Found<'_>>, targets: &[&Asset], scope: &Scope<'_>) {
    let mut seen = BTreeSet::new();
    for grant in &step.grants {
        if !seen.insert(grant.get_ref()) {
            let message = format!("`{}` is granted twice", grant.get_ref());
            reader.say(
                reader
                    .file
                    .problem("duplicate-grant", grant.span(), message)
                    .label("once is enough"),
            );
            continue;
        }
        if let Some(found) = found {
            refuse_unasked(reader, grant, found);
        }
        check_ceilings(reader, grant, targets, scope);
    }
    if let Some(found) = found.filter(|_| step.grants_are_sound) {
        for capability in Capability::ALL {
            refuse_missing(reader, step, found, capability);
        }
    }
}

/// Each fault once, however many targets have it.
pub(super) fn check_ceilings(reader: &Reader<'_>, grant: &At<Grant>, targets: &[&Asset], scope: &Scope<'_>) {
    let mut said = BTreeSet::new();
    for target in targets {
        let fault = against_ceiling(reader, grant, target, scope);
        if let Some(problem) = fault.filter(|problem| said.insert(problem.message.clone())) {
            reader.say(problem);
        }
    }
}

fn refuse_unasked(reader: &Reader<'_>, grant: &At<Grant>, found: Found<'_>) {
    let Grant { capability, verb, .. } = grant.get_ref();
    let manifest = &found.installed.manifest;
    if manifest.asks_for(*capability, verb) {
        return;
    }
    let message = format!(
        "`{}` {} never asks for `{capability} {verb}`",
        manifest.name, manifest.version
    );
    let problem = reader
        .file
        .problem("not-requested", grant.span(), message)
        .label("the plugin never asks for it");
    let asked = manifest
        .capabilities
        .get(capability)
        .map(Vec::as_slice)
        .unwrap_or_default();
    reader.say(match asked {
        [] => problem.help(format!("leave it out: the plugin does not use `{capability}`")),
        asked => problem.help(format!("of `{capability}` it asks for {}", quoted(asked))),
    });
}

/// Why the grant has no meaning on that target.
fn against_ceiling(reader: &Reader<'_>, grant: &At<Grant>, target: &Asset, scope: &Scope<'_>) -> Option<Problem> {
    let Grant {
        capability,
        verb,
        name,
        asset,
    } = grant.get_ref();
    let file = reader.file;
    let owner = match asset {
        Some(id) => match owner(id, target, &scope.assets) {
            Some(owner) => owner,
            None => return Some(no_asset(reader, grant, id, target, &scope.assets)),
        },
        None => target,
    };
    let Some(role) = &owner.role else {
        let message = format!(
            "asset `{}` has no role, and so no {} `{name}`",
            owner.id,
            thing(*capability)
        );
        let problem = file.problem("no-role", grant.span(), message);
        return Some(problem.help("give the asset a `role` in assets.toml, or select fewer targets"));
    };
    // A role that is not there was said where the asset names it.
    let role = scope.roles.get(role.as_str())?;
    let Some(found) = role.thing(*capability, name) else {
        return Some(no_thing(reader, grant, role));
    };
    if !found.sound || found.resource.allows(verb) {
        return None;
    }
    let (line, column) = scope.roles.file.place(found.ceiling.start);
    let message = format!(
        "`{}` is above the ceiling of role `{}`",
        grant.get_ref(),
        role.name.get_ref()
    );
    let allowed = match found.resource.allowed().as_slice() {
        [] => "the ceiling allows nothing".to_owned(),
        allowed => format!("the ceiling allows {}", quoted(allowed)),
    };
    let problem = file.problem("above-ceiling", grant.span(), message).label(allowed);
    Some(problem.help(format!("the ceiling is at {}:{line}:{column}", scope.roles.file.path)))
}

fn owner<'a>(id: &AssetId, target: &Asset, assets: &'a Assets) -> Option<&'a Asset> {
    let owner = assets.assets.get(id).filter(|asset| asset.customer == target.customer);
    owner.map(AsRef::as_ref)
}

/// Another customer's asset is not spoken of.
fn no_asset(reader: &Reader<'_>, grant: &At<Grant>, id: &AssetId, target: &Asset, assets: &Assets) -> Problem {
    let message = format!("customer `{}` has no asset `{id}`", target.customer);
    let problem = reader.file.problem("unknown-asset", grant.span(), message);
    let own = assets.assets.values().filter(|asset| asset.customer == target.customer);
    let problem = problem.suggest(id.as_str(), own.map(|asset| asset.id.as_str()));
    problem.help(format!(
        "`{}` is a target, and reaches the assets of its own customer alone",
        target.id
    ))
}

fn no_thing(reader: &Reader<'_>, grant: &At<Grant>, role: &Role) -> Problem {
    let Grant { capability, name, .. } = grant.get_ref();
    let (what, role_name) = (thing(*capability), role.name.get_ref());
    let message = format!("role `{role_name}` has no {what} `{name}`");
    let names = role
        .of(*capability)
        .map(|thing| thing.name.as_str())
        .collect::<Vec<_>>();
    let problem = reader.file.problem("unknown-resource", grant.span(), message);
    let problem = problem.suggest(name, names.iter().copied());
    match names.as_slice() {
        [] => problem.help(format!(
            "evenkeel.toml would define it as `[role.{role_name}.{}.{name}]`",
            table(*capability)
        )),
        names => problem.help(format!("it has {}", quoted(names))),
    }
}

/// A plugin that lacks what it can't do without fails half-way: better not to begin.
fn refuse_missing(reader: &Reader<'_>, step: &Step, found: Found<'_>, capability: Capability) {
    let manifest = &found.installed.manifest;
    let granted = |verb: &str| {
        let mut grants = step.grants.iter().map(At::get_ref);
        grants.any(|grant| grant.capability == capability && grant.verb == verb)
    };
    let missing = manifest
        .required(capability)
        .filter(|verb| !granted(verb))
        .collect::<Vec<_>>();
    // The methods of an origin are alternatives: which one is used is for the parameters to say.
    let any = step.grants.iter().any(|grant| grant.get_ref().capability == capability);
    if missing.is_empty() || capability == Capability::State || (capability == Capability::Http && any) {
        return;
    }
    let uses = step.uses.as_ref().map_or(step.place.clone(), At::span);
    let place = step.grant.clone().unwrap_or(uses);
    let name = &manifest.name;
    let verbs = missing
        .iter()
        .map(|verb| format!("`{capability} {verb}`"))
        .collect::<Vec<_>>();
    let joint = if capability == Capability::Http {
        " or "
    } else {
        " and "
    };
    let message = format!(
        "{} does not grant {}, which `{name}` needs",
        step.title(),
        verbs.join(joint)
    );
    let problem = reader.file.problem("missing-grant", place, message);
    reader.say(
        problem
            .label("the plugin can't work without it")
            .help(line_to_add(step, capability, &missing)),
    );
}

fn line_to_add(step: &Step, capability: Capability, missing: &[&str]) -> String {
    let mut grants = step.grants.iter().map(At::get_ref);
    let known = grants
        .find(|grant| grant.capability == capability)
        .map(Grant::passed_name);
    let name = known.unwrap_or_else(|| thing(capability).rsplit(' ').next().unwrap_or_default().to_uppercase());
    let verbs = if capability == Capability::Http {
        &missing[..1]
    } else {
        missing
    };
    let lines = verbs
        .iter()
        .map(|verb| format!("\"{verb} {name}\""))
        .collect::<Vec<_>>()
        .join(", ");
    match step.grant {
        Some(_) => format!("add {lines} to `{capability}` of `grant`"),
        None => format!("add `grant = {{ {capability} = [{lines}] }}`"),
    }
}

/// What evenkeel.toml calls the things of a capability.
fn table(capability: Capability) -> &'static str {
    match capability {
        Capability::Files => "roots",
        Capability::Http => "origins",
        Capability::Sql => "databases",
        Capability::Metrics => "sources",
        capability => capability.as_str(),
    }
}
