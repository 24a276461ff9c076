//! A place in a text, and what both formats step over in the same way.

use std::borrow::Cow;

use super::fault::{Limit, Limits, Slip};
use super::number::{self, NoNumber};
use super::written::{Form, Written};

pub(super) type Parsed<T> = Result<T, Box<Slip>>;

const QUOTED: &str = "in quotes `\\\\`, `\\\"` and `\\n` stand for a backslash, a quote and a line break";
const NUMBER: &str = "a number is decimal, such as `12`, `0.5` and `1e6`; or `NaN`, `+Inf`, `-Inf`";

/// Sets of bytes.
const NAME: u8 = 1;
const NAME_START: u8 = 2;
const LABEL: u8 = 4;
const LABEL_START: u8 = 8;
const BLANK: u8 = 16;
/// What no word goes on behind.
const GAP: u8 = 32;

static SETS: [u8; 256] = sets();

const fn sets() -> [u8; 256] {
    let mut sets = [0; 256];
    let mut at = 0;
    while at < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "it is less than 256")]
        let byte = at as u8;
        sets[at] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => NAME | NAME_START | LABEL | LABEL_START,
            b':' => NAME | NAME_START,
            b'0'..=b'9' => NAME | LABEL,
            b' ' | b'\t' => BLANK | GAP,
            b'\n' | 0 => GAP,
            _ => 0,
        };
        at += 1;
    }
    sets
}

/// What may stand between quotes, each as the lexers of Prometheus have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotes {
    pub line_breaks: bool,
    pub nuls: bool,
}

impl Quotes {
    pub const NAME: Self = Self {
        line_breaks: true,
        nuls: false,
    };
}

pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    limits: &'t Limits,
}

impl<'t> Cursor<'t> {
    pub fn new(text: &'t str, limits: &'t Limits) -> Self {
        Self { text, at: 0, limits }
    }

