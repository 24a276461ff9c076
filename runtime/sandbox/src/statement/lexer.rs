//! Words, quotes and comments as each database has them, and nothing that two of them, or two settings of one, would
//! read in two ways: that is refused.

use super::Dialect;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    /// Where it begins, in bytes.
    pub at: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Without quotes, in lower case.
    Word(String),
    /// An identifier in quotes, as it is meant.
    Quoted(String),
    String,
    Number,
    /// A dollar and digits.
    Parameter,
    Punctuation(char),
}

impl Token {
    pub fn is(&self, wanted: char) -> bool {
        self.kind == Kind::Punctuation(wanted)
    }

    /// It may be a keyword.
    pub fn word(&self) -> Option<&str> {
        if let Kind::Word(word) = &self.kind {
            Some(word)
        } else {
            None
        }
    }

    /// It may be a name.
    pub fn name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(name) | Kind::Quoted(name) => Some(name),
            _ => None,
        }
    }
}

/// All tokens, comments left out.
pub fn lex(dialect: Dialect, text: &str) -> Result<Vec<Token>, String> {
    let mut lexer = Lexer {
        dialect,
        text,
        at: 0,
        tokens: Vec::new(),
    };
    while let Some(next) = lexer.peek() {
        lexer.token(next)?;
    }
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    dialect: Dialect,
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn follows(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn push(&mut self, at: usize, kind: Kind) {
        self.tokens.push(Token { kind, at });
    }

    fn token(&mut self, next: char) -> Result<(), String> {
        let at = self.at;
        match next {
            ' ' | '\t' | '\n' | '\r' => self.at += 1,
            '-' if self.follows("--") => self.line_comment(2)?,
            '#' if self.dialect == Dialect::Mysql => self.line_comment(1)?,
            '/' if self.follows("/*") => self.block_comment()?,
            '\'' => self.string(false)?,
            '"' if self.dialect == Dialect::Mysql => self.string(false)?,
            '"' => self.quoted('"')?,
            '`' if self.dialect != Dialect::Postgres => self.quoted('`')?,
            '[' if self.dialect == Dialect::Sqlite => self.quoted(']')?,
            '$' => self.dollar()?,
            next if next.is_ascii_digit() => self.number()?,
            next if begins_word(next) => self.word()?,
            next if next.is_ascii_graphic() => {
                self.at += 1;
                self.push(at, Kind::Punctuation(next));
            }
            _ => return Err("a control character stands outside of quotes".into()),
        }
        Ok(())
    }

    fn line_comment(&mut self, mark: usize) -> Result<(), String> {
        let after = self.rest()[mark..].chars().next();
        // MySQL takes `--x` for two signs, the others for a comment.
        if self.dialect == Dialect::Mysql && mark == 2 && !after.is_none_or(|c| [' ', '\t', '\n'].contains(&c)) {
            return Err("`--` is followed by a space where it begins a comment".into());
        }
        // Not all agree on whether a lone carriage return ends it.
        let line = self.rest().split('\n').next().unwrap_or_default();
        let (length, inside) = (line.len(), line.trim_end_matches('\r'));
        if inside.contains(['\r', '\0']) {
            return Err("a comment holds a control character".into());
        }
        self.at += length;
        Ok(())
    }

    fn block_comment(&mut self) -> Result<(), String> {
        if self.dialect == Dialect::Mysql && ["/*!", "/*M!", "/*m!", "/*+"].iter().any(|mark| self.follows(mark)) {
            return Err("a comment that MySQL executes is no comment".into());
        }
        self.at += 2;
        let length = self.rest().find("*/").ok_or("a comment has no end")?;
        // They nest in PostgreSQL and in none of the others.
        if self.rest()[..length].contains("/*") || self.rest()[..length].contains('\0') {
            return Err("a comment stands within a comment".into());
        }
        self.at += length + 2;
        Ok(())
    }

    fn string(&mut self, escapes: bool) -> Result<(), String> {
        let at = self.at;
        // Two of them in a row are one string, and the second takes the first one's rules.
        if self.tokens.last().is_some_and(|last| last.kind == Kind::String) {
            return Err("two strings stand side by side".into());
        }
        let escapes = escapes || self.dialect == Dialect::Mysql;
        let quote = self.next();
        loop {
            match self.next() {
                None => return Err("a string has no end".into()),
                Some('\0') => return Err("a string holds a NUL".into()),
                Some('\\') if escapes => {
                    self.next().ok_or("a string has no end")?;
                }
                next if next == quote && self.peek() == quote => {
                    self.next();
                }
                next if next == quote => break,
                Some(_) => {}
            }
        }
        self.push(at, Kind::String);
        Ok(())
    }

    fn quoted(&mut self, quote: char) -> Result<(), String> {
        let at = self.at;
        self.next();
        let mut name = String::new();
        loop {
            match self.next() {
                None => return Err("a name in quotes has no end".into()),
                Some('\0') => return Err("a name holds a NUL".into()),
                Some(next) if next == quote && quote != ']' && self.peek() == Some(quote) => {
                    self.next();
                    name.push(quote);
                }
                Some(next) if next == quote => break,
                Some(next) => name.push(next),
            }
        }
        // Only PostgreSQL tells names in quotes by their case.
        if self.dialect != Dialect::Postgres {
            name = name.to_lowercase();
        }
        self.push(at, Kind::Quoted(name));
        Ok(())
    }

    /// `$1`, `$$…$$` and `$tag$…$tag$`.
    fn dollar(&mut self) -> Result<(), String> {
        let at = self.at;
        if self.dialect != Dialect::Postgres {
            return Err("a `$` begins nothing that is taken here".into());
        }
        let rest = &self.rest()[1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits > 0 {
            self.at += 1 + digits;
            if self.peek().is_some_and(begins_word) {
                return Err("a parameter runs into a word".into());
            }
            self.push(at, Kind::Parameter);
            return Ok(());
        }
        let tag = rest.find('$').map(|end| &rest[..end]);
        let tag = tag
            .filter(|tag| tag.chars().all(in_word))
            .ok_or("a `$` begins nothing")?;
        let mark = format!("${tag}$");
        let inside = self.at + mark.len();
        let length = self.text[inside..].find(&mark).ok_or("a dollar quote has no end")?;
        if self.tokens.last().is_some_and(|last| last.kind == Kind::String) {
            return Err("two strings stand side by side".into());
        }
        self.at = inside + length + mark.len();
        self.push(at, Kind::String);
        Ok(())
    }

    /// Digits with a point and an exponent, or `0x…`. Some read a word that runs into one as a word of its own.
    fn number(&mut self) -> Result<(), String> {
        let at = self.at;
        let bytes = self.text.as_bytes();
        let digits = |from: usize, is_digit: fn(&u8) -> bool| {
            from + bytes[from..].iter().take_while(|byte| is_digit(byte)).count()
        };
        if self.follows("0x") || self.follows("0X") {
            self.at = digits(at + 2, u8::is_ascii_hexdigit);
        } else {
            let mut end = digits(at, u8::is_ascii_digit);
            if bytes.get(end) == Some(&b'.') {
                end = digits(end + 1, u8::is_ascii_digit);
            }
            if matches!(bytes.get(end), Some(b'e' | b'E')) {
                let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
                end = digits(end + 1 + sign, u8::is_ascii_digit);
            }
            self.at = end;
        }
        if self.peek().is_some_and(|c| in_word(c) || c == '$') {
            return Err("a number runs into a word".into());
        }
        self.push(at, Kind::Number);
        Ok(())
    }

    fn word(&mut self) -> Result<(), String> {
        let at = self.at;
        let length = self
            .rest()
            .find(|c: char| !in_word(c) && c != '$')
            .unwrap_or(self.rest().len());
        let word = self.rest()[..length].to_lowercase();
        self.at += length;
        if self.dialect == Dialect::Postgres && word == "u" && self.follows("&") {
            return Err("`U&` spells names and strings in a second way, and is not taken".into());
        }
        if self.dialect == Dialect::Postgres && word == "e" && self.follows("'") {
            return self.string(true);
        }
        self.push(at, Kind::Word(word));
        Ok(())
    }
}

/// All databases take what is beyond ASCII for letters.
fn begins_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || !c.is_ascii()
}

fn in_word(c: char) -> bool {
    begins_word(c) || c.is_ascii_digit()
}
