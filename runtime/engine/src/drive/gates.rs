//! Gathers what the gates look at, asks them, and does what they say.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::name::{AssetId, RunId};
use evenkeel_model::run::{Body, Mode, Occurrence, Request};

use super::facts::Facts;
use super::run::Course;
use super::sleep_until;
use crate::berths::Queued;
use crate::decide::{self, Subject};
use crate::gate::{self, Answer};
use crate::holds::Held;
use crate::live::{Holder, Live, Slot, Taken};
use crate::port::JournalError;
use crate::record::Append;
use crate::run::{GateState, Run};

/// What is replaced stops at the next point where that is safe; that is looked at this often.
const GONE_IN: TimeDelta = TimeDelta::seconds(10);

impl Course {
    /// Asks the gates once. Waits, if they say so, or else for a place among the runs that go at once, and leaves it to
    /// the next round of deciding to ask again.
    pub(super) async fn ask_gates(&mut self, subject: &Result<Subject, String>) -> Result<(), JournalError> {
        let Ok(subject) = subject else { return Ok(()) };
        self.try_permit();
        let asking = self.live.recorder.read(|run| {
            let request = run.request.clone().filter(|_| run.cancel.is_none())?;
            Some((run.mark, request))
        });
        let Some((mark, request)) = asking else {
            return Ok(());
        };
        let (answer, taken) = self.answer(subject, &request).await?;
        if self.permit.is_none() && self.wants_place(&answer) {
            self.take_permit(None).await?;
            return Ok(());
        }
        match answer {
            Answer::Pass => match self.live.recorder.append_after(mark, vec![Body::Started]).await? {
                Append::Done => self.taken = taken.map(Taken::begun),
                Append::Stale => {}
            },
            Answer::Wait { gate, why, until } => {
                drop(taken);
                self.permit = None;
                self.wait(&request, gate, why, until).await?;
            }
            Answer::Replace { gate, runs, why } => {
                drop(taken);
                self.permit = None;
                self.replace(&request, gate, runs, &why).await?;
            }
            Answer::Refuse { gate, why } => {
                let bodies = decide::refusal(gate, &why, Some(&request));
                self.live.recorder.append_after(mark, bodies).await?;
            }
            Answer::GiveUp { gate, why } => self.give_up(&request, mark, gate, &why).await?,
            Answer::Cancel { why } => {
                self.live.recorder.append_after(mark, decide::cancelled(why)).await?;
            }
        }
        Ok(())
    }

    /// What waits as well is not replaced: it would be gone, and this one replaced in turn, before either had a place.
    fn wants_place(&self, answer: &Answer) -> bool {
        let has_started = |run: &RunId| {
            let other = self.engine.registry.get(*run);
            other.is_some_and(|other| other.recorder.read(|run| run.started_at.is_some()))
        };
        match answer {
            Answer::Pass => true,
            Answer::Replace { runs, .. } => !runs.iter().any(has_started),
            _ => false,
        }
    }

    /// The target of a run that had started and let it go, or is taken up again and another one got
    /// it meanwhile, and its place among those of its runbook; false: the state may be another one
    /// by now.
    pub(super) async fn take_target(&mut self, mark: u64, due: Option<DateTime<Utc>>) -> bool {
        let request = self.live.recorder.read(|run| run.request.clone());
        let Some((request, slot)) = request.and_then(|request| self.slot(&request).map(|slot| (request, slot))) else {
            return true;
        };
        while self.taken.is_none() {
            let mut holder = slot.watch();
            let ours = Holder {
                run: self.live.id,
                runbook: request.runbook.clone(),
            };
            self.taken = slot.take(ours).map(Taken::begun);
            if self.taken.is_none() {
                tokio::select! {
                    // The sender lives as long as the engine.
                    _ = holder.wait_for(Option::is_none) => {}
                    () = self.called_off(mark, due) => return false,
                }
            }
        }
        self.take_place(mark, due).await
    }

    /// What was decided at `mark` is not to be begun any more, or not now.
    pub(super) async fn called_off(&self, mark: u64, due: Option<DateTime<Utc>>) {
        tokio::select! {
            () = self.drained() => {}
            () = self.cancelled_since(mark) => {}
            () = self.time(due) => {}
        }
    }

