//! `[role.NAME.origins.NAME]`

use std::path::PathBuf;
use std::time::Duration;

use super::{Form, Thing, allowed, risk, strings, text, texts, timeout};
use crate::authored::{At, Table};
use crate::grant::{Capability, is_method};
use crate::role::{Origin, Resource};

pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn read(table: &Table<'_, '_>, thing: &mut Thing) {
    thing.capability = Capability::Http;
    let url = table.required::<String>("url");
    let allow = allowed(table, Capability::Http);
    let read_only = strings(table, "read_only");
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
        timeout: timeout(table, TIMEOUT),
    });
    thing.texts.extend(url.map(|url| text(table, url, Form::Origin)));
    thing.texts.extend(ca.map(|ca| text(table, ca, Form::Path)));
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
