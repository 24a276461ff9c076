use proptest::prelude::*;

use super::*;

const ALL: [Dialect; 3] = [Dialect::Postgres, Dialect::Mysql, Dialect::Sqlite];

#[track_caller]
fn reads(dialect: Dialect, text: &str) {
    assert_eq!(read(dialect, text), Ok(()), "{dialect:?}: {text}");
}

#[track_caller]
fn refused(dialect: Dialect, text: &str) -> String {
    read(dialect, text).expect_err(text)
}

#[test]
fn what_reads_is_taken_by_all() {
    for dialect in ALL {
        reads(dialect, "select 1");
        reads(dialect, "  SELECT a, count(*) FROM t WHERE b = 'x;y' GROUP BY a;  ");
        reads(dialect, "/* why */ (select 1) union (select 2) -- the end; or not");
        reads(dialect, "with n as (select 1) select * from n");
        reads(dialect, "values (1)");
        reads(dialect, "explain select 1");
    }
    reads(
        Dialect::Postgres,
        "select $1::int, $$a;b$$, $t$ $$;' $t$, E'it\\'s;', a$b from \"in;to\"",
    );
    reads(
        Dialect::Mysql,
        "select 'it\\'s;', \"a\"\"b;\", `in;to` from t where a = ? # why; not",
    );
    reads(Dialect::Sqlite, "pragma quick_check");
    reads(Dialect::Sqlite, "select [a;b], `c` from t where id = ?1");
}

#[test]
fn what_leaves_the_transaction_or_acts_is_refused_by_all() {
    for dialect in ALL {
        for text in [
            "",
            ";",
            "--",
            "commit",
            "COMMIT; DROP TABLE t",
            "select 1; drop table t",
            "begin",
            "set role none",
            "reset role",
            "drop table t",
            "delete from t",
            "attach 'x' as y",
            "do 1",
            "call p()",
            "copy t to program 'x'",
            "with d as (delete from t returning *) select * from d",
            "select * into t2 from t",
            "select 1 for update",
            "explain analyze select 1",
            "explain (analyze) select 1",
            "\"select\" 1",
            "select 'a",
            "select \"a",
            "select /* 1",
            "select 'a'\n'b'",
            "select 1 /* /* */ ; */",
            "select \u{b} 1",
            "select '\0'",
            "load x",
            "listen x",
            "prepare p as select 1",
            "execute p",
            "lock table t",
            "handler t open",
            "kill 1",
            "vacuum",
        ] {
            refused(dialect, text);
        }
        refused(dialect, &format!("select '{}'", "x".repeat(LONGEST)));
    }
}

#[test]
fn quotes_that_one_database_has_and_another_has_not_hide_nothing() {
    assert!(refused(Dialect::Postgres, "select U&'\\0061'").contains("U&"));
    // A backslash ends nothing in a standard string, and does in one with escapes.
    refused(Dialect::Postgres, "select 'a\\'; drop table t; --'");
    refused(Dialect::Postgres, "select E'a\\'' ; drop table t");
    refused(Dialect::Postgres, "select E'a'\n'\\'; drop table t; --'");
    refused(Dialect::Postgres, "select $a$ $b$; $a$; drop table t");
    refused(Dialect::Mysql, "select 'a'';' ; drop table t");
    refused(Dialect::Mysql, "select 1 --; drop table t");
    refused(Dialect::Mysql, "select /*! 1; drop */ 1");
    refused(Dialect::Mysql, "select /*M!100000 sleep(1) */ 1");
    refused(Dialect::Mysql, "select /*+ SET_VAR(max_execution_time=0) */ 1");
    refused(Dialect::Mysql, "select $$a$$");
    refused(Dialect::Sqlite, "select [a]]; drop table t");
}

