use evenkeel_model::action::{Action, Effect, Risk};
use serde_json::Value;

use super::{BRIEF, WHOLE, planned, whole};

fn effect(subject: String) -> Effect {
    Effect {
        capability: "sql".into(),
        operation: "execute".into(),
        subject,
        content: None,
        at_most: 1,
    }
}

fn action(effects: Vec<Effect>, undo_effects: Vec<Effect>) -> Action {
    Action {
        id: "change".into(),
        summary: "changes it".into(),
        risk: Risk::Medium,
        effects,
        undo: Some("changes it back".into()),
        undo_effects,
        body: Value::Null,
    }
}

fn numbered(what: &str, count: usize) -> Vec<Effect> {
    (1..=count).map(|n| effect(format!("app {what} {n};"))).collect()
}

/// What is told of the subjects, where lines go on.
fn joined(lines: &[String]) -> String {
    lines.join("\n").replace(&format!("\n  {:12}       … ", ""), "")
}

#[test]
fn whoever_decides_sees_every_effect_whole() {
    let statement = format!("app update jobs set state = '{}' where id = 7", "x".repeat(300));
    let mut effects = numbered("do", 11);
    effects.push(Effect {
        content: Some("ab".repeat(32)),
        at_most: 3,
        ..effect(statement.clone())
    });
    let lines = whole(&[action(effects, numbered("undo", 12))], "`elsewhere`");
    let told = joined(&lines);
    for n in 1..=11 {
        assert!(told.contains(&format!("    sql.execute app do {n};\n")), "{told}");
    }
    for n in 1..=12 {
        assert!(told.contains(&format!("    undo: sql.execute app undo {n};")), "{told}");
    }
    assert!(told.contains(&format!("    sql.execute {statement}\n")), "{told}");
    let bounds = format!("      content {}, at most 3 times", "ab".repeat(32));
    assert!(told.contains(&bounds), "{told}");
    assert!(told.contains("(risk medium; undo: changes it back)"), "{told}");
    assert!(!told.contains("`elsewhere`"), "nothing is left out: {told}");
    assert!(lines.iter().all(|line| line.chars().count() < 140), "{lines:#?}");
}

#[test]
fn a_subject_is_no_line_of_ours() {
    let evil = format!("app {}\n      content {}\u{202e}", "x".repeat(300), "00".repeat(32));
    let lines = whole(&[action(vec![effect(evil)], vec![])], "`elsewhere`");
    assert!(
        !lines.iter().any(|line| line.trim_start().starts_with("content")),
        "{lines:#?}"
    );
    assert!(joined(&lines).contains("x\\n      content 0000"), "{lines:#?}");
    assert!(joined(&lines).contains("\\u{202e}"), "{lines:#?}");
}

#[test]
fn what_is_left_out_is_counted_and_it_is_said_where_it_stands() {
    let count = WHOLE.in_all + 5;
    let plan = [
        action(numbered("do", count), numbered("undo", 2)),
        action(vec![effect("y".repeat(WHOLE.subject + 1))], vec![]),
    ];
    let lines = whole(&plan, "`evenkeel approvals --json`");
    let told = lines.join("\n");
    for said in [
        "    and 5 more effects\n",
        "    and 2 more effects of its undo\n",
        "    and 1 more effect\n",
        "not all of it is shown here: `evenkeel approvals --json` has it whole",
    ] {
        assert!(told.contains(said), "{said}: {:#?}", &lines[lines.len() - 8..]);
    }
    let long = whole(
        &[action(vec![effect("y".repeat(WHOLE.subject + 1))], vec![])],
        "`there`",
    )
    .join("\n");
    assert!(long.contains('…') && long.ends_with("`there` has it whole"), "{long}");
}

#[test]
fn a_story_is_brief_and_says_where_the_rest_is() {
    let short = planned(
        "0123456789abcdef",
        "low",
        &[action(numbered("do", BRIEF.effects), vec![])],
        "`there`",
    );
    assert!(!short.is_cut, "{:#?}", short.lines);
    let long = [action(numbered("do", 12), numbered("undo", 9))];
    let long = planned("0123456789abcdef", "low", &long, "`there`");
    let told = long.lines.join("\n");
    assert!(long.is_cut);
    assert!(told.contains("plan 0123456789ab: 1 action, risk low"), "{told}");
    assert!(told.contains("and 4 more effects\n"), "{told}");
    assert!(told.contains("and 1 more effect of its undo\n"), "{told}");
    assert!(told.ends_with("`there` has it whole"), "{told}");
}
