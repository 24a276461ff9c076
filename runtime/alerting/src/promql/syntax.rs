//! Where an expression goes wrong, which the parser doesn't say: values and operators take turns, and the first word
//! that comes out of turn is the place. Asked only about what the parser has refused.

use std::ops::Range;

use super::lex::{Lexeme, Reading, Token};

/// The place, and what belongs there.
pub(super) fn out_of_turn(reading: &Reading<'_>) -> Option<(Range<usize>, String)> {
    let mut walk = Walk { reading, next: 0 };
    let mut wants_value = true;
    while let Some(token) = reading.tokens.get(walk.next) {
        let word = reading.word(token).to_ascii_lowercase();
        walk.next += 1;
        wants_value = match (wants_value, turn(token.lexeme, &word)) {
            (true, Turn::Sign | Turn::Open) => true,
            (true, Turn::Value) => {
                let called = token.lexeme == Lexeme::Word && walk.behind_labels();
                walk.skip("{", "}");
                called && !walk.no_arguments()
            }
            (true, Turn::Braces) => {
                walk.next -= 1;
                walk.skip("{", "}");
                false
            }
            (false, Turn::Sign | Turn::Operator) => {
                walk.modifiers();
                true
            }
            (false, Turn::Comma) => true,
            (false, Turn::Close) => false,
            (false, Turn::Brackets) => {
                walk.next -= 1;
                walk.skip("[", "]");
                false
            }
            (false, Turn::Time) => {
                walk.time();
                false
            }
            (false, Turn::Labels) => {
                walk.skip("(", ")");
                false
            }
            (wants_value, _) => {
                let wanted = if wants_value { "a value" } else { "an operator" };
                return Some((
                    token.place.clone(),
                    format!("`{}` stands where {wanted} belongs", reading.word(token)),
                ));
            }
        };
    }
    let end = reading.text.len();
    wants_value.then(|| (end..end, "it ends where a value belongs".into()))
}

/// A `+` before a string or a range vector, which the parser passes over. Asked only about what it has taken.
pub(super) fn misplaced_plus(reading: &Reading<'_>) -> Option<Range<usize>> {
    let mut walk = Walk { reading, next: 0 };
    let mut before = Turn::Open;
    while let Some(token) = reading.tokens.get(walk.next) {
        let (word, start) = (reading.word(token).to_ascii_lowercase(), walk.next);
        let unary = matches!(before, Turn::Open | Turn::Sign | Turn::Operator | Turn::Comma);
        if unary && word == "+" && walk.windows() {
            return Some(token.place.clone());
        }
        walk.next = start + 1;
        before = turn(token.lexeme, &word);
        if matches!(before, Turn::Operator) {
            walk.modifiers();
        }
    }
    None
}

/// Whether what is called at this word has a `+` before its argument.
pub(super) fn plus_follows(reading: &Reading<'_>, next: usize) -> bool {
    let words = reading.tokens[next.min(reading.tokens.len())..].iter();
    words.map(|token| reading.word(token)).find(|word| *word != "(") == Some("+")
}

enum Turn {
    Value,
    Sign,
    Operator,
    Comma,
    Open,
    Close,
    Braces,
    Brackets,
    /// `offset` or `@`.
    Time,
    /// `by` or `without`.
    Labels,
    Other,
}

fn turn(lexeme: Lexeme, lower: &str) -> Turn {
    match (lexeme, lower) {
        (Lexeme::Number | Lexeme::Duration(_) | Lexeme::Text, _) => Turn::Value,
        (Lexeme::Word, "and" | "or" | "unless" | "atan2") => Turn::Operator,
        (Lexeme::Word, "offset") | (Lexeme::Symbol, "@") => Turn::Time,
        (Lexeme::Word, "by" | "without") => Turn::Labels,
        (Lexeme::Word, _) => Turn::Value,
        (_, "+" | "-") => Turn::Sign,
        (_, "*" | "/" | "%" | "^" | "==" | "!=" | "<" | "<=" | ">" | ">=") => Turn::Operator,
        (_, ",") => Turn::Comma,
        (_, "(") => Turn::Open,
        (_, ")") => Turn::Close,
        (_, "{") => Turn::Braces,
        (_, "[") => Turn::Brackets,
        _ => Turn::Other,
    }
}

struct Walk<'r, 't> {
    reading: &'r Reading<'t>,
    next: usize,
}

impl Walk<'_, '_> {
    fn peek(&self) -> Option<String> {
        self.reading
            .tokens
            .get(self.next)
            .map(|token: &Token| self.reading.word(token).to_ascii_lowercase())
    }

    fn is(&self, words: &[&str]) -> bool {
        self.peek().is_some_and(|word| words.contains(&word.as_str()))
    }

    /// Goes on behind a pair of brackets and what is between them, if they come next.
    fn skip(&mut self, open: &str, close: &str) {
        if self.is(&[open]) {
            while self.next < self.reading.tokens.len() && !self.is(&[close]) {
                self.next += 1;
            }
            self.next += 1;
        }
    }

    /// Whether a word is called: `sum (`, or `sum by (x) (`. Goes on behind the bracket.
    fn behind_labels(&mut self) -> bool {
        if self.is(&["by", "without"]) {
            self.next += 1;
            self.skip("(", ")");
        }
        let called = self.is(&["("]);
        self.next += usize::from(called);
        called
    }

    fn no_arguments(&mut self) -> bool {
        let none = self.is(&[")"]);
        self.next += usize::from(none);
        none
    }

    fn modifiers(&mut self) {
        while self.is(&["bool", "on", "ignoring", "group_left", "group_right"]) {
            self.next += 1;
            self.skip("(", ")");
        }
    }

    /// Whether a string or a window follows the sign that comes next.
    fn windows(&mut self) -> bool {
        let mut open = 0_usize;
        while self.is(&["+", "-", "("]) {
            open += usize::from(self.is(&["("]));
            self.next += 1;
        }
        let is_text = |token: &Token| token.lexeme == Lexeme::Text;
        if self.reading.tokens.get(self.next).is_some_and(is_text) {
            return true;
        }
        if !self.is(&["{"]) {
            self.next += 1;
            self.behind("(", ")");
        }
        self.behind("{", "}");
        while open > 0 && self.is(&[")"]) {
            self.next += 1;
            open -= 1;
        }
        self.is(&["["])
    }

    /// Goes on behind a bracket and the one that closes it, if it comes next.
    fn behind(&mut self, open: &str, close: &str) {
        let mut depth = usize::from(self.is(&[open]));
        let opened = depth > 0;
        while depth > 0 && self.next < self.reading.tokens.len() {
            self.next += 1;
            depth += usize::from(self.is(&[open]));
            depth -= usize::from(self.is(&[close]));
        }
        self.next += usize::from(opened);
    }

    fn time(&mut self) {
        self.next += usize::from(self.is(&["+", "-"]));
        self.next += 1;
        self.skip("(", ")");
    }
}
