//! What an approved action may change: the only effects that `apply` and `rollback` can have.

use std::collections::HashMap;
use std::fmt;

use evenkeel_model::action::{Effect, hex};
use evenkeel_model::call::Call;
use evenkeel_model::grant::Capability;
use sha2::{Digest as _, Sha256};

// By its path, so that `fuzz` can include this file as it is.
#[path = "allowance/glob.rs"]
mod glob;

pub use glob::LONGEST_PATTERN;
use glob::{Exhausted, Pattern, Steps};

/// Patterns that one list of effects may hold.
pub const PATTERNS: usize = 64;
/// Steps of matching patterns that one call may take: about a tenth of a second, and enough for
/// 10,000 paths and a few patterns.
const STEPS_OF_A_CALL: u64 = 1 << 23;
/// The same of all calls of an invocation.
const STEPS: u64 = 1 << 28;

/// One thing that a call is about to change.
#[derive(Clone, Debug)]
pub struct Use<'c> {
    pub capability: &'c str,
    pub operation: &'c str,
    pub subject: String,
    /// What the call carries: stdin, a file's content, a body.
    pub content: &'c [u8],
}

/// The declared effects, with what is left of each.
#[derive(Clone, Debug)]
pub struct Allowance {
    left: Vec<u32>,
    /// Effects whose subject is meant as it is written.
    literal: HashMap<Named, Contents>,
    /// Effects whose subject is a pattern.
    patterns: Vec<Patterned>,
    steps: Steps,
}

/// Capability, operation and subject.
type Named = (String, String, String);

/// Where in `left` effects of one name are. Those of the same content are one.
#[derive(Clone, Debug, Default)]
struct Contents {
    any: Option<usize>,
    pinned: HashMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Patterned {
    capability: String,
    operation: String,
    pattern: Pattern,
    content: Option<String>,
    at: usize,
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
    /// Whether one does would take too long to find out.
    Costly(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undeclared(call) => write!(f, "{call} is not"),
            Self::Content(call) => write!(f, "{call} with this content is not"),
            Self::Spent(call) => write!(f, "{call} once more is not"),
            Self::Costly(call) => write!(f, "{call} takes too many comparisons with patterns to be found"),
        }
    }
}

impl Allowance {
    /// What `effects` say, less what earlier attempts of the same action began of it.
    pub fn new(effects: &[Effect], spent: &[Call]) -> Self {
        let mut allowance = Self {
            left: Vec::new(),
            literal: HashMap::new(),
            patterns: Vec::new(),
            steps: Steps(STEPS),
        };
        for effect in effects {
            let content = effect.content.as_ref().map(|content| content.to_ascii_lowercase());
            if is_pattern(effect) {
                allowance.declare_pattern(effect, content);
            } else {
                allowance.declare_literal(effect, content);
            }
        }
        spent.iter().for_each(|call| allowance.spend(call));
        allowance
    }

    /// What it can't be taken from is declared no more, and so can't be done either.
    fn spend(&mut self, call: &Call) {
        let content = call.content.clone().unwrap_or_else(|| hex(&Sha256::digest(b"")));
        let mut steps = Steps(STEPS_OF_A_CALL);
        for subject in subjects(call) {
            let wanted = Use {
                capability: call.capability.as_str(),
                operation: &call.operation,
                subject,
                content: b"",
            };
            if let Ok(at) = self.find(&wanted, Some(content.clone()), &mut steps) {
                self.left[at] -= 1;
            }
        }
    }

    fn declare_pattern(&mut self, effect: &Effect, content: Option<String>) {
        // One that is too long covers nothing.
        self.patterns
            .extend(Pattern::of(&effect.subject).map(|pattern| Patterned {
                capability: effect.capability.clone(),
                operation: effect.operation.clone(),
                pattern,
                content,
                at: self.left.len(),
            }));
        self.left.push(effect.at_most);
    }

