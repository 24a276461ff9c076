//! Processes of this machine, as proc(5) tells of them.
//!
//! *Invariant:* a signal reaches the very process that was looked at: it is sent through a
//! descriptor of the process (pidfd_open(2)) that was opened before the look.

mod proc;

use std::fs;
use std::io;
use std::sync::OnceLock;

use evenkeel_engine::port::reach::{Process, ProcessError, Signal};
use evenkeel_model::role::Processes;
use nix::unistd::{SysconfVar, Uid, User, sysconf};
use regex::Regex;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

pub(super) use proc::Stat;

/// Processes of one answer; more of one profile is a profile that selects too much.
const MOST: usize = 1_000;
/// Of a command line, in bytes.
const COMMAND: usize = 4 << 10;

/// In order of their pids.
pub async fn select(profile: &Processes) -> Result<Vec<Process>, ProcessError> {
    let profile = profile.clone();
    on_a_thread(move || {
        let selection = Selection::of(&profile)?;
        let mut selected = Vec::new();
        for pid in pids()? {
            selected.extend(look(pid).filter(|process| selection.has(process)));
            if selected.len() > MOST {
                let why = format!("the profile selects more than {MOST} processes");
                return Err(ProcessError::Io(why));
            }
        }
        Ok(selected.into_iter().map(|seen| seen.process).collect())
    })
    .await
}

pub async fn signal(profile: &Processes, pid: u32, started_ms: u64, signal: Signal) -> Result<(), ProcessError> {
    let profile = profile.clone();
    on_a_thread(move || {
        let selection = Selection::of(&profile)?;
        let number = i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw);
        let Some(number) = number else {
            return Err(ProcessError::Denied(format!(
                "{pid} is no process that may be signalled"
            )));
        };
        if is_ours(pid) {
            let why = "that is evenkeel itself, or what started it";
            return Err(ProcessError::Denied(why.into()));
        }
        let held = pidfd_open(number, PidfdFlags::empty()).map_err(failed)?;
        // Only now: what is read is of the process that is held, or of one that took its number
        // after it ended, and then the signal reaches nobody.
        let seen = look(pid).ok_or(ProcessError::Missing)?;
        if seen.process.started_ms != started_ms {
            return Err(ProcessError::Missing);
        }
        if !selection.has(&seen) {
            return Err(ProcessError::Denied(format!(
                "the profile does not select process {pid}"
            )));
        }
        pidfd_send_signal(&held, native(signal)).map_err(failed)
    })
    .await
}

/// Reading `/proc` does not wait for a disk, but for the kernel's locks.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProcessError> + Send + 'static,
) -> Result<T, ProcessError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|lost| Err(ProcessError::Io(lost.to_string())))
}

/// This process, and those that it descends from: whoever ends one of them ends what watches.
fn is_ours(pid: u32) -> bool {
    let mut ours = std::process::id();
    while ours > 1 {
        if ours == pid {
            return true;
        }
        let stat = fs::read(format!("/proc/{ours}/stat")).ok();
        ours = stat.and_then(|stat| Stat::parse(&stat)).map_or(0, |stat| stat.parent);
    }
    false
}

/// A process, with what a selection needs besides.
struct Seen {
    process: Process,
    uid: u32,
    /// The whole command line: what is shown of it is cut.
    line: String,
}

/// A profile, ready to be compared with.
struct Selection {
    name: Option<String>,
    command: Option<Regex>,
    uid: Option<u32>,
}

impl Selection {
    fn of(profile: &Processes) -> Result<Self, ProcessError> {
        let command = profile.command.as_deref().map(|pattern| {
            Regex::new(&format!(r"\A(?s:{pattern})\z"))
                .map_err(|_| ProcessError::Io(format!("`{pattern}` is not a regular expression")))
        });
        if profile.name.is_none() && command.is_none() {
            return Err(ProcessError::Denied("the profile selects nothing".into()));
        }
        Ok(Self {
            name: profile.name.clone(),
            command: command.transpose()?,
            uid: profile.user.as_deref().map(uid).transpose()?,
        })
    }

    fn has(&self, seen: &Seen) -> bool {
        self.name.as_ref().is_none_or(|name| *name == seen.process.name)
            && self.uid.is_none_or(|uid| uid == seen.uid)
            && self.command.as_ref().is_none_or(|command| command.is_match(&seen.line))
    }
}

fn uid(user: &str) -> Result<u32, ProcessError> {
    if let Ok(uid) = user.parse() {
        return Ok(uid);
    }
    match User::from_name(user) {
        Ok(Some(user)) => Ok(user.uid.as_raw()),
        Ok(None) => Err(ProcessError::Io(format!("this machine has no user `{user}`"))),
        Err(error) => Err(ProcessError::Io(format!("user `{user}` can't be looked up: {error}"))),
    }
}

fn pids() -> Result<Vec<u32>, ProcessError> {
    let entries = fs::read_dir("/proc").map_err(|error| ProcessError::Io(format!("`/proc`: {error}")))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut pids: Vec<u32> = names.filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// None: it is gone, or is going.
fn look(pid: u32) -> Option<Seen> {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).ok();
    let stat = Stat::parse(&read("stat")?)?;
    let uid = proc::user(&read("status")?)?;
    let line = proc::command(&read("cmdline")?);
    let clock = clock()?;
    Some(Seen {
        process: Process {
            pid,
            name: String::from_utf8_lossy(&stat.name).into_owned(),
            command: proc::cut(line.clone(), COMMAND),
            user: name_of(uid),
            state: proc::state(stat.state).to_owned(),
            started_ms: clock.booted_ms.saturating_add(clock.milliseconds(stat.started)),
            cpu_ms: clock.milliseconds(stat.cpu),
            resident_bytes: stat.resident_pages.saturating_mul(clock.page),
            threads: stat.threads,
        },
        uid,
        line,
    })
}

fn name_of(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// What the numbers of proc(5) mean here.
struct Clock {
    /// Read once: the kernel's word for it moves when the clock is set, and the start of a process
    /// must be the same number however often it is asked for.
    booted_ms: u64,
    ticks_per_second: u64,
    page: u64,
}

impl Clock {
    fn milliseconds(&self, ticks: u64) -> u64 {
        ticks.saturating_mul(1_000) / self.ticks_per_second
    }
}

fn clock() -> Option<&'static Clock> {
    static CLOCK: OnceLock<Option<Clock>> = OnceLock::new();
    let read = || {
        let positive = |variable| u64::try_from(sysconf(variable).ok()??).ok().filter(|value| *value > 0);
        Some(Clock {
            booted_ms: proc::booted(&fs::read_to_string("/proc/stat").ok()?)?.checked_mul(1_000)?,
            ticks_per_second: positive(SysconfVar::CLK_TCK)?,
            page: positive(SysconfVar::PAGE_SIZE)?,
        })
    };
    CLOCK.get_or_init(read).as_ref()
}

fn native(signal: Signal) -> rustix::process::Signal {
    use rustix::process::Signal as Native;
    match signal {
        Signal::Hangup => Native::HUP,
        Signal::Interrupt => Native::INT,
        Signal::Quit => Native::QUIT,
        Signal::Terminate => Native::TERM,
        Signal::Kill => Native::KILL,
        Signal::User1 => Native::USR1,
        Signal::User2 => Native::USR2,
    }
}

fn failed(error: rustix::io::Errno) -> ProcessError {
    match error {
        rustix::io::Errno::SRCH => ProcessError::Missing,
        error => ProcessError::Io(io::Error::from(error).to_string()),
    }
}
