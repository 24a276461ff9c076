//! How much an action may hurt: the higher of what the plugin and what the operator say.

use evenkeel_model::action::{Action, Effect, Risk};
use evenkeel_model::grant::Access;

/// The risk of an action with all its effects; with those of its undo too, if the runbook may
/// undo by itself, for nobody is asked then.
pub fn effective(action: &Action, access: &Access, undo_too: bool) -> Risk {
    let undo = action.undo_effects.iter().filter(|_| undo_too);
    let operators = action
        .effects
        .iter()
        .chain(undo)
        .filter_map(|effect| of_effect(effect, access));
    operators.fold(action.risk, Risk::max)
}

/// What the operator says of the thing that an effect is on. An effect that doesn't say which
/// thing in so many words counts as the riskiest that it could be.
fn of_effect(effect: &Effect, access: &Access) -> Option<Risk> {
    let of_capability = || {
        access
            .entries
            .iter()
            .filter(|((capability, _), _)| capability.as_str() == effect.capability)
    };
    let named = thing(effect).and_then(|name| of_capability().find(|((_, entry), _)| entry == name));
    match named {
        Some((_, entry)) => Some(entry.resource.risk()),
        None => of_capability().map(|(_, entry)| entry.resource.risk()).max(),
    }
}

/// The operator's word in a subject; `cap.wit` gives the form for each capability.
fn thing(effect: &Effect) -> Option<&str> {
    let subject = effect.subject.strip_prefix("glob:").unwrap_or(&effect.subject);
    match effect.capability.as_str() {
        "exec" | "sql" => subject.split(' ').next(),
        "files" => subject.split(':').next(),
        "http" => subject.split_once(' ')?.1.split(':').next(),
        "process" => Some(subject.split_once(' ')?.1),
        _ => None,
    }
}