#[test]
fn functions_of_mysql_are_those_that_are_known() {
    reads(
        Dialect::Mysql,
        "select count(*), json_extract(a, '$.b'), cast(a as decimal(5,2)) from t where b in (1, 2)",
    );
    reads(
        Dialect::Mysql,
        "with recursive n(a) as (select 1 union all select a + 1 from n where a < 5) select a from n",
    );
    for text in [
        "select sleep(1)",
        "select SLEEP (1)",
        "select `sleep`(1)",
        "select sleep/**/(1)",
        "select get_lock('a', 1)",
        "select load_file('/etc/passwd')",
        "select benchmark(1000000, 1)",
        "select sys_exec('id')",
        "select db.f(1)",
        "select nextval(s)",
        "select next value for s",
        "select 1 into outfile 'rows'",
        "select 1 into dumpfile 'rows'",
        "select 1 into @a",
        "select * from t procedure analyse()",
        "select * from t lock in share mode",
        "select * from t for share",
        "select master_pos_wait('a', 1)",
    ] {
        refused(Dialect::Mysql, text);
    }
}

#[test]
fn calls_are_found_however_they_are_written() {
    let calls = |text| calls(Dialect::Postgres, text).unwrap();
    assert_eq!(
        calls("select PG_Sleep /* x */ (1), \"Pg_x\"(2)").called,
        ["pg_sleep", "Pg_x"]
    );
    let dotted = calls("select x.pg_sleep, pg_catalog.pg_sleep(1) from abs(1) x");
    assert_eq!(dotted.behind_dots, ["pg_sleep"]);
    assert_eq!(dotted.called, ["pg_sleep", "abs"]);
}

#[test]
fn a_change_is_one_statement_that_stays_in_the_database() {
    let ok = |dialect, text| assert_eq!(change(dialect, text), Ok(()), "{text}");
    for dialect in ALL {
        ok(dialect, "delete from t where id = 1");
        ok(dialect, "insert into t values (1);");
        ok(dialect, "create unique index i on t (a)");
        ok(dialect, "drop table t_2024");
        for text in [
            "",
            "commit",
            "rollback",
            "begin",
            "set x = 1",
            "insert into t values (1); commit",
            "copy t from '/x'",
            "do $$x$$",
            "create function f() returns int",
            "create role r",
            "alter system set x = 1",
            "drop database d",
            "attach 'x' as y",
            "pragma journal_mode = delete",
            "grant all on t to u",
            "load data infile 'x' into table t",
            "call p()",
            "(select 1)",
        ] {
            assert!(change(dialect, text).is_err(), "{dialect:?}: {text}");
        }
    }
    ok(Dialect::Postgres, "select pg_terminate_backend(7)");
    ok(Dialect::Mysql, "kill 7");
    assert!(change(Dialect::Mysql, "with a as (select 1) select 1 into outfile 'rows'").is_err());
    assert!(change(Dialect::Mysql, "insert into t values (1) /*! ; drop table t */").is_err());
}

#[test]
fn the_end_of_a_statement_can_be_taken_off() {
    assert_eq!(bare(Dialect::Postgres, "select ';' ; -- x"), Ok("select ';' "));
    assert_eq!(bare(Dialect::Postgres, "select 1 -- ;"), Ok("select 1 -- ;"));
}

/// A statement of pieces that each hide a semicolon, and those that hide none.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("select 1"),
        Just(" , "),
        Just("'"),
        Just("''"),
        Just("\""),
        Just("`"),
        Just("["),
        Just("]"),
        Just("$$"),
        Just("$a$"),
        Just("$"),
        Just("--"),
        Just("-- "),
        Just("#"),
        Just("/*"),
        Just("*/"),
        Just("\n"),
        Just(";"),
        Just("\\"),
        Just("E"),
        Just("e'"),
        Just("x"),
        Just("1"),
        Just(" "),
        Just("("),
        Just(")"),
        Just("é"),
        Just("/*!"),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| format!("select 1 {}", pieces.concat()))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        for dialect in ALL {
            let _ = (read(dialect, &text), change(dialect, &text), calls(dialect, &text), bare(dialect, &text));
        }
    }

    /// SQLite itself is the judge: what is taken as one statement has nothing behind its end.
    #[test]
    fn what_sqlite_takes_for_two_statements_is_refused(text in pieces()) {
        if read(Dialect::Sqlite, &text).is_ok() {
            let connection = rusqlite::Connection::open_in_memory().unwrap();
            let prepared = connection.prepare(&text).map(|_| ());
            prop_assert!(!matches!(prepared, Err(rusqlite::Error::MultipleStatement)), "{text}");
        }
    }
}
