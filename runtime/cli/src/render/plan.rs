//! Plans in words: each action with its effects and its undo.

use evenkeel_model::action::{Action, Effect};

use super::safe;
use super::story::{WIDTH, inner, plural};

/// So many effects of an action are named; the rest is counted.
const NAMED: usize = 8;

pub fn planned(hash: &str, risk: &str, actions: &[Action]) -> Vec<String> {
    let mut lines = vec![match actions.len() {
        0 => inner("the plan is to do nothing"),
        n => inner(&format!(
            "plan {}: {n} action{}, risk {risk}",
            hash.get(..12).unwrap_or(hash),
            plural(n)
        )),
    }];
    lines.extend(self::actions(actions));
    lines
}

/// What each would do, with its effects and its undo.
pub fn actions(actions: &[Action]) -> Vec<String> {
    let mut lines = Vec::new();
    for action in actions {
        let undo = action.undo.as_ref().map_or("can't be undone".to_owned(), |text| {
            format!("undo: {}", safe::text(text))
        });
        lines.push(inner(&format!(
            "+ `{}` {} (risk {}; {undo})",
            safe::text(&action.id),
            safe::text(&action.summary),
            action.risk
        )));
        lines.extend(
            action
                .effects
                .iter()
                .take(NAMED)
                .map(|effect| inner(&format!("    {}", effect_text(effect)))),
        );
        if action.effects.len() > NAMED {
            lines.push(inner(&format!("    and {} more effects", action.effects.len() - NAMED)));
        }
    }
    lines
}

fn effect_text(effect: &Effect) -> String {
    let times = if effect.at_most == 1 {
        String::new()
    } else {
        format!(", at most {} times", effect.at_most)
    };
    let content = effect
        .content
        .as_ref()
        .map_or(String::new(), |hash| format!(", content {}", safe::short(hash, 13)));
    let name = format!("{}.{}", safe::text(&effect.capability), safe::text(&effect.operation));
    format!("{name} {}{content}{times}", safe::short(&effect.subject, WIDTH))
}
