//! What an approved action may change: the only effects that `apply` and `rollback` can have.

use std::collections::HashMap;
use std::fmt;

use evenkeel_model::action::{Effect, hex};
use sha2::{Digest as _, Sha256};

mod glob;

/// One thing that a call is about to change.
#[derive(Clone, Debug)]
pub struct Use<'c> {
    pub capability: &'static str,
    pub operation: &'static str,
    pub subject: String,
    /// What the call carries: stdin, a file's content, a body.
    pub content: &'c [u8],
}

/// The declared effects, each with what is left of it.
#[derive(Debug, Default)]
pub struct Allowance {
    effects: Vec<Effect>,
    left: Vec<u32>,
    /// Effects whose subject is meant as it is written.
    literal: HashMap<(String, String, String), Vec<usize>>,
    /// Effects whose subject is a pattern.
    patterns: Vec<usize>,
}

/// Why a use is not covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No effect names it.
    Undeclared(String),
    /// One names it, with other content.
    Content(String),
    /// One names it, but not so many times.
    Spent(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undeclared(call) => write!(f, "{call} is not"),
            Self::Content(call) => write!(f, "{call} with this content is not"),
            Self::Spent(call) => write!(f, "{call} once more is not"),
        }
    }
}

impl Allowance {
    pub fn new(effects: &[Effect]) -> Self {
        let mut allowance = Self {
            left: effects.iter().map(|effect| effect.at_most).collect(),
            effects: effects.to_vec(),
            ..Self::default()
        };
        for (at, effect) in effects.iter().enumerate() {
            if effect.subject.starts_with(glob::PREFIX) {
                allowance.patterns.push(at);
            } else {
                let key = (
                    effect.capability.clone(),
                    effect.operation.clone(),
                    effect.subject.clone(),
                );
                allowance.literal.entry(key).or_default().push(at);
            }
        }
        allowance
    }

    /// Takes all of it, or nothing if one use is not covered. Literal effects are taken first.
    pub fn take(&mut self, uses: &[Use<'_>]) -> Result<(), Refused> {
        let mut taken = Vec::with_capacity(uses.len());
        for wanted in uses {
            match self.find(wanted) {
                Ok(at) => {
                    self.left[at] -= 1;
                    taken.push(at);
                }
                Err(refused) => {
                    taken.iter().for_each(|at| self.left[*at] += 1);
                    return Err(refused);
                }
            }
        }
        Ok(())
    }

    fn find(&self, wanted: &Use<'_>) -> Result<usize, Refused> {
        let call = || format!("`{}.{}` of `{}`", wanted.capability, wanted.operation, wanted.subject);
        let named = self.named(wanted);
        if named.is_empty() {
            return Err(Refused::Undeclared(call()));
        }
        let mut content = None;
        let fitting = |at: &usize| match &self.effects[*at].content {
            None => true,
            Some(wished) => {
                let has = content.get_or_insert_with(|| hex(&Sha256::digest(wanted.content)));
                wished.eq_ignore_ascii_case(has)
            }
        };
        let fitting: Vec<usize> = named.into_iter().filter(fitting).collect();
        if fitting.is_empty() {
            return Err(Refused::Content(call()));
        }
        fitting
            .into_iter()
            .find(|at| self.left[*at] > 0)
            .ok_or_else(|| Refused::Spent(call()))
    }

    fn named(&self, wanted: &Use<'_>) -> Vec<usize> {
        let key = (
            wanted.capability.to_owned(),
            wanted.operation.to_owned(),
            wanted.subject.clone(),
        );
        let literal = self.literal.get(&key).into_iter().flatten().copied();
        let patterns = self.patterns.iter().copied().filter(|at| {
            let effect = &self.effects[*at];
            effect.capability == wanted.capability
                && effect.operation == wanted.operation
                && glob::matches(&effect.subject, &wanted.subject)
        });
        literal.chain(patterns).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn effect(subject: &str, content: Option<&[u8]>, at_most: u32) -> Effect {
        Effect {
            capability: "files".into(),
            operation: "remove".into(),
            subject: subject.into(),
            content: content.map(|content| hex(&Sha256::digest(content))),
            at_most,
        }
    }

    fn remove<'c>(subject: &str, content: &'c [u8]) -> Use<'c> {
        Use {
            capability: "files",
            operation: "remove",
            subject: subject.into(),
            content,
        }
    }

