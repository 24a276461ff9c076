//! What others' crates may be in the tree: the part of deny.toml that needs no database, so that
//! it is checked wherever the tests run.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, ensure};
use evenkeel_tests::workspace;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// Those that may use it all the same.
    #[serde(default)]
    wrappers: Vec<String>,
}

#[test]
fn every_licence_is_one_that_deny_toml_allows() -> anyhow::Result<()> {
    let allowed = deny()?.licenses.allow;
    let wrong: Vec<_> = built_packages()?
        .iter()
        .map(|package| (text(&package["name"]), text(&package["license"])))
        .filter(|(_, license)| !satisfied(license, &allowed))
        .map(|(name, license)| format!("{name}: `{license}`"))
        .collect();
    assert!(wrong.is_empty(), "licences that are not allowed: {wrong:#?}");
    Ok(())
}

#[test]
fn what_deny_toml_bans_is_not_there() -> anyhow::Result<()> {
    let packages = built_packages()?;
    let users_of = |banned: &str| -> Vec<String> {
        packages
            .iter()
            .filter(|package| list(&package["dependencies"]).iter().any(|d| d["name"] == banned))
            .map(|package| text(&package["name"]).to_owned())
            .collect()
    };
    for ban in deny()?.bans.deny {
        let is_there = packages.iter().any(|package| package["name"] == *ban.name);
        let wrong: Vec<_> = users_of(&ban.name)
            .into_iter()
            .filter(|user| !ban.wrappers.contains(user))
            .collect();
        assert!(
            !is_there || wrong.is_empty(),
            "`{}` is banned and used by {wrong:?}",
            ban.name
        );
    }
    Ok(())
}

#[test]
fn crates_come_from_the_registry_alone() -> anyhow::Result<()> {
    let elsewhere: Vec<_> = built_packages()?
        .into_iter()
        .filter(|package| !package["source"].is_null())
        .filter(|package| !text(&package["source"]).starts_with("registry+"))
        .map(|package| package["id"].clone())
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    Ok(())
}

#[test]
fn a_licence_is_read_as_spdx_says() {
    let allowed = ["MIT", "Unicode-3.0"].map(str::to_owned).into();
    for fine in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/Apache-2.0",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "MIT AND (GPL-3.0 OR Unicode-3.0)",
    ] {
        assert!(satisfied(fine, &allowed), "{fine}");
    }
    for wrong in [
        "",
        "LGPL-3.0",
        "MIT AND GPL-3.0",
        "MIT WITH Some-exception",
        // AND binds closer than OR.
        "GPL-3.0 OR MIT AND GPL-2.0",
    ] {
        assert!(!satisfied(wrong, &allowed), "{wrong}");
    }
}

fn deny() -> anyhow::Result<Deny> {
    Ok(toml::from_str(&fs::read_to_string(
        workspace::root().join("deny.toml"),
    )?)?)
}

/// The packages that are built on this machine, ours among them.
fn built_packages() -> anyhow::Result<Vec<Value>> {
    let host = host()?;
    let metadata = workspace::metadata(&["--locked", "--filter-platform", &host])?;
    let built: BTreeSet<_> = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| text(&node["id"]))
        .collect();
    let packages: Vec<_> = list(&metadata["packages"])
        .iter()
        .filter(|package| built.contains(text(&package["id"])))
        .cloned()
        .collect();
    ensure!(!packages.is_empty(), "cargo metadata names no package");
    Ok(packages)
}

fn host() -> anyhow::Result<String> {
    let output = workspace::cargo().arg("-vV").output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("cargo -vV names no host")
}

/// Whether the allowed licences are enough for an SPDX expression, old slashes included.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let satisfied = any(&mut rest, allowed);
    satisfied && rest.is_empty()
}

fn any(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut satisfied = all(words, allowed);
    while take(words, "OR") {
        // Not `||`: the words have to be read in any case.
        satisfied |= all(words, allowed);
    }
    satisfied
}

fn all(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut satisfied = one(words, allowed);
    while take(words, "AND") {
        satisfied &= one(words, allowed);
    }
    satisfied
}

fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    if take(words, "(") {
        let satisfied = any(words, allowed);
        return take(words, ")") && satisfied;
    }
    let Some((licence, rest)) = words.split_first() else {
        return false;
    };
    *words = rest;
    if take(words, "WITH")
        && let Some((exception, rest)) = words.split_first()
    {
        *words = rest;
        return allowed.contains(&format!("{licence} WITH {exception}"));
    }
    allowed.contains(*licence)
}

fn take(words: &mut &[&str], expected: &str) -> bool {
    match words.split_first() {
        Some((word, rest)) if *word == expected => {
            *words = rest;
            true
        }
        _ => false,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
