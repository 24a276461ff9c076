use evenkeel_sdk::exec::{ExecError, Output};
use evenkeel_sdk::serde_json::{Value, from_value, json};
use evenkeel_sdk::{Action, Class, Duration, Finding, MockHost, Remedy, Result, Risk, Severity};

use super::check::{ProcessCheck, process_check};
use super::remedy::ProcessRestart;
use super::*;

/// 2026-01-01, when a mock host begins.
const NOW_MS: u64 = 1_767_225_600_000;

fn process(pid: u32, state: &str) -> Process {
    Process {
        pid,
        name: "puma".into(),
        command: "puma: cluster".into(),
        user: "app".into(),
        state: state.into(),
        started_ms: NOW_MS - 3_600_000,
        cpu_ms: 10,
        resident_bytes: 100 * MIB,
        threads: 4,
    }
}

fn params<T: evenkeel_sdk::serde::de::DeserializeOwned>(more: Value) -> Result<T> {
    let mut params = json!({ "profile": "app" });
    let given = more.as_object().expect("an object").clone();
    params.as_object_mut().expect("an object").extend(given);
    Ok(from_value(params)?)
}

fn check(more: Value, host: &MockHost) -> Result<Vec<(String, Severity, String)>> {
    let told = |finding: Finding| (finding.code, finding.severity, finding.summary);
    Ok(process_check(params::<ProcessCheck>(more)?, host)?
        .into_iter()
        .map(told)
        .collect())
}

fn restart(more: Value) -> Result<ProcessRestart> {
    params(more)
}

fn starting() -> Value {
    json!({ "kill_after": "5s", "start": { "profile": "start-app" } })
}

#[test]
fn processes_that_are_well_are_told_with_their_numbers() -> Result<()> {
    let host = MockHost::new().with_process("app", process(7, "sleeping"));
    let limits = json!({ "most": 2, "memory_warn": 200, "age_critical": "2h" });
    let words = |code: &str, words: &str| (code.to_owned(), Severity::Ok, words.to_owned());
    assert_eq!(
        check(limits, &host)?,
        [
            words("process-missing", "1 process of `app`, at least 1 wanted"),
            words("process-surplus", "1 process of `app`, at most 2 wanted"),
            words("process-stuck", "no process of `app` is stuck"),
            words(
                "process-memory",
                "7 (puma, sleeping) of `app` holds 100.0 MiB, at most 200.0 MiB is well"
            ),
            words(
                "process-age",
                "7 (puma, sleeping) of `app` has run for 1h, at most 2h is well"
            ),
        ]
    );
    assert!(host.effects().is_empty());
    Ok(())
}

#[test]
fn each_trouble_is_a_finding_of_its_own() -> Result<()> {
    let host = MockHost::new()
        .with_process("app", process(7, "disk-sleep"))
        .with_process("app", process(8, "running"));
    let limits = json!({ "least": 1, "most": 1, "memory_warn": 10, "memory_critical": 1000, "age_warn": "1m", "age_critical": "30m" });
    let told: Vec<_> = check(limits, &host)?
        .into_iter()
        .map(|(code, severity, _)| (code, severity))
        .collect();
    assert_eq!(
        told,
        [
            ("process-missing".into(), Severity::Ok),
            ("process-surplus".into(), Severity::Critical),
            ("process-stuck".into(), Severity::Critical),
            ("process-memory".into(), Severity::Warning),
            ("process-age".into(), Severity::Critical),
        ]
    );
    let missing = check(json!({ "least": 3 }), &host)?.remove(0);
    assert_eq!(
        (missing.1, missing.2.as_str()),
        (Severity::Critical, "2 processes of `app`, at least 3 wanted")
    );
    Ok(())
}

#[test]
fn a_zombie_runs_no_more_and_is_stuck() -> Result<()> {
    let host = MockHost::new().with_process("app", process(7, "zombie"));
    let findings = check(json!({}), &host)?;
    assert_eq!(findings[0].1, Severity::Critical);
    assert_eq!(findings[1].2, "1 process of `app` stuck: 7 (puma, zombie)");
    let others = check(json!({ "stuck": ["disk-sleep"] }), &host)?;
    assert_eq!(others[1].1, Severity::Ok);
    Ok(())
}

#[test]
fn only_what_all_looks_agree_on_is_a_trouble() -> Result<()> {
    let rule = seen::Rule {
        profile: "app",
        least: 1,
        most: None,
        stuck: &seen::Stuck::all(),
        every: Duration::seconds(2),
    };
    let host = MockHost::new().with_process("app", process(7, "disk-sleep"));
    assert_eq!(rule.confirmed(&host)?.stuck().len(), 1);
    assert_eq!((host.calls().len(), host.now_ms()), (3, NOW_MS + 4_000));
    let host = MockHost::new().with_process("app", process(7, "running"));
    assert!(rule.confirmed(&host)?.stuck().is_empty());
    assert_eq!(host.calls().len(), 1, "what is well is looked at once");
    Ok(())
}

