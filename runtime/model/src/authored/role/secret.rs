//! `[role.NAME.secrets.NAME]`

use std::path::PathBuf;
use std::time::Duration;

use super::{Form, Mention, Role, Thing, allowed, command, strings, text, texts, timeout};
use crate::authored::value::Strings;
use crate::authored::{At, Table};
use crate::grant::Capability;
use crate::role::{Resource, Secret, SecretFrom};

/// For a command that tells the value.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn read(table: &Table<'_, '_>, thing: &mut Thing) {
    thing.capability = Capability::Secrets;
    let origins = strings(table, "origins");
    let exec = strings(table, "exec");
    thing.resource = Resource::Secret(Secret {
        from: read_from(table, thing),
        allow: texts(&allowed(table, Capability::Secrets)),
        origins: texts(&origins),
        exec: texts(&exec),
        hmac: table.optional("hmac").is_some_and(At::into_inner),
    });
    let mention = |capability| move |name| Mention { capability, name };
    thing
        .mentions
        .extend(origins.into_iter().map(mention(Capability::Http)));
    thing.mentions.extend(exec.into_iter().map(mention(Capability::Exec)));
}

/// One of three keys.
fn read_from(table: &Table<'_, '_>, thing: &mut Thing) -> SecretFrom {
    let file = table.optional::<String>("file");
    let env = table.optional::<String>("env");
    let line = table.optional::<Strings>("command");
    let timeout = timeout(table, TIMEOUT);
    let given = usize::from(file.is_some()) + usize::from(env.is_some()) + usize::from(line.is_some());
    if given != 1 {
        let given = if given == 0 {
            "none".to_owned()
        } else {
            given.to_string()
        };
        let message = format!("{given} of `file`, `env` and `command` are given");
        let problem = table.problem("bad-value", table.span.clone(), message);
        table.say(problem.help("a secret comes from one of them"));
    }
    if let Some(file) = file {
        let path = PathBuf::from(file.get_ref());
        thing.texts.push(text(table, file, Form::Path));
        return SecretFrom::File(path);
    }
    if let Some(line) = line {
        thing.texts.extend(command(table, &line));
        let line = texts(line.get_ref());
        return SecretFrom::Command { line, timeout };
    }
    SecretFrom::Env(env.map(At::into_inner).unwrap_or_default())
}

/// A secret that nothing can do anything with is harmless, and hardly what was meant.
pub(super) fn check_use(table: &Table<'_, '_>, role: &Role) {
    let mut names = mentioned(role);
    if names.any(|name| role.thing(Capability::Secrets, name).is_none()) {
        // Said already, and perhaps a misspelled one of these.
        return;
    }
    for thing in role.of(Capability::Secrets).filter(|thing| thing.sound) {
        let Resource::Secret(secret) = &thing.resource else {
            continue;
        };
        let may = |verb: &str| secret.allow.iter().any(|allowed| allowed == verb);
        let has_place = secret.hmac || !secret.origins.is_empty() || !secret.exec.is_empty();
        if may("reveal") || (may("use") && has_place) || mentioned(role).any(|name| name == thing.name) {
            continue;
        }
        let message = format!("secret `{}` can be used nowhere", thing.name);
        let problem = table
            .problem("unusable-secret", thing.ceiling.clone(), message)
            .warning();
        table.say(if may("use") {
            problem.label("it may be used, and has no place to go to").help(
                "name it a place: `origins`, `exec`, `hmac = true`, a database's `password` or a source's `token`",
            )
        } else {
            problem
                .label("no plugin may do anything with it")
                .help("allow `use`, or make it a database's `password` or a source's `token`")
        });
    }
}

/// The passwords and tokens that the host itself presents.
fn mentioned(role: &Role) -> impl Iterator<Item = &str> {
    let mentions = role.things.iter().flat_map(|thing| &thing.mentions);
    mentions
        .filter(|mention| mention.capability == Capability::Secrets)
        .map(|mention| mention.name.get_ref().as_str())
}
