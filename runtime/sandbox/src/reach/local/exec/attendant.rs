//! A process of its own beside each command, to which everything that the command starts comes
//! back (`PR_SET_CHILD_SUBREAPER`), also what leaves its process group and session.
//!
//! It is told by signals: SIGTERM passes on to the command's group, and makes what is left end
//! with the command; SIGINT ends everything at once, as does the end of the process that started
//! it. A command that ends by itself ends its attendant, and what it leaves behind stays.

mod child;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;

use nix::sys::signal::Signal;
use tokio::process::Command;

pub use child::main as attend_as_child;

/// An attendant dies of it if the command can't be started, with the reason on standard error: no
/// end of a command looks like that.
const NOT_STARTED: Signal = Signal::SIGUSR1;

/// Who attends commands.
#[derive(Clone, Debug)]
pub struct Attendant(Option<Program>);

#[derive(Clone, Debug)]
struct Program {
    file: PathBuf,
    args: Vec<OsString>,
}

impl Attendant {
    /// `program` calls [`attend_as_child`] with what follows these arguments.
    pub fn child<A: Into<OsString>>(program: impl Into<PathBuf>, args: impl IntoIterator<Item = A>) -> Self {
        Self(Some(Program {
            file: program.into(),
            args: args.into_iter().map(Into::into).collect(),
        }))
    }

    /// Nobody, so that a process which leaves its group outlives the command's deadline: for
    /// benchmarks and tests of commands that are known.
    pub const fn nobody() -> Self {
        Self(None)
    }

    pub(super) fn command(&self, program: &str, args: &[String]) -> Command {
        let Some(Program { file, args: own }) = &self.0 else {
            let mut command = Command::new(program);
            command.args(args);
            return command;
        };
        let mut command = Command::new(file);
        command.args(own).arg(std::process::id().to_string());
        command.arg(program).args(args);
        command
    }

    /// What ends everything, sent to the process group that was started.
    pub(super) const fn last_word(&self) -> Signal {
        match self.0 {
            Some(_) => Signal::SIGINT,
            None => Signal::SIGKILL,
        }
    }

    pub(super) fn has_not_started(&self, status: ExitStatus) -> bool {
        self.0.is_some() && status.signal() == Some(NOT_STARTED as i32)
    }
}
