//! Which values a regular expression can match at all, so that not every value is tried.

use std::ops::Bound;

use regex::Regex;
use regex_syntax::hir::Look;
use regex_syntax::hir::literal::Extractor;

/// Patterns longer than this are not looked into.
const LONGEST: usize = 4096;

/// What a value that matches begins with, or is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Narrow {
    pub literals: Vec<String>,
    /// The whole value, and not only its beginning.
    pub is_whole: bool,
}

/// None: it could be anything. What is named still has to be matched.
pub(super) fn narrow(regex: &Regex) -> Option<Narrow> {
    let pattern = regex.as_str();
    if pattern.len() > LONGEST {
        return None;
    }
    let hir = regex_syntax::parse(pattern).ok()?;
    let properties = hir.properties();
    // As matchers are made. What may begin later than the value does begins with nothing that is known.
    if !properties.look_set_prefix().contains(Look::Start) || !properties.look_set_suffix().contains(Look::End) {
        return None;
    }
    let prefixes = Extractor::new().extract(&hir);
    let literals = prefixes.literals()?;
    let is_whole = literals.iter().all(|literal| literal.is_exact());
    let mut texts = Vec::with_capacity(literals.len());
    for literal in literals {
        texts.push(std::str::from_utf8(literal.as_bytes()).ok()?.to_owned());
    }
    texts.sort_unstable();
    texts.dedup();
    if !is_whole {
        // What begins with a longer one begins with the shorter one as well, and is not to come twice.
        texts.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
    }
    let narrows = is_whole || texts.iter().all(|text| !text.is_empty());
    narrows.then_some(Narrow {
        literals: texts,
        is_whole,
    })
}

/// From where on values begin with the text; they end where the first doesn't.
pub(super) fn from(text: &str) -> (Bound<&str>, Bound<&str>) {
    (Bound::Included(text), Bound::Unbounded)
}

#[cfg(test)]
mod tests {
    use evenkeel_model::pattern::anchored;

    use super::*;

    fn narrowed(pattern: &str) -> Option<(Vec<String>, bool)> {
        narrow(&anchored(pattern).unwrap()).map(|narrow| (narrow.literals, narrow.is_whole))
    }

    #[test]
    fn sets_of_literals_and_prefixes_are_seen() {
        let texts = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(narrowed("b|a|c"), Some((texts(&["a", "b", "c"]), true)));
        assert_eq!(narrowed("node-(1|2)"), Some((texts(&["node-1", "node-2"]), true)));
        assert_eq!(narrowed("api-.+"), Some((texts(&["api-"]), false)));
        assert_eq!(narrowed("a.*|ab.*|b.*"), Some((texts(&["a", "b"]), false)));
        assert_eq!(narrowed(".*api"), None);
        assert_eq!(narrowed("|a.*"), None);
    }
}
