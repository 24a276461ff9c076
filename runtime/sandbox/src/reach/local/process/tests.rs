//! With processes that the tests start.
#![expect(
    clippy::disallowed_methods,
    reason = "these tests start the processes that they look at"
)]

use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command};
use std::time::Duration;

use evenkeel_model::action::Risk;

use super::*;

fn profile(name: Option<&str>, command: Option<&str>, user: Option<&str>) -> Processes {
    let own = |text: Option<&str>| text.map(str::to_owned);
    Processes {
        name: own(name),
        command: own(command),
        user: own(user),
        allow: Vec::new(),
        risk: Risk::Low,
    }
}

/// Ended when dropped.
struct Started(Child);

impl Started {
    /// A `sleep` whose time is nobody else's, and its command line.
    fn sleep(seconds: &str) -> (Self, String) {
        let child = Command::new("sleep").arg(seconds).spawn().unwrap();
        let started = Self(child);
        // Until it is `sleep`, it is this very program.
        let name = format!("/proc/{}/comm", started.0.id());
        while std::fs::read_to_string(&name).unwrap() != "sleep\n" {
            std::thread::sleep(Duration::from_millis(1));
        }
        (started, format!("sleep {seconds}"))
    }

    fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn the_one(profile: &Processes, booted: Booted) -> Process {
    let mut found = select(profile, booted).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn send(profile: &Processes, process: &Process, booted: Booted) -> Result<(), ProcessError> {
    let what = (process.pid, process.started_ms);
    signal(profile, what, Signal::Terminate, booted, &Asked::default())
}

#[test]
fn whatever_is_set_must_be_so() {
    let booted = Booted::now();
    let (started, line) = Started::sleep("97531.1");
    let me = user_name(nix::unistd::geteuid().as_raw());
    let uid = nix::unistd::geteuid().as_raw().to_string();
    let selected = |name: Option<&str>, command: Option<&str>, user: Option<&str>| {
        let found = select(&profile(name, command, user), booted).unwrap();
        found.iter().any(|process| process.pid == started.id())
    };
    assert!(selected(Some("sleep"), Some(&line), Some(&me)));
    assert!(selected(Some("sleep"), None, Some(&uid)));
    assert!(!selected(Some("slee"), Some(&line), None), "the name is exact");
    assert!(!selected(None, Some("sleep 97531"), None), "the pattern is anchored");
    assert!(selected(None, Some("sleep 9.*"), None));
    assert!(!selected(Some("sleep"), None, Some("no-such-user")));
    assert!(!selected(Some("sleep"), None, Some("4294967294")));
}

#[test]
fn what_is_told_of_a_process_is_so_and_its_start_stays_the_same() {
    let booted = Booted::now();
    let (started, line) = Started::sleep("97531.2");
    let process = the_one(&profile(None, Some(&line), None), booted);
    assert_eq!(
        (process.pid, process.name.as_str(), process.command),
        (started.id(), "sleep", line.clone())
    );
    assert!(
        process.threads == 1 && process.resident_bytes > 0,
        "{}",
        process.resident_bytes
    );
    assert!(
        ["sleeping", "running", "disk-sleep"].contains(&process.state.as_str()),
        "{}",
        process.state
    );
    assert_eq!(
        the_one(&profile(None, Some(&line), None), booted).started_ms,
        process.started_ms
    );
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let age = (booted.0 as f64 + uptime * 1_000.0) - process.started_ms as f64;
    assert!((0.0..600_000.0).contains(&age), "{age} ms ago");
}

#[test]
fn a_signal_ends_the_process_that_was_seen() {
    let booted = Booted::now();
    let (mut started, line) = Started::sleep("97531.3");
    let profile = profile(Some("sleep"), Some(&line), None);
    let process = the_one(&profile, booted);
    assert_eq!(send(&profile, &process, booted), Ok(()));
    assert_eq!(started.0.wait().unwrap().signal(), Some(15));
    assert_eq!(send(&profile, &process, booted), Err(ProcessError::Missing));
}

/// Row 33: the pid was given to another process.
#[test]
fn a_reused_pid_is_missing_and_not_hit() {
    let booted = Booted::now();
    let (mut started, line) = Started::sleep("97531.4");
    let profile = profile(None, Some(&line), None);
    let mut before = the_one(&profile, booted);
    for other in [before.started_ms - 10, before.started_ms + 10, 0, u64::MAX] {
        before.started_ms = other;
        assert_eq!(send(&profile, &before, booted), Err(ProcessError::Missing));
    }
    assert_eq!(started.0.try_wait().unwrap(), None, "it lives");
}

/// Row 33: a process that runs as it ran, but that the profile does not select.
#[test]
fn a_process_outside_of_the_profile_is_denied_and_not_hit() {
    let booted = Booted::now();
    let (mut started, line) = Started::sleep("97531.5");
    let process = the_one(&profile(None, Some(&line), None), booted);
    let other = profile(Some("redis-server"), None, None);
    let denied = send(&other, &process, booted);
    assert!(matches!(denied, Err(ProcessError::Denied(_))), "{denied:?}");
    assert_eq!(started.0.try_wait().unwrap(), None, "it lives");
}

#[test]
fn neither_evenkeel_nor_what_holds_it_is_signalled() {
    let booted = Booted::now();
    let all = profile(None, Some("(?s).*"), None);
    for pid in [1, std::process::id(), std::os::unix::process::parent_id()] {
        let Some(look) = Seen::of(pid).and_then(|seen| seen.look()) else {
            panic!("{pid} can't be seen")
        };
        let what = (pid, booted.started_ms(&look.stat));
        let refused = signal(&all, what, Signal::Kill, booted, &Asked::default());
        assert!(matches!(refused, Err(ProcessError::Denied(_))), "{pid}: {refused:?}");
    }
    for (pid, started) in [(0, 0), (u32::MAX, 0), (i32::MAX.unsigned_abs(), 0)] {
        let refused = signal(&all, (pid, started), Signal::Kill, booted, &Asked::default());
        assert_eq!(refused, Err(ProcessError::Missing), "{pid}");
    }
}

#[test]
fn a_signal_that_nobody_waits_for_is_not_sent() {
    let booted = Booted::now();
    let (mut started, line) = Started::sleep("97531.6");
    let profile = profile(None, Some(&line), None);
    let process = the_one(&profile, booted);
    let asked = Asked::default();
    assert!(asked.abandon());
    let what = (process.pid, process.started_ms);
    let stopped = signal(&profile, what, Signal::Kill, booted, &asked);
    assert!(matches!(stopped, Err(ProcessError::Io(_))), "{stopped:?}");
    assert_eq!(started.0.try_wait().unwrap(), None, "it lives");
}

#[test]
fn a_long_command_line_is_cut_and_one_whose_end_is_out_of_sight_matches_nothing() {
    let booted = Booted::now();
    let start = |filler: usize| {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60; exit", "evenkeel-long"]);
        let arguments = (0..filler).map(|_| "x".repeat(64 << 10));
        command.args(arguments).process_group(0);
        Started(command.spawn().unwrap())
    };
    let (long, too_long) = (start(1), start(5));
    let pattern = profile(Some("sh"), Some("sh -c sleep 60; exit evenkeel-long.*"), None);
    let found = loop {
        // Until it is `sh`, it is this very program.
        let found = select(&pattern, booted).unwrap();
        if found.iter().any(|process| process.pid == long.id()) {
            break found;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(found.iter().all(|process| process.pid != too_long.id()));
    let process = found.iter().find(|process| process.pid == long.id()).unwrap();
    assert_eq!(process.command.len(), COMMAND);
    for started in [&long, &too_long] {
        let group = nix::unistd::Pid::from_raw(started.id().cast_signed());
        nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).unwrap();
    }
}

#[test]
fn a_profile_that_selects_too_many_says_so() {
    // A machine that runs so many has the proof; elsewhere the bound is what is looked at.
    let all = profile(None, Some("(?s).*"), None);
    match select(&all, Booted::now()) {
        Ok(found) => assert!(!found.is_empty() && found.len() <= PROCESSES),
        Err(error) => assert!(error.to_string().contains("more than 1000"), "{error}"),
    }
}
