//! What one invocation may use: manifest request ∩ grant ∩ ceiling of the target.

pub mod explain;
mod resource;

use crate::asset::Asset;
use crate::grant::{Access, Capability, Entry, Grant};
use crate::home::Home;
use crate::name::{AssetId, CustomerId, RoleName};
use crate::plugin::Manifest;
use crate::role::{Resource, Role, Source};
use crate::runbook::Step;
use crate::template;

pub(crate) use resource::{database_fault, origin_fault, path_fault, server_name_fault, url_fault};

/// Why a step can't have what it grants. A home that checks clean gives none of these for the
/// targets that its runbooks select; a target that a person names may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{grant}`: {refusal}")]
pub struct AccessError {
    pub grant: Box<Grant>,
    pub refusal: Refusal,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another customer's asset and one that does not exist are the same to a run.
    #[error("customer `{customer}` has no asset `{asset}`")]
    NoAsset { asset: AssetId, customer: CustomerId },
    #[error("asset `{0}` has no role, and so nothing that could be granted")]
    NoRole(AssetId),
    #[error("role `{role}` has no such {what}")]
    NoResource { role: RoleName, what: &'static str },
    #[error("it is above the ceiling of role `{0}`")]
    AboveCeiling(RoleName),
    #[error("`{0}` never asks for it")]
    NotRequested(String),
    /// A template of the role can't be filled for the asset, or to nothing that makes sense.
    #[error("on asset `{asset}`, {cause}")]
    NoMeaning { asset: AssetId, cause: String },
}

fn named(step: &Step) -> String {
    step.plugin().map(ToString::to_string).unwrap_or_default()
}

/// The things that `step` grants on `target`, rendered for it, each with the verbs that all three
/// keys allow. A grant that one of them doesn't allow is an error: a run that can't have what it
/// was written for does nothing rather than half of it.
pub fn access(step: &Step, manifest: &Manifest, target: &Asset, home: &Home) -> Result<Access, AccessError> {
    let mut access = Access::default();
    for grant in &step.grant {
        if !manifest.asks_for(grant.capability, &grant.verb) {
            return Err(refused(grant, Refusal::NotRequested(named(step))));
        }
        let key = (grant.capability, grant.passed_name());
        let entry = match access.entries.entry(key) {
            std::collections::btree_map::Entry::Occupied(entry) => {
                ceiling(grant, owner(grant, target, home)?, home)?;
                entry.into_mut()
            }
            std::collections::btree_map::Entry::Vacant(place) => place.insert(Entry {
                verbs: Vec::new(),
                resource: resource(grant, owner(grant, target, home)?, home)?,
            }),
        };
        if !entry.verbs.contains(&grant.verb) {
            entry.verbs.push(grant.verb.clone());
        }
    }
    Ok(access)
}

/// The source that `[healed]` asks, rendered for the target's asset that it is on.
///
/// # Errors
/// The role of the asset has no such source, or doesn't allow it.
pub fn source(grant: &Grant, target: &Asset, home: &Home) -> Result<(AssetId, Source), AccessError> {
    let owner = owner(grant, target, home)?;
    match resource(grant, owner, home)? {
        Resource::Source(source) => Ok((owner.id.clone(), source)),
        _ => unreachable!("`metrics` has nothing but sources"),
    }
}

/// The asset that a grant is about, as long as it is the same customer's.
fn owner<'h>(grant: &Grant, target: &'h Asset, home: &'h Home) -> Result<&'h Asset, AccessError> {
    let Some(id) = &grant.asset else {
        return Ok(target);
    };
    let owner = home.assets.get(id).filter(|asset| asset.customer == target.customer);
    let refusal = || Refusal::NoAsset {
        asset: id.clone(),
        customer: target.customer.clone(),
    };
    owner.map(AsRef::as_ref).ok_or_else(|| refused(grant, refusal()))
}

/// The role's definition, templates and all, if it allows the verb.
fn ceiling(grant: &Grant, asset: &Asset, home: &Home) -> Result<Resource, AccessError> {
    let role = asset.role.as_ref().and_then(|name| home.roles.get_key_value(name));
    let Some((name, role)) = role else {
        return Err(refused(grant, Refusal::NoRole(asset.id.clone())));
    };
    let Some(resource) = role.resource(grant.capability, &grant.name) else {
        let (role, what) = (name.clone(), thing(grant.capability));
        return Err(refused(grant, Refusal::NoResource { role, what }));
    };
    if !resource.allows(&grant.verb) {
        return Err(refused(grant, Refusal::AboveCeiling(name.clone())));
    }
    Ok(resource)
}

fn resource(grant: &Grant, asset: &Asset, home: &Home) -> Result<Resource, AccessError> {
    let resource = ceiling(grant, asset, home)?;
    let context = match home.customers.get(&asset.customer) {
        Some(customer) => template::role_context(asset, customer),
        None => serde_json::Value::Null,
    };
    resource.rendered(&context, &home.dir).map_err(|cause| {
        let asset = asset.id.clone();
        refused(grant, Refusal::NoMeaning { asset, cause })
    })
}

fn refused(grant: &Grant, refusal: Refusal) -> AccessError {
    AccessError {
        grant: Box::new(grant.clone()),
        refusal,
    }
}

/// What a role calls the things of a capability.
pub(crate) fn thing(capability: Capability) -> &'static str {
    match capability {
        Capability::Exec => "exec profile",
        Capability::Files => "root",
        Capability::Http => "origin",
        Capability::Process => "process profile",
        Capability::Sql => "database",
        Capability::Secrets => "secret",
        Capability::Metrics => "source",
        Capability::State => "state",
    }
}

impl Role {
    /// The thing that a grant of this capability names.
    pub fn resource(&self, capability: Capability, name: &str) -> Option<Resource> {
        match capability {
            Capability::Files => self.roots.get(name).cloned().map(Resource::Root),
            Capability::Exec => self.exec.get(name).cloned().map(Resource::Profile),
            Capability::Http => self.origins.get(name).cloned().map(Resource::Origin),
            Capability::Sql => self.databases.get(name).cloned().map(Resource::Database),
            Capability::Process => self.processes.get(name).cloned().map(Resource::Processes),
            Capability::Metrics => self.sources.get(name).cloned().map(Resource::Source),
            Capability::Secrets => self.secrets.get(name).cloned().map(Resource::Secret),
            Capability::State => None,
        }
    }
}

impl Resource {
    /// The ceiling: what may be done with it at all.
    pub fn allowed(&self) -> Vec<&str> {
        let allow = match self {
            Self::Profile(_) => return vec!["run"],
            Self::Root(root) => &root.allow,
            Self::Origin(origin) => &origin.allow,
            Self::Database(database) => &database.allow,
            Self::Processes(processes) => &processes.allow,
            Self::Source(source) => &source.allow,
            Self::Secret(secret) => &secret.allow,
        };
        allow.iter().map(String::as_str).collect()
    }

    pub fn allows(&self, verb: &str) -> bool {
        self.allowed().contains(&verb)
    }
}

#[cfg(test)]
mod tests;