#[test]
fn levels_in_the_wrong_order_are_refused() -> Result<()> {
    for levels in [
        json!({ "least": 2, "most": 1 }),
        json!({ "memory_warn": 2, "memory_critical": 1 }),
        json!({ "age_warn": "2d", "age_critical": "1d" }),
    ] {
        let error = process_check(params(levels)?, &MockHost::new()).expect_err("wrong order");
        assert_eq!((error.class(), error.code()), (Class::Invalid, "levels"));
    }
    let error = restart(json!({ "kill_after": "1m" }))?
        .plan(&MockHost::new())
        .expect_err("wrong order");
    assert_eq!(error.message(), "`kill_after` (1m) is not below `end_within` (30s)");
    assert!(restart(json!({ "stuck": ["sleeping"] })).is_err());
    assert!(restart(json!({ "kill": true })).is_err());
    Ok(())
}

#[test]
fn what_is_well_is_left_alone() -> Result<()> {
    let host = MockHost::new().with_process("app", process(7, "sleeping"));
    assert_eq!(restart(starting())?.plan(&host)?, []);
    Ok(())
}

#[test]
fn only_what_is_not_well_is_planned_to_be_ended() -> Result<()> {
    let host = MockHost::new()
        .with_process("app", process(7, "stopped"))
        .with_process("app", process(8, "running"));
    let actions = restart(starting())?.plan(&host)?;
    assert_eq!(
        actions[0].summary,
        "ends 7 (puma, stopped) of `app` with TERM, after 5s with KILL, then runs `start-app` if fewer than 1 of \
         `app` run, and waits up to 30s for them"
    );
    let effects: Vec<_> = actions[0]
        .effects
        .iter()
        .map(|effect| (effect.subject.as_str(), effect.at_most))
        .collect();
    assert_eq!(effects, [("TERM app", 1), ("KILL app", 1), ("start-app []", 1)]);
    assert_eq!(actions[0].body, json!({ "end": [[7, NOW_MS - 3_600_000]] }));
    assert_eq!(actions[0].risk, Risk::Medium);
    let all = restart(json!({ "which": "all" }))?.plan(&host)?;
    assert_eq!(all[0].effects.len(), 1, "without `kill_after` no KILL is declared");
    assert_eq!(all[0].effects[0].at_most, 2);
    let surplus = restart(json!({ "most": 1 }))?.plan(&host)?;
    assert_eq!(surplus[0].effects[0].at_most, 2);
    Ok(())
}

#[test]
fn the_large_and_the_old_are_chosen_by_their_limits() -> Result<()> {
    let large = Process {
        resident_bytes: 3 * 1024 * MIB,
        ..process(7, "running")
    };
    let old = Process {
        started_ms: NOW_MS - 10 * 86_400_000,
        ..process(8, "running")
    };
    let host = MockHost::new()
        .with_process("app", large)
        .with_process("app", old)
        .with_process("app", process(9, "running"));
    for (limit, pid) in [(json!({ "memory": 2048 }), 7), (json!({ "age": "7d" }), 8)] {
        let actions = restart(limit)?.plan(&host)?;
        assert_eq!(actions[0].body["end"][0][0], pid);
        assert_eq!(actions[0].effects[0].at_most, 1);
    }
    Ok(())
}

#[test]
fn missing_processes_are_started_or_said_to_have_no_start() -> Result<()> {
    let host = MockHost::new().with_no_process("app");
    let actions = restart(starting())?.plan(&host)?;
    assert_eq!(actions[0].effects, [host.exec("start-app").effect()]);
    let error = restart(json!({}))?.plan(&host).expect_err("no start");
    assert_eq!(error.code(), "no-start");
    let zombies = MockHost::new()
        .with_process("app", process(7, "zombie"))
        .with_process("app", process(8, "running"));
    let error = restart(starting())?.plan(&zombies).expect_err("no signal helps");
    assert_eq!(error.code(), "only-zombies");
    Ok(())
}

/// Plans on one host and applies on another, as if time had passed between.
fn apply(params: &ProcessRestart, before: &MockHost, after: &MockHost) -> Result<evenkeel_sdk::Applied> {
    let actions = params.plan(before)?;
    after.allow(&actions[0]);
    params.apply(after, &actions[0])
}

fn stuck() -> MockHost {
    MockHost::new().with_process("app", process(7, "stopped"))
}

#[test]
fn term_is_enough_for_what_listens_to_it() -> Result<()> {
    let host = stuck()
        .with_exec("start-app", Output::exit(0))
        .with_started("start-app", "app", process(9, "running"));
    let applied = apply(&restart(starting())?, &stuck(), &host)?;
    assert!(applied.changed);
    assert_eq!(applied.summary, "ended 7 of `app`; ran `start-app`, 1 process now");
    assert_eq!(
        applied.output,
        Some(json!({ "ended": [7], "killed": [], "started": [9] }))
    );
    assert_eq!(host.made(), ["process.send TERM app", "exec.run start-app []"]);
    Ok(())
}

