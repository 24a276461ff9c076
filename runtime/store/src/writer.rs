//! The one thread that writes: group commit.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use evenkeel_engine::port::Durability;
use evenkeel_model::name::RunId;
use evenkeel_model::run::Verdict;
use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::checkpoint::Log;

/// Jobs in one transaction; more wait for the next.
const GROUP: usize = 1_024;
/// Names of runs that a slow listener may have to catch up with.
const NEWS: usize = 4_096;

/// What was written since the store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub rounds: u64,
    pub runs: u64,
    /// Finished runs.
    pub verdicts: BTreeMap<&'static str, u64>,
    pub events: u64,
    /// Calls of plugins that began.
    pub invocations: u64,
    /// Notices for people that came in, those that are out, those that were given up, and tries.
    pub notices: u64,
    pub delivered: u64,
    pub given_up: u64,
    pub tries: u64,
    /// Transactions, and the jobs in them.
    pub groups: u64,
    pub jobs: u64,
    /// Jobs that wait now.
    pub queued: u64,
}

impl Counts {
    pub(crate) fn finished(&mut self, verdict: Verdict) {
        *self.verdicts.entry(verdict.as_str()).or_default() += 1;
    }
}

pub(crate) struct Writer {
    /// None while it is being dropped.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    pub appended: broadcast::Sender<RunId>,
    pub shared: Arc<Shared>,
    handed: AtomicU64,
}

/// What the thread and those who bring it work both know.
#[derive(Default)]
pub(crate) struct Shared {
    settled: AtomicU64,
    failure: Mutex<Option<String>>,
    pub counts: Mutex<Counts>,
    /// Runs that an acknowledged event was lost of. A journal with a hole is worse than one that
    /// ends early: nothing more is appended to them until they are taken on anew.
    pub lost: Mutex<BTreeMap<RunId, String>>,
}

/// Something to write. It may be performed twice, if the transaction of the first time failed.
trait Job: Send {
    fn durability(&self) -> Durability;
    fn perform(&mut self, connection: &Connection) -> rusqlite::Result<()>;
    fn settle(self: Box<Self>, result: Result<(), String>);
}

struct Task<T, P, S> {
    durability: Durability,
    perform: P,
    output: Option<T>,
    settle: S,
}

impl<T, P, S> Job for Task<T, P, S>
where
    T: Send,
    P: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    S: FnOnce(Result<T, String>) + Send,
{
    fn durability(&self) -> Durability {
        self.durability
    }
    fn perform(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.output = Some((self.perform)(connection)?);
        Ok(())
    }
    fn settle(self: Box<Self>, result: Result<(), String>) {
        let output = self.output;
        (self.settle)(result.and_then(|()| output.ok_or_else(|| "it was never performed".to_owned())));
    }
}

pub(crate) const STOPPED: &str = "the writer has stopped";

