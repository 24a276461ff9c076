//! The one way by which a run's events come to be: folded, told to who follows, and journaled.

mod calls;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use evenkeel_model::invocation::Phase;
use evenkeel_model::name::RunId;
use evenkeel_model::run::{Body, Event, Summary};
use futures::future::poll_immediate;
use tokio::runtime::Handle;
use tokio::sync::broadcast;

use crate::notify::Post;
use crate::port::outbox::NewNotice;
use crate::port::{Clock, Durability, Journal, JournalError};
use crate::run::Run;

pub(crate) use self::calls::InvocationCalls;

/// Told to who follows: the run and the event, in the order of the run.
pub type Feed = broadcast::Sender<(RunId, Event)>;

/// How long what need not be on disk waits for what comes next, to be journaled in one.
const SOON: Duration = Duration::from_millis(2);
/// Events that wait so; whoever brings more waits until they are journaled.
const MANY: usize = 64;

/// Writes the events of one run and holds their fold. All of a run's events come through here,
/// so that they have the numbers on disk that they have in memory.
pub(crate) struct Recorder {
    run: RunId,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    feed: Feed,
    post: Post,
    /// An earlier process, or an earlier try of this one, left it.
    again: bool,
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
        again: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            run: id,
            journal,
            clock,
            feed,
            post,
            again,
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

    /// The summary of a run whose end is on disk.
    pub(crate) fn ended(&self) -> Option<Summary> {
        let state = self.state();
        let finished = state.run.finished.as_ref().filter(|_| state.broken.is_none())?;
        let request = state.run.request.as_ref()?;
        // As precise as the store keeps it.
        let time = |at: DateTime<Utc>| at.trunc_subsecs(6);
        Some(Summary {
            run: self.run,
            round: request.round,
            runbook: request.runbook.clone(),
            target: request.target.clone(),
            customer: request.customer.clone(),
            mode: request.mode,
            occurrence: request.occurrence.clone(),
            state: evenkeel_model::run::State::Finished,
            verdict: Some(finished.verdict),
            changed: finished.changed,
            why: finished.why.clone(),
            requested_at: time(state.run.requested_at?),
            started_at: state.run.started_at.map(time),
            finished_at: Some(time(finished.at)),
            compacted: false,
        })
    }

    /// Journals what waits for that.
    pub(crate) async fn settle(&self) {
        if !self.state().unwritten.is_empty() {
            // It is left then, with what its journal has.
            let _ = self.flush().await;
        }
    }

    /// Appends; what is a durable point of the run is on disk when this returns, and all before it. The rest is
    /// journaled soon, with what comes next. Goes on to its end even if nobody waits for it any more: half an
    /// append would be a gap.
    pub(crate) async fn append(self: &Arc<Self>, bodies: Vec<Body>) -> Result<(), JournalError> {
        self.record(bodies, None).await.map(|_| ())
    }

    /// Appends what was decided at this [`Run::mark`], if that is still the state.
    pub(crate) async fn append_after(self: &Arc<Self>, mark: u64, bodies: Vec<Body>) -> Result<Append, JournalError> {
        self.record(bodies, Some(mark)).await
    }

    async fn record(self: &Arc<Self>, bodies: Vec<Body>, after: Option<u64>) -> Result<Append, JournalError> {
        let recorder = Arc::clone(self);
        if self.durability(&bodies) == Durability::Disk {
            return to_its_end(async move { recorder.write(bodies, after).await }).await;
        }
        let (append, waits) = self.keep(bodies, after)?;
        if waits {
            to_its_end(async move { recorder.flush().await }).await?;
        }
        Ok(append)
    }

    /// Folds and tells what need not be on disk yet; true: it is to be journaled before anything goes on.
    fn keep(self: &Arc<Self>, bodies: Vec<Body>, after: Option<u64>) -> Result<(Append, bool), JournalError> {
        let mut state = self.state();
        let at_once = bodies.iter().any(does_not_wait);
        let Append::Done = self.take_all_in(&mut state, bodies, after)? else {
            return Ok((Append::Stale, false));
        };
        self.flush_soon(&mut state);
        let told = state.unwritten.iter().any(|(_, told)| !told.is_empty());
        Ok((Append::Done, at_once || told || state.unwritten.len() >= MANY))
    }

