//! Row 31 on a real PostgreSQL: what is refused, what is capped, and what is left on the server.

use anyhow::ensure;
use evenkeel_tests::{evenkeel::BOUND, servers::Postgres, wait::wait_until};

use crate::{
    arena::{Arena, SECRET},
    attack::Attack,
};

/// Two rows of steel's, one of oak's, and users that may do more than they should.
fn server() -> anyhow::Result<Postgres> {
    let server = Postgres::start()?;
    let roles = format!(
        "create role app login password '{SECRET}'; create role boss superuser login password '{SECRET}'; \
         create role ender login password '{SECRET}' in role pg_signal_backend"
    );
    server.sql("postgres", &roles)?;
    server.sql("postgres", "create database app owner app")?;
    server.sql(
        "app",
        "create table jobs (id int); insert into jobs values (1), (2); alter table jobs owner to app; \
         create table oak (id int); insert into oak values (1); \
         create function acts() returns int language sql as 'select 1'",
    )?;
    Ok(server)
}

fn settings(port: u16) -> String {
    let database = |name: &str, user: &str, timeout: &str| {
        format!(
            r#"
[role.steel.databases.{name}]
url = "postgres://{user}@127.0.0.1:{port}/app"
password = "token"
tls = false
allow = ["query", "execute"]
timeout = "{timeout}"
"#
        )
    };
    let secret = "[role.steel.secrets.token]\nfile = \"steel/token\"\nallow = [\"use\"]\n";
    [
        secret.to_owned(),
        database("jobs", "app", "20s"),
        database("hurried", "app", "1s"),
        database("boss", "boss", "20s"),
        database("ender", "ender", "20s"),
    ]
    .concat()
}

const GRANT: &str = r#"sql = ["query jobs", "query hurried", "query boss", "query ender", "execute jobs", "execute hurried", "execute boss"]"#;

fn query(what: &'static str, database: &str, text: &str, says: &str) -> Attack {
    let act = format!(r#"{{ act = "query", name = "{database}", n = 1000000, text = '''{text}''' }}"#);
    Attack::check(31, what, &act).grant(GRANT).says(says)
}

/// It declares what it executes: no other rule refuses it.
fn execute(what: &'static str, database: &str, text: &str, says: &str) -> Attack {
    let declared = format!(r#"capability = "sql", operation = "execute", subject = '''{database} {text}'''"#);
    let act = format!(r#"act = "execute", name = "{database}", text = '''{text}'''"#);
    let with = format!("effects = [{{ {declared} }}], apply = [{{ {act} }}]");
    Attack::remedy(31, what, &with).grant(GRANT).ends("changed").says(says)
}

const TWO: &str = "one statement is sent at a time, and there is a `;` within this one";

/// A query that calls a function which acts.
fn acting(what: &'static str, function: &str, call: &str) -> Attack {
    let says = format!(
        "`query` reads, and the function `{function}` is volatile: it may act or wait. A view may use it, or mark it stable"
    );
    query(what, "jobs", &format!("select {call}"), &says)
}

fn beyond(what: &str) -> String {
    format!(
        "the database's user is {what}, which reaches past the data: give the role in evenkeel.toml a user or a `reader` of its own"
    )
}

fn begins(word: &str) -> String {
    format!(
        "`execute` changes data, and begins with one of insert, update, delete, merge, with, select, truncate, analyze, \
         vacuum, reindex, cluster, refresh, create, alter, drop, not with `{word}`"
    )
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of attacks, as the list has it")]
fn a_postgresql_answers_within_bounds_and_is_changed_as_declared() -> anyhow::Result<()> {
    let server = server()?;
    let attacks = vec![
        query("asks what it may", "jobs", "select id from jobs", "DONE: 2"),
        query(
            "ends the transaction and drops a table",
            "jobs",
            "COMMIT; DROP TABLE jobs",
            TWO,
        ),
        query("sends two statements", "jobs", "select 1; select 2", TWO),
        query(
            "runs a program",
            "jobs",
            "COPY jobs TO PROGRAM 'id'",
            "`query` reads, and begins with one of select, with, values, table, show, explain, not with `copy`; `execute` changes",
        ),
        query(
            "changes within a `with`",
            "jobs",
            "with d as (delete from jobs returning 1) select 1",
            "`query` reads, and `delete` changes something: put a name into quotes, and a change into `execute`",
        ),
        acting(
            "ends the sessions of others",
            "pg_terminate_backend",
            "pg_terminate_backend(pid) from pg_stat_activity",
        ),
        acting(
            "reads a file of the server",
            "pg_read_file",
            "pg_read_file('/etc/passwd')",
        ),
        acting(
            "takes on another role",
            "set_config",
            "set_config('role', 'boss', false)",
        ),
        acting("sleeps", "pg_sleep", "pg_sleep(600)"),
        acting("holds a lock", "pg_advisory_lock", "pg_advisory_lock(1)"),
        acting(
            "runs text as a statement",
            "query_to_xml",
            "query_to_xml('delete from jobs', true, true, '')",
        ),
        acting("calls a function that somebody defined", "acts", "acts()"),
        query(
            "reads a table that its user may not",
            "jobs",
            "select * from oak",
            "permission denied for table oak",
        ),
        query(
            "asks without end",
            "hurried",
            "select count(*) from generate_series(1, 100000000000)",
            "the statement took too long",
        ),
        query(
            "asks for a million rows",
            "jobs",
            "select generate_series(1, 1000000)",
            "DONE: 10000",
        ),
        query(
            "asks for a value of 10 MB",
            "jobs",
            "select repeat('x', 10000000)",
            "the answer is larger than the limit",
        ),
        query("asks as a superuser", "boss", "select 1", &beyond("superuser")),
        query(
            "asks as one who may end sessions",
            "ender",
            "select 1",
            &beyond("pg_signal_backend"),
        ),
        execute(
            "deletes and ends the transaction",
            "jobs",
            "delete from jobs; commit",
            TWO,
        ),
        execute(
            "reads from a program",
            "jobs",
            "copy jobs from program 'id'",
            &begins("copy"),
        ),
        execute(
            "runs a block of code",
            "jobs",
            "do $$begin delete from jobs; end$$",
            &begins("do"),
        ),
        execute(
            "makes a role",
            "jobs",
            "create role intruder",
            "`execute` may create a table or an index, not `create role`",
        ),
        execute(
            "changes a table that its user may not",
            "jobs",
            "delete from oak",
            "permission denied for table oak",
        ),
        execute(
            "changes as a superuser",
            "boss",
            "delete from jobs",
            &beyond("superuser"),
        ),
        execute(
            "changes without end",
            "hurried",
            "select pg_sleep(600)",
            "the statement took too long",
        ),
    ];
    let arena = Arena::new(&settings(server.port), &[], attacks)?;
    arena.fight()?;
    let left = "select (select count(*) from jobs), (select count(*) from oak), \
                (select count(*) from pg_roles where rolname = 'intruder')";
    ensure!(server.sql("app", left)? == "2|1|0\n", "something has changed");
    let active = "select count(*) from pg_stat_activity where usename in ('app', 'boss', 'ender') and state = 'active'";
    wait_until(BOUND, "the server has ended what took too long", || {
        ensure!(server.sql("app", active)? == "0\n", "it still works on it");
        Ok(())
    });
    ensure!(!arena.daemon.log().contains(SECRET), "{}", arena.daemon.log());
    Ok(())
}
