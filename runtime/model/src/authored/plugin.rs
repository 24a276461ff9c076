//! `plugin.toml`.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use semver::Version;

use super::value::{Strings, Value as _};
use super::{At, Reader, Table};
use crate::grant::Capability;
use crate::plugin::{Build, Source};

type Verbs = BTreeMap<Capability, Vec<String>>;

/// None: something was said.
pub(crate) fn read(reader: &Reader<'_>) -> Option<Source> {
    let document = reader.document()?;
    let root = reader.root(&document);
    let name = root.required::<String>("name");
    if let Some(name) = &name {
        root.check_name("a plugin", name);
    }
    let version = root
        .required::<String>("version")
        .and_then(|version| read_version(&root, &version));
    let summary = root.required::<String>("summary");
    let license = root.optional::<String>("license").map(At::into_inner);
    let capabilities = root
        .table("capabilities")
        .map(|table| read_verbs(&table, None))
        .unwrap_or_default();
    let optional = root
        .table("optional")
        .map(|table| read_verbs(&table, Some(&capabilities)))
        .unwrap_or_default();
    let build = root.table("build");
    let is_cargo = build.is_none();
    let build = build.and_then(|table| read_build(&table));
    root.finish();
    Some(Source {
        name: name?.into_inner(),
        version: version?,
        summary: summary?.into_inner(),
        license,
        capabilities,
        optional,
        build: (is_cargo || build.is_some()).then_some(build)?,
    })
}

fn read_build(table: &Table<'_, '_>) -> Option<Build> {
    let command = table.required::<Strings>("command");
    let component = table.required::<String>("component");
    table.finish();
    let (command, component) = (command?, component?);
    if command.get_ref().is_empty() {
        let problem = table.problem("bad-value", command.span(), "`command` names no program".to_owned());
        table.say(problem.help("write it like `[\"npm\", \"run\", \"build\"]`"));
        return None;
    }
    let path = Path::new(component.get_ref());
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        let what = format!("`{}` is not within this directory", component.get_ref());
        let problem = table.problem("bad-value", component.span(), what);
        table.say(problem.help("write where the command puts the component, like `dist/plugin.wasm`"));
        return None;
    }
    Some(Build {
        command: command.into_inner().into_iter().map(At::into_inner).collect(),
        component: component.into_inner(),
    })
}

fn read_version(root: &Table<'_, '_>, text: &At<String>) -> Option<Version> {
    match Version::parse(text.get_ref()) {
        Ok(version) => Some(version),
        Err(error) => {
            let problem = root.problem("bad-value", text.span(), format!("`{}` is no version", text.get_ref()));
            root.say(problem.label(error.to_string()).help("write it like `1.2.3`"));
            None
        }
    }
}

/// Verbs by capability; with `asked`, each must be in there too.
fn read_verbs(table: &Table<'_, '_>, asked: Option<&Verbs>) -> Verbs {
    let mut all = Verbs::new();
    for (key, value) in table.entries() {
        let word = key.get_ref().as_ref();
        let Some(capability) = Capability::ALL
            .into_iter()
            .find(|capability| capability.as_str() == word)
        else {
            let problem = table.problem(
                "unknown-capability",
                key.span(),
                format!("there is no capability `{word}`"),
            );
            table.say(problem.suggest(word, Capability::ALL.map(Capability::as_str)));
            continue;
        };
        let verbs = match Strings::read(value) {
            Ok(verbs) => verbs,
            Err(fault) => {
                table.say_fault(word, value, Strings::EXPECTED, fault);
                continue;
            }
        };
        for verb in &verbs {
            check_verb(table, capability, verb, asked);
        }
        all.insert(capability, verbs.into_iter().map(At::into_inner).collect());
    }
    all
}

fn check_verb(table: &Table<'_, '_>, capability: Capability, verb: &At<String>, asked: Option<&Verbs>) {
    let name = verb.get_ref();
    if capability.is_granted() {
        table.check_verb(capability, verb);
    }
    let is_asked = |asked: &Verbs| asked.get(&capability).is_some_and(|verbs| verbs.contains(name));
    if asked.is_some_and(|asked| !is_asked(asked)) {
        let problem = table.problem(
            "not-requested",
            verb.span(),
            format!("`{capability} {name}` is not in `[capabilities]`"),
        );
        table.say(problem.label("it can't be optional"));
    }
}
