//! Gathers what the gates look at, asks them, and does what they say.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::name::{AssetId, CustomerId};
use evenkeel_model::run::{Body, Mode, Occurrence, Request, Summary};

use super::run::{Course, Performed};
use super::sleep_until;
use crate::decide::{self, Subject};
use crate::gate::{self, Answer, Ask};
use crate::live::{Holder, Live, Slot, Taken};
use crate::port::JournalError;
use crate::record::Append;
use crate::run::{GateState, Run};

/// A run that waits for its alert looks for it this often.
const HEARD_EVERY: Duration = Duration::from_secs(10);

impl Course {
    /// Asks the gates once. Waits, if they say so, and leaves it to the next round of deciding
    /// to ask again.
    pub(super) async fn ask_gates(&mut self, subject: &Subject) -> Result<Performed, JournalError> {
        if !self.take_permit().await? {
            return Ok(Performed::Again);
        }
        let asking = self.live.recorder.read(|run| {
            let request = run.request.clone().filter(|_| run.cancel.is_none())?;
            Some((run.seq, request))
        });
        let Some((seq, request)) = asking else {
            return Ok(Performed::Again);
        };
        let (answer, taken) = self.answer(subject, &request).await?;
        match answer {
            Answer::Pass => match self.live.recorder.append_after(seq, vec![Body::Started]).await? {
                Append::Done => self.taken = taken.map(Taken::begun),
                Append::Stale => {}
            },
            Answer::Wait { gate, why, until } => {
                drop(taken);
                self.permit = None;
                self.wait(&request, gate, why, until).await?;
            }
            Answer::Refuse { gate, why } => {
                let bodies = decide::refusal(gate, &why, Some(&request));
                self.live.recorder.append_after(seq, bodies).await?;
            }
            Answer::Cancel { why } => {
                self.live.recorder.append_after(seq, decide::cancelled(why)).await?;
            }
        }
        Ok(Performed::Again)
    }

    /// The target of a run that had started and is taken up again, if another one got it
    /// meanwhile; false: the state may be another one by now.
    pub(super) async fn take_target(&mut self, seq: u64) -> bool {
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
                    () = self.drained() => return false,
                    () = self.cancelled_since(seq) => return false,
                }
            }
        }
        true
    }

    /// What the gates say; with the target, if it is free.
    async fn answer(&self, subject: &Subject, request: &Request) -> Result<(Answer, Option<Taken>), JournalError> {
        let slot = self.slot(request);
        let _asking = match &slot {
            Some(slot) => Some(slot.asking.lock().await),
            None => None,
        };
        // The target is taken before its history is read, so that no run ends in between.
        let taken = slot.as_ref().and_then(|slot| {
            slot.take(Holder {
                run: self.live.id,
                runbook: request.runbook.clone(),
            })
        });
        let holder = if taken.is_some() {
            None
        } else {
            slot.as_ref().and_then(|slot| slot.holder())
        };
        let now = self.engine.ports.clock.now();
        let ask = Ask {
            request,
            runbook: &subject.runbook,
            home: &subject.home,
            history: &self.history(subject, request, now).await?,
            alert_fires: self.alert_fires(request, now).await?,
            unheard_until: self.live.recorder.read(unheard_until),
            holder,
        };
        Ok((gate::ask(&ask, now), taken))
    }

    /// The target that a live run needs for itself.
    fn slot(&self, request: &Request) -> Option<Arc<Slot>> {
        let target: &AssetId = request.target.as_ref().filter(|_| request.mode == Mode::Live)?;
        Some(self.engine.slots.of(target))
    }

    async fn history(
        &self,
        subject: &Subject,
        request: &Request,
        now: DateTime<Utc>,
    ) -> Result<Vec<Summary>, JournalError> {
        let cooldown = TimeDelta::from_std(subject.runbook.limits.cooldown).unwrap_or(TimeDelta::MAX);
        match (&request.target, request.mode) {
            (Some(target), Mode::Live) if !cooldown.is_zero() => {
                let since = now.checked_sub_signed(cooldown).unwrap_or(DateTime::UNIX_EPOCH);
                self.engine.ports.journal.history(&request.runbook, target, since).await
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn alert_fires(&self, request: &Request, now: DateTime<Utc>) -> Result<bool, JournalError> {
        match &request.occurrence {
            Occurrence::Alert { identity, .. } => self.engine.ports.alerts.firing(identity, now).await,
            Occurrence::Tick { .. } | Occurrence::Person { .. } => Ok(true),
        }
    }

    /// Ends when the alert fires again. It is not told by an edge: one that is heard again before
    /// it was found to have expired makes none.
    async fn heard_again(&self, request: &Request) {
        loop {
            tokio::time::sleep(HEARD_EVERY).await;
            let now = self.engine.ports.clock.now();
            if self.alert_fires(request, now).await.unwrap_or(false) {
                return;
            }
        }
    }

    /// Until what it waits for is over, or somebody wants it to stop.
    async fn wait(
        &self,
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
        let freed = async {
            match self.slot(request) {
                Some(slot) if until.is_none() => {
                    // The sender lives as long as the engine.
                    let _ = slot.watch().wait_for(Option::is_none).await;
                }
                _ => std::future::pending().await,
            }
        };
        let over = async {
            match until {
                Some(at) => sleep_until(&*self.engine.ports.clock, at).await,
                None => std::future::pending().await,
            }
        };
        let heard = async {
            if gate == gate::alert::NAME {
                self.heard_again(request).await;
            } else {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = freed => {}
            () = heard => {}
            () = over => {}
            () = self.told_to_stop() => {}
        }
        Ok(())
    }

    /// A place among the runs that go at once; false: it was told to stop before there was one.
    pub(super) async fn take_permit(&mut self) -> Result<bool, JournalError> {
        if self.permit.is_some() {
            return Ok(true);
        }
        let customer = self.sharing_customer();
        let capacity = &self.engine.capacity;
        if let Some(place) = capacity.try_take(customer.as_ref()) {
            self.permit = Some(place);
            return Ok(true);
        }
        let started = self.live.recorder.read(|run| run.started_at.is_some());
        if !started {
            let waiting = Body::Waiting {
                gate: "capacity".into(),
                why: "as many runs are under way as `[engine] runs` allows at all, or one customer".into(),
                until: None,
            };
            say_waiting(&self.live, waiting).await?;
        }
        let stop = async {
            // What has started still has things to do when it is cancelled.
            if started {
                self.drained().await;
            } else {
                self.told_to_stop().await;
            }
        };
        let place = tokio::select! {
            place = capacity.take(customer.as_ref()) => place,
            () = stop => None,
        };
        self.permit = place;
        Ok(self.permit.is_some())
    }

    /// Whose run it is, if there is another customer to leave a place to; `local` always exists.
    fn sharing_customer(&self) -> Option<CustomerId> {
        let shared = self.engine.home().customers.len() > 2;
        let of = |run: &Run| run.request.as_ref().and_then(|request| request.customer.clone());
        self.live.recorder.read(of).filter(|_| shared)
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
