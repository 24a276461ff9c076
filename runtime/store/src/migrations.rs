//! The schema, in numbered steps. A step that has been released is never edited.

use rusqlite::Connection;

const STEPS: [&str; 11] = [
    include_str!("migrations/0001_journal_and_alerts.sql"),
    include_str!("migrations/0002_memory_of_plugins.sql"),
    include_str!("migrations/0003_sealed_events.sql"),
    include_str!("migrations/0004_schedules.sql"),
    include_str!("migrations/0005_gates.sql"),
    include_str!("migrations/0006_changes.sql"),
    include_str!("migrations/0007_outbox.sql"),
    include_str!("migrations/0008_after.sql"),
    include_str!("migrations/0009_compaction.sql"),
    include_str!("migrations/0010_runs_below.sql"),
    include_str!("migrations/0011_told_together.sql"),
];

/// The schema that this version writes, as `PRAGMA user_version` has it.
pub const VERSION: i64 = STEPS.len() as i64;

/// Brings the schema from `found` up to [`VERSION`], in one transaction.
pub fn migrate(connection: &mut Connection, found: i64) -> rusqlite::Result<()> {
    let missing = usize::try_from(found).map_or(&STEPS[..], |found| STEPS.get(found..).unwrap_or_default());
    if missing.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", super::open::APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}
