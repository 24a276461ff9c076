//! Series over a restart: a snapshot, and logs of what was appended since, in a directory of their own.
//!
//! `snapshot` is replaced whole. `log.N` grows with every scrape and evaluation, without waiting for the disk: what a killed
//! process has appended is there, and a machine that loses its power loses what its kernel had not yet written.
//!
//! *Invariant:* a file that can't be read is moved aside and said, and never keeps a daemon from starting.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use evenkeel_alerting::port::Keep;
use evenkeel_alerting::promql::Sample;
use evenkeel_alerting::series::{Handle, Limits, Log, Store as Series};
use tracing::warn;

const SNAPSHOT: &str = "snapshot";
const LOG: &str = "log.";

/// Where series are written down.
pub struct SeriesFiles {
    dir: PathBuf,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    /// None: the next batch begins a new one.
    open: Option<(Log, File)>,
    /// Of the last log that was begun.
    number: u64,
}

impl SeriesFiles {
    /// Reads what is there, as far as it can be read.
    ///
    /// # Errors
    /// If the directory can't be made or read.
    pub fn open(dir: &Path, limits: Limits) -> io::Result<(Self, Series)> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let series = restore(&dir.join(SNAPSHOT), limits);
        let logs = logs(dir)?;
        for (_, path) in &logs {
            replay(path, &series);
        }
        let current = Current {
            open: None,
            number: logs.last().map_or(0, |(number, _)| *number),
        };
        let files = Self {
            dir: dir.to_owned(),
            current: Mutex::new(current),
        };
        Ok((files, series))
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, series: &Series, batch: &[(Handle, Sample)]) -> io::Result<()> {
        let mut current = self.current();
        let is_new = current.open.is_none();
        if is_new {
            let path = self.dir.join(format!("{LOG}{}", current.number + 1));
            current.open = Some((Log::new(), create(&path)?));
            current.number += 1;
        }
        let (log, file) = current.open.as_mut().expect("it was just begun");
        let bytes = log.encode(series, batch);
        let written = file.write_all(&bytes);
        if written.is_err() {
            // What follows in a file is told by what came before, and that is not there.
            current.open = None;
            if is_new {
                // Nothing of it is worth a file, and the disk may be full of them.
                let _ = fs::remove_file(self.dir.join(format!("{LOG}{}", current.number)));
                current.number -= 1;
            }
        }
        written
    }

    fn write_snapshot(&self, series: &Series) -> io::Result<()> {
        let before = {
            let mut current = self.current();
            current.open = None;
            current.number
        };
        let unfinished = self.dir.join("snapshot.new");
        if let Err(error) = whole(&unfinished, series) {
            // It would keep a full disk full.
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        fs::rename(&unfinished, self.dir.join(SNAPSHOT))?;
        File::open(&self.dir)?.sync_all()?;
        for (_, path) in logs(&self.dir)?.into_iter().filter(|(number, _)| *number <= before) {
            fs::remove_file(path)?;
        }
        Ok(())
    }
}

impl Keep for SeriesFiles {
    fn log(&self, series: &Series, batch: &[(Handle, Sample)]) -> Result<(), String> {
        self.append(series, batch).map_err(|error| self.unwritten(&error))
    }

    fn snapshot(&self, series: &Series) -> Result<(), String> {
        self.write_snapshot(series).map_err(|error| self.unwritten(&error))
    }
}

impl SeriesFiles {
    fn unwritten(&self, error: &io::Error) -> String {
        format!(
            "`{}` can't be written: {error}; see that there is room and that the daemon may write there",
            self.dir.display()
        )
    }
}

fn whole(path: &Path, series: &Series) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, create(path)?);
    series.snapshot(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// By their numbers.
fn logs(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(number) = name.strip_prefix(LOG).and_then(|number| number.parse().ok()) {
            logs.push((number, path));
        }
    }
    logs.sort();
    Ok(logs)
}

fn restore(path: &Path, limits: Limits) -> Series {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Series::new(limits),
        Err(error) => {
            put_aside(path, &error.to_string());
            return Series::new(limits);
        }
    };
    match Series::restore(BufReader::with_capacity(1 << 20, file), limits) {
        Ok(restored) => {
            if let Some(damage) = restored.damage {
                warn!(path = %path.display(), %damage, "series of before are missing");
            }
            if let Some(left_out) = restored.left_out {
                warn!(count = left_out.count, why = %left_out.why, "series of before were left out");
            }
            restored.store
        }
        Err(error) => {
            put_aside(path, &error.to_string());
            Series::new(limits)
        }
    }
}

