//! The effect matcher against the plainest way to say the same.

use evenkeel_model::action::{Effect, hex};
use sha2::{Digest as _, Sha256};

use crate::allowance::{Allowance, Use};
use crate::bytes::Bytes;

const CAPABILITIES: [&str; 2] = ["files", "exec"];
const OPERATIONS: [&str; 2] = ["remove", "write"];
const CONTENTS: [&[u8]; 2] = [b"", b"new"];
/// Small, so that patterns meet what they match.
const LETTERS: [&str; 8] = ["a", "b", "/", "*", "**", "**/", "?", "é"];

/// Declared effects and calls of several things each: every call is answered as the oracle does.
pub fn try_one(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let effects: Vec<Effect> = (0..bytes.below(6)).map(|_| effect(&mut bytes)).collect();
    let mut allowance = Allowance::new(&effects, &[]);
    let mut oracle = Oracle::new(&effects);
    while !bytes.is_over() {
        let uses: Vec<Use<'_>> = (0..=bytes.below(3)).map(|_| wanted(&mut bytes)).collect();
        let taken = allowance.take(&uses);
        assert_eq!(taken.is_ok(), oracle.take(&uses), "{effects:?} {uses:?} {taken:?}");
    }
}

fn effect(bytes: &mut Bytes<'_>) -> Effect {
    let prefix = if bytes.below(2) == 0 { "" } else { "glob:" };
    Effect {
        capability: CAPABILITIES[usize::from(bytes.below(8) / 7)].into(),
        operation: OPERATIONS[usize::from(bytes.below(8) / 7)].into(),
        subject: format!("{prefix}{}", bytes.word(&LETTERS, 7)),
        content: match bytes.below(4) {
            0 => Some(hex(&Sha256::digest(CONTENTS[0]))),
            1 => Some(hex(&Sha256::digest(CONTENTS[1])).to_uppercase()),
            _ => None,
        },
        at_most: bytes.below(4).into(),
    }
}

fn wanted<'c>(bytes: &mut Bytes<'_>) -> Use<'c> {
    Use {
        capability: CAPABILITIES[usize::from(bytes.below(8) / 7)],
        operation: OPERATIONS[usize::from(bytes.below(8) / 7)],
        subject: bytes.word(&LETTERS, 7),
        content: CONTENTS[usize::from(bytes.below(2))],
    }
}

/// Effects in the order in which they are used up, each with what is left of it.
struct Oracle(Vec<(Effect, u32)>);

impl Oracle {
    /// Literals first, and of those the ones that pin the content; then patterns as declared.
    fn new(effects: &[Effect]) -> Self {
        let mut effects: Vec<_> = effects.iter().map(|effect| (effect.clone(), effect.at_most)).collect();
        effects.sort_by_key(|(effect, _)| {
            let is_pattern = effect.subject.starts_with("glob:");
            (is_pattern, !is_pattern && effect.content.is_none())
        });
        Self(effects)
    }

    fn take(&mut self, uses: &[Use<'_>]) -> bool {
        let before = self.0.clone();
        let all = uses.iter().all(|wanted| {
            let covering = self
                .0
                .iter_mut()
                .find(|(effect, left)| *left > 0 && covers(effect, wanted));
            covering.map(|(_, left)| *left -= 1).is_some()
        });
        if !all {
            self.0 = before;
        }
        all
    }
}

fn covers(effect: &Effect, wanted: &Use<'_>) -> bool {
    let subject = match effect.subject.strip_prefix("glob:") {
        Some(pattern) => {
            let (pattern, subject): (Vec<char>, Vec<char>) =
                (pattern.chars().collect(), wanted.subject.chars().collect());
            matches(&pattern, &subject)
        }
        None => effect.subject == wanted.subject,
    };
    let hash = hex(&Sha256::digest(wanted.content));
    let content = effect
        .content
        .as_ref()
        .is_none_or(|pinned| pinned.eq_ignore_ascii_case(&hash));
    effect.capability == wanted.capability && effect.operation == wanted.operation && subject && content
}

/// Tries everything; exponential, and so only for short ones.
fn matches(pattern: &[char], subject: &[char]) -> bool {
    let tails = |subject: &'_ [char]| (0..=subject.len()).collect::<Vec<_>>();
    match pattern {
        [] => subject.is_empty(),
        ['*', '*', '/', rest @ ..] => {
            // Nothing, or whole directories.
            let behind_a_slash = |at: &usize| *at == 0 || subject[at - 1] == '/';
            let mut places = tails(subject).into_iter().filter(behind_a_slash);
            places.any(|at| matches(rest, &subject[at..]))
        }
        ['*', '*', rest @ ..] => tails(subject).into_iter().any(|at| matches(rest, &subject[at..])),
        ['*', rest @ ..] => {
            let mut places = tails(subject)
                .into_iter()
                .take_while(|at| !subject[..*at].contains(&'/'));
            places.any(|at| matches(rest, &subject[at..]))
        }
        ['?', rest @ ..] => subject
            .split_first()
            .is_some_and(|(c, left)| *c != '/' && matches(rest, left)),
        [wanted, rest @ ..] => subject
            .split_first()
            .is_some_and(|(c, left)| c == wanted && matches(rest, left)),
    }
}
