//! A real PostgreSQL and a real MariaDB are asked by a check.

use std::{fs, os::unix::fs::PermissionsExt};

use evenkeel_tests::{
    evenkeel::Home,
    servers::{MariaDb, Postgres},
};

const PASSWORD: &str = "Xy7-the-password";

const JOBS: &str = "create table jobs (id int primary key, queue varchar(20), state varchar(20), cost decimal(10, 2)); \
    insert into jobs values (1, 'print', 'waiting', 1.50), (2, 'print', 'waiting', 99.75), (3, 'print', 'waiting', 2), \
    (4, 'mail', 'waiting', 3), (5, 'mail', 'done', 500)";

/// Name, parameters of the check, and the verdict and the words that are expected of the jobs above.
const CHECKS: [(&str, &str, &str, &[&str]); 7] = [
    (
        "backlog",
        "query = 'select queue, count(*) as jobs from jobs where state = PLACE group by queue order by queue'\n\
         with.params = [\"waiting\"]\nwith.column = \"jobs\"\nwith.labels = [\"queue\"]\nwith.warn = 1\nwith.critical = 2\n\
         with.code = \"backlog\"\nwith.what = \"the backlog\"",
        "unhealthy",
        &[
            "critical `backlog`: the backlog of `print` is 3, above 2",
            "ok `backlog`: the backlog of `mail` is 1, not above 1",
        ],
    ),
    (
        "costs",
        "query = 'select max(cost) as cost from jobs where state = PLACE'\nwith.params = [\"waiting\"]\nwith.critical = 99.5",
        "unhealthy",
        &["critical `sql-value`: the value of `app` is 99.75, above 99.5"],
    ),
    (
        "bounded",
        "query = 'select id, cost from jobs order by id'\nwith.column = \"cost\"\nwith.labels = [\"id\"]\nwith.warn = 50\n\
         with.most = 1",
        "unhealthy",
        &[
            "warning `sql-value`: cost of `2` is 99.75, above 50",
            "warning `sql-value`: cost: 4 more rows, 1 of them not well",
        ],
    ),
    (
        "none",
        "query = 'select id from jobs where state = PLACE and id > 2'\nwith.params = [\"lost\"]\nwith.critical = 0\n\
         with.absent = \"ok\"",
        "healthy",
        &["ok `sql-value`: the value: the query of `app` has no row"],
    ),
    (
        "nothing",
        "query = 'select id from jobs where id = 77'\nwith.critical = 0",
        "failed",
        &["the query of `app` has no row"],
    ),
    (
        "alike",
        "query = 'select queue, cost from jobs'\nwith.column = \"cost\"\nwith.labels = [\"queue\"]\nwith.critical = 0",
        "failed",
        &["several rows are `print`"],
    ),
    (
        "changing",
        "query = 'delete from jobs'\nwith.critical = 0",
        "failed",
        &["DENIED", "`execute` changes"],
    ),
];

fn home(url: &str, place: &str) -> anyhow::Result<Home> {
    let home = Home::empty()?;
    home.write("secrets/db.password", PASSWORD)?;
    let secret = home.path().join("secrets/db.password");
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600))?;
    let role = format!(
        "[role.host.secrets.db]\nfile = \"secrets/db.password\"\nallow = [\"use\"]\n\n\
         [role.host.databases.app]\nurl = \"{url}\"\npassword = \"db\"\ntls = false\nallow = [\"query\"]\n"
    );
    home.write("evenkeel.toml", &role)?;
    home.write("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"host\"\n")?;
    for (name, with, ..) in CHECKS {
        let text = format!(
            "name = \"{name}\"\nsummary = \"Asks a database\"\n\n[[step]]\nid = \"ask\"\nuses = \"sql-check@1\"\n\
             grant = {{ sql = [\"query app\"] }}\nwith.database = \"app\"\nwith.{}\n",
            with.replace("PLACE", place)
        );
        home.write(&format!("runbooks/{name}.toml"), &text)?;
    }
    home.install_plugins()?;
    home.done(&["lock"])?;
    home.done(&["check"])?;
    Ok(home)
}

#[track_caller]
fn assert_checks(home: &Home) -> anyhow::Result<()> {
    for (name, _, verdict, words) in CHECKS {
        let said = home.run(&["run", name])?;
        let got = home.verdicts()?.pop();
        assert_eq!(got, Some(verdict.into()), "{name}: {said:#?}");
        let mut from = 0;
        for part in words {
            let found = said.stdout[from..].find(part);
            from += found.unwrap_or_else(|| panic!("{name}: {part:?} is missing, or too early, in {}", said.stdout));
        }
    }
    Ok(())
}

#[test]
fn a_real_postgresql_is_asked_and_each_row_is_a_finding() -> anyhow::Result<()> {
    let server = Postgres::start()?;
    server.sql("postgres", &format!("create role app login password '{PASSWORD}'"))?;
    server.sql("postgres", "create database app")?;
    server.sql("app", &format!("{JOBS}; grant select on jobs to app"))?;
    let home = home(&format!("postgres://app@127.0.0.1:{}/app", server.port), "$1")?;

    assert_checks(&home)?;
    assert_eq!(server.sql("app", "select count(*) from jobs")?.trim(), "5");

    server.sql(
        "app",
        "update jobs set state = 'done' where queue = 'print' and id <> 1",
    )?;
    let said = home.done(&["run", "backlog"])?;
    assert_eq!(home.verdicts()?.pop(), Some("healthy".into()), "{said:#?}");
    assert!(
        said.stdout.contains("the backlog of `print` is 1, not above 1"),
        "{}",
        said.stdout
    );
    Ok(())
}

#[test]
fn a_real_mariadb_is_asked_and_each_row_is_a_finding() -> anyhow::Result<()> {
    let server = MariaDb::start()?;
    server.sql(&format!(
        "create database app; use app; {JOBS}; create user app@127.0.0.1 identified by '{PASSWORD}'; \
         grant select on app.* to app@127.0.0.1"
    ))?;
    let home = home(&format!("mysql://app@127.0.0.1:{}/app", server.port), "?")?;

    assert_checks(&home)?;

    server.sql("update app.jobs set state = 'done' where queue = 'print' and id <> 1")?;
    let said = home.done(&["run", "backlog"])?;
    assert_eq!(home.verdicts()?.pop(), Some("healthy".into()), "{said:#?}");
    assert!(
        said.stdout.contains("the backlog of `print` is 1, not above 1"),
        "{}",
        said.stdout
    );
    Ok(())
}