#[test]
fn kill_follows_for_what_does_not() -> Result<()> {
    let host = MockHost::new()
        .with_stubborn_process("app", process(7, "stopped"))
        .with_exec("start-app", Output::exit(0))
        .with_started("start-app", "app", process(9, "running"));
    let applied = apply(&restart(starting())?, &stuck(), &host)?;
    assert_eq!(
        applied.summary,
        "ended 7 of `app`, with KILL 7; ran `start-app`, 1 process now"
    );
    let made = [
        "process.send TERM app",
        "process.send KILL app",
        "exec.run start-app []",
    ];
    assert_eq!(host.made(), made);
    Ok(())
}

#[test]
fn without_kill_after_nothing_is_killed_and_nothing_started() -> Result<()> {
    let host = MockHost::new().with_stubborn_process("app", process(7, "stopped"));
    let params = restart(json!({ "end_within": "3s", "start": { "profile": "start-app" } }))?;
    let error = apply(&params, &stuck(), &host).expect_err("it stays");
    assert_eq!((error.class(), error.code()), (Class::Permanent, "not-ended"));
    let words = "3s after TERM there still runs 7 (puma, stopped) of `app`, and without `kill_after` nothing gets KILL";
    assert_eq!(error.message(), words);
    assert_eq!(host.made(), ["process.send TERM app"]);
    Ok(())
}

#[test]
fn the_wait_ends_before_the_step_does() -> Result<()> {
    let host = MockHost::new()
        .with_stubborn_process("app", process(7, "stopped"))
        .with_deadline(Duration::seconds(4));
    let error = apply(&restart(json!({ "kill_after": "20s" }))?, &stuck(), &host).expect_err("it stays");
    assert!(error.message().starts_with("3s after TERM"), "{error}");
    assert!(error.message().contains("the step's time is over"), "{error}");
    Ok(())
}

#[test]
fn a_number_that_went_to_another_process_is_left_alone() -> Result<()> {
    let reused = Process {
        started_ms: NOW_MS - 1_000,
        ..process(7, "running")
    };
    let host = MockHost::new().with_process("app", reused);
    let applied = apply(&restart(starting())?, &stuck(), &host)?;
    assert!(!applied.changed);
    assert_eq!(
        applied.summary,
        "nothing that was planned to be ended is left of `app`; 1 process by now"
    );
    assert!(host.effects().is_empty());
    Ok(())
}

#[test]
fn what_died_by_itself_is_started_all_the_same() -> Result<()> {
    let host = MockHost::new()
        .with_no_process("app")
        .with_exec("start-app", Output::exit(0))
        .with_started("start-app", "app", process(9, "running"));
    let applied = apply(&restart(starting())?, &stuck(), &host)?;
    assert!(applied.changed);
    assert_eq!(host.made(), ["exec.run start-app []"]);
    Ok(())
}

#[test]
fn what_a_supervisor_has_started_is_not_started_twice() -> Result<()> {
    let host = stuck().with_process("app", process(9, "running"));
    let applied = apply(&restart(starting())?, &stuck(), &host)?;
    assert_eq!(
        applied.summary,
        "ended 7 of `app`; 1 process by now, so nothing was started"
    );
    assert_eq!(host.made(), ["process.send TERM app"]);
    Ok(())
}

#[test]
fn each_failure_of_a_start_reads_as_what_it_is() -> Result<()> {
    let cases = [
        (
            stuck().with_exec("start-app", Output::exit(3).with_stderr("no port\n")),
            "start-failed",
            "`start-app` exited with 3: no port",
        ),
        (
            stuck().with_exec("start-app", ExecError::TimedOut),
            "start-timed-out",
            "`start-app` took too long; what it started is not known",
        ),
        (
            stuck().with_exec("start-app", Output::exit(0)),
            "not-started",
            "ran `start-app`, but after 30s it is 0 processes of `app`, at least 1 wanted",
        ),
    ];
    for (host, code, words) in cases {
        let error = apply(&restart(starting())?, &stuck(), &host).expect_err("it fails");
        assert_eq!(
            (error.class(), error.code(), error.message()),
            (Class::Permanent, code, words)
        );
    }
    Ok(())
}

#[test]
fn a_signal_that_is_denied_is_an_error() -> Result<()> {
    let host = stuck();
    let action = restart(starting())?.plan(&host)?.remove(0);
    let error = restart(starting())?.apply(&host, &action).expect_err("denied");
    assert_eq!((error.class(), error.code()), (Class::Denied, "process-denied"));
    let error = restart(starting())?
        .rollback(&host, &Action::new("restart", ""), None)
        .expect_err("no undo");
    assert_eq!(error.code(), "no-undo");
    Ok(())
}

#[test]
fn a_sentence_names_only_a_few() {
    let many: Vec<Process> = (1..=8).map(|pid| process(pid, "running")).collect();
    let words = named(&many.iter().collect::<Vec<_>>());
    assert!(words.ends_with("5 (puma, running), 3 more"), "{words}");
}
