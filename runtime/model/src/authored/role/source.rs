//! `[role.NAME.sources.NAME]`

use std::path::PathBuf;

use super::{Form, Mention, Thing, allowed, origin, text, texts, timeout};
use crate::authored::{At, Table};
use crate::grant::Capability;
use crate::role::{Resource, Source};

/// What is asked where no source is named. Every role has it: unless it says otherwise, it is the daemon's own series.
pub(crate) const DEFAULT: &str = "default";

pub(super) fn own(role: &Table<'_, '_>) -> Thing {
    Thing {
        capability: Capability::Metrics,
        name: DEFAULT.to_owned(),
        ceiling: role.span.clone(),
        resource: Resource::Source(Source {
            url: Source::EMBEDDED.to_owned(),
            allow: vec!["query".to_owned()],
            private: false,
            ca: None,
            token: None,
            timeout: origin::TIMEOUT,
        }),
        texts: Vec::new(),
        mentions: Vec::new(),
        sound: true,
    }
}

pub(super) fn read(table: &Table<'_, '_>, thing: &mut Thing) {
    thing.capability = Capability::Metrics;
    let embedded = table.optional::<bool>("embedded").is_some_and(At::into_inner);
    let url = match embedded {
        false => table.required::<String>("url"),
        true => {
            refuse_remote(table);
            None
        }
    };
    let ca = table.optional::<String>("ca");
    thing.resource = Resource::Source(Source {
        url: match &url {
            Some(url) => url.get_ref().clone(),
            None if embedded => Source::EMBEDDED.to_owned(),
            None => String::new(),
        },
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

/// What only another server needs.
fn refuse_remote(table: &Table<'_, '_>) {
    for key in ["url", "token", "ca", "private"] {
        if let Some(place) = table.key_span(key) {
            let problem = table.problem(
                "two-sources",
                place,
                format!("`{key}` goes with another server, not with `embedded`"),
            );
            table.say(
                problem
                    .label("the daemon's own series need no way to them")
                    .help("take away one of the two"),
            );
        }
    }
    table.optional::<String>("url");
}
