//! One round: its runs, each a task of its own.

use std::sync::Arc;

use evenkeel_model::home::Home;
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Body, Verdict};
use evenkeel_model::runbook::Runbook;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{error, info};

use super::run::{Course, End};
use crate::decide::{self, Subject};
use crate::engine::Engine;
use crate::gate;
use crate::live::{Live, Taken};
use crate::rounds::{self, Member, Progress};

/// The runs that are under way, and how each was left: with a verdict if it has finished.
type Tasks = FuturesUnordered<BoxFuture<'static, (RunId, Option<Verdict>)>>;

pub(crate) struct Round {
    id: RoundId,
    /// The text that it was opened with; or why that isn't there any more.
    runbook: Result<Arc<Runbook>, String>,
    home: Arc<Home>,
    members: Vec<Member>,
    crew: Vec<Crew>,
    /// Its runs plan before it is their turn.
    ahead: bool,
    /// Runs that want theirs.
    asked: UnboundedReceiver<RunId>,
    ask: UnboundedSender<RunId>,
}

/// A run that this process is to drive.
pub(crate) struct Crew {
    pub(crate) live: Arc<Live>,
    /// It had started before, and so holds its target from the beginning.
    pub(crate) taken: Option<Taken>,
}

impl Round {
    /// A round none of whose runs has finished.
    pub(crate) fn fresh(id: RoundId, runbook: Result<Arc<Runbook>, String>, home: Arc<Home>, crew: Vec<Crew>) -> Self {
        Self::resumed(id, runbook, home, crew, &[])
    }

    /// A round with `others`, which this process does not drive: they have finished, or can't be
    /// read. Of which batch one is that can't be read, nobody knows: it keeps the first open.
    pub(crate) fn resumed(
        id: RoundId,
        runbook: Result<Arc<Runbook>, String>,
        home: Arc<Home>,
        crew: Vec<Crew>,
        others: &[(RunId, Progress)],
    ) -> Self {
        let others = others.iter().map(|(run, progress)| Member {
            run: *run,
            customer: None,
            batch: 0,
            progress: *progress,
            cancelled: false,
        });
        let ahead = crew.len() > 1 && runbook.as_ref().is_ok_and(|runbook| rounds::plans_ahead(runbook));
        let members = others
            .chain(crew.iter().map(|crew| member(&crew.live, ahead)))
            .collect();
        let (ask, asked) = unbounded_channel();
        Self {
            id,
            runbook,
            home,
            members,
            crew,
            ahead,
            asked,
            ask,
        }
    }

    pub(crate) async fn drive(mut self, engine: &Arc<Engine>) {
        let mut tasks = Tasks::default();
        let mut draining = engine.draining.subscribe();
        loop {
            if !*draining.borrow_and_update() {
                self.go_on(engine, &mut tasks).await;
            }
            if tasks.is_empty() {
                break;
            }
            // A drain starts nothing, not even what would only say that it is cancelled.
            let held = if *draining.borrow() { Vec::new() } else { self.held() };
            let cancelled = any_cancelled(held);
            tokio::select! {
                Some((run, verdict)) = tasks.next() => self.note(engine, run, verdict).await,
                Some(run) = self.asked.recv() => self.at_turn(run),
                () = cancelled => {}
                _ = draining.changed() => {}
            }
        }
        let through = self
            .members
            .iter()
            .all(|member| matches!(member.progress, Progress::Finished(_)));
        // Without its text, only the journal knows whether anything comes after it.
        let is_followed = self.runbook.as_ref().map_or(true, |runbook| !runbook.after.is_empty());
        if is_followed && through && !*draining.borrow() {
            engine.conclude(self.id).await;
        }
        self.leave(engine).await;
    }

    /// Starts what may start, and says of the rest why it doesn't.
    async fn go_on(&mut self, engine: &Arc<Engine>, tasks: &mut Tasks) {
        for member in &mut self.members {
            if let Some(live) = find(&self.crew, member.run) {
                member.cancelled = *live.cancelled.borrow();
            }
        }
        let next = match &self.runbook {
            Ok(runbook) => rounds::next(&self.members, &runbook.targets, self.ahead),
            // Every run finds out for itself that it can't go on.
            Err(_) => rounds::Next {
                start: self.waiting_here().map(|member| member.run).collect(),
                ..rounds::Next::default()
            },
        };
        for (run, why) in next.hold {
            if let Some(live) = find(&self.crew, run) {
                hold(&live, why).await;
            }
        }
        for run in next.start {
            self.start(engine, tasks, run);
        }
        for run in next.turn {
            self.set(run, Progress::Driven);
            if let Some(live) = find(&self.crew, run) {
                live.turn.send_replace(true);
            }
        }
        if let Some(why) = next.refuse {
            self.refuse(engine, &why).await;
        }
    }

    fn start(&mut self, engine: &Arc<Engine>, tasks: &mut Tasks, run: RunId) {
        let Some(crew) = self.crew.iter_mut().find(|crew| crew.live.id == run) else {
            return;
        };
        let live = Arc::clone(&crew.live);
        let taken = crew.taken.take();
        let subject = match &self.runbook {
            Ok(runbook) => live.recorder.read(|run| Subject::find(run, runbook, &self.home)),
            Err(why) => Err(why.clone()),
        };
        let ahead = self.ahead && self.members.iter().any(|member| member.run == run && is_held(member));
        self.set(run, if ahead { Progress::Ahead } else { Progress::Driven });
        let turn = ahead.then(|| self.ask.clone());
        let course = Course::new(Arc::clone(engine), live, subject, taken, turn);
        // A task of its own: a panic ends that, and this one still knows whose it was.
        let driven = tokio::spawn(course.go());
        let engine = Arc::clone(engine);
        tasks.push(Box::pin(async move {
            let verdict = match driven.await {
                Ok(Ok(End::Finished(verdict))) => Some(verdict),
                Ok(Ok(End::Left)) => None,
                Ok(Err(cause)) => {
                    error!(run = run.0, %cause, "the run is left as it is for now");
                    engine.unwritten.notify_one();
                    None
                }
                Err(cause) => {
                    error!(run = run.0, %cause, "the run's task broke; it is left as it is until the next start");
                    None
                }
            };
            (run, verdict)
        }));
    }

