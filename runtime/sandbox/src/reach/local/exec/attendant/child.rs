//! The attendant itself: one thread that waits for signals.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getppid};
use tokio::runtime;
use tokio::signal::unix::{self, SignalKind};

use super::NOT_STARTED;
use crate::reach::local::exec::descent;

/// All that an attendant does. `args` are the pid of who starts it, and the command.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match attended(args) {
        Ok(Ended::WithCode(code)) => u8::try_from(code).unwrap_or(u8::MAX).into(),
        Ok(Ended::BySignal) => die(Signal::SIGKILL),
        Err(words) => {
            let _ = write!(io::stderr(), "{words}");
            die(NOT_STARTED)
        }
    }
}

/// How the command did.
enum Ended {
    WithCode(i32),
    BySignal,
}

fn attended(args: impl IntoIterator<Item = OsString>) -> Result<Ended, String> {
    let mut args = args.into_iter();
    let parent = args
        .next()
        .and_then(|pid| pid.to_str()?.parse().ok())
        .map(Pid::from_raw);
    let (Some(parent), Some(program)) = (parent, args.next()) else {
        return Err("it is told the pid of who starts it, and a command".into());
    };
    let unattended = |error: io::Error| format!("it can't be attended: {error}");
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(unattended)?.block_on(async {
        let told = Told::prepared(parent).map_err(unattended)?;
        let leader = started(&program, args).map_err(|error| error.to_string())?;
        Ok(told.watch(leader).await)
    })
}

/// With the streams, the environment and the directory of this process.
fn started(program: &OsString, args: impl Iterator<Item = OsString>) -> io::Result<Pid> {
    #[expect(clippy::disallowed_methods, reason = "this is the reach, in a process of its own")]
    let child = std::process::Command::new(program)
        .args(args)
        .process_group(0)
        .spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    Ok(Pid::from_raw(pid))
}

/// What it is told by signals. They are caught and not blocked: a command would inherit that.
struct Told {
    parent: Pid,
    child: unix::Signal,
    polite: unix::Signal,
    end: unix::Signal,
    orphaned: unix::Signal,
}

impl Told {
    fn prepared(parent: Pid) -> io::Result<Self> {
        let told = Self {
            parent,
            child: unix::signal(SignalKind::child())?,
            polite: unix::signal(SignalKind::terminate())?,
            end: unix::signal(SignalKind::interrupt())?,
            orphaned: unix::signal(SignalKind::hangup())?,
        };
        let _ = prctl::set_name(c"evenkeel-attend");
        prctl::set_child_subreaper(true)?;
        prctl::set_pdeathsig(Signal::SIGHUP)?;
        // It may have ended before it could be told of.
        if getppid() == parent {
            Ok(told)
        } else {
            Err(Errno::ESRCH.into())
        }
    }

    /// Until the command has ended, and everything else if it was made to end.
    async fn watch(mut self, leader: Pid) -> Ended {
        let mut is_over = false;
        loop {
            // What it is told comes before what it sees: a command that ends of being told so did not end
            // by itself.
            let end = tokio::select! {
                biased;
                _ = self.end.recv() => true,
                // The kernel also tells of the end of the thread that started this process.
                _ = self.orphaned.recv() => getppid() != self.parent,
                _ = self.polite.recv() => {
                    is_over = true;
                    let _ = killpg(leader, Signal::SIGTERM);
                    false
                }
                _ = self.child.recv() => false,
            };
            if end {
                descent::end();
                return Ended::BySignal;
            }
            if let Some(ended) = buried(leader) {
                if is_over {
                    descent::end();
                }
                return ended;
            }
        }
    }
}

/// Buries all that have ended; how the command did, if it is among them.
fn buried(leader: Pid) -> Option<Ended> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return None,
            Ok(WaitStatus::Exited(pid, code)) if pid == leader => return Some(Ended::WithCode(code)),
            Ok(WaitStatus::Signaled(pid, ..)) if pid == leader => return Some(Ended::BySignal),
            Ok(_) | Err(Errno::EINTR) => {}
            // Nobody is left to wait for, and the command's end was not seen.
            Err(_) => return Some(Ended::BySignal),
        }
    }
}

fn die(signal: Signal) -> ExitCode {
    let _ = kill(getpid(), signal);
    ExitCode::FAILURE
}
