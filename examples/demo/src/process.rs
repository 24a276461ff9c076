//! A program beside the demo, which ends with it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use tokio::process::{Child, Command};

use crate::patience::until;

/// How much of a log is shown when something fails, in lines.
const SHOWN: usize = 20;

/// A running program with its output in a file, in a process group of its own, so that Ctrl-C
/// reaches the demo alone and the demo ends its programs in order.
///
/// Dropping it ends the whole group at once. So does the death of the demo, even by SIGKILL.
pub struct Process {
    name: &'static str,
    child: Child,
    group: Pid,
    watchdog: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the program; it says what it has to say in `directory/NAME.log`.
    pub fn spawn(name: &'static str, command: &mut Command, directory: &Path) -> anyhow::Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let output = File::create(&log).with_context(|| format!("can't write {}", log.display()))?;
        let child = command
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{name} can't be started"))?;
        let group = group(&child)?;
        Ok(Self {
            name,
            child,
            group,
            watchdog: watchdog(group).context("the watchdog can't be started")?,
            log,
        })
    }

    /// Waits until `look` finds something in a line of the log.
    ///
    /// # Errors
    /// When the program ends before, with the end of its log.
    pub async fn line<T>(&mut self, bound: Duration, look: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        let what = format!("{} says that it is ready", self.name);
        let found = until(bound, &what, async || {
            let ended = self.child.try_wait()?;
            // A last line without its end may still grow.
            let log = self.log();
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            match (whole.lines().find_map(&look), ended) {
                (Some(found), _) => Ok(Some(found)),
                (None, Some(_)) => Ok(None),
                (None, None) => bail!("it has not said so"),
            }
        });
        match found.await? {
            Some(found) => Ok(found),
            None => bail!(
                "{} ended before it was ready; it said:\n{}",
                self.name,
                self.last_words()
            ),
        }
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(mut self, bound: Duration) -> anyhow::Result<()> {
        signal::kill(self.group, Signal::SIGTERM).with_context(|| format!("{} had ended", self.name))?;
        let ended = tokio::time::timeout(bound, self.child.wait()).await;
        let status = ended.with_context(|| format!("{} goes on {bound:?} after SIGTERM", self.name))??;
        ensure!(
            status.success(),
            "{} ended with {status}; it said:\n{}",
            self.name,
            self.last_words()
        );
        Ok(())
    }

    /// The end of what it said.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN)..].join("\n")
    }

    pub fn log_file(&self) -> &Path {
        &self.log
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The watchdog first: it must not outlive the group, whose number may be used again.
        // An error means that it has ended already.
        let _ = self.watchdog.start_kill();
        end(&self.child, self.group);
    }
}

/// Runs a program to its end, its standard error being the demo's own.
///
/// If the demo is interrupted, the program and what it has started end too.
pub async fn run(mut command: Command) -> anyhow::Result<(ExitStatus, Vec<u8>)> {
    struct Group(Child, Pid);
    impl Drop for Group {
        fn drop(&mut self) {
            end(&self.0, self.1);
        }
    }
    let child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let group = group(&child)?;
    let mut child = Group(child, group);
    let mut stdout = child.0.stdout.take().context("its output is piped")?;
    let mut said = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stdout, &mut said).await?;
    Ok((child.0.wait().await?, said))
}

/// Ends the group when the pipe from the demo closes, which it does however the demo dies.
fn watchdog(group: Pid) -> std::io::Result<Child> {
    Command::new("sh")
        .args(["-c", "read -r _; kill -s KILL -- \"-$1\"", "watchdog"])
        .arg(group.to_string())
        .process_group(0)
        .kill_on_drop(true)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn group(child: &Child) -> anyhow::Result<Pid> {
    let id = child.id().context("the program has ended already")?;
    Ok(Pid::from_raw(id.cast_signed()))
}

/// The number of a group whose leader was waited for may belong to somebody else by now.
fn end(child: &Child, group: Pid) {
    if child.id().is_some() {
        // An error means that it has ended by itself.
        let _ = signal::killpg(group, Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(60);

    fn shell(script: &str, directory: &Path) -> Process {
        Process::spawn("shell", Command::new("sh").args(["-c", script]), directory).expect("sh is there")
    }

    #[tokio::test]
    async fn a_grandchild_ends_with_its_group() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = shell("sleep 600 & echo $!; wait", directory.path());
        let grandchild: i32 = process.line(BOUND, |line| line.parse().ok()).await.unwrap();

        drop(process);

        let stat = format!("/proc/{grandchild}/stat");
        let gone = until(BOUND, "the grandchild has ended", async || {
            let is_there = fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
            ensure!(!is_there, "it is there");
            Ok(())
        });
        gone.await.unwrap();
    }

    #[tokio::test]
    async fn the_watchdog_ends_the_group_when_its_pipe_closes() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = shell("sleep 600", directory.path());

        drop(process.watchdog.stdin.take());

        tokio::time::timeout(BOUND, process.child.wait())
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn a_program_that_ends_too_early_tells_why() {
        let directory = tempfile::tempdir().unwrap();
        let mut process = shell("echo the port is taken; exit 3", directory.path());
        let error = process.line(BOUND, |line| line.contains("ready").then_some(())).await;
        assert!(error.unwrap_err().to_string().contains("the port is taken"));
    }
}
