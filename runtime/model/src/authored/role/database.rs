//! `[role.NAME.databases.NAME]`

use std::path::PathBuf;
use std::time::Duration;

use super::{Form, Mention, Thing, allowed, risk, text, texts, timeout};
use crate::authored::{At, Table};
use crate::grant::Capability;
use crate::role::{Database, Resource};

const TIMEOUT: Duration = Duration::from_secs(30);

pub(super) fn read(table: &Table<'_, '_>, thing: &mut Thing) {
    thing.capability = Capability::Sql;
    let url = table.required::<String>("url");
    let socket = table.optional::<String>("socket");
    let ca = table.optional::<String>("ca");
    let server_name = table.optional::<String>("server_name");
    let path = |path: &At<String>| PathBuf::from(path.get_ref());
    thing.resource = Resource::Database(Database {
        url: url.as_ref().map(|url| url.get_ref().clone()).unwrap_or_default(),
        socket: socket.as_ref().map(path),
        // Filled once all secrets are read.
        password: None,
        reader: table.optional("reader").map(At::into_inner),
        tls: table.optional("tls").is_none_or(At::into_inner),
        server_name: server_name.as_ref().map(|name| name.get_ref().clone()),
        ca: ca.as_ref().map(path),
        allow: texts(&allowed(table, Capability::Sql)),
        risk: risk(table),
        timeout: timeout(table, TIMEOUT),
    });
    let password = table.optional::<String>("password");
    thing.mentions.extend(password.map(|name| Mention {
        capability: Capability::Secrets,
        name,
    }));
    thing.texts.extend(url.map(|url| text(table, url, Form::Database)));
    thing
        .texts
        .extend(server_name.map(|name| text(table, name, Form::ServerName)));
    let paths = socket.into_iter().chain(ca);
    thing.texts.extend(paths.map(|path| text(table, path, Form::Path)));
}
