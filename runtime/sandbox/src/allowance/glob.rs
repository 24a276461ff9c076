//! Patterns of subjects.

/// What makes the subject of an effect a pattern. Without it, it is meant as it is written.
pub const PREFIX: &str = "glob:";

/// In bytes. Longer ones match nothing, so that matching stays cheap whatever is declared.
pub const LONGEST_PATTERN: usize = 1 << 10;
const LONGEST_SUBJECT: usize = 4 << 10;

/// `?` is any character but `/`, `*` any number of them, `**` any number of any characters, and
/// `**/` also nothing. Everything else is literal.
#[derive(Clone, Debug)]
pub struct Pattern(Vec<Part>);

/// How many more comparisons of a character with a part of a pattern may be made.
#[derive(Clone, Copy, Debug)]
pub struct Steps(pub u64);

/// There are none left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Steps {
    fn take(&mut self, steps: usize) -> Result<(), Exhausted> {
        let left = self.0.checked_sub(steps as u64);
        self.0 = left.unwrap_or(0);
        left.map(drop).ok_or(Exhausted)
    }
}

impl Pattern {
    /// Of the subject of an effect. None: it is too long to match anything.
    pub fn of(subject: &str) -> Option<Self> {
        let pattern = subject.strip_prefix(PREFIX)?;
        (pattern.len() <= LONGEST_PATTERN).then(|| Self(parse(pattern)))
    }

    pub fn matches(&self, subject: &str, steps: &mut Steps) -> Result<bool, Exhausted> {
        steps.take(1)?;
        if subject.len() > LONGEST_SUBJECT {
            return Ok(false);
        }
        // Each of these parts may be the one that takes the next character; all before are matched.
        let mut at = Places::default();
        let mut next = Places::default();
        self.arrive(&mut at, 0);
        for c in subject.chars() {
            steps.take(at.0.len())?;
            for &i in &at.0 {
                self.pass(&mut next, i, c);
            }
            std::mem::swap(&mut at, &mut next);
            next.0.clear();
            if at.0.is_empty() {
                return Ok(false);
            }
        }
        Ok(at.0.last() == Some(&self.0.len()))
    }

    /// Part `i` takes a character, or does not.
    fn pass(&self, next: &mut Places, i: usize, c: char) {
        match self.0.get(i) {
            Some(Part::Literal(wanted)) if *wanted == c => self.arrive(next, i + 1),
            Some(Part::One) if c != '/' => self.arrive(next, i + 1),
            Some(Part::Some) if c != '/' => self.arrive(next, i),
            Some(Part::All) => self.arrive(next, i),
            Some(Part::Directories) if c == '/' => {
                next.insert(i);
                self.arrive(next, i + 1);
            }
            Some(Part::Directories) => next.insert(i),
            Some(Part::Literal(_) | Part::One | Part::Some) | None => {}
        }
    }

    /// The first `i` parts match, and so do those behind them that may stand for nothing.
    fn arrive(&self, at: &mut Places, mut i: usize) {
        at.insert(i);
        while let Some(Part::Some | Part::All | Part::Directories) = self.0.get(i) {
            i += 1;
            at.insert(i);
        }
    }
}

/// In order, each once.
#[derive(Default)]
struct Places(Vec<usize>);

impl Places {
    fn insert(&mut self, i: usize) {
        if let Err(at) = self.0.binary_search(&i) {
            self.0.insert(at, i);
        }
    }
}

#[derive(Clone, Debug)]
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
        push(&mut parts, part);
        rest = &rest[length..];
    }
    parts
}

/// Stars that follow each other and say no more than one of them become that one, so that a place
/// never leads to more than a few others.
fn push(parts: &mut Vec<Part>, part: Part) {
    match (parts.last_mut(), &part) {
        (Some(Part::All), Part::Some | Part::All | Part::Directories)
        | (Some(Part::Directories), Part::Directories) => {}
        (Some(last @ Part::Directories), Part::All) => *last = Part::All,
        _ => parts.push(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, subject: &str) -> bool {
        let mut steps = Steps(10_000_000);
        Pattern::of(pattern).is_some_and(|pattern| pattern.matches(subject, &mut steps).unwrap())
    }

    #[test]
    fn a_star_stays_within_a_name_and_two_cross_directories() {
        for (pattern, subject, expected) in [
            ("glob:cache:*", "cache:a", true),
            ("glob:cache:*", "cache:a/b", false),
            ("glob:cache:**", "cache:a/b", true),
            ("glob:cache:tmp/**/*.o", "cache:tmp/x.o", true),
            ("glob:cache:tmp/**/*.o", "cache:tmp/a/b/x.o", true),
            ("glob:cache:tmp/**/*.o", "cache:tmpx.o", false),
            ("glob:cache:***", "cache:a/b", true),
            ("glob:cache:***/x", "cache:a/b/x", true),
            ("glob:cache:***/x", "cache:x", false),
            ("glob:cache:**/**/x", "cache:x", true),
            ("glob:cache:**/**/x", "cache:a/x", true),
            ("glob:cache:**/**/x", "cache:ax", false),
            ("glob:cache:**/**", "cache:", true),
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

    #[test]
    fn matching_stops_when_its_steps_are_used_up() {
        let nasty = Pattern::of(&format!("glob:{}b", "*?".repeat(500))).unwrap();
        let mut steps = Steps(100_000);
        assert_eq!(nasty.matches(&"a".repeat(4_000), &mut steps), Err(Exhausted));
        let mut steps = Steps(100);
        let honest = Pattern::of("glob:cache:**/*.tmp").unwrap();
        assert_eq!(honest.matches("cache:a/b.tmp", &mut steps), Ok(true));
        assert_eq!(honest.matches("elsewhere:a/b.tmp", &mut steps), Ok(false));
        assert!(steps.0 > 40, "{steps:?}");
    }
}
