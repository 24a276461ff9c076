//! Makes a check or a remedy of commands that the operator listed, so that a script becomes a step as it is.

mod check;
mod nagios;
mod remedy;

use evenkeel_sdk::exec::{Exec, Output};
use evenkeel_sdk::serde_json::{Value, from_str};
use evenkeel_sdk::{Context, Host, Params, Result};

/// Bytes of a failed command's last words that an error tells.
const TAIL: usize = 500;
/// Bytes of a command's output that are kept for the steps that follow.
const KEPT: usize = 64 << 10;

/// What a command prints.
#[derive(Params, Clone, Copy, PartialEq, Default)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Text,
    Json,
}

/// One command with its input, however often it is run.
struct Command<'p> {
    profile: &'p str,
    args: &'p [String],
    stdin: &'p str,
}

impl Command<'_> {
    fn exec<'h>(&self, host: &'h Host) -> Exec<'h> {
        host.exec(self.profile).args(self.args).stdin(self.stdin)
    }

    /// As a person would write it.
    fn line(&self) -> String {
        std::iter::once(self.profile)
            .chain(self.args.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// "`backup --now` exited with 3: no space left"
    fn ending(&self, output: &Output) -> String {
        let how = output
            .code
            .map_or("was ended by a signal".to_owned(), |code| format!("exited with {code}"));
        match output.tail(TAIL).as_str() {
            "" => format!("`{}` {how} and said nothing", self.line()),
            said => format!("`{}` {how}: {said}", self.line()),
        }
    }

    /// What it printed as JSON.
    fn json(&self, output: &Output) -> Result<Value> {
        from_str(&output.stdout_text()).context(format_args!("what `{}` printed is not JSON", self.line()))
    }
}

#[cfg(test)]
mod tests;
