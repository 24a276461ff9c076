//! Databases that can be reached from this machine: a connection of its own for each statement, so that nothing of one
//! is left to the next.

mod mysql;
mod postgres;
mod sqlite;
mod stop;
mod trust;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evenkeel_engine::port::reach::{Rows, SqlError, SqlValue, Statement};
use evenkeel_model::role::{Database, Engine, Place};
use evenkeel_model::secret::Value as Secret;

use super::disk::{Asked, Disk};
use super::tls;
pub use stop::Stops;

/// What is kept of a database's own words, in characters.
const WORDS: usize = 500;

/// Where statements go, and what they share: nothing but this machine's trust, and the count of what still ends.
pub struct Databases<'a> {
    pub home: &'a Path,
    pub disk: &'a Disk,
    pub tls: &'a tls::Configs,
    pub stops: &'a Stops,
}

/// A server, and who one is there.
#[derive(Clone)]
struct Server {
    host: String,
    port: u16,
    user: String,
    name: String,
    socket: Option<PathBuf>,
    password: Option<Secret>,
    reader: Option<String>,
    tls: bool,
    server_name: Option<String>,
    ca: Option<PathBuf>,
}

impl Server {
    /// As people know it.
    fn address(&self) -> String {
        match &self.socket {
            Some(socket) => socket.display().to_string(),
            None if self.host.contains(':') => format!("[{}]:{}", self.host, self.port),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    /// What its certificate must be for.
    fn expected(&self) -> &str {
        self.server_name.as_deref().unwrap_or(&self.host)
    }
}

impl Databases<'_> {
    pub async fn query(
        &self,
        database: &Database,
        password: Option<&Secret>,
        statement: Statement,
    ) -> Result<Rows, SqlError> {
        let answer = match self.place(database, password)? {
            (Engine::Postgres, Ok(server)) => postgres::query(self, server, statement).await,
            (Engine::Mysql, Ok(server)) => mysql::query(self, server, statement).await,
            (_, Err(file)) => {
                self.file(statement, move |it, asked| sqlite::query(&file, it, asked))
                    .await
            }
        };
        answer.map_err(|error| clean(Sent::default().told(error), password))
    }

    pub async fn execute(
        &self,
        database: &Database,
        password: Option<&Secret>,
        statement: Statement,
    ) -> Result<u64, SqlError> {
        let sent = Sent::default();
        let answer = match self.place(database, password)? {
            (Engine::Postgres, Ok(server)) => postgres::execute(self, server, statement, &sent).await,
            (Engine::Mysql, Ok(server)) => mysql::execute(self, server, statement, &sent).await,
            (_, Err(file)) => {
                let sent = sent.clone();
                self.file(statement, move |it, asked| sqlite::execute(&file, it, asked, &sent))
                    .await
            }
        };
        answer.map_err(|error| clean(sent.told(error), password))
    }

    /// The server, or SQLite's file.
    fn place(
        &self,
        database: &Database,
        password: Option<&Secret>,
    ) -> Result<(Engine, Result<Server, PathBuf>), SqlError> {
        match database.place().map_err(SqlError::Invalid)? {
            Place::File(path) => Ok((Engine::Postgres, Err(self.home.join(path)))),
            Place::Server {
                engine,
                host,
                port,
                user,
                name,
            } => {
                let server = Server {
                    host,
                    port,
                    user,
                    name,
                    socket: database.socket.as_ref().map(|socket| self.home.join(socket)),
                    password: password.cloned(),
                    reader: database.reader.clone(),
                    tls: database.tls && database.socket.is_none(),
                    server_name: database.server_name.clone(),
                    ca: database.ca.as_ref().map(|ca| self.home.join(ca)),
                };
                Ok((engine, Ok(server)))
            }
        }
    }

    /// SQLite blocks.
    async fn file<T: Send + 'static>(
        &self,
        statement: Statement,
        work: impl FnOnce(&Statement, &Asked) -> Result<T, SqlError> + Send + 'static,
    ) -> Result<T, SqlError> {
        let timeout = statement.timeout;
        let work = self.disk.work(move |asked| Ok(work(&statement, asked)));
        match tokio::time::timeout(timeout + stop::GRACE, work).await {
            Err(_) => Err(SqlError::Unanswered),
            Ok(Err(error)) => Err(SqlError::Lost(error.to_string())),
            Ok(Ok(answer)) => answer,
        }
    }
}

