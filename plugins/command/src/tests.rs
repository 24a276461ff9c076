use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::{Action, Class, MockHost, Remedy, Severity};

mod check {
    use evenkeel_sdk::exec::{ExecError, Output};
    use evenkeel_sdk::mock::Reply;
    use evenkeel_sdk::serde_json::{Value, from_value};
    use evenkeel_sdk::{Finding, Result};

    use super::*;
    use crate::check::command;

    fn check(more: Value, reply: impl Reply<Output, ExecError>) -> Result<Vec<Finding>> {
        let mut params = json!({ "profile": "check-queue" });
        params
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        let host = MockHost::new()
            .with_exec("check-queue", reply)
            .with_read_only("check-queue");
        command(from_value(params)?, &host)
    }

    #[test]
    fn exit_codes_mean_what_monitoring_plugins_mean() -> Result<()> {
        for (exit, severity) in [(0, Severity::Ok), (1, Severity::Warning), (2, Severity::Critical)] {
            let findings = check(
                json!({}),
                Output::exit(exit).with_stdout("QUEUE - 7 waiting | waiting=7;5;10\n"),
            )?;
            assert_eq!(findings.len(), 1);
            let Finding {
                code,
                subject,
                summary,
                details,
                ..
            } = &findings[0];
            assert_eq!(
                (code.as_str(), subject.as_str(), summary.as_str()),
                ("check-queue", "check-queue", "QUEUE - 7 waiting")
            );
            assert_eq!(findings[0].severity, severity);
            assert_eq!(
                *details,
                Some(json!({ "exit": exit, "performance": { "waiting": 7.0 } }))
            );
        }
        Ok(())
    }

    #[test]
    fn a_command_that_could_not_find_out_is_an_error() {
        let error = check(json!({}), Output::exit(3).with_stderr("no route to the queue")).expect_err("unknown");
        assert_eq!((error.class(), error.code()), (Class::Permanent, "command-unknown"));
        assert_eq!(error.message(), "`check-queue` exited with 3: no route to the queue");
        let killed = Output {
            code: None,
            ..Output::exit(0)
        };
        let error = check(json!({}), killed).expect_err("unknown");
        assert_eq!(error.message(), "`check-queue` was ended by a signal and said nothing");
        assert_eq!(
            check(json!({}), ExecError::TimedOut).expect_err("timed out").class(),
            Class::Transient
        );
    }

    #[test]
    fn other_exit_codes_can_be_given_a_meaning() -> Result<()> {
        let params = json!({ "warn_exit": [], "critical_exit": [1, 3], "code": "queue-stuck", "subject": "mail" });
        let findings = check(params.clone(), Output::exit(3))?;
        assert_eq!(
            (findings[0].code.as_str(), findings[0].subject.as_str()),
            ("queue-stuck", "mail")
        );
        assert_eq!(findings[0].summary, "`check-queue` exited with 3 and said nothing");
        assert!(check(params, Output::exit(2)).is_err());
        Ok(())
    }

    #[test]
    fn a_command_can_print_its_findings() -> Result<()> {
        let printed = json!({ "findings": [
            { "severity": "critical", "summary": "mail is stuck", "subject": "mail", "labels": { "queue": "mail" }, "details": { "waiting": 7 } },
            { "severity": "ok", "summary": "jobs run", "code": "jobs" },
        ] });
        let findings = check(
            json!({ "output": "json" }),
            Output::exit(2).with_stdout(printed.to_string()),
        )?;
        let expected = [
            Finding::critical("check-queue", "mail")
                .summary("mail is stuck")
                .label("queue", "mail")
                .details(json!({ "waiting": 7 })),
            Finding::ok("jobs", "check-queue").summary("jobs run"),
        ];
        assert_eq!(findings, expected);
        let list = printed["findings"].to_string();
        assert_eq!(
            check(json!({ "output": "json" }), Output::exit(0).with_stdout(list))?,
            expected
        );
        Ok(())
    }

    #[test]
    fn what_is_no_finding_is_an_error() {
        for printed in [
            "",
            "all well",
            "{}",
            r#"[{ "severity": "bad", "summary": "x" }]"#,
            r#"[{ "severity": "ok" }]"#,
        ] {
            let error = check(json!({ "output": "json" }), Output::exit(0).with_stdout(printed)).expect_err(printed);
            assert_eq!(error.class(), Class::Invalid, "{printed}");
        }
    }

    #[test]
    fn a_profile_that_is_not_read_only_is_denied() -> Result<()> {
        let host = MockHost::new().with_exec("check-queue", Output::exit(0));
        let error = command(from_value(json!({ "profile": "check-queue" }))?, &host).expect_err("an effect");
        assert_eq!((error.class(), host.made()), (Class::Denied, Vec::<String>::new()));
        Ok(())
    }
}

mod remedy {
    use evenkeel_sdk::exec::{ExecError, Output};
    use evenkeel_sdk::serde_json::from_value;
    use evenkeel_sdk::{Result, Risk};

    use super::*;
    use crate::remedy::CommandRemedy;

    fn plain() -> Result<CommandRemedy> {
        Ok(from_value(
            json!({ "profile": "rotate", "args": ["--force"], "stdin": "now" }),
        )?)
    }