impl Writer {
    pub fn start(connection: Connection, queue: usize, log: Log) -> std::io::Result<Self> {
        let (jobs, queued) = mpsc::channel(queue.max(1));
        let shared = Arc::new(Shared::default());
        let group = Group {
            connection,
            shared: shared.clone(),
            log,
            syncs: Cell::new(None),
        };
        let thread = Builder::new()
            .name("store-writer".into())
            .spawn(move || group.run(queued))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            appended: broadcast::Sender::new(NEWS),
            shared,
            handed: AtomicU64::new(0),
        })
    }

    /// Hands work to the thread; `settle` is called on it when the work is committed or has failed.
    pub async fn hand_over<T, P, S>(&self, durability: Durability, perform: P, settle: S) -> Result<(), String>
    where
        T: Send + 'static,
        P: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        S: FnOnce(Result<T, String>) + Send + 'static,
    {
        let jobs = self.jobs.as_ref().ok_or(STOPPED)?;
        let place = jobs.reserve().await.map_err(|_| STOPPED)?;
        self.handed.fetch_add(1, Ordering::Release);
        place.send(Box::new(Task {
            durability,
            perform,
            output: None,
            settle,
        }));
        Ok(())
    }

    /// The same, and waits for the result.
    pub async fn write<T, P>(&self, durability: Durability, perform: P) -> Result<T, String>
    where
        T: Send + 'static,
        P: FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        // Who asked may have gone away; then nobody misses the answer.
        self.hand_over(durability, perform, move |result| drop(reply.send(result)))
            .await?;
        result.await.map_err(|_| STOPPED.to_owned())?
    }

    /// Returns when all that was handed over before is visible to readers.
    pub async fn caught_up(&self) -> Result<(), String> {
        let handed = self.handed.load(Ordering::Acquire);
        if self.shared.settled.load(Ordering::Acquire) >= handed {
            return Ok(());
        }
        self.write(Durability::Group, |_| Ok(())).await
    }

    pub fn counts(&self) -> Counts {
        let mut counts = lock(&self.shared.counts).clone();
        let settled = self.shared.settled.load(Ordering::Acquire);
        counts.queued = self.handed.load(Ordering::Acquire).saturating_sub(settled);
        counts
    }

    pub fn failure(&self) -> Option<String> {
        lock(&self.shared.failure).clone()
    }

    /// Writes something that changes nothing, to see whether it can be done again.
    pub async fn probe(&self) -> Result<(), String> {
        let touch = |connection: &Connection| {
            let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            connection.pragma_update(None, "user_version", version)
        };
        self.write(Durability::Disk, touch).await
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked, those who waited for it have been told.
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Group {
    connection: Connection,
    shared: Arc<Shared>,
    log: Log,
    /// Whether the connection syncs at commit now; None: not set yet.
    syncs: Cell<Option<bool>>,
}

impl Group {
    fn run(self, mut queued: mpsc::Receiver<Box<dyn Job>>) {
        let mut jobs = Vec::with_capacity(GROUP);
        while queued.blocking_recv_many(&mut jobs, GROUP) > 0 {
            let size = jobs.len() as u64;
            match self.commit(&mut jobs) {
                Ok(()) => {
                    *lock(&self.shared.failure) = None;
                    jobs.drain(..).for_each(|job| job.settle(Ok(())));
                }
                // One of them may be to blame, or the disk: each is tried by itself.
                Err(_) => jobs.drain(..).for_each(|job| self.alone(job)),
            }
            self.count(size);
            self.log.keep_short(&self.connection);
        }
    }

    /// All of them in one transaction, on disk if one of them has to be.
    fn commit(&self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let durable = jobs.iter().any(|job| job.durability() == Durability::Disk);
        self.sync_at_commit(durable)?;
        self.batch("BEGIN IMMEDIATE")?;
        let result = jobs
            .iter_mut()
            .try_for_each(|job| job.perform(&self.connection))
            .and_then(|()| self.batch("COMMIT"));
        if result.is_err() && !self.connection.is_autocommit() {
            self.batch("ROLLBACK")?;
        }
        result
    }

    fn alone(&self, job: Box<dyn Job>) {
        let mut job = [job];
        let result = self.commit(&mut job);
        let [job] = job;
        let result = result.map_err(|error| error.to_string());
        if let Err(why) = &result {
            tracing::error!(%why, "a write failed");
        }
        *lock(&self.shared.failure) = result.as_ref().err().cloned();
        job.settle(result);
    }

    /// In WAL mode NORMAL doesn't sync at commit; the next FULL commit syncs what is before it.
    fn sync_at_commit(&self, durable: bool) -> rusqlite::Result<()> {
        if self.syncs.get() == Some(durable) {
            return Ok(());
        }
        let mode = if durable { "FULL" } else { "NORMAL" };
        // Not cached: this pragma acts when it is compiled, not when it is run.
        self.connection.pragma_update(None, "synchronous", mode)?;
        self.syncs.set(Some(durable));
        Ok(())
    }

    fn batch(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn count(&self, size: u64) {
        let mut counts = lock(&self.shared.counts);
        counts.groups += 1;
        counts.jobs += size;
        drop(counts);
        self.shared.settled.fetch_add(size, Ordering::Release);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
