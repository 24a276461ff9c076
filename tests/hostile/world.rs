//! Rows 12 to 14, 22 to 24, 34 and 35: what is outside of the plugin.

use std::fs;

use anyhow::ensure;

use crate::{arena::Arena, attack::Attack, origin::Origin};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of attacks, as the list has it")]
fn files_are_what_is_granted_and_nothing_else() -> anyhow::Result<()> {
    let shown = r#"files = ["read shown"]"#;
    let read = |what, path: &str, says: &str| {
        Attack::check(
            12,
            what,
            &format!(r#"{{ act = "read", name = "shown", path = "{path}" }}"#),
        )
        .grant(shown)
        .says(says)
    };
    let attacks = vec![
        Attack::check(
            12,
            "reads what it may",
            r#"{ act = "read", name = "shown", path = "page.txt" }"#,
        )
        .grant(shown)
        .says("DONE: shown"),
        read("climbs with `..`", "../../outside/secret.txt", "`../../outside/secret.txt` is not a plain path within the root: no `..`, `.`, empty name, or slash at an end"),
        read("reads an absolute path", "/etc/passwd", "`/etc/passwd` is not a plain path within the root: no `..`, `.`, empty name, or slash at an end"),
        read("reads through a link to a file", "link", "`link` leads out of the root"),
        read("reads through a link to a directory", "directory/secret.txt", "`directory/secret.txt` leads out of the root"),
        read("reads through a link with a slash at its end", "link/", "`link/` is not a plain path within the root: no `..`, `.`, empty name, or slash at an end"),
        read("reads a FIFO that nobody writes to", "fifo", "`fifo` is a pipe, and only files are read"),
        read("reads /dev/zero through a link", "zero", "`zero` leads out of the root"),
        Attack::check(
            13,
            "writes under a read grant",
            r#"{ act = "write", name = "shown", path = "page.txt", text = "x" }"#,
        )
        .grant(shown)
        .says("`write shown` is not granted: the step's `grant` does not name it under `files`; the plugin's manifest must ask for it and the role of the target allow it, too"),
        Attack::remedy(
            13,
            "removes while it plans",
            r#"plan = [{ act = "remove", name = "scratch", path = "old.txt" }], many = 0"#,
        )
        .grant(r#"files = ["read scratch", "remove scratch"]"#)
        .says("`files.remove` of `scratch:old.txt` changes something, and a plan never does"),
        Attack::check(
            34,
            "removes in a check",
            r#"{ act = "remove", name = "scratch", path = "old.txt" }"#,
        )
        .grant(r#"files = ["read scratch", "remove scratch"]"#)
        .says("`files.remove` of `scratch:old.txt` changes something, and a check never does"),
        Attack::check(
            35,
            "names another customer's asset",
            r#"{ act = "read", name = "oak-1/data", path = "secret.txt" }"#,
        )
        .grant(shown)
        .says("`read oak-1/data` is not granted: the step's `grant` does not name it under `files`; the plugin's manifest must ask for it and the role of the target allow it, too"),
        Attack::check(
            35,
            "names an asset that does not exist",
            r#"{ act = "read", name = "elm-1/data", path = "secret.txt" }"#,
        )
        .grant(shown)
        .says("`read elm-1/data` is not granted: the step's `grant` does not name it under `files`; the plugin's manifest must ask for it and the role of the target allow it, too"),
    ];
    let arena = Arena::new("", &[], attacks)?;
    arena.fight()?;
    assert_eq!(
        fs::read_to_string(arena.home.path().join("steel/scratch/old.txt"))?,
        "old"
    );
    Ok(())
}

#[test]
fn an_action_does_what_it_declared_and_nothing_else() -> anyhow::Result<()> {
    let grant = r#"files = ["read scratch", "write scratch", "remove scratch"]"#;
    let write = |path: &str, content: &str| {
        format!(
            r#"effects = [{{ capability = "files", operation = "write", subject = "scratch:{path}", content = "{content}" }}]"#
        )
    };
    let act = |act: &str, path: &str, text: &str| {
        format!(r#"{{ act = "{act}", name = "scratch", path = "{path}", text = "{text}" }}"#)
    };
    let attack = |row, what, declared: &str, acts: &str| {
        Attack::remedy(row, what, &format!("{declared}, apply = [{acts}]")).grant(grant)
    };
    let attacks = vec![
        attack(23, "writes what it planned", &write("new.txt", "good"), &act("write", "new.txt", "good"))
            .ends("changed")
            .says("DONE: written"),
        attack(23, "writes another file", &write("new.txt", "good"), &act("write", "evil.txt", "good"))
            .ends("failed").says("`files.write` of `scratch:evil.txt` is not among the effects of the action `action-1`"),
        attack(23, "writes more often than it declared", &write("new.txt", "good"), &[act("write", "new.txt", "good"), act("write", "new.txt", "good")].join(", "))
            .ends("failed").says("`files.write` of `scratch:new.txt` once more is not among the effects of the action `action-1`"),
        attack(23, "removes what it was to write", &write("new.txt", "good"), &act("remove", "new.txt", ""))
            .ends("failed").says("`files.remove` of `scratch:new.txt` is not among the effects of the action `action-1`"),
        attack(24, "writes another content than approved", &write("new.txt", "good"), &act("write", "new.txt", "evil"))
            .ends("failed").says("`files.write` of `scratch:new.txt` with this content is not among the effects of the action `action-1`"),
        attack(24, "declares a file named `**` and writes another", &write("**", "good"), &act("write", "evil.txt", "good"))
            .ends("failed").says("`files.write` of `scratch:evil.txt` is not among the effects of the action `action-1`"),
        attack(24, "writes through a link out of the root", &write("directory/secret.txt", "good"), &act("write", "directory/secret.txt", "good"))
            .ends("changed").says("`directory` in `directory/secret.txt` is a link, and nothing is changed through a link"),
        Attack::remedy(22, "panics in `plan`", r#"plan = [{ act = "panic", text = "in plan" }]"#).ends("failed").says("in plan"),
        Attack::remedy(22, "panics in `apply` of its third action", r#"many = 3, apply = [{ act = "panic", text = "in apply" }]"#).ends("failed").says("in apply"),
        Attack::remedy(22, "panics in `apply` and in the `rollback` of an action before it, and what came before that is undone", r#"many = 4, mark = "scratch", apply = [{ act = "panic", text = "in apply" }], undo = [{ act = "panic", text = "in rollback" }]"#)
            .grant(grant).undone().ends("failed").says("in apply").says("in rollback"),
    ];
    let arena = Arena::new("", &[], attacks)?;
    arena.fight()?;
    for n in [1, 2] {
        let undone = format!("steel/scratch/undone-{n}");
        ensure!(arena.home.path().join(&undone).exists(), "`{undone}` is missing");
    }
    ensure!(
        !arena.home.path().join("steel/scratch/evil.txt").exists(),
        "it was written"
    );
    Ok(())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of attacks, as the list has it")]
fn requests_go_where_the_operator_sends_them() -> anyhow::Result<()> {
    let origin = Origin::start()?;
    let port = origin.port;
    let settings = format!(
        r#"
[role.steel.origins.app]
url = "http://127.0.0.1:{port}/app"
allow = ["GET", "POST"]
timeout = "1s"

[role.steel.origins.named]
url = "http://localhost:{port}/app"
allow = ["GET"]

[role.steel.origins.cloud]
url = "http://169.254.169.254/latest"
allow = ["GET"]

[role.steel.origins.intern]
url = "http://127.0.0.1:{port}/intern"
allow = ["GET"]
"#
    );
    let grant = r#"http = ["GET app", "POST app", "GET named", "GET cloud"]"#;
    let get = |what, name: &str, path: &str, says: &str| {
        Attack::check(
            14,
            what,
            &format!(r#"{{ act = "GET", name = "{name}", path = "{path}" }}"#),
        )
        .grant(grant)
        .says(says)
    };
    let header = |what, name: &str, says: &str| {
        let act = format!(r#"{{ act = "GET", name = "app", path = "/ok", headers = ["{name}", "evil.example"] }}"#);
        Attack::check(14, what, &act).grant(grant).says(says)
    };
    let attacks = vec![
        get("asks for what it may", "app", "/ok", "DONE: 200 /app/ok"),
        get(
            "asks an origin that is not granted",
            "intern",
            "/ok",
            "`GET intern` is not granted: the step's `grant` does not name it under `http`; the plugin's manifest must ask for it and the role of the target allow it, too",
        ),
        get(
            "asks with an absolute URL",
            "app",
            "http://evil.example/",
            "the path `http://evil.example/` does not begin with a slash",
        ),
        get(
            "begins a path with two slashes",
            "app",
            "//evil.example/",
            "the path `//evil.example/` holds `//`",
        ),
        get(
            "climbs with `..`",
            "app",
            "/../intern",
            "the path `/../intern` holds `.` or `..` as a name, or is percent-encoded over and over",
        ),
        get(
            "climbs with `%2e%2e`",
            "app",
            "/%2e%2e/intern",
            "the path `/%2e%2e/intern` holds `.` or `..` as a name, or is percent-encoded over and over",
        ),
        get(
            "splits the request with CR LF",
            "app",
            r"/ok\r\nHost: evil",
            "the path `/ok\\r\\nHost: evil` holds a character that must be percent-encoded",
        ),
        header("sends a `Host` of its own", "Host", "DONE: 200 /app/ok"),
        header(
            "overrides the method",
            "X-HTTP-Method-Override",
            "the header `X-HTTP-Method-Override` can make a server take the request for another one",
        ),
        get(
            "asks a name that resolves to loopback",
            "named",
            "/ok",
            "`named` is at 127.0.0.1, a loopback address: only an origin with `private = true` in evenkeel.toml may be there",
        ),
        get(
            "asks the metadata service",
            "cloud",
            "/meta-data",
            "`cloud` is at 169.254.169.254, a metadata service: only an origin with `private = true` in evenkeel.toml may be there",
        ),
        get("is redirected elsewhere", "app", "/redirect", "DONE: 302 "),
        get("waits for a body that never ends", "app", "/slow", "no answer in time"),
        get("is sent 10 GB", "app", "/huge", "the answer is larger than the limit"),
        Attack::check(
            34,
            "POSTs in a check",
            r#"{ act = "POST", name = "app", path = "/ok" }"#,
        )
        .grant(grant)
        .says("`http.send` of `POST app:/ok` changes something, and a check never does"),
    ];
    let arena = Arena::new(&settings, &[], attacks)?;
    arena.fight()?;
    let asked = origin.asked();
    ensure!(
        asked
            .iter()
            .all(|line| line.starts_with("GET /app/") && line.ends_with(&format!(" 127.0.0.1:{port}"))),
        "{asked:#?}"
    );
    Ok(())
}
