//! Steps side by side, with real plugins: each command waits for the other, so that one after the
//! other they would never end.

use evenkeel_tests::evenkeel::Home;

const ROLE: &str = r#"
[role.app.exec.meet-a]
command = ["sh", "-c", "touch app/a; until [ -e app/b ] || [ ! -d app ]; do sleep 0.02; done; echo a >> app/met"]
timeout = "5m"

[role.app.exec.meet-b]
command = ["sh", "-c", "touch app/b; until [ -e app/a ] || [ ! -d app ]; do sleep 0.02; done; echo b >> app/met"]
timeout = "5m"

[role.app.exec.count]
command = ["sh", "-c", "[ $(wc -l < app/met) = 2 ] || exit 2"]
read_only = true
"#;

const ASSETS: &str = "[[asset]]\nid = \"one\"\nrole = \"app\"\n";

fn meeting(limits: &str, b: &str) -> String {
    let step = |id: &str, needs: &str, kind: &str, profile: &str| {
        format!(
            "[[step]]\nid = \"{id}\"\n{needs}\nuses = \"command/{kind}@1\"\nwith = {{ profile = \"{profile}\" }}\n\
             grant = {{ exec = [\"run {profile}\"] }}\ntimeout = \"20s\"\nask_from = \"never\"\n\n"
        )
    };
    [
        "name = \"meet\"\nsummary = \"Two that wait for each other\"\n\n[targets]\nselect = 'asset=\"one\"'\n\n",
        limits,
        &step("a", "", "remedy", "meet-a"),
        &step("b", b, "remedy", "meet-b"),
        &step("both", "needs = [\"a\", \"b\"]", "check", "count").replace("ask_from = \"never\"\n", ""),
    ]
    .concat()
}

fn home(text: &str) -> anyhow::Result<Home> {
    Home::ready(&[
        ("evenkeel.toml", ROLE),
        ("assets.toml", ASSETS),
        ("app/here", ""),
        ("runbooks/meet.toml", text),
    ])
}

#[test]
fn steps_that_do_not_wait_for_each_other_are_done_at_once() -> anyhow::Result<()> {
    let home = home(&meeting("", "needs = []"))?;
    let said = home.run(&["run", "meet"])?;
    assert_eq!(said.code, 0, "{said:#?}");
    let met = std::fs::read_to_string(home.path().join("app/met"))?;
    assert_eq!(met.lines().count(), 2, "{met}");
    Ok(())
}

/// A command that waits for one that comes later is ended by its step's timeout.
#[test]
fn steps_that_wait_for_each_other_are_not() -> anyhow::Result<()> {
    for (limits, needs) in [("", ""), ("[limits]\nparallel = 1\n\n", "needs = []")] {
        let text = meeting(limits, needs).replace("timeout = \"20s\"", "timeout = \"1s\"");
        let home = home(&text)?;
        let said = home.run(&["run", "meet"])?;
        assert_ne!(said.code, 0, "{said:#?}");
        assert!(!home.path().join("app/met").exists(), "{said:#?}");
    }
    Ok(())
}
