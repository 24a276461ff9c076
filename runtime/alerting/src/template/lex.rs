//! A template's text as tokens.

use std::ops::Range;

use super::literal::is_space;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Open,
    Close,
    Space,
    Identifier,
    Keyword,
    Bool,
    Nil,
    Dot,
    Field,
    Variable,
    Number,
    Character,
    Quoted,
    Raw,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    /// Any other sign; only a comma has a place in the grammar.
    Sign,
    End,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub kind: Kind,
    pub place: Range<usize>,
}

/// What is no token, and where.
#[derive(Debug)]
pub(super) struct Wrong {
    pub place: Range<usize>,
    pub message: String,
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
const KEYWORDS: [&str; 11] = [
    "block", "break", "continue", "define", "else", "end", "if", "range", "template", "with", "nil",
];

pub(super) fn lex(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut lexer = Lexer {
        text,
        at: 0,
        parens: 0,
        tokens: Vec::new(),
    };
    lexer.all()?;
    lexer.push(Kind::End, text.len()..text.len());
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    parens: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn all(&mut self) -> Result<(), Wrong> {
        while let Some(found) = self.rest().find(OPEN) {
            let start = self.at;
            let open = start + found;
            let inside = &self.text[open + OPEN.len()..];
            let trims = starts_with_trim(inside);
            let text = &self.text[start..open];
            let kept = if trims { text.trim_end_matches(is_space) } else { text };
            self.push(Kind::Text, start..start + kept.len());
            self.at = open + OPEN.len() + if trims { 2 } else { 0 };
            if self.rest().starts_with("/*") {
                self.comment()?;
            } else {
                self.push(Kind::Open, open..open + OPEN.len());
                self.parens = 0;
                while !self.closed()? {
                    self.token()?;
                }
            }
        }
        self.push(Kind::Text, self.at..self.text.len());
        Ok(())
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, place: Range<usize>) {
        if kind != Kind::Text || !place.is_empty() {
            self.tokens.push(Token { kind, place });
        }
    }

    fn wrong<T>(&self, from: usize, message: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong {
            place: from..self.at.max(from),
            message: message.into(),
        })
    }

    fn comment(&mut self) -> Result<(), Wrong> {
        let start = self.at;
        self.at += 2;
        let Some(end) = self.rest().find("*/") else {
            self.at = start + 2;
            return self.wrong(start, "unclosed comment");
        };
        self.at += end + 2;
        match closing(self.rest()) {
            Some(trims) => self.close(trims),
            None => return self.wrong(start, "comment ends before closing delimiter"),
        }
        Ok(())
    }

    /// Takes the closing delimiter, if it is here, with the text that its trim marker takes away.
    fn closed(&mut self) -> Result<bool, Wrong> {
        let Some(trims) = closing(self.rest()) else {
            return Ok(false);
        };
        if self.parens > 0 {
            return Err(Wrong {
                place: self.at..self.at + CLOSE.len(),
                message: "unclosed left paren".to_owned(),
            });
        }
        let start = self.at + if trims { 2 } else { 0 };
        self.push(Kind::Close, start..start + CLOSE.len());
        self.close(trims);
        Ok(true)
    }

    fn close(&mut self, trims: bool) {
        self.at += CLOSE.len();
        if trims {
            self.at += 2;
            self.at = self.text.len() - self.rest().trim_start_matches(is_space).len();
        }
    }

    fn token(&mut self) -> Result<(), Wrong> {
        let start = self.at;
        let Some(c) = self.rest().chars().next() else {
            return self.wrong(start, "unclosed action");
        };
        let kind = match c {
            _ if is_space(c) => {
                self.space();
                return Ok(());
            }
            '"' | '\'' => self.quoted(c)?,
            '`' => self.raw()?,
            '$' => self.word(Kind::Variable)?,
            '.' if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.word(Kind::Field)?,
            '.' | '+' | '-' | '0'..='9' => self.number()?,
            _ if is_alphanumeric(c) => self.word(Kind::Identifier)?,
            _ => self.sign(c)?,
        };
        self.push(kind, start..self.at);
        Ok(())
    }

    /// One space before the minus of a closing delimiter belongs to that.
    fn space(&mut self) {
        let start = self.at;
        let end = self.text.len() - self.rest().trim_start_matches(is_space).len();
        let last = &self.text[end - 1..];
        self.at = if closing(last) == Some(true) { end - 1 } else { end };
        if self.at > start {
            self.push(Kind::Space, start..self.at);
        }
    }

