//! MySQL and MariaDB: one connection, one statement of the binary protocol.

mod value;

use std::time::{Duration, Instant};

use evenkeel_engine::port::reach::{Rows, SqlError, Statement};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, DriverError, Error, Opts, OptsBuilder, SslOpts};

use super::{Collected, Databases, Sent, Server, stop, trust};

/// What is said besides the rows, in bytes.
const FRAME: usize = 1 << 20;
/// The server ends an idle session so long after the statement's time, in seconds, should this daemon be gone.
const IDLE: u64 = 5;

/// One set of rules, so that the statement means what was read in it; and no rule of the server's that reads quotes in
/// another way.
const MODE: &str = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";
/// Privileges on everything that reach past the data.
const OUTWARD: [&str; 3] = ["ALL PRIVILEGES", "FILE", "SUPER"];

/// Errors of the server's by number: <https://dev.mysql.com/doc/mysql-errors/>, and MariaDB's 1969.
mod code {
    pub const TIMED_OUT: [u16; 5] = [1205, 1317, 1907, 1969, 3024];
    pub const DENIED: [u16; 6] = [1142, 1143, 1227, 1290, 1370, 1792];
    pub const UNAVAILABLE: [u16; 9] = [1040, 1044, 1045, 1049, 1053, 1129, 1130, 1203, 3159];
}

pub async fn query(databases: &Databases<'_>, server: Server, statement: Statement) -> Result<Rows, SqlError> {
    let began = Instant::now();
    let mut session = Session::open(databases, &server, &statement).await?;
    let left = statement.timeout.saturating_sub(began.elapsed());
    let stop = session.stop();
    let reader = server.reader.as_deref();
    let stops = databases.stops;
    stops.within(left, stop, session.read(reader, &statement, left)).await
}

pub async fn execute(
    databases: &Databases<'_>,
    server: Server,
    statement: Statement,
    sent: &Sent,
) -> Result<u64, SqlError> {
    let began = Instant::now();
    let mut session = Session::open(databases, &server, &statement).await?;
    let left = statement.timeout.saturating_sub(began.elapsed());
    let stop = session.stop();
    let changed = session.change(&statement, left, sent);
    databases.stops.within(left, stop, changed).await
}

struct Session {
    conn: Conn,
    opts: Opts,
    mariadb: bool,
}

impl Session {
    async fn open(databases: &Databases<'_>, server: &Server, statement: &Statement) -> Result<Self, SqlError> {
        let opts = options(databases, server, statement)?;
        let connected = tokio::time::timeout(statement.timeout, Conn::new(opts.clone())).await;
        let connected = connected.unwrap_or(Err(timed_out()));
        let mut conn = connected.map_err(|error| refused(error, server))?;
        let version: Option<String> = conn.query_first("select version()").await.map_err(told)?;
        let mariadb = version.is_some_and(|version| version.contains("MariaDB"));
        Ok(Self { conn, opts, mariadb })
    }

