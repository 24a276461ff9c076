use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::files::Tree;
use super::journal::Journal;
use super::processes::Processes;
use super::script::Script;
use super::state::Memory;
use crate::Level;
use crate::exec::{ExecError, Output};
use crate::http::{HttpError, Response};
use crate::metrics::Series;
use crate::sql::{Rows, SqlError};

/// 2026-01-01T00:00:00Z.
const START_MS: u64 = 1_767_225_600_000;
const MINUTE_MS: u64 = 60_000;

/// Everything that a mock host knows.
pub(crate) struct World {
    pub files: RefCell<Tree>,
    pub exec: RefCell<Script<Output, ExecError>>,
    pub read_only: RefCell<BTreeSet<String>>,
    pub http: RefCell<Script<Response, HttpError>>,
    /// By source and expression.
    pub metrics: RefCell<BTreeMap<(String, String), Vec<Series>>>,
    pub processes: RefCell<Processes>,
    pub secrets: RefCell<BTreeMap<String, String>>,
    pub queries: RefCell<Script<Rows, SqlError>>,
    pub executes: RefCell<Script<u64, SqlError>>,
    pub state: RefCell<Memory>,
    pub inputs: RefCell<BTreeMap<String, String>>,
    pub attempt: Cell<u32>,
    pub deadline_ms: Cell<u64>,
    pub cancelled: Cell<bool>,
    /// How long every call takes.
    pub call_takes: Cell<std::time::Duration>,
    /// How long was slept, or spent in calls.
    pub slept: Cell<std::time::Duration>,
    pub journal: RefCell<Journal>,
    pub logs: RefCell<Vec<(Level, String)>>,
    pub progress: RefCell<Vec<(u16, String)>>,
}

impl World {
    pub fn pass(&self, time: std::time::Duration) {
        self.slept.set(self.slept.get().saturating_add(time));
    }

    pub fn now_ms(&self) -> u64 {
        START_MS + u64::try_from(self.slept.get().as_millis()).unwrap_or(u64::MAX - START_MS)
    }
}

impl Default for World {
    fn default() -> Self {
        Self {
            files: RefCell::default(),
            exec: RefCell::default(),
            read_only: RefCell::default(),
            http: RefCell::default(),
            metrics: RefCell::default(),
            processes: RefCell::default(),
            secrets: RefCell::default(),
            queries: RefCell::default(),
            executes: RefCell::default(),
            state: RefCell::default(),
            inputs: RefCell::default(),
            attempt: Cell::new(1),
            deadline_ms: Cell::new(MINUTE_MS),
            cancelled: Cell::new(false),
            call_takes: Cell::default(),
            slept: Cell::default(),
            journal: RefCell::default(),
            logs: RefCell::default(),
            progress: RefCell::default(),
        }
    }
}
