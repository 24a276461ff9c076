//! How much is measured.

use std::time::Duration;

/// What a benchmark repeats, and over how many things.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Steps of each contender.
    pub steps: usize,
    /// Steps in a row, before it is the next one's turn.
    pub turn: usize,
    /// How often the 64 have their turn.
    pub crowds: usize,
    /// Live instances.
    pub instances: usize,
    pub plugins: usize,
    pub runbooks: usize,
    /// How often plugins are loaded, and the daemon started.
    pub starts: usize,
    /// How long the daemon is left alone before its memory is read.
    pub idle: Duration,
    /// Alerts posted.
    pub alerts: usize,
    pub schedules: usize,
    /// How long they are kept.
    pub kept: Duration,
    /// Schedules that are due at once.
    pub due_at_once: usize,
    /// Exposition texts read in a turn.
    pub texts: usize,
    /// How long a Prometheus is watched while it scrapes.
    pub scraped: Duration,
    /// Events in the journal.
    pub journaled: usize,
    /// Series that are kept.
    pub series: usize,
    /// How often they are scraped.
    pub scrapes: usize,
    /// How often by Prometheus, a second each; 0: there is none.
    pub peer_scrapes: usize,
    /// How often each selector is asked.
    pub selects: usize,
    /// Over which rules are tested.
    pub hours: usize,
}

impl Scale {
    /// What the figures that are told are measured with.
    pub const FULL: Self = Self {
        steps: 20_000,
        turn: 50,
        crowds: 21,
        instances: 1_000,
        plugins: 100,
        runbooks: 1_000,
        starts: 20,
        idle: Duration::from_secs(5),
        alerts: 1_000,
        schedules: 100_000,
        kept: Duration::from_secs(60),
        due_at_once: 100_000,
        texts: 100,
        scraped: Duration::from_secs(20),
        journaled: 10_000_000,
        series: 73_200,
        scrapes: 5_760,
        peer_scrapes: 240,
        selects: 101,
        hours: 12,
    };

    pub const SHORT: Self = Self {
        steps: 1_000,
        crowds: 5,
        starts: 3,
        alerts: 50,
        kept: Duration::from_secs(10),
        due_at_once: 10_000,
        texts: 20,
        scraped: Duration::from_secs(5),
        journaled: 1_000_000,
        scrapes: 480,
        peer_scrapes: 40,
        selects: 21,
        ..Self::FULL
    };

    /// Whether it runs at all; its figures say nothing.
    pub const SMOKE: Self = Self {
        steps: 4,
        turn: 2,
        crowds: 1,
        instances: 8,
        plugins: 2,
        runbooks: 2,
        starts: 1,
        idle: Duration::ZERO,
        alerts: 2,
        schedules: 400,
        kept: Duration::from_secs(3),
        due_at_once: 50,
        texts: 2,
        scraped: Duration::from_secs(2),
        journaled: 2_000,
        series: 2_000,
        scrapes: 40,
        peer_scrapes: 0,
        selects: 2,
        hours: 1,
    };
}