    /// Tells the server, over a connection of its own, to end what this one runs, and then this one.
    fn stop(&self) -> impl Future<Output = ()> + Send + 'static {
        let (opts, id) = (self.opts.clone(), self.conn.id());
        kill(opts, vec![format!("kill query {id}"), format!("kill {id}")])
    }

    async fn read(&mut self, reader: Option<&str>, statement: &Statement, left: Duration) -> Result<Rows, SqlError> {
        self.settle(left).await?;
        if let Some(reader) = reader {
            let role = format!("set role `{}`", reader.replace('`', "``"));
            self.conn.query_drop(role).await.map_err(told)?;
        }
        self.refuse().await?;
        self.conn
            .query_drop("start transaction read only")
            .await
            .map_err(told)?;
        let prepared = self.conn.prep(statement.text.as_str()).await.map_err(told)?;
        let params = value::params(&statement.params, prepared.num_params())?;
        let columns: Vec<_> = prepared.columns().to_vec();
        let names = columns.iter().map(|column| column.name_str().into_owned()).collect();
        let mut collected = Collected::new(names, statement);
        let mut whole = true;
        {
            let mut rows = self.conn.exec_iter(&prepared, params).await.map_err(told)?;
            while let Some(row) = rows.next().await.map_err(told)? {
                whole = collected.push(value::values(row))?;
                if !whole {
                    break;
                }
            }
        }
        if !whole {
            // What the server still has to say is not waited for.
            let id = self.conn.id();
            kill(self.opts.clone(), vec![format!("kill {id}")]).await;
        }
        Ok(collected.rows)
    }

    async fn change(&mut self, statement: &Statement, left: Duration, sent: &Sent) -> Result<u64, SqlError> {
        self.settle(left).await?;
        self.refuse().await?;
        let prepared = self.conn.prep(statement.text.as_str()).await.map_err(told)?;
        let params = value::params(&statement.params, prepared.num_params())?;
        sent.now();
        let done = self.conn.exec_iter(&prepared, params).await.map_err(heard)?;
        let changed = done.affected_rows();
        done.drop_result().await.map_err(heard)?;
        Ok(changed)
    }

    /// Ours alone: nothing of a plugin's is in it.
    async fn settle(&mut self, left: Duration) -> Result<(), SqlError> {
        let seconds = left.as_secs().max(1);
        let longest = if self.mariadb {
            format!("max_statement_time = {:.3}", left.as_secs_f64().max(0.001))
        } else {
            format!("max_execution_time = {}", left.as_millis().max(1))
        };
        for setting in [
            format!("sql_mode = '{MODE}'"),
            longest,
            format!("lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}"),
            format!("wait_timeout = {}", seconds + IDLE),
        ] {
            self.conn
                .query_drop(format!("set session {setting}"))
                .await
                .map_err(told)?;
        }
        self.conn.query_drop("set names utf8mb4").await.map_err(told)
    }

    /// A role adds to what the user may do, so both are looked at.
    async fn refuse(&mut self) -> Result<(), SqlError> {
        let roles: Option<Option<String>> = self.conn.query_first("select current_role()").await.unwrap_or_default();
        let roles = roles.flatten().filter(|roles| roles != "NONE" && !self.mariadb);
        let grants = roles.map_or("show grants".to_owned(), |roles| {
            format!("show grants for current_user() using {roles}")
        });
        let grants: Vec<String> = self.conn.query(grants).await.map_err(told)?;
        match grants.iter().find_map(|grant| outward(grant)) {
            None => Ok(()),
            Some(right) => Err(SqlError::Denied(format!(
                "the database's user has {right} on everything, which reaches past the data: give the role in \
                 evenkeel.toml a user of its own"
            ))),
        }
    }
}

/// Of a line like ``GRANT SELECT, FILE ON *.* TO `u`@`h` ``.
fn outward(grant: &str) -> Option<&'static str> {
    let (privileges, on) = grant.strip_prefix("GRANT ")?.split_once(" ON ")?;
    let has = |wanted: &str| privileges.split(',').any(|privilege| privilege.trim() == wanted);
    OUTWARD.into_iter().find(|wanted| on.starts_with("*.* ") && has(wanted))
}

/// One after the other, with time between them: a statement that is ended says so, and a connection can't.
async fn kill(opts: Opts, commands: Vec<String>) {
    let killed = async {
        let mut conn = Conn::new(opts).await?;
        for (at, command) in commands.into_iter().enumerate() {
            if at > 0 {
                tokio::time::sleep(stop::GRACE / 4).await;
            }
            conn.query_drop(command).await?;
        }
        conn.disconnect().await
    };
    match killed.await {
        // It had ended by itself.
        Ok(()) | Err(Error::Server(mysql_async::ServerError { code: 1094, .. })) => {}
        Err(error) => tracing::warn!(%error, "a statement could not be killed; its server ends it by its time"),
    }
}

