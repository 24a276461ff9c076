//! The one way by which a run's events come to be: folded, told to who follows, and journaled.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::call::{Answer, Call, Level};
use evenkeel_model::invocation::{Key, Phase};
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Event};
use evenkeel_model::tape::Tape;
use futures::future::poll_immediate;
use tokio::runtime::Handle;
use tokio::sync::broadcast;

use crate::notify::Post;
use crate::port::outbox::NewNotice;
use crate::port::{Calls, Clock, Durability, Journal, JournalError};
use crate::run::Run;

/// Told to who follows: the run and the event, in the order of the run.
pub type Feed = broadcast::Sender<(RunId, Event)>;

/// Between two progress events of an invocation, unless one says that all is done.
const PROGRESS_EVERY: TimeDelta = TimeDelta::milliseconds(200);

/// Writes the events of one run and holds their fold. All of a run's events come through here,
/// so that they have the numbers on disk that they have in memory.
pub(crate) struct Recorder {
    run: RunId,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    feed: Feed,
    post: Post,
    runtime: Handle,
    state: Mutex<State>,
    /// Held while events go to the journal, so that they arrive in order.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    run: Run,
    /// Folded and told, and not yet journaled: log lines come from where nothing can wait.
    unwritten: Vec<Noted>,
    flushing: bool,
    /// The journal refused events that are folded already; nothing may be added to them.
    broken: Option<JournalError>,
}

/// An event, and what it has people told.
type Noted = (Event, Vec<NewNotice>);

#[derive(Debug)]
pub(crate) enum Append {
    Done,
    /// Another event came in since, and something else may be next.
    Stale,
}

impl Recorder {
    pub(crate) fn new(
        id: RunId,
        run: Run,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        feed: Feed,
        post: Post,
    ) -> Arc<Self> {
        Arc::new(Self {
            run: id,
            journal,
            clock,
            feed,
            post,
            runtime: Handle::current(),
            state: Mutex::new(State {
                run,
                ..State::default()
            }),
            writing: tokio::sync::Mutex::new(()),
        })
    }

    /// Looks at the fold of what has happened so far.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Run) -> T) -> T {
        look(&self.state().run)
    }

    /// Appends; with [`Durability::Disk`] it returns when all up to here is on disk. Goes on to
    /// its end even if nobody waits for it any more: half an append would be a gap.
    pub(crate) async fn append(self: &Arc<Self>, bodies: Vec<Body>) -> Result<(), JournalError> {
        self.spawn_write(bodies, None).await.map(|_| ())
    }

    /// Appends what was decided at this [`Run::mark`], if that is still the state.
    pub(crate) async fn append_after(self: &Arc<Self>, mark: u64, bodies: Vec<Body>) -> Result<Append, JournalError> {
        self.spawn_write(bodies, Some(mark)).await
    }

    async fn spawn_write(self: &Arc<Self>, bodies: Vec<Body>, after: Option<u64>) -> Result<Append, JournalError> {
        let recorder = Arc::clone(self);
        let mut writing = Box::pin(async move { recorder.write(bodies, after).await });
        // What need not wait for the disk is done at once; a task of its own takes the time of several such writes.
        if let Some(written) = poll_immediate(&mut writing).await {
            return written;
        }
        tokio::spawn(writing).await.unwrap_or_else(|lost| {
            Err(JournalError {
                action: "written",
                cause: lost.to_string(),
            })
        })
    }

    async fn write(&self, bodies: Vec<Body>, after: Option<u64>) -> Result<Append, JournalError> {
        let _turn = self.writing.lock().await;
        let durability = durability(&bodies);
        let events = {
            let mut state = self.state();
            state.refusal()?;
            if after.is_some_and(|mark| mark != state.run.mark) {
                return Ok(Append::Stale);
            }
            let now = self.clock.now();
            for body in bodies {
                self.take_in(&mut state, now, body);
            }
            std::mem::take(&mut state.unwritten)
        };
        let written = self.journal_all(events, durability).await;
        if let Err(error) = &written {
            self.state().broken = Some(error.clone());
        }
        written.map(|()| Append::Done)
    }

    /// Events of one time go together; the last of them with the durability that was asked for.
    /// What they have people told goes with them, and is on disk at once.
    async fn journal_all(&self, events: Vec<Noted>, durability: Durability) -> Result<(), JournalError> {
        let mut groups: Vec<(DateTime<Utc>, Vec<Body>, Vec<NewNotice>)> = Vec::new();
        for (event, told) in events {
            match groups.last_mut() {
                Some((at, bodies, notices)) if *at == event.at => {
                    bodies.push(event.body);
                    notices.extend(told);
                }
                _ => groups.push((event.at, vec![event.body], told)),
            }
        }
        let last = groups.len().saturating_sub(1);
        for (index, (at, bodies, notices)) in groups.into_iter().enumerate() {
            let durability = if index == last { durability } else { Durability::Group };
            if notices.is_empty() {
                self.journal.append(self.run, at, bodies, durability).await?;
                continue;
            }
            let told = self
                .journal
                .append_and_tell(self.run, at, bodies, notices, Durability::Disk);
            told.await?;
            self.post.arrived.notify_one();
        }
        Ok(())
    }

    /// Notes what can't wait to be journaled: log lines, progress, what was sensed. It is journaled soon, and
    /// before whatever is appended next.
    fn note(self: &Arc<Self>, body: Body) {
        let mut state = self.state();
        if state.refusal().is_err() {
            return;
        }
        let now = self.clock.now();
        self.take_in(&mut state, now, body);
        if !std::mem::replace(&mut state.flushing, true) {
            let recorder = Arc::clone(self);
            self.runtime.spawn(async move { recorder.flush().await });
        }
    }

    async fn flush(&self) {
        let _turn = self.writing.lock().await;
        let events = {
            let mut state = self.state();
            state.flushing = false;
            if state.broken.is_some() {
                // After a gap nothing may follow.
                return;
            }
            std::mem::take(&mut state.unwritten)
        };
        if let Err(error) = self.journal_all(events, Durability::Group).await {
            self.state().broken = Some(error);
        }
    }

    fn take_in(&self, state: &mut State, at: DateTime<Utc>, body: Body) {
        let seq = state.run.seq + 1;
        let event = Event { seq, at, body };
        state.run.apply(&event);
        if let Body::Invoked { key, .. } | Body::Resumed { key } = &event.body {
            state.run.at_work.push(key.clone());
        }
        if self.feed.receiver_count() > 0 {
            // It fails only if the last receiver has just gone.
            let _ = self.feed.send((self.run, event.clone()));
        }
        let told = self.post.notices(self.run, &state.run, &event);
        state.unwritten.push((event, told));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Nothing follows a run's end, and nothing follows what could not be written.
    fn refusal(&self) -> Result<(), JournalError> {
        match &self.broken {
            Some(error) => Err(error.clone()),
            None if self.run.finished.is_some() => Err(JournalError {
                action: "written",
                cause: "the run has finished".into(),
            }),
            None => Ok(()),
        }
    }
}