    pub fn text(&self) -> &'t str {
        self.text
    }

    pub fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes over one byte.
    #[inline]
    pub fn step(&mut self) {
        self.at += 1;
    }

    /// Goes over this byte if it comes next.
    #[inline]
    pub fn skip(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Goes over these words if they come next.
    pub fn skip_words(&mut self, words: &str) -> bool {
        let is_next = self.rest().starts_with(words.as_bytes());
        self.at += if is_next { words.len() } else { 0 };
        is_next
    }

    /// Goes over blanks and tabs.
    #[inline]
    pub fn blanks(&mut self) {
        self.go_while(BLANK);
    }

    /// Goes to the end of the line, before its line break.
    pub fn go_to_line_end(&mut self) -> &'t str {
        let start = self.at;
        self.at = memchr::memchr(b'\n', self.rest()).map_or(self.text.len(), |length| start + length);
        self.since(start)
    }

    pub fn since(&self, start: usize) -> &'t str {
        &self.text[start..self.at]
    }

    fn rest(&self) -> &'t [u8] {
        &self.text.as_bytes()[self.at..]
    }

    #[inline]
    fn go_while(&mut self, set: u8) {
        let rest = self.rest();
        let ends = |byte: &u8| SETS[usize::from(*byte)] & set == 0;
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }

    /// A metric's name without quotes; none: none begins here.
    #[inline]
    pub fn bare_name(&mut self) -> Parsed<Option<Written<'t>>> {
        self.bare(NAME_START, NAME)
    }

    /// A label's name without quotes.
    #[inline]
    pub fn bare_label(&mut self) -> Parsed<Option<Written<'t>>> {
        self.bare(LABEL_START, LABEL)
    }

    #[inline]
    fn bare(&mut self, first: u8, then: u8) -> Parsed<Option<Written<'t>>> {
        let start = self.at;
        if self.peek().is_none_or(|byte| SETS[usize::from(byte)] & first == 0) {
            return Ok(None);
        }
        self.step();
        self.go_while(then);
        self.check(self.at - start, Limit::NameBytes, start)?;
        Ok(Some(Written::new(self.since(start), Form::Plain)))
    }

    /// What stands in the quotes that open here.
    #[inline]
    pub fn quoted(&mut self, may: Quotes, limit: Limit) -> Parsed<Written<'t>> {
        let open = self.at;
        self.step();
        let escapes = self.go_to_closing_quote(open, may)?;
        let raw = self.since(open + 1);
        self.step();
        self.check(raw.len(), limit, open)?;
        if !may.nuls
            && let Some(nul) = memchr::memchr(0, raw.as_bytes())
        {
            return Err(Slip::new(open + 1 + nul, "expected no NUL in these quotes"));
        }
        Ok(Written::new(raw, if escapes { Form::Escaped } else { Form::Plain }))
    }

    /// Says whether there are escapes on the way.
    #[inline]
    fn go_to_closing_quote(&mut self, open: usize, may: Quotes) -> Parsed<bool> {
        let mut escapes = false;
        loop {
            let found = if may.line_breaks {
                memchr::memchr2(b'"', b'\\', self.rest())
            } else {
                memchr::memchr3(b'"', b'\\', b'\n', self.rest())
            };
            let Some(length) = found else {
                return Err(Slip::new(open, "expected a closing `\"`: these quotes have none").help(QUOTED));
            };
            self.at += length;
            match self.peek() {
                Some(b'"') => return Ok(escapes),
                Some(b'\\') => self.escape(may)?,
                _ => {
                    return Err(self
                        .slip("expected a closing `\"` before the line ends (a line break is written `\\n`)")
                        .help(QUOTED));
                }
            }
            escapes = true;
        }
    }

    /// Goes over a backslash and what it is for: any byte but a line break, and a NUL does not count.
    fn escape(&mut self, may: Quotes) -> Parsed<()> {
        self.step();
        while may.nuls && self.peek() == Some(0) {
            self.step();
        }
        match self.peek() {
            None | Some(b'\n') => Err(self.expected("an escaped character after `\\`").help(QUOTED)),
            Some(_) => {
                self.step();
                Ok(())
            }
        }
    }

    /// A value or time that begins here. `ends_word` says what bytes it ends before.
    #[inline]
    pub fn number(&mut self, what: &str, ends_word: impl Fn(u8) -> bool) -> Parsed<f64> {
        let rest = self.rest();
        if let Some((number, length)) = number::quick(rest)
            && rest.get(length).is_none_or(|next| ends_word(*next))
        {
            self.at += length;
            return Ok(number);
        }
        let start = self.at;
        let length = rest.iter().position(|byte| ends_word(*byte)).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.expected(what).help(NUMBER));
        }
        self.at += length;
        let word = self.since(start);
        number::parse(word).map_err(|why| no_number(start, word, what, why))
    }

    /// What a word of the text format ends before, but for `{`.
    #[inline]
    pub fn is_gap(byte: u8) -> bool {
        SETS[usize::from(byte)] & GAP != 0
    }

    pub fn check(&self, much: usize, limit: Limit, at: usize) -> Parsed<()> {
        let most = self.limits.of(limit);
        if much > most {
            return Err(Slip::limit(at, limit, most));
        }
        Ok(())
    }

    /// Judges the length of what began at `start`.
    pub fn check_line(&self, start: usize) -> Parsed<()> {
        self.check(self.at - start, Limit::LineBytes, start)
    }

    #[cold]
    pub fn slip(&self, message: impl Into<Cow<'static, str>>) -> Box<Slip> {
        Slip::new(self.at, message)
    }

    /// Something else stands here.
    #[cold]
    pub fn expected(&self, what: &str) -> Box<Slip> {
        let found = match self.text[self.at..].chars().next() {
            None => "the end of the text".to_owned(),
            Some('\n') => "the end of the line".to_owned(),
            Some(' ') => "a blank".to_owned(),
            Some('\t') => "a tab".to_owned(),
            Some(other) => format!("`{}`", escaped(&other.to_string())),
        };
        self.slip(format!("expected {what}, found {found}"))
    }
}

fn no_number(at: usize, word: &str, what: &str, why: NoNumber) -> Box<Slip> {
    let word = escaped(word);
    let message = match why {
        NoNumber::Range => format!("expected {what}, found `{word}`, which no 64-bit float holds"),
        NoNumber::Syntax => format!("expected {what}, found `{word}`, which is no number"),
    };
    Slip::new(at, message).help(NUMBER)
}

/// For a message: not too long, and nothing that a terminal acts on.
pub(super) fn escaped(text: &str) -> String {
    /// Characters; what is longer is cut.
    const MOST: usize = 40;
    let mut short = String::new();
    for character in text.chars().take(MOST) {
        match character {
            '"' | '\'' => short.push(character),
            _ => short.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(MOST).is_some() {
        short.push('…');
    }
    short
}
