//! Schedules: five fields mean what crontab(5) says, six start with seconds.

/// A cron expression in a zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// As authored.
    pub expression: String,
    pub zone: chrono_tz::Tz,
}
