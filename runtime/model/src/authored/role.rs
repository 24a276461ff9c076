//! `[role.NAME]`: what is on an asset, and what is allowed there at all.

mod database;
mod origin;
mod processes;
mod profile;
mod root;
mod secret;
pub(crate) mod source;

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use super::value::{Span, Strings};
use super::{At, Table};
use crate::access::{database_fault, origin_fault, path_fault, server_name_fault, url_fault};
use crate::action::Risk;
use crate::grant::Capability;
use crate::problem::quoted;
use crate::role::{self, Resource, Root};
use crate::template::is_template;

pub(crate) const RISKS: &[(&str, Risk)] = &[("low", Risk::Low), ("medium", Risk::Medium), ("high", Risk::High)];

const ROOT: &str = "a root";

pub(crate) struct Role {
    pub name: At<String>,
    pub things: Vec<Thing>,
}

/// What a grant can name.
pub(crate) struct Thing {
    pub capability: Capability,
    pub name: String,
    /// What would have to change to allow more.
    pub ceiling: Range<usize>,
    pub resource: Resource,
    /// The strings that are filled for each asset.
    pub texts: Vec<Text>,
    /// Other things of the same role that it names.
    pub mentions: Vec<Mention>,
    /// Otherwise its values mean little, and something has been said about it already.
    pub sound: bool,
}

/// A thing of the same role, by its name.
pub(crate) struct Mention {
    pub capability: Capability,
    pub name: At<String>,
}

pub(crate) struct Text {
    pub text: At<String>,
    pub form: Form,
}

/// What a filled text must be.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Any,
    Path,
    Origin,
    Url,
    Database,
    ServerName,
    ProcessName,
}

impl Form {
    pub fn fault(self, text: &str) -> Result<(), String> {
        match self {
            Self::Any => Ok(()),
            Self::Path => path_fault(text),
            Self::Origin => origin_fault(text),
            Self::Url => url_fault(text),
            Self::Database => database_fault(text),
            Self::ServerName => server_name_fault(text),
            Self::ProcessName => processes::name_fault(text),
        }
    }

    /// How it is written.
    pub fn help(self) -> &'static str {
        match self {
            Self::Any => "any text will do",
            Self::Path => "a path goes down from the home or from `/`",
            Self::ProcessName => "cut it there, or select by `command`",
            Self::ServerName => "write it like `db.example` or `10.2.3.4`, as the certificate has it",
            Self::Url => "write it like `http://{{ asset.address }}:9100/metrics`",
            Self::Origin => "write it like `https://app.example:8443/base`",
            Self::Database => {
                "write it like `postgres://USER@HOST:5432/NAME`, `mysql://USER@HOST:3306/NAME` or `sqlite:FILE`"
            }
        }
    }
}

impl Role {
    /// The thing that a grant names.
    pub fn thing(&self, capability: Capability, name: &str) -> Option<&Thing> {
        self.of(capability).find(|thing| thing.name == name)
    }

    pub fn of(&self, capability: Capability) -> impl Iterator<Item = &Thing> {
        self.things.iter().filter(move |thing| thing.capability == capability)
    }

    pub fn checked(&self) -> role::Role {
        let mut role = role::Role {
            name: Some(self.name.get_ref().as_str().into()),
            ..role::Role::default()
        };
        for thing in &self.things {
            let name = thing.name.clone();
            match thing.resource.clone() {
                Resource::Root(root) => drop(role.roots.insert(name, root)),
                Resource::Profile(profile) => drop(role.exec.insert(name, profile)),
                Resource::Origin(origin) => drop(role.origins.insert(name, origin)),
                Resource::Database(mut database) => {
                    database.password = self.mentioned_secret(thing);
                    role.databases.insert(name, database);
                }
                Resource::Processes(processes) => drop(role.processes.insert(name, processes)),
                Resource::Source(mut source) => {
                    source.token = self.mentioned_secret(thing);
                    role.sources.insert(name, source);
                }
                Resource::Secret(secret) => drop(role.secrets.insert(name, secret)),
            }
        }
        role
    }

    /// What a database's password or a source's token is.
    fn mentioned_secret(&self, thing: &Thing) -> Option<role::Secret> {
        let mention = thing
            .mentions
            .iter()
            .find(|mention| mention.capability == Capability::Secrets)?;
        match &self.thing(Capability::Secrets, mention.name.get_ref())?.resource {
            Resource::Secret(secret) => Some(secret.clone()),
            _ => None,
        }
    }

