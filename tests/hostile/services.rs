//! Rows 16 to 18 and 31 to 33: memory, secrets, databases, sources and processes.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, ensure};

use crate::{
    arena::{Arena, SECRET},
    attack::Attack,
    origin::Origin,
};

/// Written into every place that a plugin can write to, and nowhere to be found.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of attacks, as the list has it")]
fn secrets_and_memory_stay_where_they_belong() -> anyhow::Result<()> {
    let origin = Origin::start()?;
    let port = origin.port;
    let settings = format!(
        r#"state_bytes = "1KiB"
[role.steel.origins.app]
url = "http://127.0.0.1:{port}/app"
allow = ["GET"]

[role.steel.exec.cat]
command = ["cat"]
read_only = true

[role.steel.secrets.token]
file = "steel/token"
allow = ["use", "reveal"]
origins = []
exec = []
"#
    );
    let granted =
        r#"http = ["GET app"], files = ["read shown"], exec = ["run cat"], secrets = ["use token", "reveal token"]"#;
    let memory = |what, act: &str, says: &str| Attack::check(16, what, act).says(says);
    let secret = |row, what, act: &str, grant: &str, says: &str| Attack::check(row, what, act).grant(grant).says(says);
    let attacks = vec![
        memory(
            "puts what it may",
            r#"{ act = "put", name = "mine", n = 10 }, { act = "get", name = "mine" }"#,
            "DONE: true",
        ),
        memory(
            "reads what another step has put",
            r#"{ act = "get", name = "mine" }"#,
            "DONE: false",
        ),
        memory(
            "puts more than its quota",
            r#"{ act = "put", name = "big", n = 5000 }"#,
            "`big`: the plugin remembers too much",
        ),
        memory(
            "has a huge key",
            r#"{ act = "put-long-key", n = 300 }"#,
            &format!("`{}`: the value is larger than the limit", "k".repeat(300)),
        ),
        secret(
            17,
            "tells a secret everywhere",
            r#"{ act = "leak", name = "token" }"#,
            granted,
            "told ***",
        ),
        secret(
            17,
            "panics with a secret",
            r#"{ act = "leak-and-panic", name = "token" }"#,
            granted,
            "it is told ***",
        )
        .ends("failed"),
        secret(
            18,
            "asks to reveal what it may only use",
            r#"{ act = "reveal", name = "token" }"#,
            r#"secrets = ["use token"]"#,
            "`reveal token` is not granted: the step's `grant` does not name it under `secrets`; the plugin's manifest must ask for it and the role of the target allow it, too",
        ),
        secret(
            18,
            "sends a reference to an origin that it was not granted for",
            r#"{ act = "send-reference", name = "token", path = "app" }"#,
            granted,
            "`GET app:/ok`: the secret `token` may not go to `app`: its `origins` in evenkeel.toml do not list it",
        ),
        secret(
            18,
            "sends a reference to a command that it was not granted for",
            r#"{ act = "send-reference", name = "token", path = "cat", text = "stdin" }"#,
            granted,
            "the secret `token` may not go to `cat`: its `exec` in evenkeel.toml do not list it",
        ),
        secret(
            35,
            "names a secret that does not exist",
            r#"{ act = "reveal", name = "oak-1/token" }"#,
            granted,
            "`reveal oak-1/token` is not granted: the step's `grant` does not name it under `secrets`; the plugin's manifest must ask for it and the role of the target allow it, too",
        ),
    ];
    let arena = Arena::new(&settings, &[], attacks)?;
    arena.fight()?;
    ensure!(!arena.daemon.log().contains(SECRET), "{}", arena.daemon.log());
    ensure!(
        origin.asked().iter().all(|line| !line.contains("evenkeel-secret-")),
        "{:#?}",
        origin.asked()
    );
    let (home, daemon) = arena.close();
    daemon.terminate()?;
    for entry in fs::read_dir(home.path().join("data"))? {
        let path = entry?.path();
        let bytes = if path.is_file() { fs::read(&path)? } else { Vec::new() };
        let holds = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        ensure!(!holds, "the secret is in {}", path.display());
    }
    Ok(())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of attacks, as the list has it")]
fn databases_and_sources_are_asked_within_bounds() -> anyhow::Result<()> {
    let origin = Origin::start()?;
    let port = origin.port;
    let settings = format!(
        r#"
[role.steel.databases.jobs]
url = "sqlite:steel/jobs.db"
allow = ["query", "execute"]
timeout = "1s"

[role.steel.sources.prometheus]
url = "http://127.0.0.1:{port}"
allow = ["query"]
"#
    );
    let grant = r#"sql = ["query jobs", "execute jobs"], metrics = ["query prometheus"]"#;
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n)";
    let query = |what, text: &str, says: &str| {
        Attack::check(
            31,
            what,
            &format!(r#"{{ act = "query", name = "jobs", text = "{text}" }}"#),
        )
        .grant(grant)
        .says(says)
    };
    let metrics = |what, act: &str, says: &str| Attack::check(32, what, act).grant(grant).says(says);
    let attacks = vec![
        query("asks what it may", "select 1", "DONE: 1"),
        query(
            "ends the transaction and drops a table",
            "COMMIT; DROP TABLE jobs",
            "one statement is sent at a time, and there is a `;` within this one",
        ),
        query(
            "sends two statements",
            "select 1; select 2",
            "one statement is sent at a time, and there is a `;` within this one",
        ),
        query(
            "attaches another database",
            "attach 'oak.db' as oak",
            "`query` reads, and begins with one of select, with, values, explain, pragma, not with `attach`; `execute` changes",
        ),
        query(
            "loads a library",
            "select load_extension('x')",
            "SQLite's authorizer refuses it: not authorized to use function: load_extension in select load_extension('x') at offset 7",
        ),
        query(
            "asks without end",
            &format!("{endless} select count(*) from n"),
            "the statement took too long",
        ),
        Attack::check(
            31,
            "asks for a million rows",
            &format!(
                r#"{{ act = "query", name = "jobs", n = 1000000, text = "{endless} select i from n limit 1000000" }}"#
            ),
        )
        .grant(grant)
        .says("DONE: 10000"),
        query(
            "runs a program as on PostgreSQL",
            "COPY jobs TO PROGRAM 'sh'",
            "`query` reads, and begins with one of select, with, values, explain, pragma, not with `copy`; `execute` changes",
        ),
        Attack::check(
            34,
            "changes a database in a check",
            r#"{ act = "execute", name = "jobs", text = "create table t (i)" }"#,
        )
        .grant(grant)
        .says("`sql.execute` of `jobs create table t (i)` changes something, and a check never does"),
        metrics(
            "asks a source that is not granted",
            r#"{ act = "metrics", name = "intern", text = "up" }"#,
            "`query intern` is not granted: the step's `grant` does not name it under `metrics`; the plugin's manifest must ask for it and the role of the target allow it, too",
        ),
        metrics(
            "asks for all series",
            r#"{ act = "metrics", name = "prometheus", text = "{__name__=~'.+'}" }"#,
            "`prometheus {__name__=~'.+'}`: the answer is larger than the limit",
        ),
        metrics(
            "asks for a year, a millisecond at a time",
            r#"{ act = "metrics-range", name = "prometheus", text = "up", n = 31536000000 }"#,
            "`prometheus up`: the answer is larger than the limit",
        ),
    ];
    let arena = Arena::new(&settings, &[], attacks)?;
    arena.fight()?;
    ensure!(
        fs::read(arena.home.path().join("steel/jobs.db"))?.is_empty(),
        "the database was changed"
    );
    Ok(())
}

/// Ends with the test.
struct Sleeper(Child);

impl Sleeper {
    fn start(name: &str) -> std::io::Result<Self> {
        let mut command = Command::new("sh");
        command
            .args(["-c", "while :; do sleep 1; done", name])
            .stdin(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    /// Two that were started at the same time, as the kernel counts it: else the second is already
    /// refused as one that has taken the number of the first.
    fn twins(names: [&str; 2]) -> anyhow::Result<[Self; 2]> {
        loop {
            let [one, two] = names.map(Self::start);
            let twins = [one?, two?];
            if twins[0].started()? == twins[1].started()? {
                return Ok(twins);
            }
        }
    }

    /// In clock ticks (proc(5)).
    fn started(&self) -> anyhow::Result<String> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields = stat.rsplit(") ").next().context("no fields")?;
        Ok(fields.split(' ').nth(19).context("too few fields")?.to_owned())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn signals_reach_what_a_profile_selects_and_nothing_else() -> anyhow::Result<()> {
    let [mut own, mut other] = Sleeper::twins(["steel-sleeper-one", "oak-sleeper-two"])?;
    let settings = r#"
[role.steel.process.app]
command = "sh -c .*steel-sleeper-one"
allow = ["see", "TERM"]
"#;
    let grant = r#"process = ["see app", "TERM app"]"#;
    let declared = r#"effects = [{ capability = "process", operation = "send", subject = "TERM app" }]"#;
    let attack = |what, act: &str, n: u64, says: &str| {
        let with = format!(r#"{declared}, apply = [{{ act = "{act}", name = "app", n = {n} }}]"#);
        Attack::remedy(33, what, &with).grant(grant).ends("changed").says(says)
    };
    let pid = u64::from(other.0.id());
    let attacks = vec![
        attack(
            "signals a process outside of the profile",
            "signal-pid",
            pid,
            &format!("the profile does not select process {pid}"),
        ),
        attack("signals init", "signal-pid", 1, "1 is no process that may be signalled"),
        attack(
            "signals a number that went to another process",
            "signal-earlier",
            10,
            "there is no such process any more",
        ),
        Attack::check(
            34,
            "signals in a check",
            r#"{ act = "signal-earlier", name = "app", n = 0 }"#,
        )
        .grant(grant)
        .says("`process.send` of `TERM app` changes something, and a check never does"),
    ];
    Arena::new(settings, &[], attacks)?.fight()?;
    ensure!(
        own.0.try_wait()?.is_none() && other.0.try_wait()?.is_none(),
        "one has ended"
    );
    Ok(())
}