    fn looked_at() -> Result<CommandRemedy> {
        Ok(from_value(json!({
            "profile": "rotate",
            "summary": "rotates the logs",
            "risk": "low",
            "changed_exit": [0],
            "unchanged_exit": [9],
            "look": { "profile": "due", "args": ["-v"] },
            "undo": { "profile": "unrotate" },
        }))?)
    }

    fn host_with_look(output: Output) -> MockHost {
        MockHost::new().with_exec("due", output).with_read_only("due")
    }

    #[test]
    fn the_plan_is_the_command_with_its_input() -> Result<()> {
        let host = MockHost::new();
        let actions = plain()?.plan(&host)?;
        assert_eq!(
            (actions.len(), actions[0].summary.as_str()),
            (1, "runs `rotate --force`")
        );
        assert_eq!((actions[0].risk, &actions[0].undo), (Risk::Medium, &None));
        assert_eq!(
            actions[0].effects,
            [host.exec("rotate").arg("--force").stdin("now").effect()]
        );
        assert!(host.calls().is_empty());
        Ok(())
    }

    #[test]
    fn a_look_says_whether_there_is_anything_to_do() -> Result<()> {
        let host = host_with_look(Output::exit(0).with_stdout("\n3 logs are due\na\nb\nc\n"));
        let actions = looked_at()?.plan(&host)?;
        assert_eq!(actions[0].summary, "rotates the logs: runs `rotate` (3 logs are due)");
        assert_eq!(actions[0].body, json!({ "preview": "\n3 logs are due\na\nb\nc\n" }));
        assert_eq!(
            (actions[0].risk, actions[0].undo.as_deref()),
            (Risk::Low, Some("runs `unrotate`"))
        );
        assert_eq!(actions[0].undo_effects, [host.exec("unrotate").effect()]);
        assert_eq!(looked_at()?.plan(&host_with_look(Output::exit(1)))?, []);
        let error = looked_at()?
            .plan(&host_with_look(Output::exit(2).with_stderr("?")))
            .expect_err("it failed");
        assert_eq!(
            (error.code(), error.message()),
            ("look-failed", "`due -v` exited with 2: ?")
        );
        Ok(())
    }

    #[test]
    fn apply_runs_what_was_planned_and_keeps_what_it_said() -> Result<()> {
        let host = MockHost::new().with_exec("rotate", Output::exit(0).with_stdout("3 rotated\n"));
        let actions = plain()?.plan(&host)?;
        host.allow(&actions[0]);
        let applied = plain()?.apply(&host, &actions[0])?;
        assert!(applied.changed);
        assert_eq!(applied.summary, "`rotate --force` exited with 0: 3 rotated");
        assert_eq!(applied.output, Some(json!({ "exit": 0, "stdout": "3 rotated\n" })));
        assert_eq!(host.made(), [r#"exec.run rotate ["--force"]"#]);
        Ok(())
    }

    #[test]
    fn an_exit_code_can_mean_that_nothing_changed() -> Result<()> {
        let host = MockHost::new().with_exec("rotate", Output::exit(9));
        host.allow_effects();
        assert!(!looked_at()?.apply(&host, &Action::new("run", ""))?.changed);
        Ok(())
    }

    #[test]
    fn json_output_is_read_for_the_steps_that_follow() -> Result<()> {
        let params: CommandRemedy = from_value(json!({ "profile": "rotate", "output": "json" }))?;
        let host = MockHost::new().with_exec("rotate", Output::exit(0).with_stdout(r#"{ "rotated": 3 }"#));
        host.allow_effects();
        let output = params.apply(&host, &Action::new("run", ""))?.output;
        assert_eq!(output, Some(json!({ "exit": 0, "stdout": { "rotated": 3 } })));
        let host = MockHost::new().with_exec("rotate", Output::exit(0).with_stdout("3 rotated"));
        host.allow_effects();
        let applied = params.apply(&host, &Action::new("run", ""))?;
        assert_eq!(
            (applied.changed, applied.output),
            (true, Some(json!({ "exit": 0, "stdout": "3 rotated" })))
        );
        assert_eq!(host.logs().len(), 1);
        Ok(())
    }

    #[test]
    fn a_failure_is_told_and_not_tried_again() -> Result<()> {
        for (reply, code) in [
            (Ok(Output::exit(1).with_stderr("disk full")), "command-failed"),
            (Err(ExecError::TimedOut), "command-timed-out"),
        ] {
            let host = MockHost::new().with_exec("rotate", reply);
            host.allow_effects();
            let error = plain()?.apply(&host, &Action::new("run", "")).expect_err("it failed");
            assert_eq!((error.class(), error.code()), (Class::Permanent, code));
        }
        Ok(())
    }

    #[test]
    fn rollback_runs_the_undo_even_after_a_failure() -> Result<()> {
        let host = host_with_look(Output::exit(0))
            .with_exec("unrotate", Output::exit(0))
            .with_exec("unrotate", Output::exit(4));
        let params = looked_at()?;
        let actions = params.plan(&host)?;
        host.allow_undo(&actions[0]);
        params.rollback(&host, &actions[0], None)?;
        assert_eq!(host.made(), ["exec.run unrotate []"]);
        host.allow_undo(&actions[0]);
        assert_eq!(
            params.rollback(&host, &actions[0], None).expect_err("exit 4").code(),
            "undo-failed"
        );
        assert_eq!(
            plain()?.rollback(&host, &actions[0], None).expect_err("no undo").code(),
            "no-undo"
        );
        Ok(())
    }
}
