//! What must hold.

use std::collections::BTreeMap;

use evenkeel_engine::run::{Attempt, Place};
use evenkeel_model::change::{self, Change, ChangeOutcome};
use evenkeel_model::run::{StepResult, StepStatus};

use super::*;

impl Simulation {
    /// What must hold whenever something is called.
    pub fn check_invoke(&self, invoke: &Invoke) {
        assert!(self.run.started_at.is_some());
        assert!(
            self.run.doubt().is_none() || invoke.resumes,
            "something is called although a person has to look"
        );
        let is_over =
            |attempt: &Attempt| attempt.key.phase == Phase::Apply && self.run.result(&attempt.key.step).is_some();
        assert!(
            invoke.resumes || !self.run.doubts_left().any(|(attempt, _)| is_over(attempt)),
            "something is called beside what is not gone on with any more"
        );
        let of_step = self.run.at_work.iter().filter(|key| key.step == invoke.key.step);
        let of_step: Vec<_> = of_step.map(item).collect();
        assert!(
            invoke.before.is_some() || !of_step.contains(&item(&invoke.key)),
            "a step does one thing after the other"
        );
        assert!(
            invoke.before.is_some() || of_step.len() < 2,
            "no more of its items at once"
        );
        self.check_needs(invoke);
        assert!(
            invoke.key.attempt <= 3 + self.voided + 3 * self.taken_back || self.run.result(&invoke.key.step).is_some()
        );
        let id = invoke.key.action.as_deref().unwrap_or_default();
        match &invoke.work {
            Work::Check | Work::Plan => {}
            Work::Collect | Work::Send(_) => unreachable!("a step runs a check or a remedy"),
            Work::Apply(action) => {
                assert!(!self.run.dry(), "a dry run applies nothing");
                let begun = invoke.resumes && self.run.changed_by(&invoke.key.step);
                assert!(self.run.stops().is_none() || begun, "a run that stops begins nothing");
                let plan = self.run.plan(&invoke.key.step).expect("what is applied was planned");
                let planned = plan.actions.iter().find(|planned| planned.id == id).expect("planned");
                assert_eq!((&planned.effects, &planned.undo), (&action.effects, &action.undo));
                assert!(id.ends_with(&action.id), "the plugin knows it by its own name");
                assert!(plan.risk < Risk::Medium || self.approved.contains(plan.hash.as_str()));
                assert!(self.run.applied(&invoke.key.step, id).is_none(), "applied twice");
            }
            Work::Rollback(action, done) => {
                assert!(action.undo.is_some());
                let applied = self.run.applied(&invoke.key.step, id);
                // What found its own doing answers nothing that its undoing can go by.
                assert_eq!(applied.filter(|applied| applied.changed), done.as_ref());
                let before = self.run.attempt(&invoke.key.step, Phase::Rollback, Some(id));
                let undone = before.and_then(|attempt| attempt.output());
                assert_ne!(undone, Some(&Output::RolledBack), "rolled back twice");
                self.check_order(invoke);
            }
        }
    }

    /// What was done after it is rolled back before it, as far as that can be.
    fn check_order(&self, invoke: &Invoke) {
        let steps = self.subject.runbook.steps.iter().rev();
        let all = steps.flat_map(|step| {
            let plan = self.run.plan(&step.id).into_iter();
            plan.flat_map(|plan| plan.actions.iter().rev())
                .map(move |action| (step, action))
        });
        let is_it = |id: &str| invoke.key.action.as_deref() == Some(id);
        let later = all.take_while(|(step, action)| step.id != invoke.key.step || !is_it(&action.id));
        for (step, action) in later.filter(|(_, action)| action.undo.is_some()) {
            let of = |phase| self.run.attempt(&step.id, phase, Some(&action.id));
            let changed = of(Phase::Apply).is_some_and(|attempt| match attempt.output() {
                Some(Output::Applied(applied)) => applied.changed,
                _ => attempt.has_touched(),
            });
            let tried = of(Phase::Rollback).is_some_and(|attempt| attempt.ended.is_some());
            // The plugin `fix` may be gone: then it can't be tried.
            let is_gone = step
                .plugin()
                .is_some_and(|plugin| self.subject.home.component(plugin).is_none());
            assert!(
                !changed || tried || is_gone,
                "`{}` is rolled back after what came before it",
                action.id
            );
        }
    }

    fn check_needs(&self, invoke: &Invoke) {
        let step = self
            .subject
            .runbook
            .steps
            .iter()
            .find(|step| step.id == invoke.key.step);
        let needs = &step.expect("it is of a step").needs;
        // What is taken back goes by what was recorded.
        assert!(
            invoke.key.phase == Phase::Rollback || needs.iter().all(|need| self.run.result(need).is_some()),
            "{:?} does not wait for what it needs: {:#?}",
            invoke.key,
            self.events
        );
    }

