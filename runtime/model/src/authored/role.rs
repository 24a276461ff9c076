//! `[role.NAME]`: what is on an asset, and what is allowed there at all.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use super::value::{Span, StringTable, Strings};
use super::{At, Table};
use crate::access::{origin_fault, path_fault};
use crate::action::Risk;
use crate::grant::{Capability, is_method};
use crate::pattern::anchored;
use crate::role::{self, Origin, Profile, Resource, Root};
use crate::template::is_template;

pub(crate) const RISKS: &[(&str, Risk)] = &[("low", Risk::Low), ("medium", Risk::Medium), ("high", Risk::High)];

const ROOT: &str = "a root";
const EXEC_TIMEOUT: Duration = Duration::from_secs(60);
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Role {
    pub name: At<String>,
    pub things: Vec<Thing>,
}

/// A root, an exec profile or an origin.
pub(crate) struct Thing {
    pub capability: Capability,
    pub name: String,
    /// What would have to change to allow more.
    pub ceiling: Range<usize>,
    pub resource: Resource,
    /// The strings that are filled for each asset.
    pub texts: Vec<Text>,
    /// Otherwise its values mean little, and something has been said about it already.
    pub sound: bool,
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
}

impl Form {
    pub fn fault(self, text: &str) -> Result<(), String> {
        match self {
            Self::Any => Ok(()),
            Self::Path => path_fault(text),
            Self::Origin => origin_fault(text),
        }
    }

    /// How it is written.
    pub fn help(self) -> &'static str {
        match self {
            Self::Any => "any text will do",
            Self::Path => "a path goes down from the home or from `/`",
            Self::Origin => "write it like `https://app.example:8443/base`",
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
            }
        }
        role
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
    let mut all = things("roots", ROOT, read_root);
    all.extend(things("exec", "an exec profile", read_profile));
    all.extend(things("origins", "an origin", read_origin));
    table.finish();
    Role { name, things: all }
}

fn read_thing(name: At<String>, table: &Table<'_, '_>, what: &str, read: fn(&Table<'_, '_>, &mut Thing)) -> Thing {
    table.check_name(what, &name);
    if what == ROOT {
        check_root_name(table, &name);
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
        sound: true,
    };
    read(table, &mut thing);
    thing.sound = table.finish();
    thing
}

/// A file of it would be named `glob:PATH`, which an effect means as a pattern.
fn check_root_name(table: &Table<'_, '_>, name: &At<String>) {
    if name.get_ref() == "glob" {
        let problem = table.problem("bad-name", name.span(), "`glob` can't be the name of a root");
        table.say(
            problem
                .label("effects begin with `glob:` where they mean a pattern")
                .help("any other name will do, such as `globs`"),
        );
    }
}

fn read_root(table: &Table<'_, '_>, thing: &mut Thing) {
    let path = table.required::<String>("path");
    let allow = table
        .required::<Strings>("allow")
        .map(At::into_inner)
        .unwrap_or_default();
    for verb in &allow {
        table.check_verb(Capability::Files, verb);
    }
    thing.resource = Resource::Root(Root {
        path: path
            .as_ref()
            .map(|path| PathBuf::from(path.get_ref()))
            .unwrap_or_default(),
        allow: texts(&allow),
        risk: risk(table),
    });
    thing.texts.extend(path.map(|path| text(table, path, Form::Path)));
}

fn read_profile(table: &Table<'_, '_>, thing: &mut Thing) {
    thing.capability = Capability::Exec;
    let command = table.required::<Strings>("command");
    if let Some(empty) = command.as_ref().filter(|command| command.get_ref().is_empty()) {
        let problem = table.problem("bad-value", empty.span(), "`command` is empty");
        table.say(problem.label("the program comes first"));
    }
    let command = command.map(At::into_inner).unwrap_or_default();
    let args = table
        .optional::<Strings>("args")
        .map(At::into_inner)
        .unwrap_or_default();
    check_patterns(table, &args);
    let env = table
        .optional::<StringTable>("env")
        .map(At::into_inner)
        .unwrap_or_default();
    let cwd = table.optional::<String>("cwd");
    thing.resource = Resource::Profile(Profile {
        command: texts(&command),
        args: texts(&args),
        read_only: table.optional("read_only").is_some_and(At::into_inner),
        risk: risk(table),
        env: env
            .iter()
            .map(|(name, value)| (name.clone(), value.get_ref().clone()))
            .collect::<BTreeMap<_, _>>(),
        cwd: cwd.as_ref().map(|cwd| PathBuf::from(cwd.get_ref())),
        timeout: timeout(table, EXEC_TIMEOUT),
    });
    let mut words = command.into_iter();
    thing
        .texts
        .extend(words.next().map(|program| text(table, program, Form::Path)));
    thing
        .texts
        .extend(words.chain(env.into_values()).map(|word| text(table, word, Form::Any)));
    thing.texts.extend(cwd.map(|cwd| text(table, cwd, Form::Path)));
}