    fn declare_literal(&mut self, effect: &Effect, content: Option<String>) {
        let name = (
            effect.capability.clone(),
            effect.operation.clone(),
            effect.subject.clone(),
        );
        let contents = self.literal.entry(name).or_default();
        let next = self.left.len();
        let at = match content {
            Some(content) => *contents.pinned.entry(content).or_insert(next),
            None => *contents.any.get_or_insert(next),
        };
        if at == next {
            self.left.push(0);
        }
        self.left[at] = self.left[at].saturating_add(effect.at_most);
    }

    /// Takes all of it, or nothing if one use is not covered. Literal effects are taken first,
    /// and of those the ones that pin the content.
    pub fn take(&mut self, uses: &[Use<'_>]) -> Result<(), Refused> {
        let given = self.steps.0.min(STEPS_OF_A_CALL);
        let mut steps = Steps(given);
        let mut taken = Vec::with_capacity(uses.len());
        let refused = uses
            .iter()
            .find_map(|wanted| match self.find(wanted, None, &mut steps) {
                Ok(at) => {
                    self.left[at] -= 1;
                    taken.push(at);
                    None
                }
                Err(refused) => Some(refused),
            });
        self.steps.0 -= given - steps.0;
        let Some(refused) = refused else { return Ok(()) };
        taken.iter().for_each(|at| self.left[*at] += 1);
        Err(refused)
    }

    /// `content` is the hash of what the use carries, if it is known.
    fn find(&self, wanted: &Use<'_>, content: Option<String>, steps: &mut Steps) -> Result<usize, Refused> {
        let mut search = Search {
            wanted,
            left: &self.left,
            content,
            closest: Closest::Nothing,
        };
        let found = match search.literal(&self.literal) {
            Some(at) => Ok(Some(at)),
            None => search.pattern(&self.patterns, steps),
        };
        let call = || format!("`{}.{}` of `{}`", wanted.capability, wanted.operation, wanted.subject);
        match found {
            Ok(Some(at)) => Ok(at),
            Ok(None) => Err(match search.closest {
                Closest::Nothing => Refused::Undeclared(call()),
                Closest::Name => Refused::Content(call()),
                Closest::Content => Refused::Spent(call()),
            }),
            Err(Exhausted) => Err(Refused::Costly(call())),
        }
    }
}

/// Whether the subject is a pattern, rather than meant as it is written.
pub fn is_pattern(effect: &Effect) -> bool {
    effect.subject.starts_with(glob::PREFIX)
}

/// What a recorded call changed: one thing, or each of the paths that were removed.
fn subjects(call: &Call) -> Vec<String> {
    let (root, paths) = (call.request["root"].as_str(), call.request["paths"].as_array());
    match (call.capability, root, paths) {
        (Capability::Files, Some(root), Some(paths)) => {
            let paths = paths.iter().filter_map(|path| path.as_str());
            paths.map(|path| format!("{root}:{path}")).collect()
        }
        _ => vec![call.subject.clone()],
    }
}

/// For the first effect that covers a use.
struct Search<'a, 'c> {
    wanted: &'a Use<'c>,
    left: &'a [u32],
    /// The hash of what the call carries, once it was asked for.
    content: Option<String>,
    closest: Closest,
}

/// What the effects have in common with a use that they don't cover.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closest {
    Nothing,
    Name,
    /// And the name; but there is none left.
    Content,
}

impl Search<'_, '_> {
    fn literal(&mut self, effects: &HashMap<Named, Contents>) -> Option<usize> {
        let name = (
            self.wanted.capability.to_owned(),
            self.wanted.operation.to_owned(),
            self.wanted.subject.clone(),
        );
        let contents = effects.get(&name)?;
        self.closest = Closest::Name;
        let pinned = if contents.pinned.is_empty() {
            None
        } else {
            contents.pinned.get(self.content()).copied()
        };
        pinned.into_iter().chain(contents.any).find(|at| self.has_left(*at))
    }

