//! `[role.NAME.exec.NAME]`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Form, Thing, command, risk, strings, text, texts, timeout};
use crate::authored::value::{StringTable, Strings};
use crate::authored::{At, Table};
use crate::grant::Capability;
use crate::pattern::anchored;
use crate::role::{Profile, Resource};

const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn read(table: &Table<'_, '_>, thing: &mut Thing) {
    thing.capability = Capability::Exec;
    let line = table.required::<Strings>("command");
    let args = strings(table, "args");
    check_patterns(table, &args);
    let env = table
        .optional::<StringTable>("env")
        .map(At::into_inner)
        .unwrap_or_default();
    let cwd = table.optional::<String>("cwd");
    thing.resource = Resource::Profile(Profile {
        command: line.as_ref().map(|line| texts(line.get_ref())).unwrap_or_default(),
        args: texts(&args),
        read_only: table.optional("read_only").is_some_and(At::into_inner),
        risk: risk(table),
        env: env
            .iter()
            .map(|(name, value)| (name.clone(), value.get_ref().clone()))
            .collect::<BTreeMap<_, _>>(),
        cwd: cwd.as_ref().map(|cwd| PathBuf::from(cwd.get_ref())),
        timeout: timeout(table, TIMEOUT),
    });
    thing.texts.extend(line.iter().flat_map(|line| command(table, line)));
    thing
        .texts
        .extend(env.into_values().map(|value| text(table, value, Form::Any)));
    thing.texts.extend(cwd.map(|cwd| text(table, cwd, Form::Path)));
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