    #[test]
    fn only_what_is_declared_and_only_so_often() {
        let mut allowance = Allowance::new(&[effect("cache:a", None, 2)]);
        assert_eq!(allowance.take(&[remove("cache:a", b"")]), Ok(()));
        assert_eq!(
            allowance.take(&[remove("cache:b", b"")]),
            Err(Refused::Undeclared("`files.remove` of `cache:b`".into()))
        );
        assert_eq!(allowance.take(&[remove("cache:a", b"")]), Ok(()));
        let refused = allowance.take(&[remove("cache:a", b"")]).unwrap_err();
        assert_eq!(refused.to_string(), "`files.remove` of `cache:a` once more is not");
    }

    #[test]
    fn another_capability_or_operation_is_another_effect() {
        let mut allowance = Allowance::new(&[effect("cache:a", None, 9)]);
        assert!(
            allowance
                .take(&[Use {
                    operation: "write",
                    ..remove("cache:a", b"")
                }])
                .is_err()
        );
        assert!(
            allowance
                .take(&[Use {
                    capability: "exec",
                    ..remove("cache:a", b"")
                }])
                .is_err()
        );
    }

    #[test]
    fn one_uncovered_path_takes_nothing() {
        let mut allowance = Allowance::new(&[effect("cache:a", None, 1)]);
        assert!(
            allowance
                .take(&[remove("cache:a", b""), remove("cache:b", b"")])
                .is_err()
        );
        assert_eq!(allowance.take(&[remove("cache:a", b"")]), Ok(()));
    }

    #[test]
    fn content_is_what_was_approved() {
        let mut allowance = Allowance::new(&[effect("cache:a", Some(b"new"), 5), effect("cache:b", Some(b""), 5)]);
        assert_eq!(allowance.take(&[remove("cache:a", b"new")]), Ok(()));
        let refused = allowance.take(&[remove("cache:a", b"evil")]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`files.remove` of `cache:a` with this content is not"
        );
        assert!(
            allowance.take(&[remove("cache:b", b"something")]).is_err(),
            "nothing was approved"
        );
    }

    #[test]
    fn a_literal_stays_literal() {
        let mut allowance = Allowance::new(&[effect("cache:**", None, 5)]);
        assert!(allowance.take(&[remove("cache:a", b"")]).is_err());
        assert_eq!(
            allowance.take(&[remove("cache:**", b"")]),
            Ok(()),
            "a file may have that name"
        );
    }

    #[test]
    fn a_pattern_covers_what_it_matches_and_literals_go_first() {
        let mut allowance = Allowance::new(&[effect("glob:cache:*.tmp", None, 1), effect("cache:a.tmp", None, 1)]);
        assert_eq!(
            allowance.take(&[remove("cache:a.tmp", b""), remove("cache:b.tmp", b"")]),
            Ok(())
        );
        assert!(allowance.take(&[remove("cache:c.tmp", b"")]).is_err());
        assert!(allowance.take(&[remove("cache:sub/a.tmp", b"")]).is_err());
    }

    proptest! {
        /// However calls are grouped, never more than declared succeeds.
        #[test]
        fn nothing_outside_of_the_declared_ever_succeeds(
            declared in proptest::collection::btree_map("[abc]", 0u32..3, 0..4),
            calls in proptest::collection::vec(proptest::collection::vec("[abcd]", 1..4), 0..12),
        ) {
            let effects: Vec<Effect> = declared.iter().map(|(name, most)| effect(name, None, *most)).collect();
            let mut allowance = Allowance::new(&effects);
            let mut made: HashMap<String, u32> = HashMap::new();
            for paths in calls {
                let uses: Vec<Use<'_>> = paths.iter().map(|path| remove(path, b"")).collect();
                if allowance.take(&uses).is_ok() {
                    for path in paths {
                        *made.entry(path).or_default() += 1;
                    }
                }
            }
            for (name, times) in made {
                prop_assert!(times <= declared.get(&name).copied().unwrap_or(0), "{name} was made {times} times");
            }
        }
    }
}
