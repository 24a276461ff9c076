//! A diagnostic is data; `cli` renders it as text, the console as JSON and HTML.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

/// One thing that is wrong with a home, with its place and the fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub level: Level,
    /// Stable and machine-readable: `unknown-plugin`.
    pub code: &'static str,
    /// Lower case, names in backticks: what is wrong.
    pub message: String,
    /// Relative to the home.
    pub file: String,
    /// Bytes in the file; none: the file as a whole.
    pub span: Option<Range<usize>>,
    /// From 1; derived from the span.
    pub line: usize,
    /// From 1, in characters; derived from the span.
    pub column: usize,
    /// Beside the underlined token: `did you mean `cache-clean`?`
    pub label: Option<String>,
    /// What to do next.
    pub help: Option<String>,
}

/// Whether a home with it can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Error,
    /// The home is served all the same.
    Warning,
}

/// A text that problems are found in.
#[derive(Clone, Copy, Debug)]
pub struct File<'t> {
    /// Relative to the home.
    pub path: &'t str,
    pub text: &'t str,
}

impl File<'_> {
    /// A problem at these bytes of the text. A span that lies outside is moved to its end.
    pub fn problem(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Problem {
        let span = self.within(span);
        let (line, column) = self.place(span.start);
        Problem {
            span: Some(span),
            line,
            column,
            ..self.problem_as_a_whole(code, message)
        }
    }

    /// A problem of the file that no token of it stands for.
    pub fn problem_as_a_whole(&self, code: &'static str, message: impl Into<String>) -> Problem {
        Problem {
            level: Level::Error,
            code,
            message: message.into(),
            file: self.path.to_owned(),
            span: None,
            line: 1,
            column: 1,
            label: None,
            help: None,
        }
    }

    /// Line and column, both from 1, the column in characters.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    fn within(&self, span: Range<usize>) -> Range<usize> {
        let start = self.boundary(span.start);
        start..self.boundary(span.end).max(start)
    }

    fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset)
    }
}

impl Problem {
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn warning(mut self) -> Self {
        self.level = Level::Warning;
        self
    }

    /// `did you mean …?` as the label, if one of `known` is close to `word`.
    #[must_use]
    pub fn suggest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match closest(word, known) {
            Some(near) => self.label(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

/// One line: `runbooks/disk.toml:21:8: error[unknown-plugin]: step `clean` uses …`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.span.is_some() {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}[{}]: {}", self.level, self.code, self.message)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// Words for people: `a`, `b`.
pub fn quoted(words: impl IntoIterator<Item = impl fmt::Display>) -> String {
    let words = words.into_iter().map(|word| format!("`{word}`"));
    words.collect::<Vec<_>>().join(", ")
}

/// The word that was probably meant: at most a third of its letters are wrong, or two have
/// changed places, or only the case differs.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let letters = word.chars().count();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= letters.max(candidate.chars().count()).div_ceil(3).min(4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_counts_characters_from_one() {
        let file = File {
            path: "a.toml",
            text: "ä = 1\nü = \"x\"\n",
        };
        let problem = file.problem("bad", 12..15, "no").label("here");
        assert_eq!((problem.line, problem.column), (2, 5));
        assert_eq!(problem.to_string(), "a.toml:2:5: error[bad]: no");
    }

    #[test]
    fn a_span_past_the_end_is_the_end() {
        let file = File { path: "a", text: "abc" };
        assert_eq!(file.problem("x", 7..9, "").span, Some(3..3));
    }

    #[test]
    fn close_words_are_suggested_and_far_ones_are_not() {
        assert_eq!(closest("cache-claen", ["cache-clean", "command"]), Some("cache-clean"));
        assert_eq!(closest("get", ["GET", "POST"]), Some("GET"));
        assert_eq!(closest("zzz", ["read", "write"]), None);
    }
}
