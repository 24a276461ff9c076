//! What a template names, found without filling it.

use std::ops::Range;
use std::sync::LazyLock;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use super::{ENVIRONMENT, FUEL, TemplateError, explained};

/// How a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text with `{{ }}`.
    Template,
    /// An expression, as in `when`.
    Expression,
}

/// A variable with the attributes that are asked of it: `steps.look.severity`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    pub names: Vec<String>,
    /// Bytes in the text, of the first place where it stands; none: it is written otherwise
    /// (`steps [ "look" ]`).
    pub start: Option<usize>,
}

impl Path {
    pub fn dotted(&self) -> String {
        self.names.join(".")
    }

    /// Where the `n`th name stands.
    pub fn span(&self, n: usize) -> Option<Range<usize>> {
        let start = self.start? + self.names[..n].iter().map(|name| name.len() + 1).sum::<usize>();
        Some(start..start + self.names[n].len())
    }
}

/// The variables of a text that it doesn't set itself, in the order of their names. Fails on what
/// no values could make right: bad syntax, a filter, test or function that does not exist.
pub fn variables(text: &str, kind: Kind) -> Result<Vec<Path>, TemplateError> {
    let dotted = match kind {
        Kind::Template => {
            let template = PROBE.template_from_str(text).map_err(explained)?;
            known_words(template.render(()).err())?;
            template.undeclared_variables(true)
        }
        Kind::Expression => {
            let expression = PROBE.compile_expression(text).map_err(explained)?;
            known_words(expression.eval(()).err())?;
            expression.undeclared_variables(true)
        }
    };
    let mut paths = dotted.iter().map(|dotted| path(text, dotted)).collect::<Vec<_>>();
    paths.retain(|path| !is_global(&path.names[0]));
    paths.sort();
    Ok(paths)
}

/// Lets everything be missing, so that a run without values reaches as many filters as it can.
static PROBE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = ENVIRONMENT.clone();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment
});

fn known_words(error: Option<minijinja::Error>) -> Result<(), TemplateError> {
    match error {
        Some(error) if matches!(error.kind(), ErrorKind::UnknownFilter | ErrorKind::UnknownTest) => {
            Err(explained(error))
        }
        _ => Ok(()),
    }
}

fn is_global(name: &str) -> bool {
    ENVIRONMENT.globals().any(|(global, _)| global == name)
}

fn path(text: &str, dotted: &str) -> Path {
    Path {
        names: dotted.split('.').map(str::to_owned).collect(),
        start: word_start(text, dotted),
    }
}

/// Where `word` stands on its own, not as a part of a longer name.
fn word_start(text: &str, word: &str) -> Option<usize> {
    let inner = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).map(|(start, _)| start).find(|start| {
        let before = text[..*start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        !before.is_some_and(|c| inner(c) || c == '.') && !after.is_some_and(inner)
    })
}