    async fn write(&self, bodies: Vec<Body>, after: Option<u64>) -> Result<Append, JournalError> {
        let _turn = self.writing.lock().await;
        let durability = self.durability(&bodies);
        let events = {
            let mut state = self.state();
            match self.take_all_in(&mut state, bodies, after)? {
                Append::Done => std::mem::take(&mut state.unwritten),
                Append::Stale => return Ok(Append::Stale),
            }
        };
        self.journal_all(events, durability).await.map(|()| Append::Done)
    }

    /// In a run that was left before, what begins is on disk too: it may be what ended the process.
    fn durability(&self, bodies: &[Body]) -> Durability {
        let begins = |body: &Body| self.again && matches!(body, Body::Invoked { .. });
        match bodies.iter().any(|body| is_durable(body) || begins(body)) {
            true => Durability::Disk,
            false => Durability::Group,
        }
    }

    /// What they have people told goes with them, and is on disk at once.
    async fn journal_all(&self, events: Vec<Noted>, durability: Durability) -> Result<(), JournalError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut bodies = Vec::with_capacity(events.len());
        let mut notices = Vec::new();
        for (event, told) in events {
            bodies.push((event.at, event.body));
            notices.extend(told);
        }
        let told = !notices.is_empty();
        let durability = if told { Durability::Disk } else { durability };
        let written = self.journal.append_all(self.run, bodies, notices, durability).await;
        match &written {
            Ok(()) if told => self.post.arrived.notify_one(),
            Ok(()) => {}
            Err(error) => self.state().broken = Some(error.clone()),
        }
        written
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
        self.flush_soon(&mut state);
    }

    fn flush_soon(self: &Arc<Self>, state: &mut State) {
        if !std::mem::replace(&mut state.flushing, true) {
            let recorder = Arc::clone(self);
            self.runtime.spawn(async move {
                tokio::time::sleep(SOON).await;
                // Who appends next is told.
                let _ = recorder.flush().await;
            });
        }
    }

    async fn flush(&self) -> Result<(), JournalError> {
        let _turn = self.writing.lock().await;
        let events = {
            let mut state = self.state();
            state.flushing = false;
            if let Some(error) = &state.broken {
                // After a gap nothing may follow.
                return Err(error.clone());
            }
            std::mem::take(&mut state.unwritten)
        };
        self.journal_all(events, Durability::Group).await
    }

    fn take_all_in(&self, state: &mut State, bodies: Vec<Body>, after: Option<u64>) -> Result<Append, JournalError> {
        state.refusal()?;
        if after.is_some_and(|mark| mark != state.run.mark) {
            return Ok(Append::Stale);
        }
        let now = self.clock.now();
        for body in bodies {
            self.take_in(state, now, body);
        }
        Ok(Append::Done)
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

/// Also if nobody waits for it any more. What need not wait is done at once; a task of its own takes the time of
/// several such writes.
async fn to_its_end<T: Send + 'static>(
    writing: impl Future<Output = Result<T, JournalError>> + Send + 'static,
) -> Result<T, JournalError> {
    let mut writing = Box::pin(writing);
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

/// The durable points of a run: each effect's intent, each action's outcome, finished, and what people are asked and
/// say. That it was asked for is on disk before it is driven; that it started gets there with the first of these: until
/// then it has done nothing that its gates could not be asked for again.
/// So is going on with what was interrupted: an effect may be made again then without another intent, and how often
/// it was gone on with is counted, also if that is what ends the process.
fn is_durable(body: &Body) -> bool {
    match body {
        Body::Intended { .. } | Body::Finished { .. } | Body::Resumed { .. } => true,
        Body::ApprovalAsked { .. } | Body::Approved { .. } | Body::Declined { .. } => true,
        Body::Ended { key, .. } => matches!(key.phase, Phase::Apply | Phase::Rollback | Phase::Send),
        _ => false,
    }
}

/// What need not be on disk, and is journaled before anything goes on: what somebody said, who looks for it at once, and
/// that a run below is wanted, or is to be undone, which comes before that happens.
fn does_not_wait(body: &Body) -> bool {
    matches!(
        body,
        Body::CancelRequested { .. } | Body::Killed { .. } | Body::RunIntended { .. } | Body::RunUndoIntended { .. }
    )
}
