//! The output of monitoring plugins, as the Monitoring Plugins Development Guidelines have it:
//! `SUMMARY | 'label'=value[unit];[warn];[crit];[min];[max] …`.

use evenkeel_sdk::serde_json::{Map, Number, Value};

/// The summary of the first line, and its performance data: label to value, the unit behind the label.
pub fn line(text: &str) -> (&str, Map<String, Value>) {
    let first = text.trim_start().lines().next().unwrap_or_default();
    match first.split_once('|') {
        Some((summary, data)) => (summary.trim(), performance(data)),
        None => (first.trim(), Map::new()),
    }
}

/// What can't be read is left out: it is a convenience, and must not fail a check that works.
fn performance(data: &str) -> Map<String, Value> {
    let mut values = Map::new();
    let mut rest = data.trim_start();
    while let Some((label, tail)) = label(rest) {
        let end = tail.find(char::is_whitespace).unwrap_or(tail.len());
        if let Some(value) = number(&tail[..end]) {
            values.insert(label, value.into());
        }
        rest = tail[end..].trim_start();
    }
    values
}

/// Up to the equals sign; in quotes it may hold blanks, and a quote doubled is one.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let (label, tail) = text.split_once('=')?;
        return Some((label.to_owned(), tail));
    };
    let mut label = String::new();
    let mut letters = quoted.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != '\'' {
            label.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == '\'') {
            letters.next();
            label.push('\'');
        } else {
            return quoted[at + 1..].strip_prefix('=').map(|tail| (label, tail));
        }
    }
    None
}

/// The value before its unit and its levels; `U` stands for a value that could not be found out.
fn number(field: &str) -> Option<Number> {
    let value = field.split(';').next().unwrap_or_default();
    let digits = value
        .find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c))
        .unwrap_or(value.len());
    Number::from_f64(value[..digits].parse().ok()?)
}

#[cfg(test)]
mod tests {
    use evenkeel_sdk::serde_json::json;

    use super::*;

    #[test]
    fn the_summary_ends_at_the_bar() {
        let (summary, data) = line("DISK OK - 5 GB free | /=2643MB;5948;5958;0;5968\nmore text");
        assert_eq!(
            (summary, Value::from(data)),
            ("DISK OK - 5 GB free", json!({ "/": 2643.0 }))
        );
        assert_eq!(line("\n  all is well \n").0, "all is well");
        assert_eq!(line("").0, "");
    }

    #[test]
    fn labels_in_quotes_hold_blanks_and_quotes() {
        let (_, data) = line("OK | 'used space'=12.5% 'it''s'=-1s load1=0.25;;; odd");
        assert_eq!(
            Value::from(data),
            json!({ "used space": 12.5, "it's": -1.0, "load1": 0.25 })
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let (_, data) = line("OK | a=U b=1 'open=2 c");
        assert_eq!(Value::from(data), json!({ "b": 1.0 }));
    }
}
