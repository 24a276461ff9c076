//! `[role.NAME.secrets.NAME]`

use std::path::PathBuf;
use std::time::Duration;

use super::{Form, Mention, Thing, allowed, command, strings, text, texts, timeout};
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
