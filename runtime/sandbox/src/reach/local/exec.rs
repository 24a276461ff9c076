//! Commands on this machine, each in a process group of its own and attended.
//!
//! *Invariant:* what a command leaves behind stays if it ended by itself in time, which is how a
//! command starts a service. Otherwise all that it has started ends with its call, whatever group
//! or session it went to.

mod attendant;
mod descent;

use std::fmt::Display;
use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use evenkeel_engine::port::reach::{Command, ExecError, Output};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::timeout;

pub use attendant::{Attendant, attend_as_child};

/// What a child finds programs in.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Between telling a command to end and making it.
const GRACE: Duration = Duration::from_secs(2);
/// A command that is over may have left something running that holds its output open.
const LINGER: Duration = Duration::from_millis(250);
/// Output beyond what is kept is read and dropped, but not without end.
const FLOOD: u64 = 64 << 20;

/// Runs it to its end, or to its timeout. Dropping the future ends all that it has started.
pub async fn run(attendant: &Attendant, command: Command) -> Result<Output, ExecError> {
    let mut child = spawn(attendant, &command)?;
    // Dropped after the group has ended: who notices that nobody reads or writes any more would end by
    // itself, and what it has started would stay.
    let mut pipes = Pipes::of(&mut child);
    let mut group = Group::of(&child, attendant.last_word());
    let mut printed = Printed::new(command.keep);
    let ended = {
        let mut attended = pin!(attend(&mut child, &mut pipes, command.stdin, &mut printed));
        match timeout(command.timeout, &mut attended).await {
            Ok(ended) => ended,
            Err(_) => {
                group.signal(Signal::SIGTERM);
                // Its output is still read: a command that says goodbye must not die of it.
                let _ = timeout(GRACE, attended).await;
                Err(ExecError::TimedOut)
            }
        }
    };
    match ended {
        Ok(status) => {
            group.let_go();
            if attendant.has_not_started(status) {
                let why = String::from_utf8_lossy(&printed.stderr.bytes);
                return Err(not_started(&command.line, why));
            }
            Ok(printed.into_output(status.code()))
        }
        Err(error) => {
            group.end();
            // What waits for a disk ends when that answers, and the call does not wait for it.
            let _ = timeout(LINGER, child.wait()).await;
            Err(error)
        }
    }
}

fn spawn(attendant: &Attendant, command: &Command) -> Result<Child, ExecError> {
    let (program, args) = command
        .line
        .split_first()
        .ok_or_else(|| ExecError::Spawn("it is empty".into()))?;
    let mut spawned = attendant.command(program, args);
    spawned.env_clear().env("PATH", PATH).envs(&command.env);
    spawned
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    spawned.process_group(0);
    if let Some(cwd) = &command.cwd {
        spawned.current_dir(cwd);
    }
    spawned.spawn().map_err(|error| not_started(&command.line, error))
}

fn not_started(line: &[String], why: impl Display) -> ExecError {
    let program = line.first().map_or("", String::as_str);
    ExecError::Spawn(format!("`{program}`: {why}"))
}

/// Feeds it, reads what it prints, and waits for its end.
async fn attend(
    child: &mut Child,
    pipes: &mut Pipes,
    stdin: Vec<u8>,
    printed: &mut Printed,
) -> Result<ExitStatus, ExecError> {
    let fed = feed(&mut pipes.stdin, stdin);
    let (stdout, stderr) = (pipes.stdout.as_mut(), pipes.stderr.as_mut());
    let Printed {
        stdout: kept_stdout,
        stderr: kept_stderr,
    } = printed;
    let drained = async { tokio::try_join!(kept_stdout.drain(stdout), kept_stderr.drain(stderr)) };
    let drained = async { tokio::join!(fed, drained).1 };
    tokio::pin!(drained);
    let status = tokio::select! {
        biased;
        drained = &mut drained => {
            drained?;
            child.wait().await
        }
        status = child.wait() => {
            if let Ok(drained) = timeout(LINGER, &mut drained).await {
                drained?;
            }
            status
        }
    };
    status.map_err(|error| ExecError::Spawn(error.to_string()))
}

/// A command that does not read its input is no failure. Closed when all of it is written.
async fn feed(pipe: &mut Option<ChildStdin>, stdin: Vec<u8>) {
    if let Some(open) = pipe {
        let _ = open.write_all(&stdin).await;
    }
    *pipe = None;
}

struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl Pipes {
    fn of(child: &mut Child) -> Self {
        Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
        }
    }
}

/// What is kept of both streams.
struct Printed {
    stdout: Kept,
    stderr: Kept,
}

struct Kept {
    bytes: Vec<u8>,
    keep: usize,
    seen: u64,
}

impl Printed {
    fn new(keep: usize) -> Self {
        let kept = || Kept {
            bytes: Vec::new(),
            keep,
            seen: 0,
        };
        Self {
            stdout: kept(),
            stderr: kept(),
        }
    }

    fn into_output(self, code: Option<i32>) -> Output {
        let truncated = self.stdout.is_truncated() || self.stderr.is_truncated();
        Output {
            code,
            stdout: self.stdout.bytes,
            stderr: self.stderr.bytes,
            truncated,
        }
    }
}

impl Kept {
    fn is_truncated(&self) -> bool {
        self.seen > self.bytes.len() as u64
    }

    async fn drain(&mut self, pipe: Option<impl AsyncRead + Unpin>) -> Result<(), ExecError> {
        let Some(mut pipe) = pipe else { return Ok(()) };
        let mut buffer = vec![0; 16 << 10];
        loop {
            let read = match pipe.read(&mut buffer).await {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Ok(()),
            };
            self.seen += read as u64;
            let room = self.keep - self.bytes.len();
            self.bytes.extend_from_slice(&buffer[..read.min(room)]);
            if self.seen > FLOOD {
                return Err(ExecError::OutputLimit);
            }
        }
    }
}

/// The process group that a child leads. Ended when dropped, unless it was let go.
struct Group {
    leader: Option<Pid>,
    last_word: Signal,
}

impl Group {
    fn of(child: &Child, last_word: Signal) -> Self {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Self {
            leader: pid.map(Pid::from_raw),
            last_word,
        }
    }

    fn end(&mut self) {
        self.signal(self.last_word);
        self.let_go();
    }

    /// The command ended by itself. What it started on purpose, a daemon say, goes on.
    fn let_go(&mut self) {
        self.leader = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.leader {
            // It may be gone already.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
