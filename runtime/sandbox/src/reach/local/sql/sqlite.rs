//! SQLite files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use evenkeel_engine::port::reach::{Rows, SqlError, SqlValue, Statement};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use super::{Collected, Sent};
use crate::reach::local::disk::Asked;

/// Of its virtual machine, between two looks at the clock.
const INSTRUCTIONS: i32 = 1_000;
/// The least that a string or a row may have, whatever may be answered.
const LENGTH: usize = 1 << 20;

/// Pragmas that look at the file, or at what their argument names.
const LOOKS: [&str; 9] = [
    "foreign_key_check",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];
/// Pragmas that answer without an argument, and set something with one.
const ANSWERS: [&str; 10] = [
    "application_id",
    "auto_vacuum",
    "data_version",
    "encoding",
    "freelist_count",
    "journal_mode",
    "page_count",
    "page_size",
    "schema_version",
    "user_version",
];

pub fn query(file: &Path, statement: &Statement, asked: &Asked) -> Result<Rows, SqlError> {
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_ONLY, statement, asked)?;
    let told = |error| told(error);
    connection
        .authorizer(Some(|context: AuthContext<'_>| reading(&context)))
        .map_err(told)?;
    let mut prepared = connection.prepare(&statement.text).map_err(told)?;
    if !prepared.readonly() {
        return Err(SqlError::Denied("the statement would change the database".into()));
    }
    let columns = prepared
        .column_names()
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let width = columns.len();
    let mut collected = Collected::new(columns, statement);
    let mut rows = prepared.query(params_from_iter(params(statement))).map_err(told)?;
    while let Some(row) = rows.next().map_err(told)? {
        let values = (0..width).map(|at| row.get_ref(at).map(value));
        if !collected.push(values.collect::<Result<_, _>>().map_err(told)?)? {
            break;
        }
    }
    Ok(collected.rows)
}

pub fn execute(file: &Path, statement: &Statement, asked: &Asked, sent: &Sent) -> Result<u64, SqlError> {
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_WRITE, statement, asked)?;
    connection
        .authorizer(Some(|context: AuthContext<'_>| changing(&context)))
        .map_err(told)?;
    let mut prepared = connection.prepare(&statement.text).map_err(told)?;
    let before = connection.total_changes();
    sent.now();
    // Who gave up on it before that has said that it was not made.
    asked.still().map_err(|_| SqlError::TimedOut)?;
    let mut rows = prepared.query(params_from_iter(params(statement))).map_err(told)?;
    while rows.next().map_err(told)?.is_some() {}
    Ok(connection.total_changes().saturating_sub(before))
}

fn open(file: &Path, mode: OpenFlags, statement: &Statement, asked: &Asked) -> Result<Connection, SqlError> {
    let flags = mode | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(place(file)?, flags).map_err(told)?;
    connection.busy_timeout(statement.timeout).map_err(told)?;
    for (what, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
    ] {
        connection.set_db_config(what, on).map_err(told)?;
    }
    let length = i32::try_from(statement.bytes.max(LENGTH)).unwrap_or(i32::MAX);
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, length).map_err(told)?;
    // `vacuum` takes one for itself.
    let attached = i32::from(mode.contains(OpenFlags::SQLITE_OPEN_READ_WRITE));
    connection
        .set_limit(Limit::SQLITE_LIMIT_ATTACHED, attached)
        .map_err(told)?;
    let (deadline, asked) = (Deadline::after(statement.timeout), asked.clone());
    let over = move || deadline.is_over() || asked.still().is_err();
    connection.progress_handler(INSTRUCTIONS, Some(over)).map_err(told)?;
    Ok(connection)
}

/// Links on the way are the operator's; the file itself is none.
fn place(file: &Path) -> Result<PathBuf, SqlError> {
    let unavailable = |why: String| SqlError::Unavailable(format!("{} can't be opened: {why}", file.display()));
    let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(unavailable("it is no file".into()));
    };
    let directory = directory
        .canonicalize()
        .map_err(|error| unavailable(error.to_string()))?;
    let path = directory.join(name);
    let kind = path
        .symlink_metadata()
        .map_err(|error| unavailable(error.to_string()))?
        .file_type();
    if !kind.is_file() {
        return Err(unavailable("it is no regular file".into()));
    }
    Ok(path)
}

struct Deadline(Instant, Duration);