    fn pattern(&mut self, effects: &[Patterned], steps: &mut Steps) -> Result<Option<usize>, Exhausted> {
        for effect in effects {
            let is_named = effect.capability == self.wanted.capability
                && effect.operation == self.wanted.operation
                && effect.pattern.matches(&self.wanted.subject, steps)?;
            if !is_named {
                continue;
            }
            self.closest = self.closest.max(Closest::Name);
            let fits = effect.content.as_ref().is_none_or(|content| content == self.content());
            if fits && self.has_left(effect.at) {
                return Ok(Some(effect.at));
            }
        }
        Ok(None)
    }

    fn has_left(&mut self, at: usize) -> bool {
        if self.left[at] == 0 {
            self.closest = Closest::Content;
        }
        self.left[at] > 0
    }

    fn content(&mut self) -> &str {
        self.content
            .get_or_insert_with(|| hex(&Sha256::digest(self.wanted.content)))
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
        let mut allowance = Allowance::new(&[effect("cache:a", None, 2)], &[]);
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
        let mut allowance = Allowance::new(&[effect("cache:a", None, 9)], &[]);
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
        let mut allowance = Allowance::new(&[effect("cache:a", None, 1)], &[]);
        assert!(
            allowance
                .take(&[remove("cache:a", b""), remove("cache:b", b"")])
                .is_err()
        );
        assert_eq!(allowance.take(&[remove("cache:a", b"")]), Ok(()));
    }

    #[test]
    fn content_is_what_was_approved() {
        let mut allowance = Allowance::new(
            &[effect("cache:a", Some(b"new"), 5), effect("cache:b", Some(b""), 5)],
            &[],
        );
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
        let mut allowance = Allowance::new(&[effect("cache:**", None, 5)], &[]);
        assert!(allowance.take(&[remove("cache:a", b"")]).is_err());
        assert_eq!(
            allowance.take(&[remove("cache:**", b"")]),
            Ok(()),
            "a file may have that name"
        );
    }

    #[test]
    fn a_pattern_covers_what_it_matches_and_literals_go_first() {
        let mut allowance = Allowance::new(
            &[effect("glob:cache:*.tmp", None, 1), effect("cache:a.tmp", None, 1)],
            &[],
        );
        assert_eq!(
            allowance.take(&[remove("cache:a.tmp", b""), remove("cache:b.tmp", b"")]),
            Ok(())
        );
        assert!(allowance.take(&[remove("cache:c.tmp", b"")]).is_err());
        assert!(allowance.take(&[remove("cache:sub/a.tmp", b"")]).is_err());
    }

    #[test]
    fn open_content_is_left_for_what_nothing_pins() {
        let mut allowance = Allowance::new(
            &[
                effect("cache:a", None, 1),
                effect("cache:a", Some(b"new"), 1),
                effect("cache:a", Some(b"new"), 1),
            ],
            &[],
        );
        let pinned = [remove("cache:a", b"new"), remove("cache:a", b"new")];
        assert_eq!(allowance.take(&pinned), Ok(()), "the same twice is one with both");
        assert_eq!(allowance.take(&[remove("cache:a", b"other")]), Ok(()));
        let refused = allowance.take(&[remove("cache:a", b"new")]);
        assert!(matches!(refused, Err(Refused::Spent(_))), "{refused:?}");
    }

    #[test]
    fn a_call_that_is_too_costly_to_compare_is_refused_and_takes_nothing() {
        let nasty = format!("glob:cache:{}a", "*?".repeat(500));
        let mut allowance = Allowance::new(&[effect("cache:a", None, 1), effect(&nasty, None, 10_000)], &[]);
        let long = format!("cache:{}", "a".repeat(4_000));
        let mut uses = vec![remove("cache:a", b"")];
        uses.resize(10_000, remove(&long, b""));
        let refused = allowance.take(&uses).unwrap_err();
        assert!(matches!(refused, Refused::Costly(_)), "another reason");
        assert!(
            refused
                .to_string()
                .ends_with("takes too many comparisons with patterns to be found")
        );
        assert_eq!(allowance.steps.0, STEPS - STEPS_OF_A_CALL);
        assert_eq!(allowance.left, [1, 10_000]);

        allowance.steps = Steps(STEPS_OF_A_CALL);
        assert!(allowance.take(&uses).is_err());
        let refused = allowance.take(&uses[1..2]);
        assert!(
            matches!(refused, Err(Refused::Costly(_))),
            "all calls together have a budget too"
        );
        assert_eq!(
            allowance.take(&[remove("cache:a", b"")]),
            Ok(()),
            "literals cost nothing"
        );
    }

