//! An exit code for each verdict, so that scripts can tell them apart.

use evenkeel_model::run::Verdict;

/// Something could not be done at all; the reason is on standard error.
pub const ERROR: u8 = 1;

/// A person has to approve it before it goes on.
pub const WAITING: u8 = 16;

/// The codes that `--help` lists. They never change.
pub fn code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Healthy | Verdict::Changed | Verdict::Repaired | Verdict::Planned | Verdict::Undone => 0,
        Verdict::Unhealthy => 10,
        Verdict::NotRepaired => 11,
        Verdict::Failed => 12,
        Verdict::Rejected => 13,
        Verdict::Cancelled => 14,
        Verdict::Unknown => 15,
    }
}
