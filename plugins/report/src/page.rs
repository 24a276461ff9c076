//! The page, as Markdown. All that stems from elsewhere stands in it as text, whatever it says.

use std::fmt::Write as _;

use crate::runs::{Run, Standing, counted};

/// Characters of one cell, or of what is told of one step.
const CELL: usize = 300;

pub fn of(title: &str, runs: &[Run]) -> String {
    let mut page = format!("# {}\n\n{}\n\n", text(title), counted(runs));
    page.push_str("| target | customer | verdict | what |\n|---|---|---|---|\n");
    for run in ordered(runs) {
        let customer = run.customer.as_deref().unwrap_or("-");
        // Writing to a string can't fail.
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            text(&run.place()),
            text(customer),
            text(&run.verdict),
            text(&run.why)
        );
    }
    for run in ordered(runs).filter(|run| run.standing() == Standing::Bad) {
        let _ = write!(page, "\n## {}\n\n", text(&run.place()));
        for (id, step) in &run.steps {
            let severity = step.severity.as_deref().unwrap_or("-");
            let _ = writeln!(page, "- {} ({}): {}", text(id), text(severity), text(&step.summary));
            for finding in step.output.as_array().into_iter().flatten() {
                let of = |name: &str| text(finding[name].as_str().unwrap_or("-"));
                let _ = writeln!(page, "  - {} {}: {}", of("severity"), of("code"), of("summary"));
            }
        }
    }
    page
}

/// What is not well first, and then by customer and target.
fn ordered(runs: &[Run]) -> impl Iterator<Item = &Run> {
    let mut ordered: Vec<&Run> = runs.iter().collect();
    ordered.sort_by_key(|run| {
        let order = match run.standing() {
            Standing::Bad => 0,
            Standing::NotKnown => 1,
            Standing::Well => 2,
        };
        (order, run.customer.clone(), run.target.clone(), run.run)
    });
    ordered.into_iter()
}

/// One line in which nothing is markup.
fn text(text: &str) -> String {
    let mut line = String::new();
    for (n, character) in text.chars().enumerate() {
        match character {
            _ if n == CELL => {
                line.push('…');
                break;
            }
            character if character.is_control() => line.push(' '),
            '\\' | '|' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '#' | '&' | '!' => {
                line.push('\\');
                line.push(character);
            }
            character => line.push(character),
        }
    }
    line
}
