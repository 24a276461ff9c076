use std::fmt;

use crate::{Effect, Glob, subject};

/// A capability call that was made of a mock host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The interface.
    pub capability: &'static str,
    /// The function.
    pub operation: &'static str,
    /// In the form that effects have; reads are named the same way.
    pub subject: String,
    /// Stdin, a file's content, a body, the parameters of a statement.
    pub content: Vec<u8>,
    /// Whether it changes the world.
    pub effect: bool,
    /// Whether it was denied as an effect.
    pub denied: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{} {}", self.capability, self.operation, self.subject)
    }
}

/// Which effects may happen, and what was asked so far.
#[derive(Default)]
pub(crate) struct Journal {
    calls: Vec<Call>,
    policy: Policy,
}

#[derive(Default)]
enum Policy {
    #[default]
    Deny,
    All,
    /// Those declared, with how often each may still happen.
    Declared(Vec<(Effect, u32)>),
}

impl Journal {
    pub fn deny(&mut self) {
        self.policy = Policy::Deny;
    }

    pub fn allow_all(&mut self) {
        self.policy = Policy::All;
    }

    pub fn allow(&mut self, effects: &[Effect]) {
        self.policy = Policy::Declared(effects.iter().map(|effect| (effect.clone(), effect.at_most)).collect());
    }

    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    pub fn read(&mut self, capability: &'static str, operation: &'static str, subject: String) {
        self.calls.push(Call {
            capability,
            operation,
            subject,
            content: Vec::new(),
            effect: false,
            denied: false,
        });
    }

    /// Says why not.
    pub fn effect(
        &mut self,
        capability: &'static str,
        operation: &'static str,
        subject: String,
        content: &[u8],
    ) -> Result<(), String> {
        let mut call = Call {
            capability,
            operation,
            subject,
            content: content.to_vec(),
            effect: true,
            denied: false,
        };
        let verdict = self.policy.judge(&call);
        call.denied = verdict.is_err();
        self.calls.push(call);
        verdict
    }
}

impl Policy {
    fn judge(&mut self, call: &Call) -> Result<(), String> {
        match self {
            Self::All => Ok(()),
            Self::Deny => Err(format!("`{call}` is an effect, and this call may make none")),
            Self::Declared(effects) => {
                let declared = effects
                    .iter_mut()
                    .find(|(effect, left)| *left > 0 && covers(effect, call));
                let (_, left) = declared.ok_or_else(|| format!("the action does not declare `{call}`"))?;
                *left -= 1;
                Ok(())
            }
        }
    }
}

fn covers(effect: &Effect, call: &Call) -> bool {
    let named = match effect.subject.strip_prefix("glob:") {
        Some(pattern) => pattern
            .parse::<Glob>()
            .is_ok_and(|pattern| pattern.matches(&call.subject)),
        None => effect.subject == call.subject,
    };
    let pinned = effect
        .content
        .as_ref()
        .is_none_or(|content| *content == subject::content(&call.content));
    effect.capability == call.capability && effect.operation == call.operation && named && pinned
}
