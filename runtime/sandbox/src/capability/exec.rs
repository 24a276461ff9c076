//! `exec`: commands that the operator listed.

use std::collections::HashMap;
use std::time::Duration;

use evenkeel_engine::port::reach::{Command, ExecError, Output};
use evenkeel_model::action::hex;
use evenkeel_model::call::Call;
use evenkeel_model::grant::Capability;
use evenkeel_model::role::{Profile, Resource};
use regex::Regex;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{asset, granted, journal, subject};
use crate::allowance::Use;
use crate::bindings::evenkeel::cap::exec;
use crate::references::{self, Form, Held};
use crate::state::State;

/// Of one command.
const ARGS: usize = 256;
/// Of all arguments together, in bytes. Linux takes 128 KiB for one.
const ARGS_BYTES: usize = 64 << 10;
/// What Linux takes for an argument besides its bytes: the NUL at its end, and a pointer to it.
const ARG_BYTES: usize = 9;
/// Kept of stdout, and of stderr.
const KEPT: usize = 1 << 20;
/// Left to the plugin of its time when a command takes too long: the two seconds in which its
/// process group may end by itself, and a moment.
const MARGIN: Duration = Duration::from_millis(2_500);

impl exec::Host for State {
    async fn run(
        &mut self,
        profile: String,
        args: Vec<String>,
        stdin: Vec<u8>,
    ) -> wasmtime::Result<Result<exec::Output, exec::ExecError>> {
        let granted = self.profile(&profile, &args, &stdin);
        let read_only = granted.as_ref().is_ok_and(|(profile, _)| profile.read_only);
        let call = call(&profile, &args, &stdin, read_only);
        let uses = [Use {
            capability: "exec",
            operation: "run",
            subject: call.subject.clone(),
            content: &stdin,
        }];
        let ((definition, held), mut ticket) = admitted!(self.admit(call, &uses, granted).await?, exec::ExecError);
        let answer = match self.values(held).await {
            Ok(values) => {
                self.intend(&mut ticket).await?;
                let at = asset(&profile, &self.invocation.target.id);
                let command = self.command(definition, args, values.fill_bytes(stdin, Form::Raw));
                self.ports.reach.clone().run(&at, command).await
            }
            Err(why) => Err(ExecError::Denied(why)),
        };
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map(Into::into).map_err(Into::into))
    }
}

impl State {
    /// The operator's definition, if it may be run with these arguments, and the secrets that its
    /// input refers to.
    fn profile(&mut self, name: &str, args: &[String], stdin: &[u8]) -> Result<(Profile, Vec<Held>), String> {
        let resource = granted(&self.invocation.access, Capability::Exec, "run", name)?;
        let Resource::Profile(profile) = resource else {
            return Err(format!("`{name}` is no profile"));
        };
        allowed(name, &profile.args, args, &mut self.compiled)?;
        let profile = profile.clone();
        if args.iter().any(|arg| references::is_in(arg)) {
            return Err("a secret's reference is no argument: its value goes to stdin alone".into());
        }
        Ok((profile, self.destined(Capability::Exec, name, &[stdin])?))
    }

    fn command(&self, profile: Profile, args: Vec<String>, stdin: Vec<u8>) -> Command {
        let mut line = profile.command;
        line.extend(args);
        Command {
            line,
            env: profile.env,
            cwd: profile.cwd,
            stdin,
            timeout: self.patience(profile.timeout, MARGIN),
            keep: KEPT.min(self.invocation.limits.answer_bytes / 2),
        }
    }
}

fn call(profile: &str, args: &[String], stdin: &[u8], read_only: bool) -> Call {
    let content = (!stdin.is_empty()).then(|| hex(&Sha256::digest(stdin)));
    Call {
        capability: Capability::Exec,
        operation: "run".into(),
        subject: subject::exec(profile, args),
        request: json!({ "profile": profile, "args": args, "stdin": journal::bytes(stdin) }),
        content,
        effect: !read_only,
        repeatable: read_only,
    }
}

/// The operator's patterns, each compiled once an invocation.
#[derive(Debug, Default)]
pub struct Compiled(HashMap<String, Regex>);

impl Compiled {
    /// The pattern as one that must match the whole of an argument.
    fn whole(&mut self, profile: &str, pattern: &str) -> Result<&Regex, String> {
        if !self.0.contains_key(pattern) {
            let whole = Regex::new(&format!(r"\A(?:{pattern})\z"))
                .map_err(|_| format!("`{pattern}`, an argument pattern of `{profile}`, is not a regular expression"))?;
            self.0.insert(pattern.to_owned(), whole);
        }
        Ok(&self.0[pattern])
    }
}

/// Each argument matches the pattern in its place; `...` behind the last pattern repeats it.
fn allowed(profile: &str, patterns: &[String], args: &[String], compiled: &mut Compiled) -> Result<(), String> {
    plain(args)?;
    let (patterns, repeated) = match patterns.split_last() {
        Some((last, patterns)) if last == "..." => (patterns, true),
        _ => (patterns, false),
    };
    let least = patterns.len() - usize::from(repeated && !patterns.is_empty());
    if args.len() < least || (args.len() > patterns.len() && !repeated) {
        let takes = if repeated {
            format!("at least {least}")
        } else {
            patterns.len().to_string()
        };
        return Err(format!(
            "`{profile}` takes {takes} further arguments, not {}",
            args.len()
        ));
    }
    let pattern_of = |at: usize| patterns.get(at).or(patterns.last()).map_or("", String::as_str);
    args.iter()
        .enumerate()
        .try_for_each(|(at, arg)| matches(profile, pattern_of(at), at, arg, compiled))
}

