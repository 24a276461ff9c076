//! Regular expressions that must match the whole of a text.

use regex::{Regex, RegexBuilder};

/// Bytes of a compiled pattern.
const MAX_SIZE: usize = 1 << 20;

/// Anchored at both ends; `.` takes a newline too, as in Prometheus 3. The error is one line.
pub fn anchored(pattern: &str) -> Result<Regex, String> {
    // By itself first: `a)|(b` is no pattern, although it would be one within the group.
    compile(pattern)?;
    compile(&format!("^(?s:{pattern})$"))
}

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_SIZE)
        .build()
        .map_err(|error| {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        assert!(!anchored("a|b").unwrap().is_match("ab"));
        assert!(anchored("a.b").unwrap().is_match("a\nb"));
    }

    #[test]
    fn errors_are_one_line() {
        assert_eq!(anchored("(a").unwrap_err(), "unclosed group");
        assert!(anchored("a{1000}{1000}{1000}").unwrap_err().contains("size limit"));
        assert!(anchored("a)|(b").is_err());
    }
}
