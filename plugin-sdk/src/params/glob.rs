use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;

/// Longer patterns are refused, so that matching stays cheap whatever a runbook says.
const LONGEST: usize = 1024;

/// A pattern over paths: `*` and `?` stay within a name, `**` between slashes stands for any number of directories,
/// everything else is literal.
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

/// Goes through the path once and carries along how many segments of the pattern may be matched by then, so the time is
/// pattern times path and never more.
fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let mut matched = vec![false; pattern.len() + 1];
    matched[0] = true;
    skip_directories(&pattern, &mut matched);
    for name in path.split('/') {
        let mut next = vec![false; pattern.len() + 1];
        for (at, segment) in pattern.iter().enumerate().filter(|(at, _)| matched[*at]) {
            if *segment == "**" {
                next[at] = true;
            } else {
                next[at + 1] |= name_matches(segment, name);
            }
        }
        skip_directories(&pattern, &mut next);
        matched = next;
    }
    matched[pattern.len()]
}

/// `**` may stand for no directory at all.
fn skip_directories(pattern: &[&str], matched: &mut [bool]) {
    for (at, segment) in pattern.iter().enumerate() {
        if matched[at] && *segment == "**" {
            matched[at + 1] = true;
        }
    }
}

/// The classic two-pointer match: on a mismatch the last `*` takes one character more.
fn name_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
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