/// The durable points of a run: started, each effect's intent, each action's outcome, finished.
/// So is going on with what was interrupted: an effect may be made again then without another intent, and how often
/// it was gone on with is counted, also if that is what ends the process. Nothing else waits for the disk.
fn durability(bodies: &[Body]) -> Durability {
    let durable = bodies.iter().any(|body| match body {
        Body::Started | Body::Intended { .. } | Body::Finished { .. } | Body::Resumed { .. } => true,
        Body::ApprovalAsked { .. } | Body::Approved { .. } | Body::Declined { .. } => true,
        Body::Ended { key, .. } => matches!(key.phase, Phase::Apply | Phase::Rollback | Phase::Send),
        _ => false,
    });
    if durable { Durability::Disk } else { Durability::Group }
}

/// Where one invocation's calls are recorded.
pub(crate) struct InvocationCalls {
    recorder: Arc<Recorder>,
    key: Key,
    /// False once the invocation has ended: what comes later is nobody's.
    open: AtomicBool,
    progressed_at: Mutex<Option<DateTime<Utc>>>,
    /// Lines that are recorded already: an invocation that is gone on with says them again.
    said: AtomicU64,
}

impl InvocationCalls {
    /// Of its log, the first `said` lines are left out.
    pub(crate) fn new(recorder: Arc<Recorder>, key: Key, said: u64) -> Arc<Self> {
        Arc::new(Self {
            recorder,
            key,
            open: AtomicBool::new(true),
            progressed_at: Mutex::new(None),
            said: AtomicU64::new(said),
        })
    }

    pub(crate) fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    fn is_open(&self) -> Result<(), JournalError> {
        if self.open.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(JournalError {
            action: "written",
            cause: format!("the {} of `{}` has ended", self.key.phase, self.key.step),
        })
    }

    fn note(&self, body: Body) {
        if self.is_open().is_ok() {
            self.recorder.note(body);
        }
    }
}

#[async_trait]
impl Calls for InvocationCalls {
    async fn intend(&self, n: u32, call: &Call) -> Result<(), JournalError> {
        self.is_open()?;
        let key = self.key.clone();
        let call = call.clone();
        self.recorder.append(vec![Body::Intended { key, n, call }]).await
    }

    async fn answered(&self, n: u32, call: Option<&Call>, answer: &Answer, took: Duration) -> Result<(), JournalError> {
        self.is_open()?;
        let called = Body::Called {
            key: self.key.clone(),
            n,
            call: call.cloned(),
            answer: answer.clone(),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        self.recorder.append(vec![called]).await
    }

    fn sensed(&self, tape: Tape) {
        let key = self.key.clone();
        self.note(Body::Sensed { key, tape });
    }

    fn log(&self, level: Level, message: String, fields: Vec<(String, String)>) {
        let less = |said: u64| said.checked_sub(1);
        if self
            .said
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
        {
            return;
        }
        let key = self.key.clone();
        self.note(Body::Logged {
            key,
            level,
            message,
            fields,
        });
    }

    fn logs_dropped(&self, lines: u64) {
        let key = self.key.clone();
        self.note(Body::LogsDropped { key, lines });
    }

    fn progress(&self, permille: u16, note: String) {
        let now = self.recorder.clock.now();
        {
            let mut last = self.progressed_at.lock().unwrap_or_else(PoisonError::into_inner);
            if permille < 1000 && last.is_some_and(|last| now - last < PROGRESS_EVERY) {
                return;
            }
            *last = Some(now);
        }
        let key = self.key.clone();
        self.note(Body::Progressed { key, permille, note });
    }
}
