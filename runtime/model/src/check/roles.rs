//! Roles, and whether they have a meaning on every asset that has them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::assets::Assets;
use super::templates;
use crate::asset::Asset;
use crate::authored::role::{Role, Text};
use crate::authored::{At, Reader, inside};
use crate::name::RoleName;
use crate::problem::File;
use crate::role;
use crate::template::{self, Kind};

pub(crate) struct Roles<'s> {
    /// `evenkeel.toml`.
    pub file: File<'s>,
    /// None: they could not be read, and nothing can be said about who has which.
    roles: Option<Vec<Role>>,
}

impl<'s> Roles<'s> {
    pub fn new(file: File<'s>, roles: Option<Vec<Role>>) -> Self {
        Self { file, roles }
    }

    pub fn are_known(&self) -> bool {
        self.roles.is_some()
    }

    pub fn get(&self, name: &str) -> Option<&Role> {
        self.all().find(|role| role.name.get_ref() == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all().map(|role| role.name.get_ref().as_str())
    }

    pub fn checked(&self) -> BTreeMap<RoleName, Arc<role::Role>> {
        let named = |role: &Role| (RoleName::from(role.name.get_ref().as_str()), Arc::new(role.checked()));
        self.all().map(named).collect()
    }

    /// Each string of each role, by itself and filled for each asset that has the role.
    pub fn check(&self, reader: &Reader<'_>, assets: &Assets) {
        for role in self.all() {
            let name = RoleName::from(role.name.get_ref().as_str());
            let holders = assets
                .assets
                .values()
                .filter(|asset| asset.role.as_ref() == Some(&name));
            let holders = holders.map(AsRef::as_ref).collect::<Vec<_>>();
            for text in role.things.iter().flat_map(|thing| &thing.texts) {
                check_text(reader, text, &holders, assets);
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Role> {
        self.roles.iter().flatten()
    }
}

/// By itself, and filled for each of its `holders`.
pub(super) fn check_text(reader: &Reader<'_>, text: &Text, holders: &[&Asset], assets: &Assets) {
    if template::is_template(text.text.get_ref()) && is_meaningful(reader, &text.text) {
        fill(reader, text, holders, assets);
    }
}

/// Whether it can be filled at all.
fn is_meaningful(reader: &Reader<'_>, text: &At<String>) -> bool {
    let sound = Cell::new(true);
    let names = templates::check(reader, text, Kind::Template, |path| {
        let refusal = templates::role_variable(path);
        sound.set(sound.get() && refusal.is_none());
        refusal
    });
    names.is_some() && sound.get()
}

/// One problem a text: the first asset's, and how many more have one.
fn fill(reader: &Reader<'_>, text: &Text, holders: &[&Asset], assets: &Assets) {
    let faults = holders
        .iter()
        .filter_map(|asset| Some((asset.id.as_str(), fault(text, asset, assets)?)));
    let faults = faults.collect::<Vec<_>>();
    let Some((first, (label, help))) = faults.first() else {
        return;
    };
    let message = match faults.len() - 1 {
        0 => format!("this has no meaning on asset `{first}`"),
        more => format!("this has no meaning on asset `{first}` and {more} more"),
    };
    let span = inside(reader.file, &text.text, 0..text.text.get_ref().len());
    let problem = reader.file.problem("no-meaning", span, message);
    reader.say(problem.label(label).help(*help));
}

/// Why a text has no meaning on an asset, and what to do about it.
fn fault(text: &Text, asset: &Asset, assets: &Assets) -> Option<(String, &'static str)> {
    let customer = assets.customers.get(&asset.customer)?;
    let context = template::role_context(asset, customer);
    match template::render_text(text.text.get_ref(), &context) {
        Ok(filled) => Some((text.form.fault(&filled).err()?, text.form.help())),
        Err(error) => Some((
            error.to_string(),
            "give each asset of the role what the template names, in assets.toml",
        )),
    }
}
