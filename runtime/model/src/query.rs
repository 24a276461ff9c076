//! PromQL with `{{ }}` in it. What a template stands for is text of others, an alert's for one: it is
//! taken only within a string of the expression, and there as its content, so that no value can
//! become a part of the expression.

use std::ops::Range;

use serde_json::Value;

use crate::template::{self, TemplateError};

/// Why a text can't be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    #[error("a template stands within `\"…\"` or `'…'` here")]
    Outside(Range<usize>),
    #[error("nothing is escaped between backticks: write this string as `\"…\"`")]
    InBackticks(Range<usize>),
    #[error("only `{{{{ … }}}}` is filled here")]
    Statement(Range<usize>),
    #[error("it has no end")]
    Unclosed(Range<usize>),
}

impl Misplaced {
    pub fn span(&self) -> Range<usize> {
        match self {
            Self::Outside(span) | Self::InBackticks(span) | Self::Statement(span) | Self::Unclosed(span) => {
                span.clone()
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    /// `{{ … }}`, whole.
    Filled(&'t str),
}

/// Where a part of the text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Expression,
    Comment,
    String(char),
}

/// # Errors
/// A template that does not stand within a string.
pub fn check(text: &str) -> Result<(), Misplaced> {
    parts(text).map(drop)
}

/// The expression with all values in it, each as the content of the string that it stands in.
///
/// # Errors
/// A value is missing, or a template is in the wrong place.
pub fn render(text: &str, context: &Value) -> Result<String, TemplateError> {
    let parts = parts(text).map_err(|misplaced| TemplateError {
        path: String::new(),
        message: misplaced.to_string(),
        span: Some(misplaced.span()),
    })?;
    let mut filled = String::new();
    for part in parts {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Filled(template) => escape(&template::render_text(template, context)?, &mut filled),
        }
    }
    Ok(filled)
}

/// Whether the answer is what passed a comparison without `bool`, or a set operator: then that there
/// is one says it, as in an alert rule, and its values are those of what was compared.
pub fn filters(expr: &str) -> bool {
    let words = outer_words(expr);
    if let [Word::Group(inner)] = words.as_slice() {
        return filters(inner);
    }
    let compares = |pair: &[Word<'_>]| matches!(pair, [Word::Comparison, next] if *next != Word::Name("bool"));
    let combines = |word: &Word<'_>| matches!(word, Word::Name(name) if ["and", "or", "unless"].contains(name));
    words.windows(2).any(compares) || words.iter().any(combines)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word<'t> {
    Name(&'t str),
    /// What stands in `(…)`.
    Group(&'t str),
    /// `{…}`, `[…]`, a string, or an operator.
    Other,
    Comparison,
}

/// What stands in no brackets.
fn outer_words(expr: &str) -> Vec<Word<'_>> {
    let (mut words, mut place, mut depth) = (Vec::new(), Place::Expression, 0_u32);
    let (mut at, mut begin) = (0, 0);
    while let Some(character) = expr[at..].chars().next() {
        let escapes = character == '\\' && matches!(place, Place::String('"' | '\''));
        let was = place;
        place = after(place, character);
        let start = at;
        at += character.len_utf8();
        if escapes {
            at += expr[at..].chars().next().map_or(0, char::len_utf8);
        }
        if was != Place::Expression || place != Place::Expression {
            if depth == 0 && matches!(was, Place::String(_)) && place == Place::Expression {
                words.push(Word::Other);
            }
            continue;
        }
        match character {
            '(' | '{' | '[' => {
                if depth == 0 {
                    begin = at;
                }
                depth += 1;
            }
            ')' | '}' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    let group = character == ')' && begin <= start;
                    words.push(if group {
                        Word::Group(&expr[begin..start])
                    } else {
                        Word::Other
                    });
                }
            }
            _ if depth > 0 || character.is_whitespace() => {}
            '=' | '!' | '<' | '>' => {
                at += usize::from(expr[at..].starts_with('='));
                words.push(Word::Comparison);
            }
            character if is_word(character) => {
                let length = expr[start..].find(|character| !is_word(character));
                at = length.map_or(expr.len(), |length| start + length);
                words.push(Word::Name(&expr[start..at]));
            }
            _ => words.push(Word::Other),
        }
    }
    words
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | ':' | '.')
}

/// As Go's strings have it, which PromQL's are: nothing in it ends a string of either kind.
fn escape(value: &str, into: &mut String) {
    for character in value.chars() {
        match character {
            '"' => into.push_str("\\x22"),
            '\'' => into.push_str("\\x27"),
            '\\' => into.push_str("\\\\"),
            character if character.is_control() => into.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => into.push(character),
        }
    }
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, Misplaced> {
    let (mut parts, mut place) = (Vec::new(), Place::Expression);
    let (mut begin, mut at) = (0, 0);
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        if rest.starts_with("{%") || rest.starts_with("{#") {
            return Err(Misplaced::Statement(at..at + 2));
        }
        if rest.starts_with("{{") {
            let length = rest.find("}}").ok_or(Misplaced::Unclosed(at..at + 2))? + 2;
            let template = at..at + length;
            match place {
                Place::String('`') => return Err(Misplaced::InBackticks(template)),
                Place::String(_) => {}
                Place::Expression | Place::Comment => return Err(Misplaced::Outside(template)),
            }
            parts.extend([Part::Text(&text[begin..at]), Part::Filled(&text[template])]);
            at += length;
            begin = at;
            continue;
        }
        // What follows a backslash ends no string.
        let escapes = character == '\\' && matches!(place, Place::String('"' | '\''));
        place = after(place, character);
        at += character.len_utf8();
        if escapes {
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    parts.push(Part::Text(&text[begin..]));
    Ok(parts)
}

fn after(place: Place, character: char) -> Place {
    match (place, character) {
        (Place::Expression, '"' | '\'' | '`') => Place::String(character),
        (Place::Expression, '#') => Place::Comment,
        (Place::Comment, '\n') => Place::Expression,
        (Place::String(quote), character) if quote == character => Place::Expression,
        (place, _) => place,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn filled(text: &str, value: &str) -> String {
        render(text, &json!({ "alert": { "labels": { "job": value } } })).unwrap()
    }

    #[test]
    fn a_value_is_the_content_of_its_string() {
        let text = r#"sum(up{job="{{ alert.labels.job }}", mode!='{{ alert.labels.job }}x'}) > 0 # "{"#;
        assert_eq!(filled(text, "web"), r#"sum(up{job="web", mode!='webx'}) > 0 # "{"#);
        let attack = "\"} or vector(1) # '";
        let escaped = r#"\x22} or vector(1) # \x27"#;
        assert_eq!(
            filled(text, attack),
            format!(r#"sum(up{{job="{escaped}", mode!='{escaped}x'}}) > 0 # "{{"#)
        );
        assert_eq!(filled(r#"up{a="\"{{ alert.labels.job }}"}"#, "b"), r#"up{a="\"b"}"#);
    }

    #[test]
    fn a_template_stands_in_a_string_or_nowhere() {
        let wrong = |text: &str| check(text).unwrap_err();
        assert!(matches!(wrong("up > {{ input.n }}"), Misplaced::Outside(span) if span == (5..18)));
        assert!(matches!(wrong("up{job=`{{ input.n }}`}"), Misplaced::InBackticks(_)));
        assert!(matches!(wrong("up # \"{{ input.n }}\""), Misplaced::Outside(_)));
        assert!(matches!(wrong("up{job=\"{% if a %}\"}"), Misplaced::Statement(_)));
        assert!(matches!(wrong("up{job=\"{{ a \"}"), Misplaced::Unclosed(_)));
        assert!(matches!(wrong(r#"up{a="\\", b={{ a }}}"#), Misplaced::Outside(_)));
        check(r#"sum by (job) ({__name__="x", job=~'a|b'}) # it's"#).unwrap();
    }

    #[test]
    fn an_answer_that_was_compared_says_it_by_being_there() {
        for filter in [
            "errors < 1",
            "sum by (job) (errors{a=\"x\"}) <= 0",
            "(a == 1)",
            "((a) != b)",
            "(a > bool 1) and (b)",
            "up unless on (job) down",
            "a == ignoring(x) b",
            "a >1 # as always",
        ] {
            assert!(filters(filter), "{filter}");
        }
        for value in [
            "up",
            "up{job!=\"a\", x=~\"b > 1\"}",
            "errors < bool 1",
            "sum(errors < 1)",
            "(vector(1))",
            "sum(a) == bool on (x) b",
            "rate(a[5m]) / 2",
            "scalar(up) # > 1",
            "\"a > b\"",
            "band + order",
        ] {
            assert!(!filters(value), "{value}");
        }
    }

    /// What PromQL reads in a string between these quotes; none: it ends before its last byte.
    fn read(content: &str, quote: char) -> Option<String> {
        let (mut read, mut characters) = (String::new(), content.chars());
        while let Some(character) = characters.next() {
            if character == quote || character == '\n' {
                return None;
            }
            if character != '\\' {
                read.push(character);
                continue;
            }
            match characters.next()? {
                '\\' => read.push('\\'),
                kind @ ('x' | 'u') => {
                    let length = if kind == 'x' { 2 } else { 4 };
                    let digits: String = characters.by_ref().take(length).collect();
                    read.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
                }
                _ => return None,
            }
        }
        Some(read)
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_string(value in any::<String>()) {
            for (text, quote) in [("a{b=\"{{ alert.labels.job }}\"}", '"'), ("a{b='{{ alert.labels.job }}'}", '\'')] {
                let filled = filled(text, &value);
                let content = &filled[5..filled.len() - 2];
                prop_assert_eq!(read(content, quote), Some(value.clone()));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = check(&text);
            filters(&text);
        }
    }
}
