//! What a person sees before they say yes.

use std::{fmt::Write as _, process::Command};

use evenkeel_tests::{alerts::Alert, evenkeel::Home, golden::assert_golden, stable::stable};

/// `USER` stands for whoever runs the tests.
const ROLE: &str = r#"
[approvers.duty]
people = ["ada", "USER", "ben"]
need = 2

[role.app.roots.cache]
path = "app/cache"
allow = ["read", "remove"]

[role.app.databases.app]
url = "postgres://app@127.0.0.1:1/app"
tls = false
allow = ["query", "execute"]
"#;

const CLEAN: &str = r#"
name = "clean"
summary = "Empties the cache"

[[on]]
alert = "CacheCrowded"

[[step]]
id = "clean"
uses = "cache-clean@1"
with = { root = "cache", older_than = "0s" }
grant = { files = ["read cache", "remove cache"] }
ask_from = "low"
ask = "duty"
"#;

/// Longer than a line, and longer than a plugin's summary shows.
fn statement(what: &str) -> String {
    let columns: Vec<String> = (1..=20).map(|n| format!("{what}_column_{n:02}")).collect();
    format!("create index {what} on jobs ({})", columns.join(", "))
}

fn change() -> String {
    let mut text = r#"
name = "change"
summary = "Adds an index"

[[step]]
id = "change"
uses = "sql-change@1"
grant = { sql = ["execute app"] }

[step.with]
database = "app"
summary = "adds the index"
"#
    .to_owned();
    let (there, back) = (statement("there"), statement("back"));
    write!(text, "statement = '{there}'\nundo = {{ statement = '{back}' }}\n").expect("a string takes all");
    text
}

/// Two runs that wait, and the second changes a database that nobody can reach.
fn waiting() -> anyhow::Result<Home> {
    let files: Vec<(String, &str)> = (1..=12).map(|n| (format!("app/cache/old-{n:02}"), "12345")).collect();
    let change = change();
    let settings = ROLE.replace("USER", &user()?);
    let mut all = vec![
        ("evenkeel.toml", &*settings),
        ("assets.toml", "[[asset]]\nid = \"local\"\nrole = \"app\"\n"),
        ("runbooks/clean.toml", CLEAN),
        ("runbooks/change.toml", &*change),
    ];
    all.extend(files.iter().map(|(name, text)| (name.as_str(), *text)));
    let home = Home::ready(&all)?;
    for runbook in ["clean", "change"] {
        let said = home.run(&["run", runbook])?;
        anyhow::ensure!(said.code == 16, "{said:#?}");
    }
    Ok(home)
}

fn user() -> anyhow::Result<String> {
    let said = Command::new("id").arg("-un").output()?;
    Ok(String::from_utf8(said.stdout)?.trim().to_owned())
}

/// A text without what differs from one who runs the tests to the next.
fn without_the_user(text: &str, home: &Home) -> anyhow::Result<String> {
    let user = user()?;
    let mut duty = ["ada", "ben", &*user];
    duty.sort_unstable();
    let mut text = stable(text, home.path()).replace(&duty.join(", "), "ada, ben, USER");
    for place in ["asked for by {}", "{} declined"] {
        text = text.replace(&place.replace("{}", &user), &place.replace("{}", "USER"));
    }
    Ok(text)
}

#[test]
fn whoever_is_asked_sees_all_effects_and_what_undoes_them() -> anyhow::Result<()> {
    let home = waiting()?;
    let told = home.done(&["approvals"])?.stdout;
    assert_golden("cli/golden/approvals.txt", &without_the_user(&told, &home)?);
    let stories = format!("{}{}", home.story(1)?, home.story(2)?);
    for text in [told, stories] {
        let joined = text.replace(&format!("\n{:21}… ", ""), "");
        for n in 1..=12 {
            let effect = format!("    files.remove cache:old-{n:02}\n");
            assert!(joined.contains(&effect), "{effect}: {text}");
        }
        let (there, back) = (statement("there"), statement("back"));
        assert!(there.len() > 300 && back.len() > 300);
        for effect in [there, back] {
            assert!(joined.contains(&format!(" {effect}\n")), "{effect}: {text}");
        }
        assert!(
            !joined.contains("not all of it is shown here: `evenkeel approvals"),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn why_says_for_whom_a_run_waits_and_what_they_said() -> anyhow::Result<()> {
    let home = waiting()?;
    let before = home.done(&["why", "--runbook", "clean"])?.stdout;
    home.run(&["decline", "1", "--why", "not today"])?;
    let after = home.done(&["why", "--runbook", "clean"])?.stdout;
    let alert = Alert::new("CacheCrowded").label("asset", "local");
    home.write("alert.json", &alert.firing().to_string())?;
    let simulated = home.done(&["why", "--simulate", "alert.json"])?.stdout;
    let told = format!("{before}\n{after}\n{simulated}");
    assert_golden("cli/golden/why-approvals.txt", &without_the_user(&told, &home)?);
    Ok(())
}
