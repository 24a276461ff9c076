//! No command in the documentation goes untried without a reason.

use std::collections::BTreeSet;

use evenkeel_tests::workspace;

use crate::markdown::blocks;

/// The pages with commands: README.md, and what it leads to.
const PAGES: [&str; 10] = [
    "README.md",
    "docs/operators.md",
    "docs/schedules.md",
    "docs/plugins.md",
    "docs/watching.md",
    "docs/api.md",
    "docs/security.md",
    "runbooks/README.md",
    "plugins/README.md",
    "examples/demo/README.md",
];

/// Marks of blocks that a test runs.
const RUN: [&str; 4] = ["run", "first-runbook", "javascript", "python"];

/// The first line of each block of commands that no test runs, and why.
const NOT_RUN: [(&str, &str); 6] = [
    (
        "cargo run -p demo",
        "the demonstration tests itself: it ends with 0 only if it saw the repair",
    ),
    ("cargo test --workspace", "it is this"),
    (
        "evenkeel serve",
        "it runs until it is asked to end; tests/runs and tests/http serve dozens of homes",
    ),
    (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj \"/CN=databases\" \\",
        "it is for a database's host; the sandbox's tests of databases make such certificates and use them",
    ),
    (
        "cargo run -p demo -- board --data examples/demo/home/board",
        "it runs until it is asked to end; every test with a board starts it so",
    ),
    (
        "cargo build -p evenkeel && export PATH=\"$PWD/target/debug:$PATH\" EVENKEEL_HOME=examples/demo/home",
        "it would write into the checkout and serve on; the demonstration does it with a copy",
    ),
];

#[test]
fn every_block_of_commands_is_run_or_has_a_reason() -> anyhow::Result<()> {
    let mut unused: BTreeSet<_> = NOT_RUN.map(|(first, _)| first).into();
    for page in PAGES {
        for block in blocks(page)? {
            let shell = ["sh", "bash", "console", "shell"].contains(&block.language.as_str());
            if !shell || RUN.iter().any(|mark| block.is("sh", mark)) {
                continue;
            }
            let first = block.text.lines().next().unwrap_or_default();
            // Without what is said beside it.
            let first = first.split("  #").next().unwrap_or(first).trim_end();
            let listed = NOT_RUN.iter().any(|(listed, _)| *listed == first);
            assert!(
                listed,
                "{page}:{}: no test runs `{first}`; mark the block `run`, or list it here with a reason",
                block.line
            );
            unused.remove(first);
        }
    }
    assert!(unused.is_empty(), "listed, but on no page: {unused:?}");
    Ok(())
}

#[test]
fn every_block_has_a_language() -> anyhow::Result<()> {
    for page in PAGES {
        for block in blocks(page)? {
            let named = !block.language.is_empty();
            let is_drawing = page == "README.md";
            assert!(
                named || is_drawing,
                "{page}:{}: name the language of this block",
                block.line
            );
        }
    }
    Ok(())
}

#[test]
fn every_link_to_a_file_of_the_checkout_leads_somewhere() -> anyhow::Result<()> {
    let link = regex::Regex::new(r"\]\(([^)#:]+)(#[^)]*)?\)")?;
    let pages = PAGES.into_iter().chain(["ARCHITECTURE.md", "CHANGELOG.md"]);
    for page in pages {
        let path = workspace::root().join(page);
        let text = std::fs::read_to_string(&path)?;
        for found in link.captures_iter(&text) {
            let target = path.parent().unwrap_or(&path).join(&found[1]);
            assert!(target.exists(), "{page} links {}, which is not there", &found[1]);
        }
    }
    Ok(())
}
