//! What is kept beside the journal, in memory.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use evenkeel_engine::port::JournalError;
use evenkeel_engine::port::gates::{Ledger, OUTCOMES, Record, Unstarted, Wanted};
use evenkeel_model::alert::Alert;
use evenkeel_model::hold::{Ended, Hold, Wish};
use evenkeel_model::name::{AssetId, RunId, RunbookName};
use evenkeel_model::run::{Mode, Summary, Verdict};

use super::journal::Memory;

#[async_trait]
impl Ledger for Memory {
    async fn hold(&self, wish: Wish, now: DateTime<Utc>) -> Result<Hold, JournalError> {
        self.alive()?;
        let mut disk = self.disk.lock().unwrap();
        let hold = Hold {
            id: disk.holds.len() as u64 + 1,
            what: wish.what,
            why: wish.why,
            who: wish.who,
            since: now,
            until: wish.until,
            ended: None,
        };
        disk.holds.push(hold.clone());
        Ok(hold)
    }

    async fn release(&self, holds: Vec<u64>, who: String, now: DateTime<Utc>) -> Result<Vec<Hold>, JournalError> {
        self.alive()?;
        let mut disk = self.disk.lock().unwrap();
        let mut released = Vec::new();
        for hold in &mut disk.holds {
            if holds.contains(&hold.id) && hold.in_force(now) {
                hold.ended = Some(Ended {
                    at: now,
                    who: who.clone(),
                });
                released.push(hold.clone());
            }
        }
        Ok(released)
    }

    async fn holds(&self, since: DateTime<Utc>) -> Result<Vec<Hold>, JournalError> {
        let disk = self.disk.lock().unwrap();
        let over = |hold: &&Hold| hold.over_at().is_none_or(|at| at > since);
        Ok(disk.holds.iter().filter(over).cloned().collect())
    }

    async fn record(&self, runbook: &RunbookName, target: &AssetId, most: usize) -> Result<Record, JournalError> {
        self.alive()?;
        let key = (runbook.clone(), target.clone());
        let [cleared, told_at] = self.disk.lock().unwrap().strikes.get(&key).copied().unwrap_or_default();
        let counts = |run: &Summary| {
            run.mode == Mode::Live
                && run.verdict.is_some_and(|verdict| OUTCOMES.contains(&verdict))
                && cleared.is_none_or(|cleared| run.finished_at.is_some_and(|at| at > cleared))
        };
        let mut outcomes: Vec<Summary> = self.at(runbook, target).into_iter().filter(counts).collect();
        outcomes.sort_by_key(|run| std::cmp::Reverse((run.finished_at, run.run)));
        outcomes.truncate(most);
        Ok(Record { outcomes, told_at })
    }

    async fn clear_strikes(
        &self,
        runbook: &RunbookName,
        target: &AssetId,
        _who: &str,
        now: DateTime<Utc>,
    ) -> Result<(), JournalError> {
        let key = (runbook.clone(), target.clone());
        self.disk.lock().unwrap().strikes.insert(key, [Some(now), None]);
        Ok(())
    }

    async fn told(&self, runbook: &RunbookName, target: &AssetId, now: DateTime<Utc>) -> Result<(), JournalError> {
        let key = (runbook.clone(), target.clone());
        self.disk.lock().unwrap().strikes.entry(key).or_default()[1] = Some(now);
        Ok(())
    }

    async fn to_follow(&self, limit: usize) -> Result<Vec<RunId>, JournalError> {
        self.alive()?;
        let failed = self.summaries().into_iter().filter(|run| {
            let failed = matches!(run.verdict, Some(Verdict::Failed | Verdict::NotRepaired));
            failed && !self.disk.lock().unwrap().followed.contains(&run.run)
        });
        Ok(failed.map(|run| run.run).take(limit).collect())
    }

    async fn followed(&self, run: RunId) -> Result<(), JournalError> {
        self.alive()?;
        self.disk.lock().unwrap().followed.insert(run);
        Ok(())
    }

    async fn remembered(&self, _fingerprint: &str) -> Result<Vec<Alert>, JournalError> {
        Ok(Vec::new())
    }

    async fn note(&self, unstarted: Unstarted) -> Result<(), JournalError> {
        self.alive()?;
        self.disk.lock().unwrap().unstarted.push(unstarted);
        Ok(())
    }

    async fn unstarted(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        limit: usize,
        wanted: Wanted,
    ) -> Result<Vec<Unstarted>, JournalError> {
        let disk = self.disk.lock().unwrap();
        let found = disk.unstarted.iter().rev();
        let found = found.filter(|one| one.at >= from && one.since() <= to && wanted(one));
        let mut found: Vec<_> = found.cloned().collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.at));
        found.truncate(limit);
        Ok(found)
    }
}
