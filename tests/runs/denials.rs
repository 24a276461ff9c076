//! A call that is denied: in the journal, and told to whoever asks what the run did.

use std::io::{ErrorKind, Read as _};
use std::net::TcpListener;

use evenkeel_tests::evenkeel::Home;
use serde_json::Value;

use crate::workshop::{ASSETS, ROLE};

/// A plugin asks an origin that its step doesn't grant, a command gets an argument that the role doesn't allow, and a
/// check runs what changes something: one denial of each key that decides while a plugin runs.
const RUNBOOKS: [(&str, &str); 3] = [
    (
        "ungranted",
        r#"uses = "service-restart@1"
with = { profile = "fix", probe = { origin = "web" } }
grant = { exec = ["run fix"] }"#,
    ),
    (
        "above",
        r#"uses = "command/remedy@1"
with = { profile = "flush", risk = "low", args = ["../etc"] }
grant = { exec = ["run flush"] }"#,
    ),
    (
        "changing",
        r#"uses = "command/check@1"
with = { profile = "fix" }
grant = { exec = ["run fix"] }"#,
    ),
];

/// Capability, subject, and which key refused, in words that say where to change it.
const TOLD: [(&str, &str, &str); 3] = [
    (
        "http",
        "GET web:/",
        "`GET web` is not granted: the step's `grant` does not name it under `http`",
    ),
    (
        "exec",
        r#"flush ["../etc"]"#,
        "argument 1 of `flush` is `../etc`, which `[a-z]+` of the role does not allow",
    ),
    ("exec", "fix []", "changes something, and a check never does"),
];

#[test]
fn a_denied_call_is_told_with_its_capability_its_subject_and_the_key_that_refused() -> anyhow::Result<()> {
    let origin = TcpListener::bind("127.0.0.1:0")?;
    let roles = format!(
        "{ROLE}\n[role.app.origins.web]\nurl = \"http://{}\"\nallow = [\"GET\"]\n\n\
         [role.app.exec.flush]\ncommand = [\"sh\", \"-c\", 'echo \"$@\" >> app/fixes', \"flush\"]\nargs = [\"[a-z]+\"]\n",
        origin.local_addr()?
    );
    let files = RUNBOOKS.map(|(name, step)| {
        let head = format!("name = \"{name}\"\nsummary = \"Is denied\"\n[targets]\nselect = 'asset=\"one\"'\n");
        let text = format!("{head}[limits]\ncooldown = \"0s\"\n[[step]]\nid = \"step\"\n{step}\n");
        (format!("runbooks/{name}.toml"), text)
    });
    let mut home = vec![("evenkeel.toml", roles.as_str()), ("assets.toml", ASSETS)];
    home.extend(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    home.push(("app/cache/old", "1"));
    let home = Home::ready(&home)?;

    for (n, ((runbook, _), (capability, subject, why))) in RUNBOOKS.iter().zip(TOLD).enumerate() {
        let said = home.run(&["run", runbook])?;
        assert_ne!(said.code, 0, "{said:#?}");
        let run = (n + 1).to_string();

        let journal = home.json(&["runs", "show", &run])?;
        let calls = journaled(&journal);
        let denied: Vec<&Value> = calls
            .iter()
            .copied()
            .filter(|call| call["answer"]["denied"].is_string())
            .collect();
        let [denied] = denied.as_slice() else {
            panic!("{runbook}: one call is denied, not {denied:#?} of {journal:#}");
        };
        assert_eq!(denied["call"]["capability"], capability, "{denied:#}");
        assert_eq!(denied["call"]["subject"], subject, "{denied:#}");
        let reason = denied["answer"]["denied"].as_str().unwrap_or_default();
        assert!(reason.contains(why), "{runbook}: {reason}");

        let story = home.done(&["runs", "show", &run])?.stdout;
        let line = story.lines().find(|line| line.contains("DENIED"));
        let line = line.unwrap_or_else(|| panic!("no denial in {story}"));
        for part in [capability, subject, why] {
            assert!(line.contains(part), "{runbook}: no {part:?} in {line}");
        }
    }

    assert!(!home.path().join("app/fixes").exists(), "a command was run");
    origin.set_nonblocking(true)?;
    match origin.accept() {
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        Ok((mut stream, _)) => {
            let mut asked = String::new();
            stream.read_to_string(&mut asked)?;
            panic!("the origin was asked: {asked}");
        }
    }
    Ok(())
}

/// Every call that the run's journal holds.
fn journaled(journal: &Value) -> Vec<&Value> {
    let events = journal["events"].as_array().into_iter().flatten();
    events.filter_map(|event| event["body"].get("called")).collect()
}
