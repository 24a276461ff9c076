//! A command as a remedy: one action runs it, and another command undoes it.

use evenkeel_sdk::exec::{ExecError, Output};
use evenkeel_sdk::serde_json::{Value, json};
use evenkeel_sdk::{
    Action, Applied, CallError, Effect, Error, Host, Level, Params, Remedy, Result, Risk, bail, ensure,
};

use crate::{Command, Format, KEPT};

/// Bytes of what `look` printed that a plan shows.
const PREVIEW: usize = 16 << 10;

/// A command that changes something, and how it is looked at first and undone later.
#[derive(Params)]
pub struct CommandRemedy {
    /// The exec profile.
    profile: String,
    /// Further arguments; the profile says which are allowed.
    #[serde(default)]
    args: Vec<String>,
    /// What it reads.
    #[serde(default)]
    stdin: String,
    /// What it does, for those who approve it; the command unless it is given.
    summary: Option<String>,
    /// How much it may hurt.
    #[serde(default = "medium")]
    risk: Risk,
    /// Exit codes that mean success and a change.
    #[serde(default = "zero")]
    changed_exit: Vec<i32>,
    /// Exit codes that mean success without a change.
    #[serde(default)]
    unchanged_exit: Vec<i32>,
    /// `text`, or `json` if the steps that follow are to read what it prints.
    #[serde(default)]
    output: Format,
    /// A read-only command that says whether there is anything to do.
    look: Option<Look>,
    /// The command that undoes it. It is run after a failure too, so it has to cope with a job half done.
    undo: Option<Undo>,
}

/// How a plan finds out whether there is anything to do.
#[derive(Params)]
struct Look {
    /// The exec profile; the operator has marked it read-only.
    profile: String,
    /// Further arguments.
    #[serde(default)]
    args: Vec<String>,
    /// Exit codes that mean that there is something to do.
    #[serde(default = "zero")]
    todo_exit: Vec<i32>,
    /// Exit codes that mean that there is nothing to do.
    #[serde(default = "one")]
    nothing_exit: Vec<i32>,
}

/// What undoes the change.
#[derive(Params)]
struct Undo {
    /// The exec profile.
    profile: String,
    /// Further arguments.
    #[serde(default)]
    args: Vec<String>,
    /// What it reads.
    #[serde(default)]
    stdin: String,
}

fn medium() -> Risk {
    Risk::Medium
}

fn zero() -> Vec<i32> {
    vec![0]
}

fn one() -> Vec<i32> {
    vec![1]
}

#[evenkeel_sdk::remedy]
impl Remedy for CommandRemedy {
    fn plan(&self, host: &Host) -> Result<Vec<Action>> {
        let preview = match &self.look {
            Some(look) => match look.run(host)? {
                Some(preview) => Some(preview),
                None => return Ok(Vec::new()),
            },
            None => None,
        };
        let action = Action::new("run", self.words(preview.as_deref()))
            .risk(self.risk)
            .effect(self.command().exec(host).effect())
            .body(&json!({ "preview": preview }))?;
        Ok(vec![match &self.undo {
            Some(undo) => action.undo(format!("runs `{}`", undo.command().line()), undo.effects(host)),
            None => action,
        }])
    }

    fn apply(&self, host: &Host, _: &Action) -> Result<Applied> {
        let command = self.command();
        let output = command.exec(host).run().map_err(|error| unsure(&command, error))?;
        let words = command.ending(&output);
        let applied = match output.code {
            Some(code) if self.changed_exit.contains(&code) => Applied::changed(words),
            Some(code) if self.unchanged_exit.contains(&code) => Applied::unchanged(words),
            _ => bail!(permanent, "command-failed", "{words}"),
        };
        Ok(applied.output(self.told(host, &output)))
    }

    fn rollback(&self, host: &Host, action: &Action, _: Option<&Applied>) -> Result<()> {
        let Some(undo) = &self.undo else {
            bail!(
                permanent,
                "no-undo",
                "`{}` cannot be undone: the step names no `undo`",
                action.id
            );
        };
        let command = undo.command();
        let output = command.exec(host).run().map_err(|error| unsure(&command, error))?;
        ensure!(
            output.success(),
            permanent,
            "undo-failed",
            "{}",
            command.ending(&output)
        );
        Ok(())
    }
}

impl CommandRemedy {
    fn command(&self) -> Command<'_> {
        Command {
            profile: &self.profile,
            args: &self.args,
            stdin: &self.stdin,
        }
    }

    fn words(&self, preview: Option<&str>) -> String {
        let line = format!("runs `{}`", self.command().line());
        let words = self
            .summary
            .as_ref()
            .map_or(line.clone(), |summary| format!("{summary}: {line}"));
        match preview.and_then(|preview| preview.lines().find(|line| !line.trim().is_empty())) {
            Some(first) => format!("{words} ({})", first.trim()),
            None => words,
        }
    }

    /// The change is made by now, so output that can't be read is no failure.
    fn told(&self, host: &Host, output: &Output) -> Value {
        let read = match self.output {
            Format::Json => self
                .command()
                .json(output)
                .map_err(|error| host.log(Level::Warn, error.message(), &[]))
                .ok(),
            Format::Text => None,
        };
        json!({ "exit": output.code, "stdout": read.unwrap_or_else(|| head(&output.stdout_text(), KEPT).into()) })
    }
}

impl Look {
    /// What it printed if there is something to do.
    fn run(&self, host: &Host) -> Result<Option<String>> {
        let command = Command {
            profile: &self.profile,
            args: &self.args,
            stdin: "",
        };
        let output = command.exec(host).run()?;
        match output.code {
            Some(code) if self.todo_exit.contains(&code) => Ok(Some(head(&output.stdout_text(), PREVIEW))),
            Some(code) if self.nothing_exit.contains(&code) => Ok(None),
            _ => bail!(permanent, "look-failed", "{}", command.ending(&output)),
        }
    }
}

impl Undo {
    fn command(&self) -> Command<'_> {
        Command {
            profile: &self.profile,
            args: &self.args,
            stdin: &self.stdin,
        }
    }

    fn effects(&self, host: &Host) -> [Effect; 1] {
        [self.command().exec(host).effect()]
    }
}

/// A command that took too long may have done its work all the same: that is not harmless to try again.
fn unsure(command: &Command<'_>, error: CallError<ExecError>) -> Error {
    match error.cause {
        ExecError::TimedOut => {
            let words = format!(
                "`{}` took too long; whether it did its work is not known",
                command.line()
            );
            Error::permanent("command-timed-out", words)
        }
        _ => error.into(),
    }
}

/// The beginning, of so many bytes at most.
fn head(text: &str, bytes: usize) -> String {
    let to = (0..=bytes.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    if to == text.len() {
        text.to_owned()
    } else {
        format!("{}…", &text[..to])
    }
}
