//! Plans in words: each action with its effects and its undo.

use evenkeel_model::action::{Action, Effect};

use super::safe;
use super::story::{WIDTH, inner, plural};

/// Characters of an action's own words.
const WORDS: usize = 4_000;

/// How much of a plan is told. What is left out is counted, and it is said where it stands.
struct Form {
    /// Of an action, and as many of its undo.
    effects: usize,
    /// Of the whole plan.
    in_all: usize,
    /// Characters of an effect's subject.
    subject: usize,
    /// Characters of a line.
    width: usize,
}

/// For a story.
const BRIEF: Form = Form {
    effects: 8,
    in_all: 1_000,
    subject: WIDTH,
    width: usize::MAX,
};

/// For those who decide: a plan has to be larger than anybody would read to be cut.
const WHOLE: Form = Form {
    effects: 1_000,
    in_all: 1_000,
    subject: 4_000,
    width: WIDTH,
};

/// What a story tells of a plan.
pub struct Planned {
    pub lines: Vec<String>,
    /// There is more to it.
    pub is_cut: bool,
}

/// `elsewhere`: the command that shows all of it.
pub fn planned(hash: &str, risk: &str, actions: &[Action], elsewhere: &str) -> Planned {
    let head = match actions.len() {
        0 => inner("the plan is to do nothing"),
        n => inner(&format!(
            "plan {}: {n} action{}, risk {risk}",
            hash.get(..12).unwrap_or(hash),
            plural(n)
        )),
    };
    let teller = Teller::tell(&BRIEF, actions);
    let is_cut = teller.is_cut;
    let mut lines = vec![head];
    lines.extend(teller.lines(elsewhere));
    Planned { lines, is_cut }
}

/// What each would do, with every effect of it and of its undo, for a person who decides.
pub fn whole(actions: &[Action], elsewhere: &str) -> Vec<String> {
    Teller::tell(&WHOLE, actions).lines(elsewhere)
}

/// Every effect that the undo of an action would make.
pub fn undoing(action: &Action, elsewhere: &str) -> Vec<String> {
    let mut teller = Teller::new(&WHOLE);
    teller.effects("", &action.undo_effects, "effect");
    teller.lines(elsewhere)
}

struct Teller<'f> {
    form: &'f Form,
    lines: Vec<String>,
    /// Effects that may still be told.
    left: usize,
    is_cut: bool,
}

impl<'f> Teller<'f> {
    fn new(form: &'f Form) -> Self {
        Self {
            form,
            lines: Vec::new(),
            left: form.in_all,
            is_cut: false,
        }
    }

    fn tell(form: &'f Form, actions: &[Action]) -> Self {
        let mut teller = Self::new(form);
        for action in actions {
            teller.action(action);
        }
        teller
    }

    fn lines(mut self, elsewhere: &str) -> Vec<String> {
        if self.is_cut {
            let note = format!("not all of it is shown here: {elsewhere} has it whole");
            self.lines.push(inner(&note));
        }
        self.lines
    }

    fn action(&mut self, action: &Action) {
        let undo = match &action.undo {
            Some(words) => format!("undo: {}", self.bounded(words, WORDS)),
            None => "can't be undone".to_owned(),
        };
        let (id, summary) = (self.bounded(&action.id, WORDS), self.bounded(&action.summary, WORDS));
        self.wrapped("+ ", &format!("`{id}` {summary} (risk {}; {undo})", action.risk));
        self.effects("    ", &action.effects, "effect");
        self.effects("    undo: ", &action.undo_effects, "effect of its undo");
    }

    fn effects(&mut self, head: &str, effects: &[Effect], noun: &str) {
        let told = effects.len().min(self.form.effects).min(self.left);
        self.left -= told;
        for effect in effects.iter().take(told) {
            self.effect(head, effect);
        }
        if told < effects.len() {
            let more = effects.len() - told;
            let noun = noun.replacen("effect", if more == 1 { "effect" } else { "effects" }, 1);
            self.lines.push(inner(&format!("    and {more} more {noun}")));
            self.is_cut = true;
        }
    }

    /// The subject is the last of its line, and what we say of it has a line of its own: no subject
    /// can pass for that.
    fn effect(&mut self, head: &str, effect: &Effect) {
        let name = format!("{}.{}", safe::text(&effect.capability), safe::text(&effect.operation));
        let subject = self.bounded(&effect.subject, self.form.subject);
        self.wrapped(head, &format!("{name} {subject}"));
        let content = effect.content.as_ref();
        let content = content.map(|hash| format!("content {}", self.bounded(hash, WIDTH)));
        let times = (effect.at_most != 1).then(|| format!("at most {} times", effect.at_most));
        let bounds: Vec<String> = content.into_iter().chain(times).collect();
        if !bounds.is_empty() {
            self.lines.push(inner(&format!("      {}", bounds.join(", "))));
        }
    }

    fn bounded(&mut self, untrusted: &str, limit: usize) -> String {
        let all = safe::text(untrusted);
        let shown = safe::short(untrusted, limit);
        self.is_cut |= shown != all;
        shown
    }

    /// A line that goes on in others says so at the beginning of each of them.
    fn wrapped(&mut self, head: &str, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        let mut head = head.to_owned();
        for part in chars.chunks(self.form.width) {
            let part: String = part.iter().collect();
            self.lines.push(inner(&format!("{head}{part}")));
            "    … ".clone_into(&mut head);
        }
    }
}

#[cfg(test)]
mod tests;
