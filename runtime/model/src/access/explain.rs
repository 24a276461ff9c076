//! What every step may do on every target, for people: the intersection of the three keys, and what each
//! of them leaves over.

use serde::Serialize;

use super::access;
use crate::action::Risk;
use crate::asset::Asset;
use crate::grant::{Access, Capability, Entry};
use crate::home::Home;
use crate::name::{AssetId, RunbookName, StepId};
use crate::plugin::{Kind, Manifest};
use crate::role::{Database, Place, Processes, Profile, Resource, Secret, SecretFrom, Source};
use crate::runbook::{Runbook, Selector, Step};

/// One step of one runbook.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    pub runbook: RunbookName,
    pub step: StepId,
    /// `name@version`
    pub plugin: String,
    pub kind: Kind,
    /// Its targets; those of one effective grant together.
    pub targets: Vec<Group>,
    /// What the plugin asks for and the step grants on nothing: `files write`.
    pub not_granted: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    pub assets: Vec<AssetId>,
    pub grants: Vec<Effective>,
    /// Why nothing of it can be had there. A home that checks clean has none of these.
    pub refused: Option<String>,
}

/// One thing, and what may be done with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effective {
    pub capability: Capability,
    /// As the plugin passes it: `NAME` or `ASSET/NAME`.
    pub name: String,
    pub verbs: Vec<String>,
    /// What the name stands for there. No value of a secret is in it.
    pub meaning: String,
    /// The operator's, for an effect on it.
    pub risk: Risk,
    /// What the ceiling would allow too.
    pub left_over: Vec<LeftOver>,
}

/// A verb that the ceiling allows and the step hasn't got.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOver {
    pub verb: String,
    pub cut_by: Vec<Key>,
}

/// Of the two below the ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// The plugin never asks for it, so that no step can grant it.
    Manifest,
    /// The step doesn't grant it.
    Grant,
}

/// Whether something is refused somewhere: such a step does nothing there.
pub fn is_refused(steps: &[Explained]) -> bool {
    let mut groups = steps.iter().flat_map(|step| &step.targets);
    groups.any(|group| group.refused.is_some())
}

/// All steps of the home, or of one runbook.
pub fn explain(home: &Home, only: Option<&str>) -> Vec<Explained> {
    let runbooks = home.runbooks.values();
    let wanted = runbooks.filter(|runbook| only.is_none_or(|only| runbook.name.as_str() == only));
    wanted.flat_map(|runbook| steps(runbook, home)).collect()
}

fn steps(runbook: &Runbook, home: &Home) -> Vec<Explained> {
    let targets: Vec<&Asset> = targets_of(runbook.targets.select.as_ref(), home).collect();
    let local: Vec<&Asset> = targets_of(None, home).collect();
    let steps = runbook
        .steps
        .iter()
        .filter_map(|step| explained(runbook, step, &targets, home));
    let after = runbook
        .after
        .iter()
        .filter_map(|(_, step)| explained(runbook, step, &local, home));
    steps.chain(after).collect()
}

/// None: the step runs another runbook, whose own steps are explained with it.
fn explained(runbook: &Runbook, step: &Step, on_these: &[&Asset], home: &Home) -> Option<Explained> {
    let plugin = step.plugin()?;
    let installed = home
        .plugins
        .iter()
        .find(|installed| installed.manifest.name == plugin.name && installed.digest == plugin.digest);
    let manifest = installed.map(|installed| &installed.manifest);
    let mut targets = Vec::<Group>::new();
    for target in on_these {
        let group = match manifest {
            Some(manifest) => on(step, manifest, target, home),
            None => refused(target, format!("`{plugin}` is not installed any more")),
        };
        let same = |known: &&mut Group| known.grants == group.grants && known.refused == group.refused;
        match targets.iter_mut().find(same) {
            Some(known) => known.assets.extend(group.assets),
            None => targets.push(group),
        }
    }
    Some(Explained {
        runbook: runbook.name.clone(),
        step: step.id.clone(),
        plugin: plugin.to_string(),
        kind: plugin.kind,
        targets,
        not_granted: manifest.map(|manifest| not_granted(step, manifest)).unwrap_or_default(),
    })
}

fn targets_of<'h>(select: Option<&Selector>, home: &'h Home) -> impl Iterator<Item = &'h Asset> {
    home.assets
        .values()
        .map(AsRef::as_ref)
        .filter(move |asset| match select {
            Some(select) => select.matches(&asset.selectable()),
            None => asset.id.as_str() == "local",
        })
}

fn on(step: &Step, manifest: &Manifest, target: &Asset, home: &Home) -> Group {
    match access(step, manifest, target, home) {
        Ok(access) => Group {
            assets: vec![target.id.clone()],
            grants: effective(&access, manifest),
            refused: None,
        },
        Err(error) => refused(target, error.to_string()),
    }
}

fn refused(target: &Asset, why: String) -> Group {
    Group {
        assets: vec![target.id.clone()],
        grants: Vec::new(),
        refused: Some(why),
    }
}