    #[test]
    fn as_many_effects_and_paths_as_there_may_be_are_compared_at_once() {
        let effects: Vec<Effect> = (0..100_000).map(|_| effect("cache:a", Some(b"x"), 0)).collect();
        let mut allowance = Allowance::new(&effects, &[]);
        assert_eq!(allowance.left.len(), 1, "none is looked through for each path");
        let subjects: Vec<String> = (0..10_000)
            .map(|n| format!("cache:some/directory/file-{n}.tmp"))
            .collect();
        let mut honest = Allowance::new(
            &[
                effect("glob:cache:**/*.log", None, 1),
                effect("glob:cache:**/*.tmp", None, 10_000),
            ],
            &[],
        );
        let uses: Vec<Use<'_>> = subjects.iter().map(|subject| remove(subject, b"")).collect();
        assert_eq!(honest.take(&uses), Ok(()));
        assert!(matches!(
            allowance.take(&[remove("cache:a", b"x")]),
            Err(Refused::Spent(_))
        ));
    }

    fn removed(paths: &[&str], content: Option<&[u8]>) -> Call {
        Call {
            capability: Capability::Files,
            operation: "remove".into(),
            subject: format!("cache:{}", paths[0]),
            request: serde_json::json!({ "root": "cache", "paths": paths }),
            content: content.map(|content| hex(&Sha256::digest(content))),
            effect: true,
            repeatable: true,
        }
    }

    #[test]
    fn what_earlier_attempts_began_is_not_there_again() {
        let effects = [
            effect("cache:a", None, 2),
            effect("cache:a", Some(b"new"), 1),
            effect("glob:cache:*.tmp", None, 2),
        ];
        let spent = [
            removed(&["a", "x.tmp", "y.tmp"], None),
            removed(&["a"], Some(b"new")),
            removed(&["elsewhere"], None),
        ];
        let mut allowance = Allowance::new(&effects, &spent);
        assert_eq!(allowance.left, [1, 0, 0]);
        assert!(allowance.take(&[remove("cache:z.tmp", b"")]).is_err());
        assert_eq!(allowance.take(&[remove("cache:a", b"")]), Ok(()));
        let refused = allowance.take(&[remove("cache:a", b"")]);
        assert!(matches!(refused, Err(Refused::Spent(_))), "{refused:?}");
    }

    proptest! {
        /// However calls are grouped, never more than declared succeeds.
        #[test]
        fn nothing_outside_of_the_declared_ever_succeeds(
            declared in proptest::collection::btree_map("[abc]", 0u32..3, 0..4),
            calls in proptest::collection::vec((proptest::collection::vec("[abcd]", 1..4), any::<bool>()), 0..12),
        ) {
            let declare = |(name, most): (&String, &u32)| effect(&format!("cache:{name}"), None, *most);
            let effects: Vec<Effect> = declared.iter().map(declare).collect();
            let mut allowance = Allowance::new(&effects, &[]);
            let mut made: HashMap<String, u32> = HashMap::new();
            let mut spent = Vec::new();
            for (paths, crash) in calls {
                if crash {
                    // What the next attempt starts with.
                    allowance = Allowance::new(&effects, &spent);
                }
                let uses: Vec<Use<'_>> = paths.iter().map(|path| remove(&format!("cache:{path}"), b"")).collect();
                if allowance.take(&uses).is_ok() {
                    let names: Vec<&str> = paths.iter().map(String::as_str).collect();
                    spent.push(removed(&names, None));
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