/// Whether a statement that changes something was handed to its server. From there on nobody but the server knows
/// whether it was done: what it says counts, and its silence leaves that open.
#[derive(Clone, Default)]
struct Sent(Arc<AtomicBool>);

impl Sent {
    fn now(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// What came of it, in the words for one that was not sent.
    fn told(&self, error: SqlError) -> SqlError {
        match error {
            other if self.0.load(Ordering::SeqCst) => other,
            SqlError::Lost(why) => SqlError::Unavailable(why),
            SqlError::Unanswered => SqlError::TimedOut,
            other => other,
        }
    }
}

/// Collects rows until there are enough of them.
struct Collected {
    rows: Rows,
    most: usize,
    /// What is left for them, in bytes.
    left: usize,
}

impl Collected {
    fn new(columns: Vec<String>, statement: &Statement) -> Self {
        Self {
            rows: Rows {
                columns,
                ..Rows::default()
            },
            most: usize::try_from(statement.rows).unwrap_or(usize::MAX),
            left: statement.bytes,
        }
    }

    /// False: that one was too many, and no further one is wanted.
    fn push(&mut self, row: Vec<SqlValue>) -> Result<bool, SqlError> {
        if self.rows.rows.len() >= self.most {
            self.rows.truncated = true;
            return Ok(false);
        }
        let bytes = row.iter().map(weight).sum::<usize>();
        self.left = self.left.checked_sub(bytes).ok_or(SqlError::TooLarge)?;
        self.rows.rows.push(row);
        Ok(true)
    }
}

/// About what it takes in memory and as JSON.
fn weight(value: &SqlValue) -> usize {
    16 + match value {
        SqlValue::Text(text) => text.len(),
        SqlValue::Blob(bytes) => bytes.len() * 4 / 3,
        _ => 0,
    }
}

/// A database's words, for a plugin and for people.
fn clean(error: SqlError, password: Option<&Secret>) -> SqlError {
    let words = |text: String| {
        let text = match password {
            Some(password) if !password.expose().is_empty() => text.replace(password.expose(), "***"),
            _ => text,
        };
        let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        plain.take(WORDS).collect::<String>()
    };
    match error {
        SqlError::Denied(text) => SqlError::Denied(words(text)),
        SqlError::Invalid(text) => SqlError::Invalid(words(text)),
        SqlError::Unavailable(text) => SqlError::Unavailable(words(text)),
        SqlError::Lost(text) => SqlError::Lost(words(text)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_words_of_a_database_hold_the_password_or_a_line_break() {
        let password = Secret::new("hunter2");
        let error = SqlError::Unavailable(format!("no `hunter2`\n{}", "x".repeat(1_000)));
        let SqlError::Unavailable(text) = clean(error, Some(&password)) else {
            panic!("another error")
        };
        assert!(text.starts_with("no `***` x") && text.len() == WORDS, "{text}");
    }

    #[test]
    fn rows_are_counted_and_bytes_are_weighed() {
        let statement = Statement {
            text: String::new(),
            params: Vec::new(),
            timeout: std::time::Duration::ZERO,
            rows: 2,
            bytes: 100,
        };
        let row = || vec![SqlValue::Integer(1)];
        let mut collected = Collected::new(Vec::new(), &statement);
        assert_eq!((collected.push(row()), collected.push(row())), (Ok(true), Ok(true)));
        assert!(!collected.rows.truncated);
        assert_eq!(collected.push(row()), Ok(false));
        assert!(collected.rows.truncated && collected.rows.rows.len() == 2);
        let mut collected = Collected::new(Vec::new(), &statement);
        assert_eq!(
            collected.push(vec![SqlValue::Blob(vec![0; 90])]),
            Err(SqlError::TooLarge)
        );
    }
}
