//! `evenkeel.lock`, as it was written.

use semver::Version;

use super::value::Count;
use super::{At, Reader, Table};
use crate::plugin::Digest;

/// The only form of the file there is so far.
const VERSION: u32 = 1;

pub(crate) struct LockedPlugin {
    pub name: At<String>,
    pub version: Version,
    pub digest: Digest,
}

/// None: the file is no TOML, or of a form that is not known.
pub(crate) fn read(reader: &Reader<'_>) -> Option<Vec<LockedPlugin>> {
    let document = reader.document()?;
    let root = reader.root(&document);
    let version = root.required::<Count>("version")?;
    if version.get_ref().0 != VERSION {
        let problem = root.problem(
            "bad-value",
            version.span(),
            "this version does not know such a lock file",
        );
        root.say(
            problem
                .label(format!("it knows {VERSION}"))
                .help("`evenkeel lock` writes it anew"),
        );
        return None;
    }
    let plugins = root.tables("plugin").iter().filter_map(read_plugin).collect();
    root.finish();
    Some(plugins)
}

fn read_plugin(table: &Table<'_, '_>) -> Option<LockedPlugin> {
    let name = table.required::<String>("name");
    let version = table.required::<String>("version");
    let digest = table.required::<String>("sha256");
    table.finish();
    let version = version?;
    let Ok(parsed) = Version::parse(version.get_ref()) else {
        let problem = table.problem(
            "bad-value",
            version.span(),
            format!("`{}` is no version", version.get_ref()),
        );
        table.say(problem.help("`evenkeel lock` writes the file anew"));
        return None;
    };
    Some(LockedPlugin {
        name: name?,
        version: parsed,
        digest: Digest(digest?.into_inner()),
    })
}
