//! What a step says it runs: `name@requirement` or `name/kind@requirement`.

use semver::VersionReq;

use super::Kind;
use crate::name::is_name;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uses {
    pub name: String,
    /// Needed if the plugin exports several.
    pub kind: Option<Kind>,
    /// As in Cargo: `1`, `1.2`, `>=1.2, <3`, `*`.
    pub requirement: VersionReq,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsesError {
    #[error("write `name@requirement`, as in `disk-usage@1`")]
    NoRequirement,
    #[error("`{0}` is not a plugin's name")]
    Name(String),
    #[error("there is no kind `{0}`")]
    Kind(String),
    #[error("`{0}` is no version requirement: {1}")]
    Requirement(String, String),
}

impl Uses {
    pub fn parse(text: &str) -> Result<Self, UsesError> {
        let (plugin, requirement) = text.split_once('@').ok_or(UsesError::NoRequirement)?;
        let (name, kind) = match plugin.split_once('/') {
            Some((name, kind)) => (name, Some(kind)),
            None => (plugin, None),
        };
        if !is_name(name) {
            return Err(UsesError::Name(name.to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            kind: kind.map(of_kind).transpose()?,
            requirement: VersionReq::parse(requirement)
                .map_err(|error| UsesError::Requirement(requirement.to_owned(), error.to_string()))?,
        })
    }
}

fn of_kind(text: &str) -> Result<Kind, UsesError> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == text);
    kind.ok_or_else(|| UsesError::Kind(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn name_kind_and_requirement_are_told_apart() {
        let uses = Uses::parse("command/remedy@>=1.2, <3").unwrap();
        assert_eq!((uses.name.as_str(), uses.kind), ("command", Some(Kind::Remedy)));
        assert!(uses.requirement.matches(&"2.9.0".parse().unwrap()));
    }

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(Uses::parse("disk-usage"), Err(UsesError::NoRequirement));
        assert_eq!(Uses::parse("Disk@1"), Err(UsesError::Name("Disk".into())));
        assert_eq!(Uses::parse("disk/chekc@1"), Err(UsesError::Kind("chekc".into())));
        assert!(matches!(Uses::parse("disk@one"), Err(UsesError::Requirement(..))));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z/@0-9.^>=<, *ä]{0,30}") {
            let _ = Uses::parse(&text);
        }
    }
}
