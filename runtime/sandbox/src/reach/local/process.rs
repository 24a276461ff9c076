//! Processes of this machine, as proc(5) tells of them.
//!
//! *Invariant:* no signal reaches a process but the one that was looked at: it is held by a pidfd
//! (pidfd_open(2)) while its start and its profile are compared, and signalled through that.

mod proc;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

use evenkeel_engine::port::reach::{Process, ProcessError, Signal};
use evenkeel_model::pattern::anchored;
use evenkeel_model::role::Processes;
use nix::unistd::{Uid, User};
use regex::Regex;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};

use super::disk::Asked;
use proc::Stat;

/// Of one profile.
const PROCESSES: usize = 1_000;
/// What is told of a command line, in bytes.
const COMMAND: usize = 4 << 10;
/// A command line that is longer matches no pattern: who could not see its end could not match it.
const LONGEST_COMMAND: usize = 256 << 10;
/// The longest of the other files, in bytes.
const FILE: usize = 64 << 10;

/// When the machine was started, in milliseconds since 1970.
///
/// The kernel works it out anew whenever it is asked, from a clock that is set now and then. Asked
/// once, it makes the start of a process the same at each look, which is what tells it from another
/// one of its pid. A daemon that starts after the clock was set may name other times than the one
/// before it: a signal that was planned by then finds its process missing.
#[derive(Clone, Copy, Debug)]
pub struct Booted(u64);

impl Booted {
    pub fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        Self(proc::booted(&stat).unwrap_or_default().saturating_mul(1_000))
    }

    /// To the tick of 10 ms.
    fn started_ms(self, stat: &Stat) -> u64 {
        self.0.saturating_add(milliseconds(stat.started))
    }
}

fn milliseconds(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second().max(1)
}

pub fn select(profile: &Processes, booted: Booted) -> Result<Vec<Process>, ProcessError> {
    let mut wanted = Wanted::of(profile)?;
    let mut selected = Vec::new();
    for pid in pids()? {
        // One that ends meanwhile is none.
        let Some(seen) = Seen::of(pid).and_then(|seen| seen.look()) else {
            continue;
        };
        if !wanted.is(&seen) {
            continue;
        }
        if selected.len() == PROCESSES {
            return Err(ProcessError::Io(format!(
                "the profile selects more than {PROCESSES} processes: narrow it in evenkeel.toml"
            )));
        }
        selected.push(wanted.process(pid, seen, booted));
    }
    Ok(selected)
}

/// Signals the process of that pid, if it was started then and the profile selects it.
pub fn signal(
    profile: &Processes,
    (pid, started_ms): (u32, u64),
    signal: Signal,
    booted: Booted,
    asked: &Asked,
) -> Result<(), ProcessError> {
    let wanted = Wanted::of(profile)?;
    let raw = i32::try_from(pid).ok().filter(|raw| *raw > 0);
    let held = raw.and_then(Pid::from_raw).ok_or(ProcessError::Missing)?;
    let held = rustix::process::pidfd_open(held, PidfdFlags::empty()).map_err(unheld)?;
    // As long as the one that is held was not waited for, its pid is nobody else's. That it was not
    // is what the signal itself finds out, after this look.
    let seen = Seen::of(pid)
        .and_then(|seen| seen.look())
        .ok_or(ProcessError::Missing)?;
    if booted.started_ms(&seen.stat) != started_ms {
        return Err(ProcessError::Missing);
    }
    if !wanted.is(&seen) {
        return Err(ProcessError::Denied(format!(
            "the profile does not select process {pid}"
        )));
    }
    if holds_us(pid) {
        return Err(ProcessError::Denied(format!(
            "process {pid} is evenkeel itself, or what it was started by"
        )));
    }
    asked.still().map_err(|stopped| ProcessError::Io(stopped.to_string()))?;
    rustix::process::pidfd_send_signal(&held, number(signal)).map_err(unsent)
}

/// A thread of a process has a number of its own, and no pidfd.
fn unheld(error: Errno) -> ProcessError {
    match error {
        Errno::SRCH | Errno::INVAL | Errno::NOENT => ProcessError::Missing,
        Errno::NOSYS => ProcessError::Io("this needs Linux 5.3 or newer (pidfd_open)".into()),
        error => ProcessError::Io(error.to_string()),
    }
}

fn unsent(error: Errno) -> ProcessError {
    match error {
        Errno::SRCH => ProcessError::Missing,
        Errno::PERM => {
            ProcessError::Io("the system does not permit it: evenkeel must run as the same user, or as root".into())
        }
        error => ProcessError::Io(error.to_string()),
    }
}

