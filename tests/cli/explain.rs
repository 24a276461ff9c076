//! What steps may do, told before anything runs.

use evenkeel_tests::evenkeel::Home;
use evenkeel_tests::golden::assert_golden;
use evenkeel_tests::stable::stable;

/// Three assets of two customers, with a role of everything.
fn home() -> anyhow::Result<Home> {
    Home::ready(&[
        ("evenkeel.toml", ROLE),
        ("assets.toml", ASSETS),
        ("runbooks/look.toml", LOOK),
        ("runbooks/clean.toml", CLEAN),
    ])
}

const ROLE: &str = r#"
[role.app.roots.data]
path = "/srv/app"
allow = ["read", "write"]

[role.app.roots.cache]
path = "/var/cache/{{ customer.id }}"
allow = ["read", "write", "remove"]
risk = "high"

[role.app.exec.crowded]
command = ["sh", "-c", "echo \u001b[2J; exit 1"]
args = ["[a-z]+", "..."]
read_only = true

[role.app.exec.restart]
command = ["systemctl", "restart", "app"]
risk = "medium"

[role.app.origins.web]
url = "http://{{ asset.address }}:3000"
allow = ["GET", "HEAD", "POST"]
private = true
"#;

const ASSETS: &str = r#"
[[customer]]
id = "steel"
[[customer]]
id = "paper"

[[asset]]
id = "steel-1"
address = "10.0.0.1"
customer = "steel"
role = "app"
[[asset]]
id = "steel-2"
address = "10.0.0.2"
customer = "steel"
role = "app"
[[asset]]
id = "paper-1"
address = "10.0.1.1"
customer = "paper"
role = "app"
"#;

const LOOK: &str = r#"
name = "look"
summary = "Looks how full the disks are"

[targets]
select = 'role="app"'

[[step]]
id = "disk"
uses = "disk-usage@1"
with = { root = "data" }
grant = { files = ["read data"] }

[[step]]
id = "page"
uses = "http-probe@1"
with = { origin = "web", path = "/" }
grant = { http = ["GET web"] }
"#;

const CLEAN: &str = r#"
name = "clean"
summary = "Empties the cache when it is crowded"

[targets]
select = 'role="app"'

[[step]]
id = "look"
uses = "command/check@1"
with = { profile = "crowded", code = "cache-crowded" }
grant = { exec = ["run crowded"] }

[[step]]
id = "clean"
uses = "cache-clean@1"
with = { root = "cache", older_than = "0s" }
grant = { files = ["read cache", "remove cache"] }

[[step]]
id = "restart"
uses = "service-restart@1"
with = { profile = "restart" }
grant = { exec = ["run restart"] }
"#;

#[test]
fn check_explains_what_each_step_may_do_on_each_target() -> anyhow::Result<()> {
    let home = home()?;
    let said = home.done(&["check", "--explain"])?;
    assert_golden("cli/golden/explain.txt", &stable(&said.stdout, home.path()));
    assert!(
        !said.stdout.contains('\u{1b}'),
        "an operator's text is no command to a terminal"
    );
    let json = home.done(&["check", "--explain", "clean", "--json"])?;
    assert_golden("cli/golden/explain.json", &stable(&json.stdout, home.path()));
    Ok(())
}

#[test]
fn one_runbook_is_explained_if_it_is_named_and_a_wrong_name_is_said() -> anyhow::Result<()> {
    let home = home()?;
    let said = home.done(&["check", "--explain", "look"])?;
    assert!(
        said.stdout.contains("`look`, step `disk`") && !said.stdout.contains("`clean`"),
        "{said:#?}"
    );
    let said = home.run(&["check", "--explain", "lokk"])?;
    assert_eq!(said.code, 1);
    assert!(
        said.stderr.contains("there is no runbook `lokk`; did you mean `look`?"),
        "{said:#?}"
    );
    Ok(())
}
