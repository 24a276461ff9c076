//! `[role.NAME.sources.NAME]`

use std::path::PathBuf;

use super::{Form, Mention, Thing, allowed, origin, text, texts, timeout};
use crate::authored::{At, Table};
use crate::grant::Capability;
use crate::role::{Resource, Source};

pub(super) fn read(table: &Table<'_, '_>, thing: &mut Thing) {
    thing.capability = Capability::Metrics;
    let url = table.required::<String>("url");
    let ca = table.optional::<String>("ca");
    thing.resource = Resource::Source(Source {
        url: url.as_ref().map(|url| url.get_ref().clone()).unwrap_or_default(),
        allow: texts(&allowed(table, Capability::Metrics)),
        private: table.optional("private").is_some_and(At::into_inner),
        ca: ca.as_ref().map(|ca| PathBuf::from(ca.get_ref())),
        // Filled once all secrets are read.
        token: None,
        timeout: timeout(table, origin::TIMEOUT),
    });
    let token = table.optional::<String>("token");
    thing.mentions.extend(token.map(|name| Mention {
        capability: Capability::Secrets,
        name,
    }));
    thing.texts.extend(url.map(|url| text(table, url, Form::Origin)));
    thing.texts.extend(ca.map(|ca| text(table, ca, Form::Path)));
}