fn read_origin(table: &Table<'_, '_>, thing: &mut Thing) {
    thing.capability = Capability::Http;
    let url = table.required::<String>("url");
    let allow = table
        .required::<Strings>("allow")
        .map(At::into_inner)
        .unwrap_or_default();
    for method in &allow {
        table.check_verb(Capability::Http, method);
    }
    let read_only = table
        .optional::<Strings>("read_only")
        .map(At::into_inner)
        .unwrap_or_default();
    for rule in &read_only {
        check_read_only(table, rule, &allow);
    }
    let ca = table.optional::<String>("ca");
    thing.resource = Resource::Origin(Origin {
        url: url.as_ref().map(|url| url.get_ref().clone()).unwrap_or_default(),
        allow: texts(&allow),
        read_only: texts(&read_only),
        private: table.optional("private").is_some_and(At::into_inner),
        ca: ca.as_ref().map(|ca| PathBuf::from(ca.get_ref())),
        risk: risk(table),
        timeout: timeout(table, HTTP_TIMEOUT),
    });
    thing.texts.extend(url.map(|url| text(table, url, Form::Origin)));
    thing.texts.extend(ca.map(|ca| text(table, ca, Form::Path)));
}

/// What needs no filling is judged at once.
fn text(table: &Table<'_, '_>, text: At<String>, form: Form) -> Text {
    if !is_template(text.get_ref()) {
        table.check_value(&text, form.fault(text.get_ref()), form.help());
    }
    Text { text, form }
}

/// The last may be `...`: any number of arguments like the one before.
fn check_patterns(table: &Table<'_, '_>, args: &[At<String>]) {
    for (n, pattern) in args.iter().enumerate() {
        let text = pattern.get_ref();
        if text == "..." && n > 0 && n + 1 == args.len() {
            continue;
        }
        let fault = match anchored(text) {
            _ if text == "..." => "`...` stands last, after the pattern that it repeats".to_owned(),
            Ok(_) => continue,
            Err(why) => why,
        };
        let problem = table.problem(
            "bad-pattern",
            pattern.span(),
            format!("`{text}` is no pattern of an argument"),
        );
        table.say(problem.label(fault));
    }
}

/// `METHOD /path` or `METHOD /path/*`, of a method that is allowed.
fn check_read_only(table: &Table<'_, '_>, rule: &At<String>, allow: &[At<String>]) {
    let text = rule.get_ref();
    let refuse = |label: String| {
        let problem = table.problem("bad-value", rule.span(), format!("`{text}` marks nothing as read-only"));
        table.say(problem.label(label));
    };
    match text.split_once(' ') {
        Some((method, path)) if is_method(method) && path.starts_with('/') => {
            if !allow.iter().any(|allowed| allowed.get_ref() == method) {
                refuse(format!("`allow` does not hold `{method}`"));
            } else if path.trim_end_matches("/*").contains(['*', '?', '#', ' ']) {
                refuse("a path, which may end in `/*`".to_owned());
            }
        }
        _ => refuse("write it like `POST /search` or `POST /api/*`".to_owned()),
    }
}

fn risk(table: &Table<'_, '_>) -> Risk {
    table.choice("risk", RISKS).map_or(Risk::Low, At::into_inner)
}

fn timeout(table: &Table<'_, '_>, otherwise: Duration) -> Duration {
    table
        .optional::<Span>("timeout")
        .map_or(otherwise, |timeout| timeout.into_inner().0)
}

fn texts(strings: &[At<String>]) -> Vec<String> {
    strings.iter().map(|string| string.get_ref().clone()).collect()
}