fn replay(path: &Path, series: &Series) {
    let replayed = File::open(path).map_err(|error| error.to_string());
    let replayed = replayed.and_then(|file| {
        let file = BufReader::with_capacity(1 << 20, file);
        series.replay(file).map_err(|error| error.to_string())
    });
    match replayed {
        Ok(replayed) => {
            // A kill in the middle of writing tears the last record off: that is what may be lost.
            if let Some(damage) = replayed.damage {
                warn!(path = %path.display(), %damage, "samples of before are missing");
            }
            if let Some(left_out) = replayed.left_out {
                warn!(count = left_out.count, why = %left_out.why, "samples of before were left out");
            }
        }
        // Nothing was written into it before the end came.
        Err(_) if fs::metadata(path).is_ok_and(|meta| meta.len() == 0) => {}
        Err(why) => put_aside(path, &why),
    }
}

fn put_aside(path: &Path, why: &str) {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".unreadable");
    warn!(path = %path.display(), why, "series of before can't be read; the file is moved aside");
    if let Err(error) = fs::rename(path, &aside) {
        warn!(path = %path.display(), %error, "it can't be moved aside, and will be written over");
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_alerting::promql::{Labels, Source as _};

    use super::*;

    fn open(dir: &Path) -> (SeriesFiles, Series) {
        SeriesFiles::open(&dir.join("series"), Limits::default()).unwrap()
    }

    fn append(files: &SeriesFiles, series: &Series, name: &str, sample: Sample) {
        let handle = series.series(&Labels::new([("__name__", name)])).unwrap();
        series.append(handle, sample.0, sample.1).unwrap();
        files.log(series, &[(handle, sample)]).unwrap();
    }

    fn samples(series: &Series) -> Vec<(String, Vec<Sample>)> {
        let found = series.select(&[], i64::MIN, i64::MAX).unwrap();
        let mut found: Vec<_> = found
            .into_iter()
            .map(|one| (one.labels.to_string(), one.samples.into_owned()))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    #[test]
    fn what_was_logged_is_there_after_a_restart_with_and_without_a_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let (files, series) = open(dir.path());
        append(&files, &series, "a", (1_000, 1.0));
        drop((files, series));

        let (files, series) = open(dir.path());
        append(&files, &series, "a", (2_000, 2.0));
        append(&files, &series, "b", (2_000, f64::INFINITY));
        files.snapshot(&series).unwrap();
        append(&files, &series, "a", (3_000, 3.0));
        drop((files, series));

        let (_files, series) = open(dir.path());
        let a = vec![(1_000, 1.0), (2_000, 2.0), (3_000, 3.0)];
        let b = vec![(2_000, f64::INFINITY)];
        assert_eq!(samples(&series), [("a".to_owned(), a), ("b".to_owned(), b)]);
    }

    #[test]
    fn a_snapshot_takes_the_place_of_the_logs_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let (files, series) = open(dir.path());
        for at in 0..3 {
            append(&files, &series, "a", (at * 1_000, 1.0));
            files.snapshot(&series).unwrap();
        }
        let names: Vec<_> = fs::read_dir(dir.path().join("series"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["snapshot"]);
    }

    #[test]
    fn files_that_can_t_be_read_are_moved_aside_and_the_others_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (files, series) = open(dir.path());
        append(&files, &series, "a", (1_000, 1.0));
        drop((files, series));
        let place = dir.path().join("series");
        fs::write(place.join("snapshot"), "no snapshot").unwrap();
        fs::write(place.join("log.7"), "no log").unwrap();
        fs::write(place.join("log.8"), "").unwrap();

        let (files, series) = open(dir.path());
        assert_eq!(samples(&series), [("a".to_owned(), vec![(1_000, 1.0)])]);
        assert!(place.join("snapshot.unreadable").is_file() && place.join("log.7.unreadable").is_file());
        append(&files, &series, "a", (2_000, 2.0));
        assert!(place.join("log.9").is_file());
    }

    #[test]
    fn what_can_t_be_written_leaves_nothing_and_goes_on_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let (files, series) = open(dir.path());
        let place = dir.path().join("series");
        let handle = series.series(&Labels::new([("__name__", "a")])).unwrap();
        series.append(handle, 1_000, 1.0).unwrap();
        for name in ["log.1", "snapshot.new"] {
            std::os::unix::fs::symlink("/dev/full", place.join(name)).unwrap();
        }
        let said = files.log(&series, &[(handle, (1_000, 1.0))]).unwrap_err();
        assert!(said.contains("No space left") && said.contains("room"), "{said}");
        assert!(files.snapshot(&series).is_err());
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0);

        append(&files, &series, "a", (2_000, 2.0));
        assert!(place.join("log.1").is_file());
        drop((files, series));
        let (_files, series) = open(dir.path());
        assert_eq!(samples(&series), [("a".to_owned(), vec![(2_000, 2.0)])]);
    }

    #[test]
    fn a_log_that_is_torn_off_gives_what_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (files, series) = open(dir.path());
        append(&files, &series, "a", (1_000, 1.0));
        append(&files, &series, "a", (2_000, 2.0));
        drop((files, series));
        let path = dir.path().join("series/log.1");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let (_files, series) = open(dir.path());
        assert_eq!(samples(&series), [("a".to_owned(), vec![(1_000, 1.0)])]);
    }
}
