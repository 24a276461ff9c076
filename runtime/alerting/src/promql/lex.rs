//! A reading of an expression's words, before the parser's: for places, which the parser doesn't keep, and for what it
//! gets wrong.
//!
//! The parser (`promql-parser` 0.11) takes `\` in raw strings for an escape, drops the parts of a duration that
//! overflow, takes no `0s`, panics at ranges like `[inf]`, and recurses without a bound. So durations go on to it as
//! seconds and raw strings as quoted ones, and what is too deep or out of range never gets there.

use std::ops::Range;

use super::error::{Refusal, Why};
use super::{functions, go, unquote};

/// Bytes of an expression.
const LONGEST: usize = 64 << 10;
/// Brackets within brackets.
const DEEPEST: usize = 64;
/// Operators in an expression; each may be a level of the tree.
const OPERATORS: usize = 512;
/// As far as Prometheus counts, 292 years.
pub(super) const LONGEST_MS: i64 = i64::MAX / 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lexeme {
    Word,
    Number,
    Duration(i64),
    Text,
    Symbol,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub lexeme: Lexeme,
    pub place: Range<usize>,
}

/// The words of an expression and how it is told to the parser.
pub(super) struct Reading<'t> {
    pub text: &'t str,
    pub tokens: Vec<Token>,
    pub rewritten: String,
}

impl<'t> Reading<'t> {
    pub fn new(text: &'t str) -> Result<Self, Refusal> {
        if text.len() > LONGEST {
            return Err(Refusal::new(
                Why::TooBig,
                0..text.len(),
                format!("longer than {LONGEST} bytes"),
            ));
        }
        let tokens = Scanner {
            text,
            at: 0,
            brackets: 0,
            braces: 0,
        }
        .all();
        let reading = Self {
            text,
            rewritten: rewrite(text, &tokens)?,
            tokens,
        };
        reading.bounds()?;
        reading.durations()?;
        reading.names()?;
        Ok(reading)
    }

