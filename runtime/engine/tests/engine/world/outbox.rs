//! The outbox of the journal in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_engine::port::JournalError;
use evenkeel_engine::port::outbox::{
    Alike, NewNotice, Next, NoticeState, Outbox, OutboxFilter, Posted, Tried, Try, TryOutcome,
};
use evenkeel_model::name::RunId;

use super::journal::Memory;

pub fn post(notices: &mut Vec<Posted>, run: RunId, at: DateTime<Utc>, new: NewNotice) {
    if notices.iter().any(|known| known.notice.id == new.notice.id) {
        return;
    }
    notices.push(Posted {
        number: notices.len() as u64 + 1,
        run,
        notifier: new.notifier,
        topic: new.topic,
        notice: new.notice,
        queued_at: at,
        state: NoticeState::Waiting,
        next_at: at,
        why: String::new(),
        settled_at: None,
        told_to: None,
        tries: vec![],
    });
}

impl Memory {
    pub fn outbox(&self) -> Vec<Posted> {
        self.disk.lock().unwrap().notices.clone()
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Posted)) -> Result<(), JournalError> {
        self.alive()?;
        let mut disk = self.disk.lock().unwrap();
        change(disk.notices.iter_mut().find(|posted| posted.number == number).unwrap());
        Ok(())
    }
}

#[async_trait]
impl Outbox for Memory {
    async fn heads(&self) -> Result<Vec<Posted>, JournalError> {
        self.alive()?;
        let mut heads: Vec<Posted> = Vec::new();
        for posted in self.outbox() {
            let waits = posted.state == NoticeState::Waiting;
            if waits && !heads.iter().any(|head| head.notifier == posted.notifier) {
                heads.push(posted);
            }
        }
        Ok(heads)
    }

    async fn tries_since(&self, notifier: &str, since: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, JournalError> {
        let posted = self.outbox().into_iter().filter(|posted| posted.notifier == notifier);
        let mut times: Vec<_> = posted.flat_map(|posted| posted.tries).map(|tried| tried.at).collect();
        times.retain(|at| *at >= since);
        times.sort();
        Ok(times)
    }

    async fn begin(
        &self,
        number: u64,
        told_to: u64,
        at: DateTime<Utc>,
        then: DateTime<Utc>,
    ) -> Result<(), JournalError> {
        self.change(number, |posted| {
            posted.told_to.get_or_insert(told_to);
            for open in posted.tries.iter_mut().filter(|tried| tried.outcome.is_none()) {
                open.outcome = Some(TryOutcome::Interrupted);
            }
            posted.next_at = then;
            posted.tries.push(Try {
                n: posted.tries.len() as u32 + 1,
                at,
                outcome: None,
                message: String::new(),
                took_ms: 0,
                calls: vec![],
            });
        })
    }

    async fn alike(&self, number: u64, to: u64, most: usize) -> Result<Alike, JournalError> {
        self.alive()?;
        let all = self.outbox();
        let head = all.iter().find(|posted| posted.number == number).unwrap();
        let alike: Vec<Posted> = all
            .iter()
            .filter(|posted| posted.number <= to && is_alike(head, posted))
            .cloned()
            .collect();
        Ok(Alike {
            count: alike.len() as u64,
            last: alike.last().map_or(0, |last| last.number),
            first: alike.into_iter().take(most).collect(),
        })
    }

    async fn end(&self, number: u64, tried: Tried, next: Next, now: DateTime<Utc>) -> Result<(), JournalError> {
        let all = self.outbox();
        let head = all.iter().find(|posted| posted.number == number).unwrap();
        let told = all
            .iter()
            .filter(|posted| Some(posted.number) <= head.told_to && is_alike(head, posted));
        for posted in told.filter(|_| next == Next::Delivered) {
            self.change(posted.number, |posted| {
                settle(posted, next, &format!("told with notice {number}"), now)
            })?;
        }
        self.change(number, |posted| {
            let last = posted.tries.last_mut().unwrap();
            last.outcome = Some(tried.outcome);
            last.message = tried.message.clone();
            last.calls = tried.calls;
            settle(posted, next, &tried.message, now);
        })
    }

    async fn give_up(&self, number: u64, why: &str, now: DateTime<Utc>) -> Result<(), JournalError> {
        self.change(number, |posted| settle(posted, Next::GivenUp, why, now))
    }

    async fn notices(&self, _: OutboxFilter) -> Result<Vec<Posted>, JournalError> {
        Ok(self.outbox().into_iter().rev().collect())
    }
}

fn is_alike(head: &Posted, posted: &Posted) -> bool {
    let of = |posted: &Posted| ["runbook", "customer"].map(|label| posted.notice.labels.get(label).cloned());
    posted.state == NoticeState::Waiting
        && posted.number > head.number
        && (&posted.notifier, posted.topic) == (&head.notifier, head.topic)
        && of(posted) == of(head)
}

fn settle(posted: &mut Posted, next: Next, why: &str, now: DateTime<Utc>) {
    posted.why = why.to_owned();
    match next {
        Next::Delivered => posted.state = NoticeState::Delivered,
        Next::GivenUp => posted.state = NoticeState::GivenUp,
        Next::Again(at) => posted.next_at = at,
    }
    posted.settled_at = (posted.state != NoticeState::Waiting).then_some(now);
}
