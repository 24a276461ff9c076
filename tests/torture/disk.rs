//! The journal's disk is full, or answers with errors, in the middle of everything.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, ensure};
use evenkeel_tests::{evenkeel::BOUND, wait::wait_until, workspace};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::{desk::Desk, lane::Lane, number};

/// In the long form, one fault for so many kills.
const KILLS_A_FAULT: u64 = 10;

struct Disk {
    library: PathBuf,
    control: PathBuf,
}

impl Disk {
    /// A library that is loaded before the C library, and lets its writes fail when the control file says so.
    fn new(lane: &Lane) -> anyhow::Result<Self> {
        let _lock = workspace::lock("shim")?;
        let library = workspace::target_dir().join("torture-shim.so");
        let output = Command::new("rustc")
            .current_dir(workspace::root())
            .args(["--edition", "2024", "--crate-type", "cdylib", "-o"])
            .arg(&library)
            .arg("tests/torture/shim/lib.rs")
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let control = lane.home.path().join("disk");
        Ok(Self { library, control })
    }

    fn start(&self, lane: &Lane) -> anyhow::Result<Desk> {
        self.start_with(lane, &[])
    }

    fn start_with(&self, lane: &Lane, more: &[(&str, &str)]) -> anyhow::Result<Desk> {
        let mut desk = Desk::start(&lane.home, |command| {
            command
                .env("LD_PRELOAD", &self.library)
                .env("TORTURE_DISK", &self.control)
                .envs(more.iter().copied());
        })?;
        desk.ready()?;
        Ok(desk)
    }

    fn breaks(&self, how: &str) -> anyhow::Result<()> {
        Ok(fs::write(&self.control, how)?)
    }

    fn heals(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(&self.control)?)
    }
}

#[test]
fn on_a_full_disk_nothing_begins_and_it_goes_on_by_itself_when_there_is_room() -> anyhow::Result<()> {
    let mut lane = Lane::new(crate::seed())?;
    let disk = Disk::new(&lane)?;
    let mut desk = disk.start(&lane)?;
    let mut log = String::new();
    for round in 0..rounds() {
        for _ in 0..3 {
            lane.push(&desk)?;
            lane.pause(60);
        }
        disk.breaks("full")?;
        says_so(&desk);
        let begun = begun(&desk)?;
        for _ in 0..5 {
            let status = lane.try_to_push(&desk)?;
            ensure!(status == 503, "an alert was answered {status}");
            lane.pause(60);
        }
        ensure!(self::begun(&desk)? == begun, "a run began");
        says_so(&desk);
        // Every other time it is killed before there is room again.
        if round % 2 == 1 {
            log = desk.log();
            lane.kill(desk, true)?;
            disk.heals()?;
            desk = disk.start(&lane)?;
        } else {
            disk.heals()?;
        }
        is_well(&desk);
        lane.finish(&desk)?;
    }
    log.push_str(&desk.log());
    ensure!(log.contains("database or disk is full"), "{log}");
    desk.kill()?;
    is_whole(&lane)?;
    report("full", &lane)
}

#[test]
fn errors_of_the_disk_lose_nothing_and_make_nothing_twice() -> anyhow::Result<()> {
    let mut lane = Lane::new(crate::seed().wrapping_add(1))?;
    let disk = Disk::new(&lane)?;
    for round in 0..rounds() {
        let desk = disk.start(&lane)?;
        disk.breaks(["io 5", "io 30", "io 100"][usize::try_from(round % 3)?])?;
        for _ in 0..6 {
            // It may be refused; then it has a run only if the disk lied.
            lane.try_to_push(&desk)?;
            lane.pause(150);
        }
        // Every other time nobody waits for it to get well.
        if round % 2 == 1 {
            lane.kill(desk, true)?;
            disk.heals()?;
            lane.settle()?;
        } else {
            disk.heals()?;
            is_well(&desk);
            lane.finish(&desk)?;
            desk.kill()?;
        }
        is_whole(&lane)?;
    }
    report("errors", &lane)
}

/// The files of the database, and what was synced of each.
fn files(lane: &Lane) -> [(PathBuf, PathBuf); 2] {
    let data = lane.home.path().join("data");
    ["evenkeel.db", "evenkeel.db-wal"].map(|name| (data.join(name), data.join(format!("{name}.synced"))))
}

#[test]
fn a_power_cut_takes_nothing_that_was_said_to_be_kept() -> anyhow::Result<()> {
    let mut lane = Lane::new(crate::seed().wrapping_add(2))?;
    let disk = Disk::new(&lane)?;
    let mut lost = 0;
    for round in 0..rounds() {
        for (file, synced) in files(&lane) {
            if file.exists() {
                fs::copy(file, synced)?;
            }
        }
        let desk = disk.start_with(&lane, &[("TORTURE_POWER", "1")])?;
        for _ in 0..4 {
            lane.push(&desk)?;
            lane.pause(120);
        }
        lane.kill(desk, true)?;
        // What was written and not synced is gone.
        for (file, synced) in files(&lane) {
            lost += u64::from(fs::read(&file)? != fs::read(&synced)?);
            fs::rename(synced, file)?;
        }
        fs::remove_file(lane.home.path().join("data/evenkeel.db-shm"))?;
        lane.settle().with_context(|| format!("after power cut {round}"))?;
        is_whole(&lane)?;
    }
    ensure!(lost > 0 || rounds() < 20, "no power cut took anything");
    report("power", &lane)
}

fn rounds() -> u64 {
    number("EVENKEEL_KILLS").map_or(2, |kills| kills / KILLS_A_FAULT)
}

fn says_so(desk: &Desk) {
    wait_until(BOUND, "it says that it can't write", || {
        let (status, why) = desk.health()?;
        ensure!(
            status == 503 && why.contains("the journal can't be written: "),
            "{status}: {why}"
        );
        Ok(())
    });
}

fn is_well(desk: &Desk) {
    wait_until(BOUND, "it is well again", || {
        let (status, why) = desk.health()?;
        ensure!(status == 200, "{status}: {why}");
        Ok(())
    });
}

/// How many runs have ever begun.
fn begun(desk: &Desk) -> anyhow::Result<usize> {
    let runs = desk.runs(0)?;
    Ok(runs.iter().filter(|run| run["started_at"] != Value::Null).count())
}

fn is_whole(lane: &Lane) -> anyhow::Result<()> {
    let file = lane.home.path().join("data/evenkeel.db");
    let journal = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let said: String = journal.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(said == "ok", "{said}");
    lane.home.runs()?;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the counts are figures to report")]
fn report(what: &str, lane: &Lane) -> anyhow::Result<()> {
    let told = format!("# The disk: {what}, {} times\n\n{}", rounds(), lane.tally.table());
    println!("{told}");
    fs::write(workspace::target_dir().join(format!("torture-{what}.md")), told)?;
    Ok(())
}
