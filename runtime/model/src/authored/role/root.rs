//! `[role.NAME.roots.NAME]`

use std::path::PathBuf;

use super::{Form, Thing, allowed, risk, text, texts};
use crate::authored::{At, Table};
use crate::grant::Capability;
use crate::role::{Resource, Root};

pub(super) fn read(table: &Table<'_, '_>, thing: &mut Thing) {
    let path = table.required::<String>("path");
    let allow = allowed(table, Capability::Files);
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

/// A file of it would be named `glob:PATH`, which an effect means as a pattern.
pub(super) fn check_name(table: &Table<'_, '_>, name: &At<String>) {
    if name.get_ref() == "glob" {
        let problem = table.problem("bad-name", name.span(), "`glob` can't be the name of a root");
        table.say(
            problem
                .label("effects begin with `glob:` where they mean a pattern")
                .help("any other name will do, such as `globs`"),
        );
    }
}
