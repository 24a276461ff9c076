//! PostgreSQL: one connection, one statement of the extended protocol.

mod value;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evenkeel_engine::port::reach::{HttpError, Rows, SqlError, SqlValue, Statement};
use futures::TryStreamExt as _;
use rustls::ClientConfig;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{CancelToken, Client, Config, NoTls, Transaction};

use super::wire::{Budget, Counted, Stream, Tls};
use super::{Collected, Databases, Sent, Server, trust};
use crate::statement::{self, Dialect, HARMLESS_POSTGRES, TEXT_AS_STATEMENT};
use value::{column, value};

/// What a protocol's frame may add to an answer, as a multiple of it, and what is said besides.
const FRAME: (usize, usize) = (3, 1 << 20);
/// The server ends an idle session so long after the statement's time, should this daemon be gone.
const IDLE: Duration = Duration::from_secs(5);

/// Roles that reach past the database: to programs, to files, and to other sessions.
const OUTWARD: [&str; 3] = [
    "pg_execute_server_program",
    "pg_read_server_files",
    "pg_write_server_files",
];
const OTHERS: &str = "pg_signal_backend";

pub async fn query(databases: &Databases<'_>, server: Server, statement: Statement) -> Result<Rows, SqlError> {
    let began = Instant::now();
    let (mut session, budget) = Session::open(databases, &server, &statement).await?;
    let left = statement.timeout.saturating_sub(began.elapsed());
    let stop = session.stop();
    let read = session.read(server.reader.as_deref(), &statement, left);
    let answer = databases.stops.within(left, stop, read).await;
    if budget.is_spent() {
        Err(SqlError::TooLarge)
    } else {
        answer
    }
}

pub async fn execute(
    databases: &Databases<'_>,
    server: Server,
    statement: Statement,
    sent: &Sent,
) -> Result<u64, SqlError> {
    let began = Instant::now();
    let (session, _) = Session::open(databases, &server, &statement).await?;
    let left = statement.timeout.saturating_sub(began.elapsed());
    let stop = session.stop();
    let changed = session.change(&statement, left, sent);
    databases.stops.within(left, stop, changed).await
}

struct Session {
    client: Client,
    way: Way,
    connection: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Session {
    async fn open(
        databases: &Databases<'_>,
        server: &Server,
        statement: &Statement,
    ) -> Result<(Self, Budget), SqlError> {
        let config = match server.tls {
            true => Some(databases.tls.of(server.ca.as_deref()).map_err(tls)?),
            false => None,
        };
        let way = Way {
            server: server.clone(),
            tls: config,
        };
        let budget = Budget::new(statement.bytes.saturating_mul(FRAME.0).saturating_add(FRAME.1));
        let opened = tokio::time::timeout(statement.timeout, way.connect(&budget)).await;
        let (client, connection) = opened.unwrap_or(Err(SqlError::TimedOut))?;
        let session = Self {
            client,
            way,
            connection,
        };
        Ok((session, budget))
    }

    /// Tells the server, over a connection of its own, to end what this one runs.
    fn stop(&self) -> impl Future<Output = ()> + Send + 'static {
        let (token, way) = (self.client.cancel_token(), self.way.clone());
        async move { way.cancel(token).await }
    }

    async fn read(&mut self, reader: Option<&str>, statement: &Statement, left: Duration) -> Result<Rows, SqlError> {
        let transaction = self
            .client
            .build_transaction()
            .read_only(true)
            .start()
            .await
            .map_err(told)?;
        transaction
            .batch_execute(&settings("local ", left, reader))
            .await
            .map_err(told)?;
        let rights = rights(&transaction, OUTWARD.into_iter().chain([OTHERS])).await?;
        refuse(&rights, reader)?;
        harmless(&transaction, &statement.text).await?;
        let text = textual(&transaction, &statement.text).await?;
        let prepared = transaction.prepare(&text).await.map_err(told)?;
        let params = value::params(&statement.params, prepared.params())?;
        let portal = transaction.bind_raw(&prepared, params).await.map_err(told)?;
        let columns = prepared
            .columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        let mut collected = Collected::new(columns, statement);
        let most = i32::try_from(statement.rows).unwrap_or(i32::MAX).saturating_add(1);
        let rows = transaction.query_portal_raw(&portal, most).await.map_err(told)?;
        tokio::pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(told)? {
            let values = (0..row.len()).map(|at| value(&row, at));
            if !collected.push(values.collect::<Result<Vec<SqlValue>, _>>().map_err(told)?)? {
                break;
            }
        }
        Ok(collected.rows)
    }

