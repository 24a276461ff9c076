//! What a statement is allowed to be, before a database ever sees it.
//!
//! The databases' own guards (a read-only transaction, a role, an authorizer) come behind this. It is here for what they
//! let through: a statement that leaves them, and what acts without writing a row.

mod functions;
mod lexer;

use evenkeel_model::role::{Engine, Place};

pub use functions::{HARMLESS_POSTGRES, TEXT_AS_STATEMENT};
use lexer::Token;

/// Of one statement, in bytes.
const LONGEST: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    Mysql,
    Sqlite,
}

impl Dialect {
    pub fn of(place: &Place) -> Self {
        match place {
            Place::File(_) => Self::Sqlite,
            Place::Server { engine, .. } => match engine {
                Engine::Postgres => Self::Postgres,
                Engine::Mysql => Self::Mysql,
            },
        }
    }

    /// What `query` may begin with.
    fn reads(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["select", "with", "values", "table", "show", "explain"],
            Self::Mysql => &[
                "select", "with", "values", "table", "show", "explain", "describe", "desc",
            ],
            Self::Sqlite => &["select", "with", "values", "explain", "pragma"],
        }
    }

    /// What `execute` may begin with. Whatever opens or ends a transaction, changes the session, or goes to files and
    /// programs is not among it.
    fn changes(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &[
                "insert", "update", "delete", "merge", "with", "select", "truncate", "analyze", "vacuum", "reindex",
                "cluster", "refresh", "create", "alter", "drop",
            ],
            Self::Mysql => &[
                "insert", "update", "delete", "replace", "with", "truncate", "analyze", "optimize", "kill", "create",
                "alter", "drop",
            ],
            Self::Sqlite => &[
                "insert", "update", "delete", "replace", "with", "analyze", "vacuum", "reindex", "create", "alter",
                "drop",
            ],
        }
    }
}

/// Words that no reading statement needs without quotes around them.
const WRITES: [&str; 6] = ["insert", "update", "delete", "merge", "truncate", "into"];
/// What `create`, `alter` and `drop` may be about.
const STRUCTURE: [&str; 2] = ["table", "index"];

/// Whether `query` may prepare it.
pub fn read(dialect: Dialect, text: &str) -> Result<(), String> {
    let tokens = tokens(dialect, text)?;
    let first = first(&tokens).ok_or_else(|| begins("", dialect.reads()))?;
    if !dialect.reads().contains(&first) {
        return Err(format!(
            "`query` reads, and {}; `execute` changes",
            begins(first, dialect.reads())
        ));
    }
    if let Some(word) = words(&tokens).find(|word| WRITES.contains(word)) {
        return Err(format!(
            "`query` reads, and `{word}` changes something: put a name into quotes, and a change into `execute`"
        ));
    }
    if first == "explain" && words(&tokens).any(|word| ["analyze", "analyse"].contains(&word)) {
        return Err("`explain analyze` executes what it explains".into());
    }
    if dialect == Dialect::Mysql {
        mysql(&tokens)?;
    }
    Ok(())
}

/// Whether `execute` may prepare it.
pub fn change(dialect: Dialect, text: &str) -> Result<(), String> {
    let tokens = tokens(dialect, text)?;
    let mut words = words(&tokens);
    let first = words.next().unwrap_or_default();
    if !dialect.changes().contains(&first) || tokens[0].word() != Some(first) {
        return Err(format!(
            "`execute` changes data, and {}",
            begins(first, dialect.changes())
        ));
    }
    if ["create", "alter", "drop"].contains(&first) {
        let about = words.find(|word| *word != "unique").unwrap_or_default();
        if !STRUCTURE.contains(&about) {
            return Err(format!(
                "`execute` may {first} a table or an index, not `{first} {about}`"
            ));
        }
    }
    let outward = |token: &Token| ["outfile", "dumpfile"].iter().any(|word| token.word() == Some(word));
    if dialect == Dialect::Mysql && tokens.iter().any(outward) {
        return Err("a statement writes no files".into());
    }
    Ok(())
}

/// Names that may be functions which the statement calls, as the database would look them up: those before a
/// parenthesis, and those behind a dot, which PostgreSQL takes for a call as well.
pub fn calls(dialect: Dialect, text: &str) -> Result<Calls, String> {
    let tokens = tokens(dialect, text)?;
    let mut calls = Calls::default();
    for (at, token) in tokens.iter().enumerate() {
        let Some(name) = token.name() else { continue };
        if tokens.get(at + 1).is_some_and(|next| next.is('(')) {
            calls.called.push(name.to_owned());
        } else if at > 0 && tokens[at - 1].is('.') {
            calls.behind_dots.push(name.to_owned());
        }
    }
    Ok(calls)
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub called: Vec<String>,
    pub behind_dots: Vec<String>,
}

/// The statement without the semicolon at its end, so that it can stand within another one.
pub fn bare(dialect: Dialect, text: &str) -> Result<&str, String> {
    let tokens = lexer::lex(dialect, text)?;
    let end = tokens
        .last()
        .filter(|token| token.is(';'))
        .map_or(text.len(), |token| token.at);
    Ok(&text[..end])
}

/// One statement's tokens.
fn tokens(dialect: Dialect, text: &str) -> Result<Vec<Token>, String> {
    if text.len() > LONGEST {
        return Err(format!("a statement has at most {} KiB", LONGEST >> 10));
    }
    let mut tokens = lexer::lex(dialect, text)?;
    if tokens.last().is_some_and(|token| token.is(';')) {
        tokens.pop();
    }
    if tokens.iter().any(|token| token.is(';')) {
        return Err("one statement is sent at a time, and there is a `;` within this one".into());
    }
    if tokens.is_empty() {
        return Err("there is no statement".into());
    }
    Ok(tokens)
}

/// The word that a statement begins with, behind opening parentheses.
fn first(tokens: &[Token]) -> Option<&str> {
    tokens.iter().find(|token| !token.is('('))?.word()
}

fn words(tokens: &[Token]) -> impl Iterator<Item = &str> {
    tokens.iter().filter_map(Token::word)
}

fn begins(first: &str, allowed: &[&str]) -> String {
    let shown: String = first.chars().take(40).collect();
    format!("begins with one of {}, not with `{shown}`", allowed.join(", "))
}

/// Its functions are in no catalogue that everybody may read, so that it takes a list.
fn mysql(tokens: &[Token]) -> Result<(), String> {
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| &tokens[at]);
        match token.word() {
            Some(word @ ("lock" | "share" | "procedure" | "outfile" | "dumpfile")) => {
                return Err(format!("`query` reads, and `{word}` does more: put a name into quotes"));
            }
            Some("for") if before.and_then(Token::word) == Some("value") => {
                return Err("a sequence's `value for` changes it".into());
            }
            _ => {}
        }
        let Some(name) = token.name() else { continue };
        if !tokens.get(at + 1).is_some_and(|next| next.is('(')) {
            continue;
        }
        let declared = before
            .and_then(Token::word)
            .is_some_and(|word| ["with", "recursive"].contains(&word));
        let stored = before.is_some_and(|token| token.is('.'));
        if stored || !(declared || functions::MYSQL.contains(&name)) {
            let name: String = name.chars().take(60).collect();
            return Err(format!(
                "`{name}` is not among the functions of MySQL and MariaDB that are known to read alone; a view may use it"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
