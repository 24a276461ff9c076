//! Text of plugins, alerts and logs, made safe for a terminal.

use std::fmt::Write as _;

/// Control characters, and those that turn the direction of text, are shown as escapes, so
/// that nothing a plugin writes can move the cursor or look like a line of ours.
pub fn text(untrusted: &str) -> String {
    let mut out = String::with_capacity(untrusted.len());
    for c in untrusted.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || steers(c) => {
                write!(out, "\\u{{{:x}}}", u32::from(c)).expect("a string takes all that is written");
            }
            c => out.push(c),
        }
    }
    out
}

/// The same, and cut to `limit` characters with an ellipsis.
pub fn short(untrusted: &str, limit: usize) -> String {
    let safe = text(untrusted);
    if safe.chars().count() <= limit {
        return safe;
    }
    safe.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

/// Bidirectional controls, zero-width characters and the two line separators of Unicode.
fn steers(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{short, text};

    #[test]
    fn escapes_can_not_reach_the_terminal() {
        assert_eq!(text("a\u{1b}[2Jb\nc\u{202e}d"), "a\\u{1b}[2Jb\\nc\\u{202e}d");
    }

    #[test]
    fn a_cut_is_shown() {
        assert_eq!(short("abcdef", 4), "abc…");
        assert_eq!(short("abcd", 4), "abcd");
    }
}
