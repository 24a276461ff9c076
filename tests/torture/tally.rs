//! What is counted, and the table of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use crate::story::Invocation;

/// A daemon's life.
#[derive(Clone, Copy)]
pub struct Life {
    pub born: DateTime<Utc>,
    pub killed: DateTime<Utc>,
    /// It had said that it is ready.
    pub ready: bool,
}

#[derive(Default)]
pub struct Tally {
    pub lives: Vec<Life>,
    /// Of each life, in which phases it had invocations under way when it was killed.
    hits: BTreeMap<usize, Vec<String>>,
    pub resumes: u64,
    pub effects: u64,
    pub repeated: u64,
    pub unknown: u64,
    pub unknown_made: u64,
    pub given_up: u64,
    pub resolved: u64,
    pub approved: u64,
    pub alerts: u64,
    pub runs: u64,
    /// Runs that steps of others asked for.
    pub below: u64,
    verdicts: BTreeMap<String, u64>,
}

impl Tally {
    pub fn verdict(&mut self, verdict: &str) {
        self.runs += 1;
        *self.verdicts.entry(verdict.to_owned()).or_default() += 1;
    }

    /// Notes whose death interrupted it.
    pub fn interrupted(&mut self, invocation: &Invocation) {
        for (from, until) in &invocation.spans {
            for (index, life) in self.lives.iter().enumerate() {
                let hit = life.born <= *from && *from <= life.killed && until.is_none_or(|until| until > life.killed);
                if hit {
                    self.hits.entry(index).or_default().push(invocation.phase.clone());
                }
            }
        }
    }

    pub fn add(&mut self, other: Self) {
        let offset = self.lives.len();
        self.lives.extend(other.lives);
        let hits = other.hits.into_iter();
        self.hits.extend(hits.map(|(index, phases)| (index + offset, phases)));
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += count;
        }
        self.resumes += other.resumes;
        self.effects += other.effects;
        self.repeated += other.repeated;
        self.unknown += other.unknown;
        self.unknown_made += other.unknown_made;
        self.given_up += other.given_up;
        self.resolved += other.resolved;
        self.approved += other.approved;
        self.alerts += other.alerts;
        self.runs += other.runs;
        self.below += other.below;
    }

    /// Kills that hit an invocation in this phase.
    pub fn hit(&self, phase: &str) -> usize {
        let in_phase = |phases: &&Vec<String>| phases.iter().any(|hit| hit == phase);
        self.hits.values().filter(in_phase).count()
    }

    pub fn table(&self) -> String {
        let kills = self.lives.len();
        let early = self.lives.iter().filter(|life| !life.ready).count();
        let quiet = |index: &usize| self.lives[*index].ready && !self.hits.contains_key(index);
        let idle = (0..kills).filter(quiet).count();
        let mut rows = vec![
            ("kill -9".to_owned(), kills as u64),
            ("… before the daemon was ready".to_owned(), early as u64),
            ("… with no call of a plugin under way".to_owned(), idle as u64),
        ];
        for phase in ["check", "plan", "apply", "rollback"] {
            rows.push((format!("… with a call of `{phase}` under way"), self.hit(phase) as u64));
        }
        // Of what was lost or made twice there is no count: the first one ends the test.
        let plain = [
            ("alerts pushed", self.alerts),
            ("runs that came to their end", self.runs),
            ("runs that a step of another had run", self.below),
            ("times that an invocation was gone on with", self.resumes),
            ("effects begun", self.effects),
            ("effects lost", 0),
            ("effects made twice that may not be", 0),
            ("repeatable effects made again", self.repeated),
            ("runs that were `unknown`", self.unknown),
            ("… where the effect had been made", self.unknown_made),
            ("… where it had not", self.unknown - self.unknown_made - self.given_up),
            ("… interrupted three times in the same place", self.given_up),
            ("… that a person's word brought to an end", self.resolved),
            ("plans that a person approved", self.approved),
        ];
        rows.extend(plain.map(|(name, count)| (name.to_owned(), count)));
        let verdicts = self.verdicts.iter();
        rows.extend(verdicts.map(|(verdict, count)| (format!("last verdict `{verdict}`"), *count)));
        let mut table = "| what | count |\n|---|---|\n".to_owned();
        for (name, count) in rows {
            // Writing to a string does not fail.
            let _ = writeln!(table, "| {name} | {count} |");
        }
        table
    }
}