    pub fn check_end(&self) {
        let finished = self.run.finished.as_ref().expect("it has an end");
        assert!(self.under_way.is_empty(), "it ended in the middle of something");
        let doubt = self.run.doubt_left().is_some();
        assert_eq!(finished.verdict == Verdict::Unknown, doubt);
        assert_eq!(finished.changed, self.run.changed());
        let overdue = self.run.overdue && self.run.cut_short && self.run.undo.is_none() && self.run.killed.is_none();
        if overdue && self.run.doubt_left().is_none() {
            assert!(
                matches!(finished.verdict, Verdict::Failed | Verdict::Rejected),
                "{finished:?}"
            );
        }
        if finished.verdict == Verdict::Undone {
            assert!(left(&self.run, &self.subject).is_empty(), "something of it is left");
            assert!(self.run.undo.is_some(), "nobody wanted that");
        }
        if self.run.dry() {
            assert!(!finished.changed);
            assert!(self.run.escalated.is_none());
        }
        if matches!(
            finished.verdict,
            Verdict::Healthy | Verdict::Unhealthy | Verdict::Cancelled | Verdict::Planned
        ) {
            assert!(!finished.changed, "{finished:?}");
        }
        if matches!(
            finished.verdict,
            Verdict::Changed | Verdict::Repaired | Verdict::NotRepaired
        ) {
            assert!(finished.changed, "{finished:?}");
        }
        assert!(
            !finished.why.is_empty() || finished.verdict == Verdict::Changed,
            "{finished:?}"
        );
        assert_eq!(finished.changed, self.has_changed(), "{finished:?}");
        if !finished.changed {
            let records =
                (1..=self.events.len()).flat_map(|end| change::of(evenkeel_model::name::RunId(1), &self.events[..end]));
            let changed = |record: &Change| record.outcome == ChangeOutcome::Changed;
            assert!(
                !records.into_iter().any(|record| changed(&record)),
                "{:#?}",
                self.events
            );
        }
        self.check_left_out();
        let again = Run::fold(&self.events);
        assert_eq!(format!("{again:?}"), format!("{:?}", self.run));
    }
}

/// What is known of an action.
#[derive(Default)]
struct Acted {
    /// Effects that it began, by attempt and call, but for those that a person says were not made.
    begun: BTreeSet<(u32, u32)>,
    /// Those of them that were answered, so that it is known that they were made.
    answered: BTreeSet<(u32, u32)>,
    /// It is not known that its last attempt has come to an end of its own.
    interrupted: bool,
    /// What it said of itself.
    said: Option<bool>,
    /// Effects that have an answer, by attempt and call.
    called: BTreeSet<(u32, u32)>,
    /// It had begun one before: in an earlier attempt, or before it was interrupted.
    had_begun: bool,
}

impl Simulation {
    /// No step is left undone for a reason that does not stand in the end.
    fn check_left_out(&self) {
        let results = || self.run.steps.values().filter_map(|step| step.result.as_ref());
        let is_over = |result: &StepResult| matches!(result.status, StepStatus::Failed | StepStatus::Rejected);
        let is_stop = |event: &Event| matches!(event.body, Body::CancelRequested { .. } | Body::Overdue { .. });
        if self.run.dry() || results().any(is_over) || self.events.iter().any(is_stop) {
            return;
        }
        for left_out in results().filter(|result| result.status == StepStatus::Skipped) {
            assert!(left_out.summary.contains("`when`"), "{left_out:?}: {:#?}", self.events);
        }
    }

    /// By the events alone: something said that it changed something, or began an effect and said nothing.
    fn has_changed(&self) -> bool {
        let mut all = BTreeMap::<Place, Acted>::new();
        for event in &self.events {
            let key = match &event.body {
                Body::Invoked { key, .. }
                | Body::Intended { key, .. }
                | Body::Called { key, .. }
                | Body::Ended { key, .. }
                | Body::Resumed { key }
                | Body::Resolved { key, .. }
                    if matches!(key.phase, Phase::Apply | Phase::Rollback) =>
                {
                    key
                }
                _ => continue,
            };
            let acted = all
                .entry(Place::new(&key.step, key.phase, key.action.as_deref()))
                .or_default();
            match &event.body {
                Body::Invoked { .. } => {
                    (acted.interrupted, acted.said) = (true, None);
                    acted.had_begun = !acted.begun.is_empty();
                }
                Body::Resumed { key } => {
                    let open = acted.begun.difference(&acted.called);
                    acted.had_begun |= open.into_iter().any(|(attempt, _)| *attempt == key.attempt);
                }
                Body::Intended { n, .. } => {
                    acted.begun.insert((key.attempt, *n));
                }
                Body::Called { n, answer, .. } => {
                    acted.called.insert((key.attempt, *n));
                    if matches!(answer, Answer::Ok(_)) {
                        acted.answered.insert((key.attempt, *n));
                    }
                }
                Body::Ended { outcome, .. } => {
                    let diverged = Stop::Diverged;
                    acted.interrupted = matches!(outcome, Outcome::Stopped { stop, .. } if *stop == diverged);
                    if let Outcome::Done(Output::Applied(applied)) = outcome {
                        acted.said = Some(applied.changed || acted.had_begun);
                    }
                }
                Body::Resolved { done: true, .. } => acted.said = Some(key.phase == Phase::Apply),
                Body::Resolved { n, .. } if acted.interrupted && !acted.answered.contains(&(key.attempt, *n)) => {
                    acted.begun.remove(&(key.attempt, *n));
                }
                _ => {}
            }
        }
        all.values().any(|acted| acted.said.unwrap_or(!acted.begun.is_empty()))
    }
}

/// Of an invocation of a step with `each`.
fn item(key: &Key) -> Option<&str> {
    key.action
        .as_deref()?
        .split('/')
        .next()
        .filter(|item| item.parse::<usize>().is_ok())
}
