//! Does what was decided, through the ports. No rule is here.

pub(crate) mod facts;
mod gates;
mod permit;
mod query;
pub(crate) mod round;
mod run;
mod start;
mod sub;
mod wait;

use chrono::{DateTime, Utc};

use crate::port::Clock;

/// The wall clock may be set while something sleeps; it is looked at this often.
const LONGEST_SLEEP: std::time::Duration = std::time::Duration::from_secs(60);

/// Sleeps until the clock says `at`.
pub(crate) async fn sleep_until(clock: &dyn Clock, at: DateTime<Utc>) {
    loop {
        let Ok(left) = (at - clock.now()).to_std() else { return };
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
    }
}
