//! A place among the runs that go at once.

use chrono::{DateTime, Utc};
use evenkeel_model::name::CustomerId;
use evenkeel_model::run::Body;

use super::gates::say_waiting;
use super::run::Course;
use crate::port::JournalError;
use crate::run::Run;

impl Course {
    /// A place among the runs that go at once; false: it was told to stop before there was one. With the mark at which
    /// its next call was decided, and when that is not to begin any more; none: it has not started.
    pub(super) async fn take_permit(
        &mut self,
        decided: Option<(u64, Option<DateTime<Utc>>)>,
    ) -> Result<bool, JournalError> {
        if self.try_permit() {
            return Ok(true);
        }
        if decided.is_none() {
            let waiting = Body::Waiting {
                gate: "capacity".into(),
                why: "as many runs are under way as `[engine] runs` allows at all, or one customer".into(),
                until: None,
            };
            say_waiting(&self.live, waiting).await?;
        }
        let stop = async {
            match decided {
                // What has started still has things to do when it is cancelled, and decides anew.
                Some((mark, due)) => self.called_off(mark, due).await,
                None => self.told_to_stop().await,
            }
        };
        let customer = self.sharing_customer();
        let place = tokio::select! {
            place = self.engine.capacity.take(customer.as_ref()) => place,
            () = stop => None,
        };
        self.permit = place;
        Ok(self.permit.is_some())
    }

    /// Takes a place if one is free; true: it has one.
    pub(super) fn try_permit(&mut self) -> bool {
        if self.permit.is_none() {
            let customer = self.sharing_customer();
            self.permit = self.engine.capacity.try_take(customer.as_ref());
        }
        self.permit.is_some()
    }

    /// Whose run it is, if there is another customer to leave a place to; `local` always exists.
    fn sharing_customer(&self) -> Option<CustomerId> {
        let shared = self.engine.home().customers.len() > 2;
        let of = |run: &Run| run.request.as_ref().and_then(|request| request.customer.clone());
        self.live.recorder.read(of).filter(|_| shared)
    }
}
