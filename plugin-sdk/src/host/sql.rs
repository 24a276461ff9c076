//! A database that the operator named.

use super::{Calls, Host};
pub use crate::bindings::base::evenkeel::cap::sql::{Rows, SqlError, Value};
use crate::{CallError, Cause, Class, Effect, Scalars, subject};

/// Rows asked for unless the author says otherwise.
const ROWS: u32 = 1_000;

/// A database.
#[derive(Clone, Copy)]
pub struct Database<'h> {
    host: &'h Host,
    name: &'h str,
}

impl<'h> Database<'h> {
    pub(super) fn new(host: &'h Host, name: &'h str) -> Self {
        Self { host, name }
    }

    /// A statement that reads: `.query("select …").bind(7).rows()`.
    pub fn query(&self, statement: impl Into<String>) -> Statement<'h> {
        self.statement(statement.into())
    }

    /// A statement that changes: `.execute("delete …").bind(7).run()`. An effect.
    pub fn execute(&self, statement: impl Into<String>) -> Statement<'h> {
        self.statement(statement.into())
    }

    fn statement(&self, statement: String) -> Statement<'h> {
        Statement {
            host: self.host,
            database: self.name,
            statement,
            params: Vec::new(),
            limit: ROWS,
        }
    }
}

/// A statement about to be sent, with placeholders as its database has them.
#[must_use]
pub struct Statement<'h> {
    host: &'h Host,
    database: &'h str,
    statement: String,
    params: Vec<Value>,
    limit: u32,
}

impl Statement<'_> {
    /// Gives the next placeholder its value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.params.push(value.into());
        self
    }

    /// The same for several, in order.
    pub fn bind_all(mut self, values: &Scalars) -> Self {
        self.params.extend(values.0.iter().cloned());
        self
    }

    /// Answers at most so many rows; [`Rows::truncated`] says if there were more.
    pub fn limit(mut self, rows: u32) -> Self {
        self.limit = rows;
        self
    }

    /// The effect that this very call is, for the plan.
    pub fn effect(&self) -> Effect {
        Effect::execute(self.database, &self.statement, &self.params)
    }

    /// Reads.
    pub fn rows(self) -> Result<Rows, CallError<SqlError>> {
        let answer = self
            .host
            .backend
            .sql_query(self.database, &self.statement, &self.params, self.limit);
        answer.map_err(CallError::about(subject::sql(self.database, &self.statement)))
    }

    /// Changes, and answers how many rows.
    pub fn run(self) -> Result<u64, CallError<SqlError>> {
        let answer = self
            .host
            .backend
            .sql_execute(self.database, &self.statement, &self.params);
        answer.map_err(CallError::about(subject::sql(self.database, &self.statement)))
    }
}

impl Rows {
    /// The place of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

impl Value {
    /// The text, if it is one: dates, times and decimals are.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self {
            Some(*number)
        } else {
            None
        }
    }
}

/// Rust's types as a database has them.
macro_rules! from_type {
    ($($ty:ty => $case:ident),+ $(,)?) => {$(
        impl From<$ty> for Value {
            fn from(value: $ty) -> Self {
                Self::$case(value.into())
            }
        }
    )+};
}

from_type! {
    bool => Boolean,
    i32 => Integer,
    i64 => Integer,
    u32 => Integer,
    f64 => Real,
    &str => Text,
    String => Text,
    Vec<u8> => Blob,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Cause for SqlError {
    fn verdict(&self) -> (Class, &'static str, String) {
        match self {
            Self::Denied(why) => (Class::Denied, "sql-denied", why.clone()),
            Self::Invalid(why) => (Class::Invalid, "sql-invalid", why.clone()),
            Self::Unavailable(why) => (Class::Transient, "sql-unavailable", why.clone()),
            Self::TimedOut => (Class::Transient, "sql-timed-out", "the statement took too long".into()),
            Self::TooLarge => (
                Class::Permanent,
                "sql-too-large",
                "the answer is larger than the limit".into(),
            ),
        }
    }
}
