//! Columns for listings.

use comfy_table::{ContentArrangement, Table, presets};

/// A table without lines, headed in capitals. Cells must be safe already.
pub fn new(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head.iter().map(|title| title.to_uppercase()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// `ada, ben`.
pub fn names(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().map(|name| super::safe::text(name)).collect();
    shown.join(", ")
}

/// The rows as text, without blanks at the ends of lines.
pub fn text(table: &Table) -> String {
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}