    fn check_mentions(&self, table: &Table<'_, '_>) {
        for mention in self.things.iter().flat_map(|thing| &thing.mentions) {
            let Mention { capability, name } = mention;
            if self.thing(*capability, name.get_ref()).is_some() {
                continue;
            }
            let what = crate::access::thing(*capability);
            let names = self
                .of(*capability)
                .map(|thing| thing.name.as_str())
                .collect::<Vec<_>>();
            let message = format!("role `{}` has no {what} `{}`", self.name.get_ref(), name.get_ref());
            let problem = table.problem("unknown-resource", name.span(), message);
            let problem = problem.suggest(name.get_ref(), names.iter().copied());
            table.say(match names.as_slice() {
                [] => problem.help(format!("it has no {what} at all")),
                names => problem.help(format!("it has {}", quoted(names))),
            });
        }
    }
}

pub(crate) fn read(name: At<String>, table: &Table<'_, '_>) -> Role {
    table.check_name("a role", &name);
    let things = |key, what, read: fn(&Table<'_, '_>, &mut Thing)| {
        let named = table.named(key).into_iter();
        named
            .map(move |(name, table)| read_thing(name, &table, what, read))
            .collect::<Vec<_>>()
    };
    let mut all = things("roots", ROOT, root::read);
    all.extend(things("exec", "an exec profile", profile::read));
    all.extend(things("origins", "an origin", origin::read));
    all.extend(things("databases", "a database", database::read));
    all.extend(things("process", "a process profile", processes::read));
    all.extend(things("sources", "a source", source::read));
    all.extend(things("secrets", "a secret", secret::read));
    table.finish();
    let has_default = all
        .iter()
        .any(|thing| thing.capability == Capability::Metrics && thing.name == source::DEFAULT);
    if !has_default {
        all.push(source::own(table));
    }
    let role = Role { name, things: all };
    role.check_mentions(table);
    secret::check_use(table, &role);
    role
}

fn read_thing(name: At<String>, table: &Table<'_, '_>, what: &str, read: fn(&Table<'_, '_>, &mut Thing)) -> Thing {
    table.check_name(what, &name);
    if what == ROOT {
        root::check_name(table, &name);
    }
    let mut thing = Thing {
        capability: Capability::Files,
        name: name.into_inner(),
        ceiling: table.key_span("allow").unwrap_or(table.span.clone()),
        resource: Resource::Root(Root {
            path: PathBuf::new(),
            allow: Vec::new(),
            risk: Risk::Low,
        }),
        texts: Vec::new(),
        mentions: Vec::new(),
        sound: true,
    };
    read(table, &mut thing);
    thing.sound = table.finish();
    thing
}

/// What needs no filling is judged at once.
fn text(table: &Table<'_, '_>, text: At<String>, form: Form) -> Text {
    if !is_template(text.get_ref()) {
        table.check_value(&text, form.fault(text.get_ref()), form.help());
    }
    Text { text, form }
}

fn risk(table: &Table<'_, '_>) -> Risk {
    table.choice("risk", RISKS).map_or(Risk::Low, At::into_inner)
}

fn timeout(table: &Table<'_, '_>, otherwise: Duration) -> Duration {
    table
        .optional::<Span>("timeout")
        .map_or(otherwise, |timeout| timeout.into_inner().0)
}

/// The verbs of `allow`.
fn allowed(table: &Table<'_, '_>, capability: Capability) -> Vec<At<String>> {
    let allow = table
        .required::<Strings>("allow")
        .map(At::into_inner)
        .unwrap_or_default();
    for verb in &allow {
        table.check_verb(capability, verb);
    }
    allow
}

fn strings(table: &Table<'_, '_>, key: &'static str) -> Vec<At<String>> {
    table.optional::<Strings>(key).map(At::into_inner).unwrap_or_default()
}

/// A program and its arguments, given as `words`.
fn command(table: &Table<'_, '_>, words: &At<Strings>) -> Vec<Text> {
    if words.get_ref().is_empty() {
        let problem = table.problem("bad-value", words.span(), "`command` is empty");
        table.say(problem.label("the program comes first"));
    }
    let form = |n| if n == 0 { Form::Path } else { Form::Any };
    let words = words.get_ref().iter().cloned().enumerate();
    words.map(|(n, word)| text(table, word, form(n))).collect()
}

fn texts(strings: &[At<String>]) -> Vec<String> {
    strings.iter().map(|string| string.get_ref().clone()).collect()
}
