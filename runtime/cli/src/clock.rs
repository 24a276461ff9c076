//! The one place that reads the clock.

use chrono::{DateTime, Utc};
use evenkeel_engine::port::Clock;

pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