/// Whether any profile could take them.
fn plain(args: &[String]) -> Result<(), String> {
    if args.len() > ARGS {
        return Err(format!("there are {} arguments, and {ARGS} are allowed", args.len()));
    }
    if args.iter().map(|arg| arg.len() + ARG_BYTES).sum::<usize>() > ARGS_BYTES {
        return Err(format!("the arguments have more than {} KiB", ARGS_BYTES >> 10));
    }
    if args.iter().any(|arg| arg.contains(['\0', '\n', '\r'])) {
        return Err("an argument holds a line break or a NUL".into());
    }
    Ok(())
}

fn matches(profile: &str, pattern: &str, at: usize, arg: &str, compiled: &mut Compiled) -> Result<(), String> {
    if compiled.whole(profile, pattern)?.is_match(arg) {
        return Ok(());
    }
    let arg: String = arg.chars().take(100).flat_map(char::escape_debug).collect();
    Err(format!(
        "argument {} of `{profile}` is `{arg}`, which `{pattern}` of the role does not allow",
        at + 1
    ))
}

impl From<Output> for exec::Output {
    fn from(output: Output) -> Self {
        Self {
            code: output.code,
            stdout: output.stdout,
            stderr: output.stderr,
            truncated: output.truncated,
        }
    }
}

impl From<ExecError> for exec::ExecError {
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::Denied(why) => Self::Denied(why),
            ExecError::Spawn(why) => Self::Spawn(why),
            ExecError::TimedOut => Self::TimedOut,
            ExecError::OutputLimit => Self::OutputLimit,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|item| (*item).to_owned()).collect()
    }

    fn allowed(patterns: &[&str], args: &[String]) -> Result<(), String> {
        super::allowed("p", &strings(patterns), args, &mut Compiled::default())
    }

    fn ok(patterns: &[&str], args: &[&str]) -> bool {
        allowed(patterns, &strings(args)).is_ok()
    }

    #[test]
    fn each_argument_matches_its_pattern_whole() {
        assert!(ok(&[], &[]));
        assert!(!ok(&[], &["x"]));
        assert!(ok(&["[a-z]+", "--now|--later"], &["web", "--now"]));
        assert!(!ok(&["[a-z]+"], &["web;rm"]), "anchored");
        assert!(!ok(&["a|b"], &["ax"]), "alternatives are anchored too");
        assert!(!ok(&["[a-z]+", "x"], &["web"]), "none may be left out");
        assert!(!ok(&["("], &["x"]), "a broken pattern allows nothing");
    }

    #[test]
    fn dots_repeat_the_last_pattern() {
        assert!(ok(&["get", "[0-9]+", "..."], &["get"]));
        assert!(ok(&["get", "[0-9]+", "..."], &["get", "1", "2", "3"]));
        assert!(!ok(&["get", "[0-9]+", "..."], &["get", "1", "x"]));
        assert!(!ok(&["get", "[0-9]+", "..."], &[]));
        assert!(!ok(&["..."], &["x"]), "there is nothing to repeat");
    }

    #[test]
    fn arguments_that_end_lines_or_are_huge_are_refused() {
        let words = |arg: &str| allowed(&["(?s).*"], &strings(&[arg])).unwrap_err();
        assert_eq!(words("a\nb"), "an argument holds a line break or a NUL");
        assert_eq!(words("a\0b"), "an argument holds a line break or a NUL");
        assert_eq!(words(&"a".repeat(1 << 20)), "the arguments have more than 64 KiB");
    }

    #[test]
    fn many_arguments_are_refused_however_short_they_are() {
        let many = |args: usize| allowed(&["x*", "..."], &vec![String::new(); args]);
        assert_eq!(many(256), Ok(()));
        assert_eq!(
            many(300_000).unwrap_err(),
            "there are 300000 arguments, and 256 are allowed"
        );
        let full = vec!["x".repeat(255); 256];
        assert_eq!(
            allowed(&["x*", "..."], &full).unwrap_err(),
            "the arguments have more than 64 KiB",
            "with what each takes besides"
        );
    }

    #[test]
    fn a_pattern_is_compiled_once_however_many_arguments_it_is_for() {
        let mut compiled = Compiled::default();
        let patterns = strings(&["get", "[0-9]+", "..."]);
        let args = strings(&["get", "1", "2", "3"]);
        for _ in 0..2 {
            assert_eq!(super::allowed("p", &patterns, &args, &mut compiled), Ok(()));
        }
        assert_eq!(compiled.0.len(), 2);
    }

    #[test]
    fn the_subject_is_the_one_that_plugins_write() {
        assert_eq!(subject::exec("restart", &[]), "restart []");
        assert_eq!(
            subject::exec("tar", &strings(&["-C", "a b", "\"x\""])),
            r#"tar ["-C","a b","\"x\""]"#
        );
    }

    proptest! {
        #[test]
        fn only_what_the_patterns_say_is_run(args in proptest::collection::vec("[ab]{0,2}", 0..4)) {
            let expected = args.len() == 2 && args[0] == "a" && args[1].chars().all(|c| c == 'b') && !args[1].is_empty();
            prop_assert_eq!(allowed(&["a", "b+"], &args).is_ok(), expected);
        }
    }
}