    async fn change(&self, statement: &Statement, left: Duration, sent: &Sent) -> Result<u64, SqlError> {
        self.client
            .batch_execute(&settings("", left, None))
            .await
            .map_err(told)?;
        let rights = rights(&self.client, OUTWARD.into_iter()).await?;
        refuse(&rights, None)?;
        let prepared = self.client.prepare(&statement.text).await.map_err(told)?;
        let params = value::params(&statement.params, prepared.params())?;
        sent.now();
        self.client.execute_raw(&prepared, params).await.map_err(told)
    }
}

/// How one gets there, more than once.
#[derive(Clone)]
struct Way {
    server: Server,
    tls: Option<Arc<ClientConfig>>,
}

impl Way {
    async fn connect(&self, budget: &Budget) -> Result<(Client, AbortHandle), SqlError> {
        let mut config = Config::new();
        config
            .user(&self.server.user)
            .dbname(&self.server.name)
            .application_name("evenkeel");
        if let Some(password) = &self.server.password {
            config.password(password.expose());
        }
        config.ssl_mode(if self.tls.is_some() {
            SslMode::Require
        } else {
            SslMode::Disable
        });
        let stream = self.dial(budget).await.map_err(|error| self.unreachable(&error))?;
        match self.tls() {
            Some(tls) => {
                let connected = config.connect_raw(stream, tls).await;
                let (client, connection) = connected.map_err(|error| self.refused(error))?;
                Ok((client, drive(connection)))
            }
            None => {
                let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(told)?;
                Ok((client, drive(connection)))
            }
        }
    }

    async fn cancel(&self, token: CancelToken) {
        let Ok(stream) = self.dial(&Budget::new(FRAME.1)).await else {
            return;
        };
        let cancelled = match self.tls() {
            Some(tls) => token.cancel_query_raw(stream, tls).await,
            None => token.cancel_query_raw(stream, NoTls).await,
        };
        if let Err(error) = cancelled {
            tracing::warn!(%error, "a statement could not be cancelled; its server ends it by `statement_timeout`");
        }
    }

    async fn dial(&self, budget: &Budget) -> std::io::Result<Counted> {
        let inner: Box<dyn Stream> = match &self.server.socket {
            Some(directory) => {
                Box::new(UnixStream::connect(directory.join(format!(".s.PGSQL.{}", self.server.port))).await?)
            }
            None => Box::new(TcpStream::connect((self.server.host.as_str(), self.server.port)).await?),
        };
        Ok(Counted {
            inner,
            budget: budget.clone(),
        })
    }

    fn tls(&self) -> Option<Tls> {
        self.tls.clone().map(|config| Tls {
            config,
            host: self.server.expected().to_owned(),
        })
    }

    fn unreachable(&self, error: &std::io::Error) -> SqlError {
        SqlError::Unavailable(format!("no connection to {}: {error}", self.server.address()))
    }

    /// What is wrong with the server's TLS, in words of ours.
    fn refused(&self, error: tokio_postgres::Error) -> SqlError {
        // The driver has no question for this one.
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        if cause.as_deref() == Some("server does not support TLS") {
            return SqlError::Unavailable(trust::without(&self.server));
        }
        trust::refusal(&error, &self.server).map_or_else(|| told(error), SqlError::Unavailable)
    }
}

fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static) -> AbortHandle {
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection ended");
        }
    });
    task.abort_handle()
}

/// Ours alone: nothing of a plugin's is in it.
fn settings(local: &str, left: Duration, reader: Option<&str>) -> String {
    let left_ms = left.as_millis().clamp(1, 86_400_000);
    let idle_ms = left_ms + IDLE.as_millis();
    let mut settings = format!(
        "set {local}statement_timeout = {left_ms}; set {local}lock_timeout = {left_ms}; \
         set {local}idle_in_transaction_session_timeout = {idle_ms}; \
         set {local}standard_conforming_strings = on; set {local}datestyle = 'ISO, YMD'; \
         set {local}bytea_output = 'hex'; set {local}client_encoding = 'UTF8';"
    );
    if let Some(reader) = reader {
        let _ = write!(settings, " set {local}role \"{}\";", reader.replace('"', "\"\""));
    }
    settings
}