fn options(databases: &Databases<'_>, server: &Server, statement: &Statement) -> Result<Opts, SqlError> {
    let mut options = OptsBuilder::default()
        .ip_or_hostname(server.host.clone())
        .tcp_port(server.port)
        .user(Some(server.user.clone()))
        .pass(server.password.as_ref().map(|password| password.expose().to_owned()))
        .db_name(Some(server.name.clone()))
        .prefer_socket(false)
        .stmt_cache_size(0)
        .max_allowed_packet(Some(statement.bytes.saturating_add(FRAME)));
    if let Some(socket) = &server.socket {
        options = options.socket(Some(socket.display().to_string()));
    }
    if server.tls {
        let authorities = databases
            .tls
            .authorities(server.ca.as_deref())
            .map_err(|error| SqlError::Unavailable(error.to_string()))?;
        let authorities = authorities.into_iter().map(|der| der.to_vec().into()).collect();
        let tls = SslOpts::default()
            .with_disable_built_in_roots(true)
            .with_danger_tls_hostname_override(server.server_name.clone())
            .with_root_certs(authorities);
        options = options.ssl_opts(Some(tls));
    }
    Ok(options.into())
}

fn timed_out() -> Error {
    Error::Io(std::io::Error::from(std::io::ErrorKind::TimedOut).into())
}

/// What is wrong with the server's address or TLS, in words of ours.
fn refused(error: Error, server: &Server) -> SqlError {
    match &error {
        Error::Driver(DriverError::NoClientSslFlagFromServer) => SqlError::Unavailable(trust::without(server)),
        Error::Io(mysql_async::IoError::Io(cause)) if trust::refusal(cause, server).is_none() => {
            SqlError::Unavailable(format!("no connection to {}: {cause}", server.address()))
        }
        _ => trust::refusal(&error, server).map_or_else(|| told(error), SqlError::Unavailable),
    }
}

/// Of a statement that was sent: an answer that can't be read is none.
fn heard(error: Error) -> SqlError {
    match told(error) {
        SqlError::TooLarge => SqlError::Lost("the answer is larger than the limit".into()),
        other => other,
    }
}

fn told(error: Error) -> SqlError {
    match error {
        Error::Server(server) if code::TIMED_OUT.contains(&server.code) => SqlError::TimedOut,
        Error::Server(server) if code::DENIED.contains(&server.code) => SqlError::Denied(server.message),
        Error::Server(server) if code::UNAVAILABLE.contains(&server.code) => SqlError::Unavailable(server.message),
        Error::Server(server) => SqlError::Invalid(server.message),
        // The driver has no question for this one.
        Error::Io(error) if error.to_string().contains("larger than max_allowed_packet") => SqlError::TooLarge,
        // A server asks a user that it doesn't have for the password in any way, so that nobody can tell.
        Error::Driver(DriverError::UnknownAuthPlugin { name }) => SqlError::Unavailable(format!(
            "there is no such user, or it has its password as `{name}`, which is not spoken here: make it with \
             `caching_sha2_password`, or on MariaDB with `ed25519` or `mysql_native_password`"
        )),
        Error::Driver(DriverError::PacketTooLarge) => SqlError::TooLarge,
        Error::Io(mysql_async::IoError::Io(error)) => SqlError::Lost(format!("the connection failed: {error}")),
        other => SqlError::Lost(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_can_not_be_given_is_not_blamed_on_the_driver() {
        let name = "sha256_password".to_owned();
        let SqlError::Unavailable(why) = told(DriverError::UnknownAuthPlugin { name }.into()) else {
            panic!("another error")
        };
        assert!(
            why.starts_with("there is no such user, or it has its password as `sha256_password`"),
            "{why}"
        );
    }

    #[test]
    fn an_answer_that_is_too_large_is_lost_for_a_statement_that_was_sent() {
        let too_large = || Error::Driver(DriverError::PacketTooLarge);
        assert!(matches!(heard(too_large()), SqlError::Lost(_)));
        assert!(matches!(told(too_large()), SqlError::TooLarge), "it changes nothing");
    }

    #[test]
    fn privileges_on_everything_are_told_from_those_on_a_schema() {
        assert_eq!(outward("GRANT SELECT, FILE ON *.* TO `u`@`%`"), Some("FILE"));
        assert_eq!(
            outward("GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION"),
            Some("ALL PRIVILEGES")
        );
        assert_eq!(outward("GRANT ALL PRIVILEGES ON `app`.* TO `u`@`%`"), None);
        assert_eq!(outward("GRANT USAGE, PROCESS ON *.* TO `u`@`%`"), None);
        assert_eq!(outward("GRANT `r`@`%` TO `u`@`%`"), None);
    }
}