    async fn note(&mut self, engine: &Engine, run: RunId, verdict: Option<Verdict>) {
        if let Some(live) = find(&self.crew, run) {
            self.log(&live);
        }
        self.set(run, verdict.map_or(Progress::Left, Progress::Finished));
        self.let_go(engine, run).await;
        if verdict.is_some_and(gate::strikes::is_strike) {
            engine.ends.notify_one();
        }
    }

    fn log(&self, live: &Live) {
        live.recorder.read(|run| {
            let (Some(request), Some(finished)) = (&run.request, &run.finished) else {
                return;
            };
            info!(
                run = live.id.0,
                round = self.id.0,
                runbook = %request.runbook,
                target = request.target.as_ref().map(|target| target.as_str()),
                verdict = %finished.verdict,
                why = finished.why,
                "finished"
            );
        });
    }

    async fn refuse(&mut self, engine: &Engine, why: &str) {
        for live in self.held() {
            let bodies = decide::refusal("round", why, live.recorder.read(|run| run.request.clone()).as_ref());
            match live.recorder.append(bodies).await {
                Ok(()) => self.set(live.id, Progress::Finished(Verdict::Rejected)),
                Err(cause) => {
                    error!(run = live.id.0, %cause, "the refusal could not be recorded");
                    self.set(live.id, Progress::Left);
                }
            }
            self.let_go(engine, live.id).await;
        }
        for member in &self.members {
            let ahead = matches!(member.progress, Progress::Ahead | Progress::AtTurn);
            if let Some(live) = find(&self.crew, member.run).filter(|_| ahead && !member.cancelled) {
                // If its journal is broken, it does nothing any more; it may have finished, too.
                let _ = engine.cancel(live.id, why).await;
            }
        }
    }

    /// What is still held when the round is left goes on at the next start.
    async fn leave(&mut self, engine: &Engine) {
        for crew in std::mem::take(&mut self.crew) {
            leave(engine, &crew.live).await;
        }
    }

    async fn let_go(&mut self, engine: &Engine, run: RunId) {
        if let Some(index) = self.crew.iter().position(|crew| crew.live.id == run) {
            let crew = self.crew.swap_remove(index);
            leave(engine, &crew.live).await;
        }
    }

    /// Runs that nobody drives yet, but this round will.
    fn waiting_here(&self) -> impl Iterator<Item = &Member> {
        let waiting = |member: &&Member| matches!(member.progress, Progress::Held | Progress::Begun);
        self.members.iter().filter(waiting)
    }

    fn held(&self) -> Vec<Arc<Live>> {
        let held = self.members.iter().filter(|member| is_held(member));
        held.filter_map(|member| find(&self.crew, member.run)).collect()
    }

    /// It may have ended since it asked.
    fn at_turn(&mut self, run: RunId) {
        let mut ahead = self.members.iter().filter(|member| member.progress == Progress::Ahead);
        if ahead.any(|member| member.run == run) {
            self.set(run, Progress::AtTurn);
        }
    }

    fn set(&mut self, run: RunId, progress: Progress) {
        if let Some(member) = self.members.iter_mut().find(|member| member.run == run) {
            member.progress = progress;
        }
    }
}

fn is_held(member: &Member) -> bool {
    member.progress == Progress::Held
}

fn member(live: &Live, ahead: bool) -> Member {
    live.recorder.read(|run| Member {
        run: live.id,
        customer: run.request.as_ref().and_then(|request| request.customer.clone()),
        batch: run.request.as_ref().map_or(0, |request| request.batch),
        progress: match run.started_at {
            // It has planned at most, and that doesn't need its turn.
            Some(_) if ahead && !run.has_begun_to_apply() => Progress::Held,
            Some(_) => Progress::Begun,
            None => Progress::Held,
        },
        cancelled: false,
    })
}

fn find(crew: &[Crew], run: RunId) -> Option<Arc<Live>> {
    let crew = crew.iter().find(|crew| crew.live.id == run)?;
    Some(Arc::clone(&crew.live))
}

/// What it said last is journaled before anybody hears that it is left.
async fn leave(engine: &Engine, live: &Live) {
    live.recorder.settle().await;
    engine.registry.remove(live.id);
    live.left.send_replace(true);
}

/// Records that a run is held, unless that was the last thing said of it.
async fn hold(live: &Live, why: String) {
    let waiting = Body::Waiting {
        gate: "round".into(),
        why,
        until: None,
    };
    if let Err(cause) = super::gates::say_waiting(live, waiting).await {
        error!(run = live.id.0, %cause, "the wait could not be recorded");
    }
}

/// Ends when somebody cancels one of these.
async fn any_cancelled(held: Vec<Arc<Live>>) {
    if held.is_empty() {
        return std::future::pending().await;
    }
    let each = held.iter().map(|live| {
        Box::pin(async move {
            // The sender lives as long as `live`.
            let _ = live.cancelled.subscribe().wait_for(|cancelled| *cancelled).await;
        })
    });
    futures::future::select_all(each).await;
}