    /// A place in the fleet. What is in the middle of a change has one whether it is free or not.
    async fn take_place(&mut self, mark: u64, due: Option<DateTime<Utc>>) -> bool {
        let Some(runbook) = self.runbook.clone().filter(|runbook| runbook.may_change()) else {
            return true;
        };
        let begun = self.live.recorder.read(|run| run.has_begun_to_apply());
        while let Some(taken) = self.taken.take_if(|taken| !taken.has_berth()) {
            let berths = &self.engine.berths;
            let most = berths.most(&runbook, &self.engine.home());
            let berth = match begun {
                true => Some(berths.retake(&runbook.name, self.live.id)),
                false => berths.take(&runbook.name, self.live.id, most),
            };
            let is_full = berth.is_none();
            self.taken = Some(taken.with(berth));
            if is_full {
                let queued = berths.queue(&runbook.name, self.live.id);
                tokio::select! {
                    () = queued.told() => {}
                    () = self.called_off(mark, due) => return false,
                }
                // Held until it has asked again, or the next in the queue would not be told.
                self.queued = Some(queued);
            }
        }
        self.queued = None;
        true
    }

    /// What the gates say.
    async fn answer(&mut self, subject: &Subject, request: &Request) -> Result<(Answer, Option<Taken>), JournalError> {
        if self.permit.is_none() {
            return Ok((self.foresee(subject, request).await?, None));
        }
        let (answer, taken) = self.answer_for_good(subject, request).await?;
        // Whoever is behind it in the queue for the fleet is told, if there is a place left.
        self.queued = None;
        Ok((answer, taken))
    }

    /// What they would say now, of what can't start yet and so takes nothing from others. If the fleet told it of a
    /// place, that is kept for it.
    async fn foresee(&mut self, subject: &Subject, request: &Request) -> Result<Answer, JournalError> {
        let now = self.engine.ports.clock.now();
        let engine = &self.engine;
        let facts = Facts {
            unheard_until: self.live.recorder.read(unheard_until),
            ..engine.foreseen(self.live.id, request, &subject.runbook, now).await?
        };
        let ask = facts.ask(self.live.id, request, &subject.runbook, &subject.home);
        let answer = gate::ask(&ask, now);
        if !matches!(answer, Answer::Pass) {
            self.queued = None;
        }
        Ok(answer)
    }

    /// With the target and a place in the fleet, if they are free.
    async fn answer_for_good(
        &mut self,
        subject: &Subject,
        request: &Request,
    ) -> Result<(Answer, Option<Taken>), JournalError> {
        let slot = self.slot(request);
        let _asking = match &slot {
            Some(slot) => Some(slot.asking.lock().await),
            None => None,
        };
        // The target is taken before its history is read, so that no run ends in between.
        let ours = || Holder {
            run: self.live.id,
            runbook: request.runbook.clone(),
        };
        let taken = slot.as_ref().and_then(|slot| slot.take(ours()));
        let holder = match taken {
            Some(_) => None,
            None => slot.as_ref().and_then(|slot| slot.holder()),
        };
        let (taken, fleet_full) = self.take_berth(subject, taken);
        let now = self.engine.ports.clock.now();
        let facts = self.engine.facts(self.live.id, request, &subject.runbook, now).await?;
        let facts = Facts {
            unheard_until: self.live.recorder.read(unheard_until),
            fleet_full,
            holder,
            ..facts
        };
        let ask = facts.ask(self.live.id, request, &subject.runbook, &subject.home);
        Ok((gate::ask(&ask, now), taken))
    }

    /// A place in the fleet for a run that has its target; or how many are at work.
    fn take_berth(&self, subject: &Subject, taken: Option<Taken>) -> (Option<Taken>, Option<usize>) {
        let Some(taken) = taken else {
            return (None, None);
        };
        if !subject.runbook.may_change() {
            return (Some(taken), None);
        }
        let berths = &self.engine.berths;
        let most = berths.most(&subject.runbook, &self.engine.home());
        match berths.take(&subject.runbook.name, self.live.id, most) {
            Some(berth) => (Some(taken.with(Some(berth))), None),
            None => (Some(taken), Some(most)),
        }
    }

    /// The target that a live run needs for itself.
    fn slot(&self, request: &Request) -> Option<Arc<Slot>> {
        let target: &AssetId = request.target.as_ref().filter(|_| request.mode == Mode::Live)?;
        Some(self.engine.slots.of(target))
    }

    /// It ends refused, and people are told, which is remembered: of many that find out at once, one
    /// tells it.
    async fn give_up(&self, request: &Request, mark: u64, gate: &str, why: &str) -> Result<(), JournalError> {
        let (Some(target), Some(slot)) = (&request.target, self.slot(request)) else {
            return Ok(());
        };
        let _asking = slot.asking.lock().await;
        let ledger = &self.engine.ports.ledger;
        if ledger.record(&request.runbook, target, 1).await?.is_told() {
            let bodies = decide::refusal(gate, why, Some(request));
            return self.live.recorder.append_after(mark, bodies).await.map(drop);
        }
        let bodies = decide::given_up(gate, why);
        if let Append::Done = self.live.recorder.append_after(mark, bodies).await? {
            let now = self.engine.ports.clock.now();
            ledger.told(&request.runbook, target, now).await?;
        }
        Ok(())
    }