fn effective(access: &Access, manifest: &Manifest) -> Vec<Effective> {
    let entries = access.entries.iter();
    entries
        .map(|((capability, name), entry)| Effective {
            capability: *capability,
            name: name.clone(),
            verbs: entry.verbs.clone(),
            meaning: meaning(&entry.resource),
            risk: entry.resource.risk(),
            left_over: left_over(*capability, entry, manifest),
        })
        .collect()
}

fn left_over(capability: Capability, entry: &Entry, manifest: &Manifest) -> Vec<LeftOver> {
    let allowed = entry.resource.allowed().into_iter();
    let rest = allowed.filter(|verb| !entry.verbs.iter().any(|granted| granted == verb));
    rest.map(|verb| LeftOver {
        verb: verb.to_owned(),
        cut_by: match manifest.asks_for(capability, verb) {
            true => vec![Key::Grant],
            false => vec![Key::Manifest, Key::Grant],
        },
    })
    .collect()
}

fn not_granted(step: &Step, manifest: &Manifest) -> Vec<String> {
    let granted = |capability, verb: &str| {
        let mut grants = step.grant.iter();
        grants.any(|grant| grant.capability == capability && grant.verb == *verb)
    };
    let asked = manifest
        .capabilities
        .iter()
        .filter(|(capability, _)| capability.is_granted());
    asked
        .flat_map(|(capability, verbs)| verbs.iter().map(move |verb| (*capability, verb)))
        .filter(|(capability, verb)| !granted(*capability, verb))
        .map(|(capability, verb)| format!("{capability} {verb}"))
        .collect()
}

// ---- what a name stands for ----------------------------------------------------------------

fn meaning(resource: &Resource) -> String {
    match resource {
        Resource::Root(root) => root.path.display().to_string(),
        Resource::Profile(profile) => command(profile),
        Resource::Origin(origin) => {
            with_marks(&origin.url, &[(origin.private, "private addresses")], &origin.read_only)
        }
        Resource::Database(database) => place(database),
        Resource::Processes(processes) => selection(processes),
        Resource::Source(source) => answers(source),
        Resource::Secret(secret) => kept(secret),
    }
}

fn command(profile: &Profile) -> String {
    let fixed = profile.command.iter().map(|word| quoted(word));
    let patterns = profile.args.iter().map(|pattern| match pattern.as_str() {
        "..." => pattern.clone(),
        pattern => format!("<{pattern}>"),
    });
    let mut line = fixed.chain(patterns).collect::<Vec<_>>().join(" ");
    if let Some(cwd) = &profile.cwd {
        line.push_str(&format!(" in {}", cwd.display()));
    }
    if profile.read_only {
        line.push_str(" (read-only)");
    }
    line
}

/// A word that a person would take for several, or for none, in quotes.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("{word:?}")
}

fn with_marks(url: &str, marks: &[(bool, &str)], read_only: &[String]) -> String {
    let marks = marks
        .iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, mark)| (*mark).to_owned());
    let read_only = read_only.iter().map(|mark| format!("read-only: {mark}"));
    let all = marks.chain(read_only).collect::<Vec<_>>();
    if all.is_empty() {
        return url.to_owned();
    }
    format!("{url} ({})", all.join(", "))
}

fn place(database: &Database) -> String {
    let mut said = database.url.clone();
    if let Some(socket) = &database.socket {
        said.push_str(&format!(" through {}", socket.display()));
    }
    let apart = database.socket.is_none() && !matches!(database.place(), Ok(Place::File(_)));
    if apart && !database.tls {
        said.push_str(" without TLS");
    }
    if let Some(reader) = &database.reader {
        said.push_str(&format!(", queries as {reader}"));
    }
    if let Some(password) = &database.password {
        said.push_str(&format!(", password from {}", origin(&password.from)));
    }
    said
}

fn selection(processes: &Processes) -> String {
    let parts = [
        ("name", &processes.name),
        ("command", &processes.command),
        ("user", &processes.user),
    ];
    let set = parts
        .iter()
        .filter_map(|(what, value)| value.as_ref().map(|value| format!("{what} {}", quoted(value))));
    format!("processes with {}", set.collect::<Vec<_>>().join(" and "))
}

fn answers(source: &Source) -> String {
    let said = with_marks(&source.url, &[(source.private, "private addresses")], &[]);
    match &source.token {
        Some(token) => format!("{said}, token from {}", origin(&token.from)),
        None => said,
    }
}

fn kept(secret: &Secret) -> String {
    let origins = secret.origins.iter().map(|name| format!("origin {name}"));
    let exec = secret.exec.iter().map(|name| format!("stdin of {name}"));
    let hmac = secret.hmac.then(|| "hmac-sha256".to_owned());
    let to = origins.chain(exec).chain(hmac).collect::<Vec<_>>();
    let to = if to.is_empty() {
        "nowhere".to_owned()
    } else {
        to.join(", ")
    };
    format!("from {}, may go to {to}", origin(&secret.from))
}

/// Never the value.
fn origin(from: &SecretFrom) -> String {
    match from {
        SecretFrom::File(file) => format!("file {}", file.display()),
        SecretFrom::Env(name) => format!("variable {name}"),
        // Its arguments may be nobody's business.
        SecretFrom::Command { line, .. } => format!("command {}", line.first().map_or("", String::as_str)),
    }
}

#[cfg(test)]
mod tests;
