//! What operators write, with the place of each thing. Everything that one file alone can tell
//! is checked here; what needs the rest of the home is checked by `check`.

pub(crate) mod assets;
pub(crate) mod json;
pub(crate) mod lock;
pub(crate) mod plugin;
mod reader;
pub(crate) mod role;
pub(crate) mod runbook;
pub(crate) mod settings;
pub(crate) mod step;
pub(crate) mod trigger;
mod value;

use std::ops::Range;

use crate::problem::File;

pub(crate) use reader::{Reader, Table};

/// A value with its place in the text.
pub(crate) type At<T> = toml::Spanned<T>;

/// The place of a part of a string, given in bytes of its value. The string as a whole, if its
/// value is not in the text as it stands (because of escapes).
pub(crate) fn inside(file: File<'_>, string: &At<String>, part: Range<usize>) -> Range<usize> {
    let token = string.span();
    let start = file.text.get(token.clone()).and_then(|raw| {
        let quotes = raw.len().checked_sub(raw.trim_start_matches(['"', '\'']).len())?;
        // At most three, and `""` is two that are a string.
        let opening = [1, 3].into_iter().filter(|n| *n <= quotes);
        let starts = opening.map(|n| token.start + n);
        starts
            .rev()
            .find(|start| file.text[*start..].starts_with(string.get_ref().as_str()))
    });
    match start {
        Some(start) if !part.is_empty() => start + part.start..start + part.end,
        Some(start) => start + part.start..(start + part.end + 1).min(token.end),
        None => token,
    }
}
