//! A program that runs beside a test and ends with it, whatever becomes of the test.

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::wait::wait_until;

/// How much of a log is shown when a test fails, in lines.
const SHOWN: usize = 60;

/// A running program, in a process group of its own, with its output in a file.
///
/// Dropping it ends the whole group at once. So does the death of the test process, even by
/// SIGKILL or Ctrl-C.
pub struct Process {
    name: String,
    child: Child,
    watchdog: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the program; it says what it has to say in `directory/NAME.log`.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn(name: &str, command: &mut Command, directory: &Path) -> anyhow::Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{name} can't be started"))?;
        match watchdog(child.id()) {
            Ok(watchdog) => Ok(Self {
                name: name.to_owned(),
                child,
                watchdog,
                log,
            }),
            Err(error) => {
                child.kill()?;
                Err(error).context("the watchdog can't be started")
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has said so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits until `look` finds something in a line of the log, or the program has ended.
    ///
    /// # Panics
    /// When nothing is found within `bound`.
    ///
    /// # Errors
    /// When the program ends before.
    #[track_caller]
    pub fn wait_for_line<T>(
        &mut self,
        bound: Duration,
        what: &str,
        look: impl Fn(&str) -> Option<T>,
    ) -> anyhow::Result<T> {
        wait_until(bound, what, || {
            let ended = self.ended()?;
            // A last line without its end may still grow.
            let log = self.log();
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            match (whole.lines().find_map(&look), ended) {
                (Some(found), _) => Ok(Ok(found)),
                (None, Some(status)) => Ok(Err(status)),
                (None, None) => bail!("{} has not said so yet", self.name),
            }
        })
        .map_err(|status| anyhow::anyhow!("{} ended ({status}):\n{}", self.name, self.log_end()))
    }

    /// Sends a signal to the program itself.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        Ok(signal::kill(pid(&self.child), signal)?)
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// When it doesn't end within `bound`.
    ///
    /// # Errors
    /// When it had ended before.
    #[track_caller]
    pub fn terminate(mut self, bound: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        let what = format!("{} ends after SIGTERM", self.name);
        Ok(wait_until(bound, &what, || {
            self.ended()?.context("it is still running")
        }))
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("---- the end of what {} said:\n{}", self.name, self.log_end());
        }
        // The watchdog first: it must not outlive the group, whose number may be used again.
        // Errors mean that they have ended already.
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
        let _ = signal::killpg(pid(&self.child), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// A port of 127.0.0.1 that nothing listens on now. For programs that can't say which one they
/// took when told to take any.
///
/// # Errors
/// When there is none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Ends the group when the pipe from this process closes, which it does however this one dies.
fn watchdog(group: u32) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", "read -r _; kill -s KILL -- \"-$1\"", "watchdog"])
        .arg(group.to_string())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, directory: &Path) -> Process {
        Process::spawn("shell", Command::new("sh").args(["-c", script]), directory).expect("sh is there")
    }

    fn is_there(id: i32) -> bool {
        fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn a_grandchild_ends_with_its_group() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = shell("sleep 600 & echo $!; wait", directory.path());
        let grandchild = process
            .wait_for_line(Duration::from_secs(20), "a number", |line| line.parse().ok())
            .unwrap();
        assert!(is_there(grandchild));

        drop(process);

        wait_until(Duration::from_secs(20), "the grandchild has ended", || {
            anyhow::ensure!(!is_there(grandchild), "it is there");
            Ok(())
        });
    }

    #[test]
    fn a_program_that_ends_too_early_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = shell("echo cannot bind; exit 3", directory.path());
        let error = process
            .wait_for_line(Duration::from_secs(600), "ready", |line| {
                line.contains("ready").then_some(())
            })
            .unwrap_err()
            .to_string();

        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.contains("cannot bind"), "{error}");
    }

    #[test]
    fn the_watchdog_ends_the_group_when_its_pipe_closes() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = shell("sleep 600", directory.path());

        drop(process.watchdog.stdin.take());

        wait_until(Duration::from_secs(20), "the program has ended", || {
            process.ended()?.context("it is running")
        });
    }
}
