//! Names that say nothing are where everything ends up.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use evenkeel_tests::workspace;

const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "core", "helper", "helpers", "misc", "shared"];

#[test]
fn no_room_has_a_name_that_says_nothing() -> io::Result<()> {
    let mut found = Vec::new();
    for part in [
        "runtime",
        "plugin-sdk",
        "plugins",
        "tests",
        "examples",
        "benches",
        "fuzz",
    ] {
        walk(&workspace::root().join(part), &mut found)?;
    }
    assert!(found.is_empty(), "rename these: {found:#?}");
    Ok(())
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let is_source = path.is_dir() || path.extension().is_some_and(|end| end == "rs");
        if is_source && stem.is_some_and(|stem| EMPTY_NAMES.contains(&stem)) {
            found.push(path.clone());
        }
        // Builds of an author's own may lie about.
        if path.is_dir() && stem != Some("target") {
            walk(&path, found)?;
        }
    }
    Ok(())
}
