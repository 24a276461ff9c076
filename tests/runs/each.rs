//! A step for each item of a list, with real plugins.

use evenkeel_tests::evenkeel::Home;

const ROLE: &str = r#"
[role.app.exec.one]
command = ["sh", "-c", "echo one >> app/done"]

[role.app.exec.two]
command = ["sh", "-c", "echo two >> app/done"]

[role.app.exec.bad]
command = ["sh", "-c", "echo no such package >&2; exit 3"]

[role.app.exec.back]
command = ["sh", "-c", "echo back >> app/done"]
"#;

const ASSETS: &str = "[[asset]]\nid = \"one\"\nrole = \"app\"\n";

fn home(each: &str, rest: &str) -> anyhow::Result<Home> {
    let text = format!(
        r#"
name = "roll"
summary = "Runs a command for each of a list"

[targets]
select = 'asset="one"'

[[step]]
id = "roll"
each = {each}
uses = "command/remedy@1"
with = {{ profile = "{{{{ item }}}}", undo = {{ profile = "back" }} }}
grant = {{ exec = ["run one", "run two", "run bad", "run back"] }}
ask_from = "never"
{rest}
"#
    );
    Home::ready(&[
        ("evenkeel.toml", ROLE),
        ("assets.toml", ASSETS),
        ("app/here", ""),
        ("runbooks/roll.toml", &text),
    ])
}

fn done(home: &Home) -> Vec<String> {
    let done = std::fs::read_to_string(home.path().join("app/done")).unwrap_or_default();
    done.lines().map(str::to_owned).collect()
}

#[test]
fn every_item_is_done_told_and_replayed_and_can_be_undone() -> anyhow::Result<()> {
    let home = home(r#"["one", "two"]"#, "")?;
    let said = home.run(&["run", "roll"])?;
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(done(&home), ["one", "two"]);
    let story = home.story(1)?;
    for wanted in [
        "for each of 2 items: \"one\", \"two\"",
        "plan `1` by command@",
        "apply `1/",
        "2 items: ",
    ] {
        assert!(story.contains(wanted), "`{wanted}` is not in\n{story}");
    }
    let replayed = home.run(&["runs", "replay", "1"])?;
    assert_eq!(replayed.code, 0, "{replayed:#?}");
    assert!(replayed.stdout.contains("4 invocations"), "{replayed:#?}");
    let undone = home.run(&["runs", "undo", "1"])?;
    assert_eq!(undone.code, 0, "{undone:#?}");
    assert_eq!(done(&home), ["one", "two", "back", "back"]);
    Ok(())
}

#[test]
fn one_that_fails_is_tolerated_or_undoes_the_others() -> anyhow::Result<()> {
    let home_of = |rest: &str| home(r#"["one", "bad", "two"]"#, rest);
    let tolerant = home_of("tolerate = 1")?;
    let said = tolerant.run(&["run", "roll"])?;
    assert_eq!(said.code, 0, "{said:#?}");
    assert_eq!(done(&tolerant), ["one", "two"]);
    assert!(said.stdout.contains("1 of 3 items failed: 1: "), "{said:#?}");
    let strict = home_of("on_failure = \"undo\"")?;
    let said = strict.run(&["run", "roll"])?;
    assert_eq!(said.code, 12, "{said:#?}");
    assert_eq!(done(&strict).first().map(String::as_str), Some("one"));
    assert!(!done(&strict).contains(&"two".to_owned()), "{said:#?}");
    assert_eq!(done(&strict).last().map(String::as_str), Some("back"));
    Ok(())
}
