//! Databases: where one is, and how it is spoken to.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::Secret;
use crate::access::path_fault;
use crate::action::Risk;

/// A database. `url`, `socket`, `server_name` and `ca` may hold the same templates as a root's path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// `postgres://USER@HOST:PORT/NAME`, `mysql://USER@HOST:PORT/NAME` or `sqlite:PATH`; a
    /// relative path is relative to the home.
    pub url: String,
    /// The directory (PostgreSQL) or file (MySQL) of a Unix socket to connect through instead.
    pub socket: Option<PathBuf>,
    /// The plugin never sees it.
    pub password: Option<Secret>,
    /// The role that `query` takes on, so that it can do no more than that role.
    pub reader: Option<String>,
    /// TLS with a certificate for the host, and no connection without. Not asked for on a Unix socket.
    pub tls: bool,
    /// What the certificate must be for, if that is not the URL's host.
    pub server_name: Option<String>,
    /// PEM file with further certificate authorities, relative to the home.
    pub ca: Option<PathBuf>,
    /// Of `query`, `execute`.
    pub allow: Vec<String>,
    pub risk: Risk,
    /// The longest that one call may take.
    pub timeout: Duration,
}

/// Where a database is, out of its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Server {
        engine: Engine,
        host: String,
        port: u16,
        user: String,
        name: String,
    },
    /// SQLite; relative to the home if it is relative.
    File(PathBuf),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Postgres,
    /// And MariaDB.
    Mysql,
}

impl Database {
    /// What its URL says. Never fails for one that was rendered.
    pub fn place(&self) -> Result<Place, String> {
        Place::parse(&self.url)
    }
}

impl Place {
    pub fn parse(url: &str) -> Result<Self, String> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            path_fault(path)?;
            return Ok(Self::File(PathBuf::from(path)));
        }
        if let Some((place, query)) = url.split_once('?') {
            return Err(query_fault(place, query));
        }
        let uri: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
        let (engine, port) = match uri.scheme_str() {
            Some("postgres" | "postgresql") => (Engine::Postgres, 5432),
            Some("mysql" | "mariadb") => (Engine::Mysql, 3306),
            _ => return Err(format!("`{url}` is not a postgres, mysql or sqlite URL")),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let (user, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        if user.contains(':') {
            return Err(format!(
                "`{}` holds a password, which belongs into a secret",
                without_password(url)
            ));
        }
        if user.is_empty() {
            return Err(format!("`{url}` names no user"));
        }
        let host = uri.host().unwrap_or_default();
        if host.is_empty() {
            return Err(format!("`{url}` names no host"));
        }
        if host.contains('%') {
            return Err(format!(
                "`{url}` has an encoded host: the way to a Unix socket is `socket`, beside `url`"
            ));
        }
        if address.len() > host.len() && uri.port_u16().is_none() {
            return Err(format!("`{url}` has a port that is none"));
        }
        let name = uri.path().trim_start_matches('/');
        if name.is_empty() || name.contains('/') {
            return Err(format!(
                "`{url}` is not scheme, user, host, port and the database's name"
            ));
        }
        Ok(Self::Server {
            engine,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(port),
            user: user.to_owned(),
            name: name.to_owned(),
        })
    }
}

/// What clients of the databases take there has a key of its own, or can't be had.
fn query_fault(place: &str, query: &str) -> String {
    let key = query.split(['=', '&']).next().unwrap_or_default();
    let instead = match key.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
        "sslmode" | "ssl" | "tls" | "requiressl" | "sslverifyservercert" => {
            "TLS with the server's certificate and name checked is what there is unless `tls = false` stands beside `url`"
        }
        "sslrootcert" | "sslca" => "the file of certificate authorities is `ca`, beside `url`",
        "host" | "hostaddr" | "socket" | "unixsocket" => "the way to a Unix socket is `socket`, beside `url`",
        "password" | "pass" => "a password belongs into a secret, and its name into `password`, beside `url`",
        _ => "settings are keys beside `url`",
    };
    format!(
        "`{}?…` goes on after the database's name: {instead}",
        without_password(place)
    )
}

/// It goes into a message, and so wherever messages go.
fn without_password(url: &str) -> String {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    format!("{scheme}://…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_as_whom() {
        let place = Place::parse("postgres://redmine@10.2.3.4/app").unwrap();
        assert_eq!(
            place,
            Place::Server {
                engine: Engine::Postgres,
                host: "10.2.3.4".into(),
                port: 5432,
                user: "redmine".into(),
                name: "app".into(),
            }
        );
        let Place::Server { engine, host, port, .. } = Place::parse("mariadb://u@[::1]:3307/app").unwrap() else {
            panic!("a server");
        };
        assert_eq!((engine, host.as_str(), port), (Engine::Mysql, "::1", 3307));
        assert_eq!(Place::parse("sqlite:data/a.db"), Ok(Place::File("data/a.db".into())));
    }

    #[test]
    fn anything_else_is_refused_and_no_password_is_repeated() {
        for bad in [
            "",
            "app",
            "http://u@h/d",
            "postgres://h/d",
            "postgres://u@h",
            "postgres://u@h/",
            "postgres://u@/d",
            "postgres://u@h:x/d",
            "postgres://u@h/a/b",
            "postgres://u@%2Frun%2Fpostgresql/d",
            "sqlite:",
            "sqlite:../x.db",
        ] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
        let refused = Place::parse("mysql://u:hunter2@h/d").unwrap_err();
        assert_eq!(refused, "`mysql://…` holds a password, which belongs into a secret");
    }

    #[test]
    fn what_other_clients_take_after_the_name_is_refused_with_the_key_that_stands_for_it() {
        for (query, words) in [
            ("sslmode=disable", "`tls = false`"),
            ("ssl-mode=VERIFY_CA", "`tls = false`"),
            ("sslrootcert=/etc/ca.pem", "`ca`"),
            ("ssl_ca=/etc/ca.pem", "`ca`"),
            ("host=/run/postgresql", "`socket`"),
            ("socket=/run/mysqld.sock", "`socket`"),
            ("password=hunter2", "`password`"),
            ("a", "keys beside `url`"),
        ] {
            let refused = Place::parse(&format!("postgres://u:hunter2@h/d?{query}")).unwrap_err();
            assert!(refused.starts_with("`postgres://…?…` goes on"), "{refused}");
            assert!(refused.contains(words) && !refused.contains("hunter2"), "{refused}");
        }
    }
}
