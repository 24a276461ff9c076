use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;

/// Longer patterns are refused, so that matching stays cheap whatever a runbook says.
const LONGEST: usize = 1024;

/// A pattern over paths: `?` is one character and `*` any number of them within a name, `**` crosses directories, `**/`
/// stands for any number of directories and for none, everything else is literal. Effects with `glob:` read the same way.
///
/// `*.lock` names files in the directory itself, `**/*.lock` those at any depth, `keep/**` all below `keep`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Whether the whole path is covered.
    pub fn matches(&self, path: &str) -> bool {
        matches(&self.0, path)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Glob {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        crate::ensure!(!text.is_empty(), invalid, "glob", "an empty pattern matches nothing");
        crate::ensure!(
            text.len() <= LONGEST,
            invalid,
            "glob",
            "a pattern has at most {LONGEST} bytes"
        );
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Glob {
    fn schema_name() -> Cow<'static, str> {
        "Glob".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST,
            "description": "A pattern over paths: `*` and `?` stay within a name, `**` crosses directories.",
        })
    }
}

/// A part of a pattern.
#[derive(Clone, Copy)]
enum Part {
    Literal(char),
    One,
    Within,
    Across,
    /// `**/`: whole directories, or none.
    Directories,
}

impl Part {
    fn may_be_nothing(self) -> bool {
        matches!(self, Self::Within | Self::Across | Self::Directories)
    }
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let (part, bytes) = match first {
            '*' if rest.starts_with("**/") => (Part::Directories, 3),
            '*' if rest.starts_with("**") => (Part::Across, 2),
            '*' => (Part::Within, 1),
            '?' => (Part::One, 1),
            other => (Part::Literal(other), other.len_utf8()),
        };
        parts.push(part);
        rest = &rest[bytes..];
    }
    parts
}

/// Goes through the path once and carries along how many parts may be matched by then, so the time is pattern times path
/// and never more.
fn matches(pattern: &str, path: &str) -> bool {
    let parts = parts(pattern);
    let mut matched = vec![false; parts.len() + 1];
    reach(&parts, &mut matched, 0);
    for c in path.chars() {
        let mut next = vec![false; parts.len() + 1];
        for (at, part) in parts.iter().enumerate().filter(|(at, _)| matched[*at]) {
            match part {
                Part::Literal(literal) if *literal == c => reach(&parts, &mut next, at + 1),
                Part::One if c != '/' => reach(&parts, &mut next, at + 1),
                Part::Within if c != '/' => reach(&parts, &mut next, at),
                Part::Across => reach(&parts, &mut next, at),
                Part::Directories if c == '/' => reach(&parts, &mut next, at),
                // In the middle of a name, it can't end.
                Part::Directories => next[at] = true,
                Part::Literal(_) | Part::One | Part::Within => {}
            }
        }
        matched = next;
    }
    matched[parts.len()]
}

/// So many parts are matched, and those behind them that may be nothing.
fn reach(parts: &[Part], matched: &mut [bool], count: usize) {
    let skipped = parts[count..].iter().take_while(|part| part.may_be_nothing()).count();
    matched[count..=count + skipped].fill(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_within_a_directory_and_double_stars_cross() {
        for (pattern, path, expected) in [
            ("*.lock", "a.lock", true),
            ("*.lock", "x/a.lock", false),
            ("**/*.lock", "a.lock", true),
            ("**/*.lock", "x/y/a.lock", true),
            ("**/*.lock", "xa.lock/b", false),
            ("keep/**", "keep/a/b", true),
            ("keep/**", "keeper/a", false),
            ("cache:**", "cache:a/b", true),
            ("a**z", "a/b/z", true),
            ("x/**/y/**/z", "x/y/a/b/z", true),
            ("x/**/y/**/z", "x/ay/z", false),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**/z", "a/bz", false),
            ("?b", "ab", true),
            ("?b", "b", false),
            ("a*b*c", "a--b-bc", true),
            ("a*b*c", "a--b-b", false),
            ("é?", "éü", true),
            ("**", "anything/at/all", true),
            ("[x]", "[x]", true),
            ("[x]", "x", false),
        ] {
            assert_eq!(Glob(pattern.into()).matches(path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_length() {
        let pattern: Glob = "*a".repeat(500).parse().expect("it fits");
        assert!(!pattern.matches(&format!("{}b", "a".repeat(4_000))));
    }

    #[test]
    fn empty_and_endless_patterns_are_refused() {
        assert!("".parse::<Glob>().is_err());
        assert!("x".repeat(LONGEST + 1).parse::<Glob>().is_err());
    }
}
