//! Scripts as checks and remedies.

use evenkeel_tests::evenkeel::Home;

use crate::workshop::{ASSETS, ROLE};

/// A home with these profiles besides those of the workshop, and one runbook.
fn home(profiles: &str, steps: &str) -> anyhow::Result<Home> {
    let runbook = format!(
        "name = \"script\"\nsummary = \"Runs scripts\"\n\n[targets]\nselect = 'asset=\"one\"'\n\n[limits]\ncooldown = \"0s\"\n{steps}"
    );
    Home::ready(&[
        ("evenkeel.toml", &format!("{ROLE}\n{profiles}")),
        ("assets.toml", ASSETS),
        ("runbooks/script.toml", &runbook),
        ("app/cache/old", "1"),
    ])
}

#[test]
fn a_script_s_findings_are_the_run_s() -> anyhow::Result<()> {
    let profile = r#"
[role.app.exec.queues]
command = ["sh", "-c", '''echo '[{"severity":"ok","summary":"mail is quick"},{"severity":"warning","code":"queue-slow","subject":"jobs","summary":"17 jobs wait","details":{"waiting":17}}]' ''']
read_only = true
"#;
    let steps = r#"
[[step]]
id = "queues"
uses = "command/check@1"
with = { profile = "queues", output = "json", code = "queue" }
grant = { exec = ["run queues"] }
"#;
    let home = home(profile, steps)?;

    let said = home.run(&["run", "script"])?;

    assert_eq!(said.code, 10, "{said:#?}");
    for line in ["ok `queue`: mail is quick", "warning `queue-slow`: 17 jobs wait"] {
        assert!(said.stdout.contains(line), "no {line:?} in {}", said.stdout);
    }
    Ok(())
}

#[test]
fn what_a_step_printed_can_be_used_by_the_next() -> anyhow::Result<()> {
    let profiles = r#"
[role.app.exec.pick]
command = ["sh", "-c", '''echo '{"queue": "mail", "count": 3}' ''']

[role.app.exec.flush]
command = ["sh", "-c", 'echo "$@" > app/flushed', "flush"]
args = ["--queue", "[a-z]+", "--count", "[0-9]+"]
"#;
    let steps = r#"
[[step]]
id = "pick"
uses = "command/remedy@1"
with = { profile = "pick", output = "json", risk = "low" }
grant = { exec = ["run pick"] }

[[step]]
id = "flush"
uses = "command/remedy@1"
with = { profile = "flush", risk = "low", args = ["--queue", "{{ steps.pick.output.stdout.queue }}", "--count", "{{ steps.pick.output.stdout.count | string }}"] }
grant = { exec = ["run flush"] }
"#;
    let home = home(profiles, steps)?;

    home.done(&["run", "script"])?;

    let flushed = std::fs::read_to_string(home.path().join("app/flushed"))?;
    assert_eq!(flushed, "--queue mail --count 3\n");
    Ok(())
}

#[test]
fn arguments_that_the_operator_did_not_allow_are_denied_and_said() -> anyhow::Result<()> {
    let profile = r#"
[role.app.exec.flush]
command = ["sh", "-c", 'echo "$@" >> app/flushed', "flush"]
args = ["[a-z]+"]
"#;
    for args in [r#"["../etc"]"#, r#"["mail", "more"]"#, r#"[]"#, r#"["mail\nrm"]"#] {
        let steps = format!(
            "[[step]]\nid = \"flush\"\nuses = \"command/remedy@1\"\nwith = {{ profile = \"flush\", risk = \"low\", args = {args} }}\n\
             grant = {{ exec = [\"run flush\"] }}\n"
        );
        let home = home(profile, &steps)?;
        let said = home.run(&["run", "script"])?;
        assert_eq!(said.code, 12, "{args}: {said:#?}");
        assert!(
            said.stdout.contains("DENIED") || said.stdout.contains("denied"),
            "{args}: {}",
            said.stdout
        );
        assert!(!home.path().join("app/flushed").exists(), "{args}");
    }
    Ok(())
}