/// Which of these the session has by its role, `superuser` among them.
async fn rights(
    client: &impl tokio_postgres::GenericClient,
    of: impl Iterator<Item = &'static str>,
) -> Result<Vec<String>, SqlError> {
    let of: Vec<&str> = of.collect();
    let sql = "select 'superuser'::text where (select rolsuper from pg_catalog.pg_roles where rolname = current_user) \
               union all select rolname::text from pg_catalog.pg_roles \
               where rolname = any($1) and pg_catalog.pg_has_role(current_user, oid, 'MEMBER')";
    let rows = client.query(sql, &[&of]).await.map_err(told)?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

fn refuse(rights: &[String], reader: Option<&str>) -> Result<(), SqlError> {
    let Some(right) = rights.first() else {
        return Ok(());
    };
    let who = reader.map_or("the database's user".to_owned(), |reader| {
        format!("its reader `{reader}`")
    });
    Err(SqlError::Denied(format!(
        "{who} is {right}, which reaches past the data: give the role in evenkeel.toml a user or a `reader` of its own"
    )))
}

/// Functions that the catalogue calls volatile act, or wait; so do those that take a statement as a text.
async fn harmless(transaction: &Transaction<'_>, text: &str) -> Result<(), SqlError> {
    let calls = statement::calls(Dialect::Postgres, text).map_err(SqlError::Denied)?;
    let sql = "select proname::text from pg_catalog.pg_proc \
               where (proname = any($1) or (proname = any($2) and pronargs - pronargdefaults <= 1 and pronargs >= 1)) \
               and (proname = any($4) or proname like 'dblink%' or (provolatile = 'v' and proname <> all($3))) limit 1";
    let found = transaction
        .query_opt(
            sql,
            &[
                &calls.called,
                &calls.behind_dots,
                &HARMLESS_POSTGRES,
                &TEXT_AS_STATEMENT,
            ],
        )
        .await
        .map_err(told)?;
    found.map_or(Ok(()), |row| {
        let name: String = row.get(0);
        Err(SqlError::Denied(format!(
            "`query` reads, and the function `{name}` is volatile: it may act or wait. A view may use it, or mark it stable"
        )))
    })
}

/// The statement with each column that the driver has no plain value for as text, by the server itself.
async fn textual(transaction: &Transaction<'_>, text: &str) -> Result<String, SqlError> {
    let prepared = transaction.prepare(text).await.map_err(told)?;
    let columns = prepared.columns();
    if columns.iter().all(|it| value::is_plain(it.type_())) {
        return Ok(text.to_owned());
    }
    let inner = statement::bare(Dialect::Postgres, text).map_err(SqlError::Denied)?;
    let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
    let shown = columns.iter().zip(&names).map(|(it, name)| column(it, name));
    Ok(format!(
        "select {} from (\n{inner}\n) as q ({})",
        shown.collect::<Vec<_>>().join(", "),
        names.join(", ")
    ))
}

fn tls(error: HttpError) -> SqlError {
    SqlError::Unavailable(error.to_string())
}

/// The server never says of a statement that was done that it ended it: when it can't say what is true, as while it
/// waits for a standby, it ends the connection without a word.
fn told(error: tokio_postgres::Error) -> SqlError {
    let Some(server) = error.as_db_error() else {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        return SqlError::Lost(format!("{error}{}", cause.unwrap_or_default()));
    };
    let (code, words) = (server.code(), server.message().to_owned());
    if [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE].contains(code) {
        return SqlError::TimedOut;
    }
    if [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::INSUFFICIENT_PRIVILEGE].contains(code) {
        return SqlError::Denied(words);
    }
    // Connections, resources, the operator's intervention, and the system; who one is.
    match code.code().get(..2) {
        Some("08" | "28" | "53" | "57" | "58" | "XX" | "3D") => SqlError::Unavailable(words),
        _ => SqlError::Invalid(words),
    }
}