    fn sign(&mut self, c: char) -> Result<Kind, Wrong> {
        let start = self.at;
        self.at += c.len_utf8();
        Ok(match c {
            '=' => Kind::Assign,
            '|' => Kind::Pipe,
            ':' if self.rest().starts_with('=') => {
                self.at += 1;
                Kind::Declare
            }
            ':' => return self.wrong(start, "expected :="),
            '(' => {
                self.parens += 1;
                Kind::LeftParen
            }
            ')' if self.parens == 0 => return self.wrong(start, "unexpected right paren"),
            ')' => {
                self.parens -= 1;
                Kind::RightParen
            }
            _ if c.is_ascii_graphic() => Kind::Sign,
            _ => {
                let message = format!("unrecognized character in action: U+{:04X} {c:?}", u32::from(c));
                return self.wrong(start, message);
            }
        })
    }

    fn quoted(&mut self, quote: char) -> Result<Kind, Wrong> {
        let start = self.at;
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if chars.next().is_some_and(|(_, escaped)| escaped != '\n') => {}
                '\\' | '\n' => break,
                _ if c == quote => {
                    self.at = start + at + 1;
                    return Ok(if quote == '"' { Kind::Quoted } else { Kind::Character });
                }
                _ => {}
            }
        }
        self.at = start + 1;
        let what = if quote == '"' {
            "quoted string"
        } else {
            "character constant"
        };
        self.wrong(start, format!("unterminated {what}"))
    }

    fn raw(&mut self) -> Result<Kind, Wrong> {
        let start = self.at;
        self.at += 1;
        match self.rest().find('`') {
            Some(end) => self.at += end + 1,
            None => return self.wrong(start, "unterminated raw quoted string"),
        }
        Ok(Kind::Raw)
    }

    /// An identifier, or `.` or `$` and what follows it.
    fn word(&mut self, kind: Kind) -> Result<Kind, Wrong> {
        let start = self.at;
        let sigil = usize::from(kind != Kind::Identifier);
        let after = self.rest()[sigil..].trim_start_matches(is_alphanumeric).len();
        self.at = self.text.len() - after;
        let word = &self.text[start..self.at];
        if word == "." {
            // Whatever follows, Go takes a lone dot.
            return if self.at_terminator() {
                Ok(Kind::Dot)
            } else {
                self.bad_character(start)
            };
        }
        if !self.at_terminator() {
            return self.bad_character(start);
        }
        Ok(match (kind, word) {
            (Kind::Identifier, "true" | "false") => Kind::Bool,
            (Kind::Identifier, "nil") => Kind::Nil,
            (Kind::Identifier, _) if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => kind,
        })
    }

    fn at_terminator(&self) -> bool {
        let rest = self.rest();
        rest.starts_with(CLOSE)
            || rest
                .chars()
                .next()
                .is_none_or(|c| is_space(c) || matches!(c, '.' | ',' | '|' | ':' | ')' | '('))
    }

    fn bad_character(&mut self, start: usize) -> Result<Kind, Wrong> {
        let c = self.rest().chars().next().unwrap_or_default();
        self.at += c.len_utf8().min(self.rest().len());
        self.wrong(start, format!("bad character U+{:04X} {c:?}", u32::from(c)))
    }

    fn number(&mut self) -> Result<Kind, Wrong> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let take = |at: &mut usize, one_of: &[u8]| {
            let here = bytes.get(*at).is_some_and(|byte| one_of.contains(byte));
            *at += usize::from(here);
            here
        };
        let mut at = start;
        take(&mut at, b"+-");
        let mut digits: &[u8] = b"0123456789_";
        if take(&mut at, b"0") {
            if take(&mut at, b"xX") {
                digits = b"0123456789abcdefABCDEF_";
            } else if take(&mut at, b"oO") {
                digits = b"01234567_";
            } else if take(&mut at, b"bB") {
                digits = b"01_";
            }
        }
        while take(&mut at, digits) {}
        if take(&mut at, b".") {
            while take(&mut at, digits) {}
        }
        let exponent: &[u8] = match digits.len() {
            11 => b"eE",
            23 => b"pP",
            _ => b"",
        };
        if take(&mut at, exponent) {
            take(&mut at, b"+-");
            while take(&mut at, b"0123456789_") {}
        }
        take(&mut at, b"i");
        self.at = at;
        if self.rest().starts_with(is_alphanumeric) {
            self.at = self.text.len() - self.rest().trim_start_matches(is_alphanumeric).len();
            return self.wrong(start, format!("bad number syntax: {:?}", &self.text[start..self.at]));
        }
        Ok(Kind::Number)
    }
}

fn starts_with_trim(inside: &str) -> bool {
    inside.strip_prefix('-').is_some_and(|rest| rest.starts_with(is_space))
}

/// Whether a closing delimiter is here, and whether it trims.
fn closing(rest: &str) -> Option<bool> {
    if rest.starts_with(CLOSE) {
        return Some(false);
    }
    let marked = rest.strip_prefix(is_space)?.strip_prefix('-')?;
    marked.starts_with(CLOSE).then_some(true)
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
