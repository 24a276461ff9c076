//! What operators write, with the place of each thing. Everything that one file alone can tell
//! is checked here; what needs the rest of the home is checked by `check`.

pub(crate) mod assets;
pub(crate) mod each;
pub(crate) mod json;
mod limits;
pub(crate) mod lock;
pub(crate) mod notify;
pub(crate) mod plugin;
mod reader;
pub(crate) mod role;
pub(crate) mod runbook;
pub(crate) mod scrape;
pub(crate) mod settings;
pub(crate) mod step;
pub(crate) mod trigger;
mod value;
pub(crate) mod window;

use std::ops::Range;

use crate::problem::File;

pub(crate) use reader::{Reader, Table};

/// A value with its place in the text.
pub(crate) type At<T> = toml::Spanned<T>;

/// The place of a part of a string, given in bytes of its value. The string as a whole, if its
/// value is not in the text as it stands (because of escapes).
pub(crate) fn inside(file: File<'_>, string: &At<String>, part: Range<usize>) -> Range<usize> {
    let token = string.span();
    let raw = file.text.get(token.clone()).unwrap_or_default();
    let quotes = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quotes| raw.starts_with(quotes));
    let opening = quotes.map_or(0, str::len);
    // TOML drops a line's end right after three quotes.
    let line_end = ["\r\n", "\n"]
        .into_iter()
        .find(|end| opening == 3 && raw[opening..].starts_with(end));
    let opening = opening + line_end.map_or(0, str::len);
    if !raw[opening..].starts_with(string.get_ref().as_str()) {
        return token;
    }
    let (start, end) = (token.start + opening + part.start, token.start + opening + part.end);
    // A point is shown as the character after it.
    start..if part.is_empty() {
        file.text.ceil_char_boundary(end + 1)
    } else {
        end
    }
}
