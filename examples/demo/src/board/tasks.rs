//! The tasks, kept in one JSON file.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// What a title may have at most, in characters.
pub const LONGEST_TITLE: usize = 200;

/// What a new board starts with, so that there is something to look at.
const FIRST_TASKS: [&str; 12] = [
    "Collect the drawings of hall 3",
    "Order bearings for the rolling mill",
    "Answer the auditor's third question",
    "Book the crane for the 14th",
    "Translate the safety notes",
    "Check the invoice of the paint shop",
    "Plan the shutdown in summer",
    "Measure the gap at gate 2",
    "Find a second supplier for seals",
    "Update the phone list",
    "Write down what we learned in April",
    "Close the books of the last project",
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub id: u64,
    pub title: String,
    pub open: bool,
    /// Seconds since 1970.
    pub created: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("a task needs a title")]
    NoTitle,
    #[error("a title has at most {LONGEST_TITLE} characters")]
    TitleTooLong,
    #[error("the tasks can't be saved: {0}")]
    NotSaved(#[from] io::Error),
}

/// The board's tasks, in the order in which they were made.
pub struct Tasks {
    file: PathBuf,
    all: Mutex<Vec<Task>>,
}

impl Tasks {
    /// Reads the tasks of an earlier life of the board, or starts a new list.
    pub fn open(file: &Path) -> anyhow::Result<Self> {
        let all = match fs::read(file) {
            Ok(text) => {
                serde_json::from_slice(&text).with_context(|| format!("{} is not a list of tasks", file.display()))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => first_tasks(),
            Err(error) => return Err(error).context(format!("can't read {}", file.display())),
        };
        Ok(Self {
            file: file.to_owned(),
            all: Mutex::new(all),
        })
    }

    pub fn list(&self) -> Vec<Task> {
        self.locked().clone()
    }

    pub fn create(&self, title: &str) -> Result<Task, Refused> {
        let title = title.trim();
        if title.is_empty() {
            return Err(Refused::NoTitle);
        }
        if title.chars().count() > LONGEST_TITLE {
            return Err(Refused::TitleTooLong);
        }
        let mut all = self.locked();
        let task = Task {
            id: all.last().map_or(1, |last| last.id + 1),
            title: title.to_owned(),
            open: true,
            created: super::now(),
        };
        all.push(task.clone());
        save(&self.file, &all)?;
        Ok(task)
    }

    /// `None` when there is no such task; closing a closed one changes nothing.
    pub fn close(&self, id: u64) -> Result<Option<Task>, Refused> {
        let mut all = self.locked();
        let Some(task) = all.iter_mut().find(|task| task.id == id) else {
            return Ok(None);
        };
        task.open = false;
        let closed = task.clone();
        save(&self.file, &all)?;
        Ok(Some(closed))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<Task>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn first_tasks() -> Vec<Task> {
    let created = super::now();
    (1..)
        .zip(FIRST_TASKS)
        .map(|(id, title)| Task {
            id,
            title: title.to_owned(),
            open: true,
            created,
        })
        .collect()
}

/// Replaces the file as a whole, so that a crash leaves the old list or the new one.
fn save(file: &Path, tasks: &[Task]) -> io::Result<()> {
    let draft = file.with_extension("json.new");
    fs::write(&draft, serde_json::to_vec_pretty(tasks)?)?;
    fs::rename(draft, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> (tempfile::TempDir, Tasks) {
        let data = tempfile::tempdir().expect("a temporary directory");
        let tasks = Tasks::open(&data.path().join("tasks.json")).expect("a new board");
        (data, tasks)
    }

    #[test]
    fn tasks_outlive_the_process() {
        let (data, tasks) = board();
        let made = tasks.create("  Oil the hinge ").unwrap();
        tasks.close(made.id).unwrap();

        let later = Tasks::open(&data.path().join("tasks.json")).unwrap().list();

        let kept = later.last().unwrap();
        assert_eq!(
            (kept.title.as_str(), kept.open, kept.id),
            ("Oil the hinge", false, made.id)
        );
    }

    #[test]
    fn titles_are_neither_empty_nor_endless() {
        let (_data, tasks) = board();
        assert!(matches!(tasks.create(" \n"), Err(Refused::NoTitle)));
        assert!(matches!(tasks.create(&"ü".repeat(201)), Err(Refused::TitleTooLong)));
        assert!(tasks.create(&"ü".repeat(200)).is_ok());
    }

    #[test]
    fn a_task_that_is_not_there_cannot_be_closed() {
        let (_data, tasks) = board();
        assert_eq!(tasks.close(999).unwrap(), None);
    }
}