impl Deadline {
    fn after(timeout: Duration) -> Self {
        Self(Instant::now(), timeout)
    }

    fn is_over(&self) -> bool {
        self.0.elapsed() >= self.1
    }
}

/// Whatever the statement's text hides, this is what it would do.
fn reading(context: &AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Function { function_name } => function(function_name),
        AuthAction::Pragma {
            pragma_name,
            pragma_value,
        } => pragma(pragma_name, pragma_value),
        _ => Authorization::Deny,
    }
}

fn changing(context: &AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Function { function_name } => function(function_name),
        AuthAction::Pragma {
            pragma_name,
            pragma_value,
        } => pragma(pragma_name, pragma_value),
        // What `vacuum` works in; its own transaction is among what is allowed below.
        AuthAction::Attach { filename: "" } | AuthAction::Detach { .. } => Authorization::Allow,
        AuthAction::Attach { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::CreateVtable { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::Unknown { .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

fn function(name: &str) -> Authorization {
    match name.to_ascii_lowercase().as_str() {
        "load_extension" | "fts3_tokenizer" | "readfile" | "writefile" | "edit" => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

fn pragma(name: &str, value: Option<&str>) -> Authorization {
    let name = name.to_ascii_lowercase();
    if LOOKS.contains(&name.as_str()) || (value.is_none() && ANSWERS.contains(&name.as_str())) {
        Authorization::Allow
    } else {
        Authorization::Deny
    }
}

fn params(statement: &Statement) -> impl Iterator<Item = ToSqlOutput<'_>> {
    statement.params.iter().map(|param| match param {
        SqlValue::Null => ToSqlOutput::Owned(Value::Null),
        SqlValue::Boolean(value) => ToSqlOutput::Owned(Value::Integer(i64::from(*value))),
        SqlValue::Integer(value) => ToSqlOutput::Owned(Value::Integer(*value)),
        SqlValue::Real(value) => ToSqlOutput::Owned(Value::Real(*value)),
        SqlValue::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
        SqlValue::Blob(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
    })
}

fn value(value: ValueRef<'_>) -> SqlValue {
    match value {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(value) => SqlValue::Integer(value),
        ValueRef::Real(value) => SqlValue::Real(value),
        ValueRef::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
    }
}

fn told(error: rusqlite::Error) -> SqlError {
    let words = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::AuthorizationForStatementDenied) => {
            SqlError::Denied(format!("SQLite's authorizer refuses it: {words}"))
        }
        // A function that is denied has no code of its own.
        _ if words.starts_with("not authorized") => {
            SqlError::Denied(format!("SQLite's authorizer refuses it: {words}"))
        }
        Some(ErrorCode::OperationInterrupted) => SqlError::TimedOut,
        Some(ErrorCode::TooBig) => SqlError::TooLarge,
        Some(ErrorCode::ReadOnly) => SqlError::Denied(words),
        // It may have been the last step of a commit.
        Some(ErrorCode::SystemIoFailure) => SqlError::Lost(words),
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::NotADatabase
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::PermissionDenied
            | ErrorCode::DiskFull,
        ) => SqlError::Unavailable(words),
        _ => SqlError::Invalid(words),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use evenkeel_engine::port::reach::FilesError;
    use tokio::sync::oneshot;

    use super::*;
    use crate::reach::local::disk::Disk;

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_executed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app.db");
        let database = Connection::open(&file).unwrap();
        database.execute_batch("CREATE TABLE t (n)").unwrap();
        let (begun, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (tell, told) = oneshot::channel();
        let disk = Disk::default();
        let work = disk.work::<()>(move |asked| {
            begun.send(()).unwrap();
            may_go_on.recv().unwrap();
            let statement = Statement {
                text: "INSERT INTO t VALUES (1)".into(),
                params: vec![],
                timeout: Duration::from_secs(60),
                rows: 1,
                bytes: 1_024,
            };
            tell.send(execute(&file, &statement, asked, &Sent::default())).unwrap();
            Err(FilesError::Io("it is over".into()))
        });
        tokio::select! {
            done = work => panic!("it waits: {done:?}"),
            () = async { has_begun.await.unwrap() } => {}
        }
        go_on.send(()).unwrap();
        assert_eq!(told.await.unwrap(), Err(SqlError::TimedOut));
        let rows: i64 = database
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 0);
    }
}
