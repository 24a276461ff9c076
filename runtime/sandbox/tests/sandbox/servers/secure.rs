//! Databases over TLS, with certificates of all kinds, and over their Unix sockets.

use std::path::Path;

use evenkeel_model::role::Database;
use evenkeel_tests::servers::MariaDb;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, date_time_ymd,
};
use serde_json::json;
use tempfile::TempDir;

use super::{PASSWORD, Play, peopled, postgres, refused, with_password};

/// A certificate and its key, in PEM.
type Pair = (String, String);

/// An authority, its file, and one that is none of ours.
pub struct Trust {
    pub authority: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Trust {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = authority("ours");
        let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
        write("ca.pem", authority.pem());
        write("other.pem", self::authority("another").pem());
        write("earlier.pem", self::authority("ours").pem());
        write("empty.pem", "no certificate\n".into());
        Self { authority, directory }
    }

    fn pair(&self, names: &[&str], from: i32, until: i32) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub fn good(&self) -> Pair {
        self.pair(&["localhost"], 2000, 2099)
    }

    fn out_of_time(&self) -> [(Pair, &'static str); 2] {
        [
            (self.pair(&["localhost"], 2000, 2001), "expired on 2001-01-01"),
            (self.pair(&["localhost"], 2098, 2099), "not valid before 2098-01-01"),
        ]
    }

    /// One without a name, and the authority's own.
    fn for_no_server(&self) -> [(Pair, &'static str); 2] {
        let own = (self.authority.pem(), self.authority.key().serialize_pem());
        [
            (self.pair(&[], 2000, 2099), "names no server (`subjectAltName`)"),
            (own, "is an authority's own"),
        ]
    }

    /// Over TLS, trusting the authorities in this file.
    pub fn over_tls(&self, database: &Database, ca: &str) -> Database {
        Database {
            tls: true,
            ca: Some(self.directory.path().join(ca)),
            ..database.clone()
        }
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server that can be told what to show, and a statement that answers one row if the session is encrypted.
pub struct Stage<'a> {
    pub play: &'a Play,
    pub trust: &'a Trust,
    pub database: Database,
    pub encrypted: &'a str,
    pub show: &'a dyn Fn(&Pair),
}

impl Stage<'_> {
    async fn works(&self, database: &Database) {
        let told = self.play.query(database, self.encrypted, json!([])).await;
        assert_eq!(told["ok"]["rows"].as_array().map(Vec::len), Some(1), "{told}");
    }

    async fn fails(&self, database: &Database, words: &str) {
        let told = self.play.query(database, self.encrypted, json!([])).await;
        refused(&told, "Unavailable(", "database `main`: no secure connection");
        refused(&told, "Unavailable(", words);
    }

    /// What is trusted, and for which name.
    pub async fn the_authority_and_the_name_are_checked(&self) {
        (self.show)(&self.trust.good());
        let good = self.trust.over_tls(&self.database, "ca.pem");
        self.works(&good).await;
        let of_nobody = Database {
            ca: None,
            ..good.clone()
        };
        self.fails(&of_nobody, "set `ca` to the PEM file of that authority")
            .await;
        for (ca, words) in [
            ("other.pem", "nor the file that is `ca` knows the authority"),
            ("earlier.pem", "another authority of the same name"),
            ("none.pem", "can't be used"),
            ("empty.pem", "it holds no certificate"),
        ] {
            self.fails(&self.trust.over_tls(&self.database, ca), words).await;
        }

        let url = good.url.replace("localhost", "127.0.0.1");
        let by_address = Database { url, ..good.clone() };
        self.fails(&by_address, "is for `localhost`, and not for `127.0.0.1`")
            .await;
        let server_name = Some("localhost".to_owned());
        self.works(&Database {
            server_name,
            ..by_address.clone()
        })
        .await;
        let server_name = Some("db.example".to_owned());
        let another = Database { server_name, ..good };
        self.fails(&another, "and not for `db.example`").await;
        (self.show)(&self.trust.pair(&["127.0.0.1"], 2000, 2099));
        self.works(&by_address).await;
    }

    async fn none_of_these_is_taken(&self, bad: &[(Pair, &str)]) {
        for (shown, words) in bad {
            (self.show)(shown);
            self.fails(&self.trust.over_tls(&self.database, "ca.pem"), words).await;
        }
    }
}

#[tokio::test]
async fn postgresql_is_trusted_over_tls_by_its_authority_and_name() {
    let (server, database) = postgres();
    let (play, trust) = (Play::new(), Trust::new());
    let stage = Stage {
        play: &play,
        trust: &trust,
        database: Database {
            url: database.url.replace("127.0.0.1", "localhost"),
            ..database
        },
        encrypted: "select 1 from pg_stat_ssl where pid = pg_backend_pid() and ssl",
        show: &|pair| server.show(&pair.0, &pair.1).unwrap(),
    };
    let without = trust.over_tls(&stage.database, "ca.pem");
    stage.fails(&without, "the server speaks no TLS").await;
    stage.the_authority_and_the_name_are_checked().await;
    stage.none_of_these_is_taken(&trust.out_of_time()).await;
    stage.none_of_these_is_taken(&trust.for_no_server()).await;
    let told = play.query(&stage.database, stage.encrypted, json!([])).await;
    assert_eq!(told["ok"]["rows"], json!([]), "without TLS if that is wanted: {told}");
}

#[tokio::test]
async fn mariadb_is_trusted_over_tls_by_its_authority_and_name() {
    let (play, trust) = (Play::new(), Trust::new());
    let (certificate, key) = trust.good();
    let server = MariaDb::start_showing(Some((&certificate, &key))).unwrap();
    let database = peopled(server.port, |text| server.sql(text).unwrap());
    let stage = Stage {
        play: &play,
        trust: &trust,
        database: Database {
            url: database.url.replace("127.0.0.1", "localhost"),
            ..database
        },
        encrypted: "select 1 from information_schema.session_status \
                    where variable_name = 'Ssl_version' and variable_value like 'TLS%'",
        show: &|pair| server.show(&pair.0, &pair.1).unwrap(),
    };
    stage.the_authority_and_the_name_are_checked().await;
    stage.none_of_these_is_taken(&trust.out_of_time()).await;
    stage.none_of_these_is_taken(&trust.for_no_server()).await;
    let told = play.query(&stage.database, stage.encrypted, json!([])).await;
    assert_eq!(told["ok"]["rows"], json!([]), "without TLS if that is wanted: {told}");
}

#[tokio::test]
async fn a_mariadb_without_tls_is_told_from_one_that_is_not_trusted() {
    let (server, database) = super::mariadb();
    let play = Play::new();
    let over_tls = Database { tls: true, ..database };
    let told = play.query(&over_tls, "select 1", json!([])).await;
    refused(&told, "Unavailable(", "the server speaks no TLS");
    refused(&told, "Unavailable(", &format!("127.0.0.1:{}", server.port));
}

pub fn through(socket: &Path, url: &str) -> Database {
    Database {
        socket: Some(socket.to_owned()),
        tls: true,
        ..with_password(url)
    }
}

#[tokio::test]
async fn postgresql_is_reached_through_its_socket() {
    let (server, _) = postgres();
    let play = Play::new();
    // Nobody answers at that address.
    let url = format!("postgres://app@203.0.113.1:{}/app", server.port);
    let database = through(server.socket(), &url);
    let text = "select 1 from pg_stat_activity where pid = pg_backend_pid() and client_addr is null";
    let told = play.query(&database, text, json!([])).await;
    assert_eq!(told["ok"]["rows"], json!([[1]]), "{told}");
    let told = play
        .execute(&database, "delete from jobs where id = 2", json!([]))
        .await;
    assert_eq!(told["ok"], json!(1), "{told}");
    let told = play
        .query(&through(Path::new("/nowhere"), &url), "select 1", json!([]))
        .await;
    refused(&told, "Unavailable(", "database `main`: no connection to /nowhere");
}

#[tokio::test]
async fn mariadb_is_reached_through_its_socket() {
    let (server, _) = super::mariadb();
    let user = format!("create user app@localhost identified by '{PASSWORD}'; grant all on app.* to app@localhost");
    server.sql(&user).unwrap();
    let play = Play::new();
    let url = "mysql://app@203.0.113.1/app";
    let database = through(&server.socket(), url);
    let text = "select 1 from information_schema.processlist where user = 'app' and host = 'localhost'";
    let told = play.query(&database, text, json!([])).await;
    assert_eq!(told["ok"]["rows"], json!([[1]]), "{told}");
    let told = play
        .execute(&database, "delete from jobs where id = 2", json!([]))
        .await;
    assert_eq!(told["ok"], json!(1), "{told}");
    let told = play
        .query(&through(Path::new("/nowhere"), url), "select 1", json!([]))
        .await;
    refused(&told, "Unavailable(", "database `main`: no connection to /nowhere");
}