    pub fn word(&self, token: &Token) -> &'t str {
        &self.text[token.place.clone()]
    }

    fn bounds(&self) -> Result<(), Refusal> {
        let (mut open, mut operators) = (Vec::new(), 0);
        for token in &self.tokens {
            match (token.lexeme, self.word(token)) {
                (Lexeme::Symbol, "(" | "[" | "{") => open.push(token),
                (Lexeme::Symbol, closing @ (")" | "]" | "}")) => {
                    let fits = open.pop().is_some_and(|opening| {
                        matches!((self.word(opening), closing), ("(", ")") | ("[", "]") | ("{", "}"))
                    });
                    if !fits {
                        let message = format!("`{closing}` closes nothing");
                        return Err(Refusal::new(Why::Invalid, token.place.clone(), message));
                    }
                }
                (Lexeme::Symbol, "," | ":" | "@" | "=" | "=~" | "!~") => {}
                (Lexeme::Symbol, _) => operators += 1,
                (Lexeme::Word, word) if is_word_operator(word) => operators += 1,
                _ => {}
            }
            if open.len() > DEEPEST || operators > OPERATORS {
                let message = format!("more than {DEEPEST} brackets deep, or more than {OPERATORS} operators");
                return Err(Refusal::new(Why::TooBig, token.place.clone(), message));
            }
        }
        open.pop().map_or(Ok(()), |token| {
            Err(Refusal::new(
                Why::Invalid,
                token.place.clone(),
                format!("`{}` is never closed", self.word(token)),
            ))
        })
    }

    /// What stands where a duration belongs is one, and within the bounds.
    fn durations(&self) -> Result<(), Refusal> {
        let mut brackets = false;
        for (i, token) in self.tokens.iter().enumerate() {
            match self.word(token) {
                "[" if token.lexeme == Lexeme::Symbol => brackets = true,
                "]" if token.lexeme == Lexeme::Symbol => brackets = false,
                _ => {}
            }
            let in_place = brackets || self.after_offset(i);
            let seconds = match token.lexeme {
                Lexeme::Duration(ms) => ms as f64 / 1000.0,
                Lexeme::Number if in_place => self.word(token).parse().unwrap_or(0.0),
                Lexeme::Word if in_place && is_number_word(self.word(token)) => f64::NAN,
                _ => continue,
            };
            if !(0.0..LONGEST_MS as f64 / 1000.0).contains(&seconds) {
                return Err(Refusal::new(
                    Why::TooBig,
                    token.place.clone(),
                    "a duration out of range",
                ));
            }
        }
        Ok(())
    }

    fn after_offset(&self, i: usize) -> bool {
        let word = |back: usize| i.checked_sub(back).map(|i| self.word(&self.tokens[i]));
        let is_offset = |word: Option<&str>| word.is_some_and(|word| word.eq_ignore_ascii_case("offset"));
        is_offset(word(1)) || (matches!(word(1), Some("+" | "-")) && is_offset(word(2)))
    }

    /// Every name before a `(` is one that is evaluated here.
    fn names(&self) -> Result<(), Refusal> {
        for (i, token) in self.tokens.iter().enumerate() {
            let next = self.tokens.get(i + 1).map(|next| self.word(next).to_ascii_lowercase());
            match next.as_deref() {
                Some("(") if token.lexeme == Lexeme::Word => self.name(token, true)?,
                Some("by" | "without") if token.lexeme == Lexeme::Word => self.name(token, false)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn name(&self, token: &Token, called: bool) -> Result<(), Refusal> {
        let word = self.word(token);
        let lower = word.to_ascii_lowercase();
        if let Some(why) = functions::refused(&lower) {
            let message = format!("`{word}` is not evaluated here: it is {why}");
            return Err(Refusal::new(Why::Unsupported, token.place.clone(), message));
        }
        if called && !is_keyword(&lower) && functions::signature(word).is_none() {
            let message = format!("there is no function `{word}`");
            return Err(Refusal::new(Why::Unknown, token.place.clone(), message));
        }
        Ok(())
    }
}

fn is_word_operator(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "and" | "or" | "unless" | "atan2")
}

fn is_number_word(word: &str) -> bool {
    matches!(word.to_ascii_lowercase().as_str(), "inf" | "nan")
}

/// What may stand before a `(` without being a function.
fn is_keyword(lower: &str) -> bool {
    is_word_operator(lower)
        || functions::aggregator(lower).is_some()
        || matches!(
            lower,
            "by" | "without" | "on" | "ignoring" | "group_left" | "group_right" | "bool" | "offset" | "start" | "end"
        )
}

fn rewrite(text: &str, tokens: &[Token]) -> Result<String, Refusal> {
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for token in tokens {
        let word = &text[token.place.clone()];
        let instead = match token.lexeme {
            Lexeme::Duration(ms) => format!("{}.{:03}", ms / 1000, ms % 1000),
            Lexeme::Text => quoted(word).map_err(|(at, message)| {
                let place = token.place.start + at..token.place.end;
                Refusal::new(Why::Invalid, place, message)
            })?,
            Lexeme::Number if word.contains('_') => match go::plain(word, false) {
                Some(plain) => plain,
                None => continue,
            },
            _ => continue,
        };
        out.push_str(&text[done..token.place.start]);
        out.push_str(&instead);
        done = token.place.end;
    }
    out.push_str(&text[done..]);
    Ok(out)
}

/// The same string with no other escapes than all parsers read alike.
fn quoted(word: &str) -> Result<String, unquote::Wrong> {
    let inner = unquote::unquote(word)?.replace('\\', "\\\\");
    Ok(format!("\"{}\"", inner.replace('"', "\\\"").replace('\n', "\\n")))
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    brackets: usize,
    braces: usize,
}

impl Scanner<'_> {
    fn all(mut self) -> Vec<Token> {
        let mut tokens = Vec::new();
        while let Some(first) = self.text[self.at..].chars().next() {
            let start = self.at;
            self.at += first.len_utf8();
            let lexeme = match first {
                c if c.is_ascii_whitespace() => continue,
                '#' => {
                    self.skip(|c| c != '\n' && c != '\r');
                    continue;
                }
                '"' | '\'' | '`' => self.quoted(first),
                c if c.is_ascii_digit() || (c == '.' && self.peek().is_some_and(|c| c.is_ascii_digit())) => {
                    self.number(start)
                }
                c if c.is_ascii_alphabetic() || c == '_' || (c == ':' && self.brackets == 0) => {
                    let colon = self.brackets == 0;
                    self.skip(|c| c.is_ascii_alphanumeric() || c == '_' || (c == ':' && colon));
                    Lexeme::Word
                }
                c => self.symbol(c),
            };
            tokens.push(Token {
                lexeme,
                place: start..self.at,
            });
        }
        tokens
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn skip(&mut self, while_true: impl Fn(char) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.find(|c| !while_true(c)).unwrap_or(rest.len());
    }

    fn quoted(&mut self, quote: char) -> Lexeme {
        while let Some(c) = self.peek() {
            self.at += c.len_utf8();
            if c == quote {
                break;
            }
            if c == '\\' && quote != '`' {
                self.at += self.peek().map_or(0, char::len_utf8);
            }
        }
        Lexeme::Text
    }

    fn number(&mut self, start: usize) -> Lexeme {
        self.skip(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
        let word = &self.text[start..self.at];
        if let Some(ms) = duration(word).filter(|_| self.braces == 0) {
            return Lexeme::Duration(ms);
        }
        let decimal = !word.starts_with("0x") && !word.starts_with("0X");
        if decimal && word.ends_with(['e', 'E']) && matches!(self.peek(), Some('+' | '-')) {
            self.at += 1;
            self.skip(|c| c.is_ascii_digit());
        }
        Lexeme::Number
    }

    fn symbol(&mut self, first: char) -> Lexeme {
        match first {
            '[' => self.brackets += 1,
            ']' => self.brackets = self.brackets.saturating_sub(1),
            '{' => self.braces += 1,
            '}' => self.braces = self.braces.saturating_sub(1),
            _ => {}
        }
        let doubled = match first {
            '=' | '!' => matches!(self.peek(), Some('=' | '~')),
            '<' | '>' => self.peek() == Some('='),
            _ => false,
        };
        self.at += usize::from(doubled);
        Lexeme::Symbol
    }
}

/// Units of Prometheus's durations in milliseconds, the larger first.
pub(crate) const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Milliseconds of `1y2w3d4h5m6s7ms`, each unit once and in this order. One that is out of range is `i64::MAX`.
pub fn duration(word: &str) -> Option<i64> {
    let (mut rest, mut next, mut total) = (word, 0, 0_i64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let place = next + UNITS[next..].iter().position(|(name, _)| *name == unit)?;
        if number.is_empty() {
            return None;
        }
        let amount = number.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(UNITS[place].1);
        (total, next, rest) = (total.saturating_add(amount), place + 1, tail);
    }
    Some(total)
}
