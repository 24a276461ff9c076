//! `[healed]` of a runbook.

use crate::authored::step::Step as AuthoredStep;
use crate::authored::{At, Reader};
use crate::plugin::Kind;
use crate::problem::quoted;

/// It names a step that is a check.
pub(super) fn check_rerun(reader: &Reader<'_>, rerun: &At<String>, steps: &[AuthoredStep], kinds: &[Option<Kind>]) {
    let wanted = rerun.get_ref();
    let found = steps.iter().zip(kinds).find(|(step, _)| step.name() == wanted);
    let checks = || {
        steps
            .iter()
            .zip(kinds)
            .filter(|(_, kind)| **kind == Some(Kind::Check))
            .map(|(step, _)| step.name())
    };
    let problem = match found {
        Some((step, _)) if step.runs.is_some() => reader
            .file
            .problem("not-a-check", rerun.span(), "`rerun` names a step that runs a runbook")
            .label("it takes a check"),
        Some((_, None | Some(Kind::Check))) => return,
        Some((_, Some(kind))) => {
            let message = format!("`rerun` names a {kind}, which would change something");
            reader
                .file
                .problem("not-a-check", rerun.span(), message)
                .label("it takes a check")
        }
        None => {
            let problem = reader
                .file
                .problem("unknown-step", rerun.span(), format!("there is no step `{wanted}`"));
            problem.suggest(wanted, checks())
        }
    };
    let names = quoted(checks());
    reader.say(match names.as_str() {
        "" => problem.help("the runbook has no step that is a check"),
        names => problem.help(format!("the checks are {names}")),
    });
}
