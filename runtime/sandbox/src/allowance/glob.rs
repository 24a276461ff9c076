//! Patterns of subjects.

/// What makes the subject of an effect a pattern. Without it, it is meant as it is written.
pub const PREFIX: &str = "glob:";

/// Longer ones match nothing, so that matching stays cheap whatever a plugin declares and calls.
const LONGEST_PATTERN: usize = 1 << 10;
const LONGEST_SUBJECT: usize = 4 << 10;

/// `?` is any character but `/`, `*` any number of them, `**` any number of any characters, and
/// `**/` also nothing. Everything else is literal.
pub fn matches(pattern: &str, subject: &str) -> bool {
    let Some(pattern) = pattern.strip_prefix(PREFIX) else {
        return false;
    };
    if pattern.len() > LONGEST_PATTERN || subject.len() > LONGEST_SUBJECT {
        return false;
    }
    let pattern = parse(pattern);
    // at[i]: the subject so far is matched by the first i parts.
    let mut at = vec![false; pattern.len() + 1];
    arrive(&pattern, &mut at, 0);
    for c in subject.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for (i, part) in pattern.iter().enumerate().filter(|(i, _)| at[*i]) {
            match part {
                Part::Literal(wanted) if *wanted == c => arrive(&pattern, &mut next, i + 1),
                Part::One if c != '/' => arrive(&pattern, &mut next, i + 1),
                Part::Some if c != '/' => arrive(&pattern, &mut next, i),
                Part::All => arrive(&pattern, &mut next, i),
                Part::Directories => {
                    next[i] = true;
                    if c == '/' {
                        arrive(&pattern, &mut next, i + 1);
                    }
                }
                Part::Literal(_) | Part::One | Part::Some => {}
            }
        }
        at = next;
    }
    at[pattern.len()]
}

/// The first `i` parts match, and so do those behind them that may stand for nothing.
fn arrive(pattern: &[Part], at: &mut [bool], mut i: usize) {
    at[i] = true;
    while let Some(Part::Some | Part::All | Part::Directories) = pattern.get(i) {
        i += 1;
        at[i] = true;
    }
}

enum Part {
    Literal(char),
    One,
    Some,
    All,
    /// `**/`
    Directories,
}

fn parse(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let (part, length) = match c {
            '*' if rest.starts_with("**/") => (Part::Directories, 3),
            '*' if rest.starts_with("**") => (Part::All, 2),
            '*' => (Part::Some, 1),
            '?' => (Part::One, 1),
            c => (Part::Literal(c), c.len_utf8()),
        };
        parts.push(part);
        rest = &rest[length..];
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stays_within_a_name_and_two_cross_directories() {
        for (pattern, subject, expected) in [
            ("glob:cache:*", "cache:a", true),
            ("glob:cache:*", "cache:a/b", false),
            ("glob:cache:**", "cache:a/b", true),
            ("glob:cache:tmp/**/*.o", "cache:tmp/x.o", true),
            ("glob:cache:tmp/**/*.o", "cache:tmp/a/b/x.o", true),
            ("glob:cache:tmp/**/*.o", "cache:tmpx.o", false),
            ("glob:cache:?", "cache:/", false),
            ("glob:cache:?", "cache:é", true),
            ("glob:cache:a", "cache:ab", false),
            ("glob:", "", true),
            ("cache:a", "cache:a", false),
        ] {
            assert_eq!(matches(pattern, subject), expected, "{pattern} {subject}");
        }
    }

    #[test]
    fn a_nasty_pattern_ends() {
        let pattern = format!("glob:{}b", "*".repeat(1_000));
        assert!(!matches(&pattern, &"a".repeat(4_000)));
    }
}
