//! Problems as a compiler shows them: the place, the token, the fix.

use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use evenkeel_model::problem::{self, Problem};

/// All problems, with the lines they are about; `texts` by file name.
pub fn render(problems: &[Problem], texts: &BTreeMap<String, String>, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let rendered: Vec<_> = problems.iter().map(|problem| one(problem, texts, &renderer)).collect();
    rendered.join("\n\n")
}

fn one(problem: &Problem, texts: &BTreeMap<String, String>, renderer: &Renderer) -> String {
    let level = match problem.level {
        problem::Level::Error => Level::ERROR,
        problem::Level::Warning => Level::WARNING,
    };
    let group = level.primary_title(problem.message.as_str()).id(problem.code);
    let text = texts.get(&problem.file).map_or("", String::as_str);
    let mut parts = match &problem.span {
        Some(span) if span.end <= text.len() => {
            let mark = AnnotationKind::Primary.span(span.clone());
            let mark = match &problem.label {
                Some(label) => mark.label(label.as_str()),
                None => mark,
            };
            group.element(Snippet::source(text).path(problem.file.as_str()).annotation(mark))
        }
        _ => group.element(annotate_snippets::Origin::path(problem.file.as_str())),
    };
    if let Some(help) = &problem.help {
        parts = parts.element(Level::HELP.message(help.as_str()));
    }
    renderer.render(&[parts])
}
