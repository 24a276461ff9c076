//! What must hold.

use super::*;

impl Simulation {
    /// What must hold whenever something is called.
    pub fn check_invoke(&self, invoke: &Invoke) {
        assert!(self.run.started_at.is_some());
        assert!(
            self.run.doubt().is_none() || invoke.resumes,
            "something is called although a person has to look"
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
        let step = self
            .subject
            .runbook
            .steps
            .iter()
            .find(|step| step.id == invoke.key.step);
        let needs = &step.expect("it is of a step").needs;
        assert!(
            needs.iter().all(|need| self.run.result(need).is_some()),
            "it does not wait for what it needs"
        );
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
                assert_eq!(applied, done.as_ref());
                let before = self.run.attempt(&invoke.key.step, Phase::Rollback, Some(id));
                let undone = before.and_then(|attempt| attempt.output());
                assert_ne!(undone, Some(&Output::RolledBack), "rolled back twice");
            }
        }
    }

    pub fn check_end(&self) {
        let finished = self.run.finished.as_ref().expect("it has an end");
        assert!(self.under_way.is_empty(), "it ended in the middle of something");
        let doubt = self.run.doubt_left().is_some();
        assert_eq!(finished.verdict == Verdict::Unknown, doubt);
        assert_eq!(finished.changed, self.run.changed());
        let overdue = self.run.overdue && self.run.cut_short && self.run.undo.is_none();
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
        let again = Run::fold(&self.events);
        assert_eq!(format!("{again:?}"), format!("{:?}", self.run));
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
