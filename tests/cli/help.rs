//! `--help` of every command, and the completions that come of the same definition.

use std::{collections::BTreeSet, process::Command};

use evenkeel_tests::{evenkeel::Home, golden::assert_golden};

/// Every command, by its words.
const COMMANDS: [&[&str]; 48] = [
    &[],
    &["init"],
    &["check"],
    &["lock"],
    &["run"],
    &["serve"],
    &["runs"],
    &["runs", "list"],
    &["runs", "show"],
    &["runs", "replay"],
    &["runs", "cancel"],
    &["runs", "kill"],
    &["runs", "resolve"],
    &["runs", "undo"],
    &["approvals"],
    &["approve"],
    &["decline"],
    &["pause"],
    &["unpause"],
    &["pauses"],
    &["silence"],
    &["silence", "add"],
    &["silence", "list"],
    &["silence", "end"],
    &["strikes"],
    &["strikes", "clear"],
    &["why"],
    &["rules"],
    &["rules", "check"],
    &["rules", "test"],
    &["changes"],
    &["audit"],
    &["audit", "verify"],
    &["audit", "head"],
    &["schedule"],
    &["schedule", "next"],
    &["query"],
    &["outbox"],
    &["notify"],
    &["notify", "test"],
    &["plugin"],
    &["plugin", "build"],
    &["plugin", "list"],
    &["plugin", "inspect"],
    &["plugin", "close"],
    &["backup"],
    &["restore"],
    &["completions"],
];

#[test]
fn every_command_says_what_it_does() -> anyhow::Result<()> {
    let home = Home::empty()?;
    for command in COMMANDS {
        let said = home.done(&[command, &["--help"]].concat())?;
        let name = if command.is_empty() {
            "evenkeel".to_owned()
        } else {
            command.join("-")
        };
        assert_golden(&format!("cli/golden/help/{name}.txt"), &said.stdout);
        assert_eq!(said.stderr, "", "{name}");
    }
    Ok(())
}

#[test]
fn no_command_is_missing_from_the_list_above() -> anyhow::Result<()> {
    let home = Home::empty()?;
    let known: BTreeSet<String> = COMMANDS.iter().map(|words| words.join(" ")).collect();
    for command in COMMANDS {
        let help = home.done(&[command, &["--help"]].concat())?.stdout;
        let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
        for line in listed.lines().take_while(|line| !line.is_empty()) {
            // A description that goes on is indented further.
            let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else {
                continue;
            };
            let name = name.split_whitespace().next().unwrap_or_default();
            let words = [command, &[name]].concat().join(" ");
            assert!(name == "help" || known.contains(&words), "`{words}` has no golden file");
        }
    }
    Ok(())
}

#[test]
fn wrong_usage_ends_with_two_and_says_what_is_right() -> anyhow::Result<()> {
    let home = Home::empty()?;
    let cases: [(&[&str], &str); 8] = [
        (&[], "Usage: evenkeel"),
        (&["chekc"], "check"),
        (&["run"], "<RUNBOOK>"),
        (&["run", "x", "--dryrun"], "--dry-run"),
        (&["run", "x", "--set", "novalue"], "NAME=VALUE"),
        (&["runs", "list", "--verdict", "fine"], "repaired"),
        (&["runs", "list", "--limit", "0"], "1..=1000"),
        (&["serve", "--drain", "soon"], "--drain"),
    ];
    for (arguments, word) in cases {
        let said = home.run(arguments)?;
        assert_eq!(said.code, 2, "{arguments:?}: {said:#?}");
        assert!(said.stderr.contains(word), "{arguments:?}: {said:#?}");
        assert_eq!(said.stdout, "", "{arguments:?}");
    }
    Ok(())
}

/// Each of them is checked by the shell that it is for, where that is installed.
#[test]
fn completions_name_every_command_and_are_well_formed() -> anyhow::Result<()> {
    let home = Home::empty()?;
    for (shell, checks) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let said = home.done(&["completions", shell])?;
        for word in [
            "init",
            "check",
            "lock",
            "run",
            "serve",
            "runs",
            "plugin",
            "dry-run",
            "update-all",
        ] {
            assert!(said.stdout.contains(word), "{shell}: no `{word}`");
        }
        home.write("completions", &said.stdout)?;
        let checked = Command::new(shell)
            .args([checks, "completions"])
            .current_dir(home.path())
            .output();
        if let Ok(checked) = checked {
            let errors = String::from_utf8_lossy(&checked.stderr).into_owned();
            assert!(checked.status.success(), "{shell}: {errors}");
        }
    }
    assert_eq!(home.run(&["completions", "tcsh"])?.code, 2);
    Ok(())
}

#[test]
fn the_version_is_that_of_the_package() -> anyhow::Result<()> {
    let home = Home::empty()?;
    let said = home.done(&["--version"])?;
    assert_eq!(said.stdout, format!("evenkeel {}\n", env!("CARGO_PKG_VERSION")));
    Ok(())
}