/// The operator's word decides what changes the world, not the name of the plugin's kind.
#[test]
fn a_check_runs_nothing_that_is_not_read_only() -> anyhow::Result<()> {
    let steps = r#"
[[step]]
id = "look"
uses = "command/check@1"
with = { profile = "fix" }
grant = { exec = ["run fix"] }
"#;
    let home = home("", steps)?;
    home.write("app/broken", "")?;

    let said = home.run(&["run", "script"])?;

    assert_eq!(said.code, 12, "{said:#?}");
    assert!(said.stdout.contains("DENIED"), "{}", said.stdout);
    assert!(home.path().join("app/broken").exists() && !home.path().join("app/fixes").exists());
    Ok(())
}

#[test]
fn a_plan_runs_nothing_that_is_not_read_only() -> anyhow::Result<()> {
    let steps = r#"
[[step]]
id = "repair"
uses = "command/remedy@1"
with = { profile = "fix", risk = "low", look = { profile = "in-vain" } }
grant = { exec = ["run fix", "run in-vain"] }
"#;
    let home = home("", steps)?;
    for arguments in [&["run", "script", "--dry-run"][..], &["run", "script"]] {
        let said = home.run(arguments)?;
        assert_eq!(said.code, 12, "{said:#?}");
        assert!(said.stdout.contains("DENIED"), "{}", said.stdout);
    }
    assert!(!home.path().join("app/fixes").exists());
    Ok(())
}

#[test]
fn a_command_gets_the_operator_s_environment_and_nothing_of_the_daemon_s() -> anyhow::Result<()> {
    let profile = r#"
[role.app.exec.environment]
command = ["sh", "-c", "env | sort | tr '\n' ' '"]
env = { CUSTOMER = "{{ customer.id }}", ASSET = "{{ asset.id }} {{ asset.labels.env }}" }
read_only = true
"#;
    let steps = r#"
[[step]]
id = "environment"
uses = "command/check@1"
with = { profile = "environment" }
grant = { exec = ["run environment"] }
"#;
    let home = home(profile, steps)?;

    let output = home
        .command()?
        .env("SECRET_OF_THE_DAEMON", "hunter2")
        .args(["run", "script"])
        .output()?;

    let said = String::from_utf8(output.stdout)?;
    assert!(said.contains("ASSET=one prod CUSTOMER=local"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    Ok(())
}

#[test]
fn what_a_command_prints_can_not_steer_the_terminal() -> anyhow::Result<()> {
    let profile = r#"
[role.app.exec.rude]
command = ["sh", "-c", "printf 'all \\033[31mred\\033[0m \\007 \\302\\233 \\342\\200\\256 \\377'; exit 1"]
read_only = true
"#;
    let steps = r#"
[[step]]
id = "rude"
uses = "command/check@1"
with = { profile = "rude" }
grant = { exec = ["run rude"] }
"#;
    let home = home(profile, steps)?;
    let followed = home.run(&["run", "script"])?;
    assert_eq!(followed.code, 10, "{followed:#?}");
    for text in [followed.stdout, home.story(1)?, home.done(&["runs", "list"])?.stdout] {
        let wild = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(wild), "{text:?}");
        assert!(text.contains("all"), "{text:?}");
    }
    Ok(())
}

#[test]
fn a_flood_of_output_is_cut_and_not_kept() -> anyhow::Result<()> {
    let profile = r#"
[role.app.exec.flood]
command = ["sh", "-c", "yes flood | head -c 30000000"]
read_only = true
"#;
    let steps = r#"
[[step]]
id = "flood"
uses = "command/check@1"
with = { profile = "flood" }
grant = { exec = ["run flood"] }
"#;
    let home = home(profile, steps)?;
    let said = home.run(&["run", "script"])?;
    assert!([0, 12].contains(&said.code), "{said:#?}");
    let kept = std::fs::metadata(home.path().join("data/evenkeel.db"))?.len();
    assert!(kept < 20_000_000, "the journal has {kept} bytes");
    Ok(())
}

#[test]
fn a_command_that_is_not_there_is_failed_and_said() -> anyhow::Result<()> {
    let profile = "[role.app.exec.gone]\ncommand = [\"/not/there\"]\nread_only = true\n";
    let steps = "[[step]]\nid = \"gone\"\nuses = \"command/check@1\"\nwith = { profile = \"gone\" }\ngrant = { exec = [\"run gone\"] }\n";
    let home = home(profile, steps)?;
    let said = home.run(&["run", "script"])?;
    assert_eq!(said.code, 12, "{said:#?}");
    assert!(said.stdout.contains("/not/there"), "{}", said.stdout);
    Ok(())
}