    /// Cancels the others, and waits a while for them to go.
    async fn replace(
        &mut self,
        request: &Request,
        gate: &'static str,
        runs: Vec<RunId>,
        why: &str,
    ) -> Result<(), JournalError> {
        let others: Vec<_> = runs.iter().filter_map(|run| self.engine.registry.get(*run)).collect();
        for other in &others {
            self.engine
                .call_off(other, why, |_, run| !run.has_begun_to_apply())
                .await;
        }
        let now = self.engine.ports.clock.now();
        let listed = runs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        self.wait(request, gate, format!("it replaces run {listed}"), Some(now + GONE_IN))
            .await
    }

    /// Until what it waits for is over, or somebody wants it to stop.
    async fn wait(
        &mut self,
        request: &Request,
        gate: &'static str,
        why: String,
        until: Option<DateTime<Utc>>,
    ) -> Result<(), JournalError> {
        let waiting = Body::Waiting {
            gate: gate.into(),
            why,
            until,
        };
        say_waiting(&self.live, waiting).await?;
        let queued = (gate == gate::fleet::NAME).then(|| self.engine.berths.queue(&request.runbook, self.live.id));
        let over = async {
            match until {
                Some(at) => sleep_until(&*self.engine.ports.clock, at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.opened(request, gate, queued.as_ref()) => {}
            () = over => {}
            () = self.told_to_stop() => {}
        }
        self.queued = queued;
        Ok(())
    }

    /// Ends when the gate may say something else, by what it waits for.
    async fn opened(&self, request: &Request, gate: &'static str, queued: Option<&Queued>) {
        match gate {
            gate::alert::NAME => match &request.occurrence {
                Occurrence::Alert { identity, .. } => self.engine.heard(identity).await,
                _ => std::future::pending().await,
            },
            gate::overlap::NAME => self.others_gone(request).await,
            gate::pause::NAME | gate::silence::NAME => self.released(request, gate).await,
            gate::maintenance::NAME | gate::freeze::NAME => {
                // The sender lives as long as the engine.
                let _ = self.engine.watch_home().changed().await;
            }
            gate::fleet::NAME => match queued {
                Some(queued) => queued.told().await,
                None => std::future::pending().await,
            },
            gate::target_lock::NAME => match self.slot(request) {
                Some(slot) => {
                    // The sender lives as long as the engine.
                    let _ = slot.watch().wait_for(Option::is_none).await;
                }
                None => std::future::pending().await,
            },
            _ => std::future::pending().await,
        }
    }

    /// Ends when one of the other runs of its runbook on its target is over.
    async fn others_gone(&self, request: &Request) {
        let others = request
            .target
            .as_ref()
            .map(|target| self.engine.registry.at(&request.runbook, target));
        let others = others.into_iter().flatten().filter(|other| other.id != self.live.id);
        let (started, waiting): (Vec<_>, Vec<_>) =
            others.partition(|other| other.recorder.read(|run| run.started_at.is_some()));
        let gone = if started.is_empty() { waiting } else { started };
        let gone: Vec<_> = gone
            .into_iter()
            .map(|other| {
                Box::pin(async move {
                    // The sender lives as long as `other`.
                    let _ = other.left.subscribe().wait_for(|left| *left).await;
                })
            })
            .collect();
        if !gone.is_empty() {
            futures::future::select_all(gone).await;
        }
    }

    /// Ends when what people hold back doesn't cover the run any more, as far as this gate goes.
    /// That is looked at here, for it costs nothing, and thousands may wait for the same.
    async fn released(&self, request: &Request, gate: &'static str) {
        let mut holds = self.engine.holds.subscribe();
        let covered = |holds: &Arc<Vec<Held>>| {
            let now = self.engine.ports.clock.now();
            match gate {
                gate::pause::NAME => !gate::pause::standing(request, holds, now).is_empty(),
                _ => !gate::silence::standing(request, holds, now).is_empty(),
            }
        };
        // The sender lives as long as the engine.
        let _ = holds.wait_for(|holds| !covered(holds)).await;
    }
}

fn unheard_until(run: &Run) -> Option<DateTime<Utc>> {
    match &run.gate {
        GateState::Waiting { gate, until, .. } if gate == gate::alert::NAME => *until,
        _ => None,
    }
}

/// Records a wait, unless it is what was said last.
pub(super) async fn say_waiting(live: &Live, waiting: Body) -> Result<(), JournalError> {
    let Body::Waiting { gate, why, .. } = &waiting else {
        return Ok(());
    };
    let said = live.recorder.read(|run| match &run.gate {
        GateState::Waiting {
            gate: before,
            why: because,
            ..
        } => before == gate && because == why,
        _ => false,
    });
    if said {
        Ok(())
    } else {
        live.recorder.append(vec![waiting]).await
    }
}
