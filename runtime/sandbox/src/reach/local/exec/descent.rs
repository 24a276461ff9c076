//! Ending everything that descends from this process, to which orphans among it come back.

use std::collections::HashMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::reach::local::process::Stat;

/// Some can't be ended: those that run as another user, or wait for a disk.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two rounds.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// Kills until nothing is left. Every descendant descends from a child of this process, so when
/// there is no child there is nobody.
pub fn end() {
    let began = Instant::now();
    let [mut pause, longest] = PAUSES;
    while has_children() && began.elapsed() < PATIENCE {
        if kill_all() == 0 {
            thread::sleep(pause);
            pause = (pause * 2).min(longest);
        }
    }
}

/// Buries those that have ended.
fn has_children() -> bool {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Err(Errno::ECHILD) => return false,
            _ => {}
        }
    }
}

/// One round; how many were sent the signal. The newest first: who forks and ends, over and over,
/// is met before it does so again.
fn kill_all() -> usize {
    let Ok(entries) = fs::read_dir("/proc") else { return 0 };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut pids: Vec<u32> = names.filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    let mut family = Family::of(std::process::id());
    pids.into_iter()
        .rev()
        .filter(|pid| family.has(*pid, parent) && kill(*pid, &mut family))
        .count()
}

/// Whether it was there, and of the family still when it was held.
fn kill(pid: u32, family: &mut Family) -> bool {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(held) = number.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return false;
    };
    let now = stat(pid).filter(|stat| !matches!(stat.state, b'Z' | b'X'));
    now.is_some_and(|now| family.has(now.parent, parent)) && pidfd_send_signal(&held, Signal::KILL).is_ok()
}

fn stat(pid: u32) -> Option<Stat> {
    Stat::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parent(pid: u32) -> Option<u32> {
    Some(stat(pid)?.parent)
}

/// Who is a process or descends from it, as far as it was asked.
struct Family(HashMap<u32, bool>);

impl Family {
    fn of(head: u32) -> Self {
        Self(HashMap::from([(head, true), (0, false)]))
    }

    fn has(&mut self, pid: u32, parent: impl Fn(u32) -> Option<u32>) -> bool {
        let mut line = Vec::new();
        let mut next = pid;
        let found = loop {
            if let Some(known) = self.0.get(&next) {
                break *known;
            }
            // A number that was taken anew under way could close a ring.
            if line.contains(&next) {
                break false;
            }
            line.push(next);
            match parent(next) {
                Some(parent) => next = parent,
                None => break false,
            }
        };
        self.0.extend(line.into_iter().map(|pid| (pid, found)));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(head: u32, parents: &[(u32, u32)]) -> Vec<u32> {
        let parents: HashMap<u32, u32> = parents.iter().copied().collect();
        let mut family = Family::of(head);
        let mut pids: Vec<u32> = parents.keys().copied().collect();
        pids.sort_unstable();
        pids.retain(|pid| family.has(*pid, |pid| parents.get(&pid).copied()));
        pids
    }

    #[test]
    fn a_family_is_its_head_and_whoever_descends_from_it() {
        let parents = [(1, 0), (10, 1), (11, 10), (12, 11), (20, 1), (21, 20), (13, 12)];
        assert_eq!(family(10, &parents), [10, 11, 12, 13]);
        assert_eq!(family(20, &parents), [20, 21]);
    }

    #[test]
    fn whose_parents_are_gone_or_go_round_in_a_ring_is_a_stranger() {
        assert_eq!(family(10, &[(10, 1), (30, 29)]), [10]);
        assert_eq!(family(10, &[(10, 1), (30, 31), (31, 32), (32, 30)]), [10]);
    }
}