fn number(signal: Signal) -> rustix::process::Signal {
    use rustix::process::Signal as Number;
    match signal {
        Signal::Hangup => Number::HUP,
        Signal::Interrupt => Number::INT,
        Signal::Quit => Number::QUIT,
        Signal::Terminate => Number::TERM,
        Signal::Kill => Number::KILL,
        Signal::User1 => Number::USR1,
        Signal::User2 => Number::USR2,
    }
}

/// Whether it is the first process, this one, or one that this one hangs on.
fn holds_us(pid: u32) -> bool {
    let mut ours = std::process::id();
    let mut passed = BTreeSet::from([0, 1]);
    // A parent may end and its number be taken while this looks; it ends all the same.
    while passed.insert(ours) {
        match Seen::of(ours).and_then(|seen| seen.stat()) {
            Some(stat) => ours = stat.parent,
            None => break,
        }
    }
    passed.contains(&pid)
}

/// In order.
fn pids() -> Result<BTreeSet<u32>, ProcessError> {
    let entries = std::fs::read_dir("/proc").map_err(|error| ProcessError::Io(format!("/proc: {error}")))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| name.to_str()?.parse().ok()).collect())
}

/// The directory of one process: once open, nobody else's, whoever gets its pid.
struct Seen(OwnedFd);

/// What a profile goes by.
struct Look {
    stat: Stat,
    uid: u32,
    /// None: it is too long.
    command: Option<String>,
    shown: String,
}

impl Seen {
    fn of(pid: u32) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(format!("/proc/{pid}"), flags, Mode::empty())
            .ok()
            .map(Self)
    }

    fn stat(&self) -> Option<Stat> {
        Stat::parse(&self.read("stat", FILE).ok()?)
    }

    fn look(&self) -> Option<Look> {
        let line = self.read("cmdline", LONGEST_COMMAND + 1).ok()?;
        let command = (line.len() <= LONGEST_COMMAND).then(|| proc::command(&line));
        let beginning = &line[..line.len().min(COMMAND + 4)];
        Some(Look {
            uid: proc::user(&self.read("status", FILE).ok()?)?,
            shown: proc::cut(proc::command(beginning), COMMAND),
            command,
            stat: self.stat()?,
        })
    }

    /// At most so many bytes.
    fn read(&self, name: &str, most: usize) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?);
        let mut bytes = Vec::new();
        file.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A profile, ready to be compared.
struct Wanted<'p> {
    name: Option<&'p str>,
    command: Option<Regex>,
    /// The outer: none is asked for. The inner: there is no such user.
    user: Option<Option<u32>>,
    names: BTreeMap<u32, String>,
}

impl<'p> Wanted<'p> {
    fn of(profile: &'p Processes) -> Result<Self, ProcessError> {
        let command = profile.command.as_deref().map(anchored).transpose();
        let wrong = |why| ProcessError::Io(format!("the `command` of the profile is no pattern: {why}"));
        Ok(Self {
            name: profile.name.as_deref(),
            command: command.map_err(wrong)?,
            user: profile.user.as_deref().map(uid).transpose()?,
            names: BTreeMap::new(),
        })
    }

    /// Whatever is set must be so.
    fn is(&self, look: &Look) -> bool {
        let command = look.command.as_deref();
        self.name.is_none_or(|name| name.as_bytes() == look.stat.name)
            && self.user.is_none_or(|user| user == Some(look.uid))
            && self
                .command
                .as_ref()
                .is_none_or(|pattern| command.is_some_and(|command| pattern.is_match(command)))
    }

    fn process(&mut self, pid: u32, look: Look, booted: Booted) -> Process {
        let page = rustix::param::page_size() as u64;
        Process {
            pid,
            name: String::from_utf8_lossy(&look.stat.name).into_owned(),
            command: look.shown,
            user: self
                .names
                .entry(look.uid)
                .or_insert_with_key(|uid| user_name(*uid))
                .clone(),
            state: proc::state(look.stat.state).to_owned(),
            started_ms: booted.started_ms(&look.stat),
            cpu_ms: milliseconds(look.stat.cpu),
            resident_bytes: look.stat.resident_pages.saturating_mul(page),
            threads: look.stat.threads,
        }
    }
}

fn uid(user: &str) -> Result<Option<u32>, ProcessError> {
    if let Ok(uid) = user.parse() {
        return Ok(Some(uid));
    }
    let found = User::from_name(user).map_err(|error| ProcessError::Io(format!("user `{user}`: {error}")))?;
    Ok(found.map(|user| user.uid.as_raw()))
}

/// Its number, if it has no name.
fn user_name(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

#[cfg(test)]
mod tests;
