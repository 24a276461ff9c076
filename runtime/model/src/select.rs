//! Selectors as PromQL writes them: `role="redmine", env=~"prod|test"`.

use crate::pattern::anchored;
use crate::runbook::{MatchOp, Matcher, Selector};

/// What is wrong with a selector, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SelectorError {
    /// Byte in the text.
    pub offset: usize,
    /// From 1, in characters.
    pub column: usize,
    pub message: String,
}

impl Selector {
    /// Reads matchers with `=`, `!=`, `=~` or `!~`, separated by commas, in braces or without.
    /// Strings are quoted and escaped as in PromQL. There must be at least one matcher.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut reader = Reader { text, at: 0 };
        let matchers = reader.matchers()?;
        Ok(Self {
            text: text.to_owned(),
            matchers,
        })
    }
}

impl Selector {
    /// The same from the words of a command line, where a value may stand without quotes:
    /// `alertname=DiskFilling`. Each word is one matcher, or several as [`Selector::parse`] takes them.
    pub fn from_words<W: AsRef<str>>(words: &[W]) -> Result<Self, SelectorError> {
        let quoted: Vec<String> = words.iter().map(|word| in_quotes(word.as_ref())).collect();
        Self::parse(&quoted.join(", "))
    }

    /// Whether a thing without any label matches.
    pub fn matches_nothing_named(&self) -> bool {
        self.matches(&Default::default())
    }
}

/// A matcher whose value is not quoted gets quotes; anything else is for the parser to judge.
fn in_quotes(word: &str) -> String {
    let Some(at) = word.find(['=', '!']) else {
        return word.to_owned();
    };
    let (label, rest) = word.split_at(at);
    let operator = ["=~", "!~", "!=", "="]
        .into_iter()
        .find(|operator| rest.starts_with(operator));
    let Some(operator) = operator else {
        return word.to_owned();
    };
    let value = rest[operator.len()..].trim();
    if value.starts_with(['"', '\'', '`']) || !crate::alert::is_label_name(label.trim()) {
        return word.to_owned();
    }
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{label}{operator}\"{escaped}\"")
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn matchers(&mut self) -> Result<Vec<Matcher>, SelectorError> {
        self.skip_space();
        let braced = self.take("{");
        let mut matchers = Vec::new();
        loop {
            self.skip_space();
            if self.at_end(braced) && !matchers.is_empty() {
                break;
            }
            matchers.push(self.matcher()?);
            self.skip_space();
            if !self.take(",") {
                break;
            }
        }
        self.skip_space();
        if braced && !self.take("}") {
            return Err(self.error("expected `,` or `}`"));
        }
        self.skip_space();
        match self.rest() {
            "" => Ok(matchers),
            _ => Err(self.error("expected `,` between two matchers")),
        }
    }

    fn matcher(&mut self) -> Result<Matcher, SelectorError> {
        let label = self.label()?;
        self.skip_space();
        let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| self.take(operator));
        let Some(operator) = operator else {
            return Err(self.error("expected `=`, `!=`, `=~` or `!~` after the label"));
        };
        self.skip_space();
        let start = self.at;
        let value = self.string()?;
        let op = match operator {
            "=" => MatchOp::Equal(value),
            "!=" => MatchOp::NotEqual(value),
            "=~" => MatchOp::Regex(anchored(&value).map_err(|why| self.error_at(start, why))?),
            _ => MatchOp::NotRegex(anchored(&value).map_err(|why| self.error_at(start, why))?),
        };
        Ok(Matcher { label, op })
    }

    fn label(&mut self) -> Result<String, SelectorError> {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest().find(|c| !inner(c)).unwrap_or(self.rest().len());
        let label = &self.rest()[..end];
        if !crate::alert::is_label_name(label) {
            return Err(self.error("expected a label, as in `role=\"redmine\"`"));
        }
        let label = label.to_owned();
        self.at += end;
        Ok(label)
    }

    fn string(&mut self) -> Result<String, SelectorError> {
        let start = self.at;
        let quote = match self.next() {
            Some(quote @ ('"' | '\'' | '`')) => quote,
            _ => return Err(self.error_at(start, "expected a value in quotes".to_owned())),
        };
        let mut value = String::new();
        loop {
            let here = self.at;
            match self.next() {
                Some(c) if c == quote => return Ok(value),
                Some('\\') if quote != '`' => value.push(self.escape(here, quote)?),
                Some(c) if c != '\n' || quote == '`' => value.push(c),
                _ => return Err(self.error_at(start, format!("the string lacks its closing {quote}"))),
            }
        }
    }

    /// Go's escapes, which are PromQL's. A byte (`\xff`, `\377`) must be ASCII here.
    fn escape(&mut self, start: usize, quote: char) -> Result<char, SelectorError> {
        let unknown = |reader: &Self| {
            let end = reader.at;
            reader.error_at(
                start,
                format!("`{}` is no escape; a backslash is `\\\\`", &reader.text[start..end]),
            )
        };
        let code = match self.next() {
            Some('n') => return Ok('\n'),
            Some('t') => return Ok('\t'),
            Some('r') => return Ok('\r'),
            Some('a') => return Ok('\u{7}'),
            Some('b') => return Ok('\u{8}'),
            Some('f') => return Ok('\u{c}'),
            Some('v') => return Ok('\u{b}'),
            Some(c) if c == quote || c == '\\' => return Ok(c),
            Some('x') => self.digits(2, 16).filter(|code| *code < 0x80),
            Some('u') => self.digits(4, 16),
            Some('U') => self.digits(8, 16),
            Some('0'..='7') => {
                self.at -= 1;
                self.digits(3, 8).filter(|code| *code < 0x80)
            }
            _ => None,
        };
        code.and_then(char::from_u32).ok_or_else(|| unknown(self))
    }

    fn digits(&mut self, count: usize, radix: u32) -> Option<u32> {
        let digits = self.rest().get(..count)?;
        if !digits.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        let code = u32::from_str_radix(digits, radix).ok()?;
        self.at += count;
        Some(code)
    }

    fn at_end(&self, braced: bool) -> bool {
        self.rest().is_empty() || (braced && self.rest().starts_with('}'))
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn error(&self, message: &str) -> SelectorError {
        self.error_at(self.at, message.to_owned())
    }

    fn error_at(&self, offset: usize, message: String) -> SelectorError {
        SelectorError {
            offset,
            column: self.text[..offset].chars().count() + 1,
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> crate::alert::Labels {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn matchers_are_anded_and_a_missing_label_is_empty() {
        let selector = Selector::parse(r#"role="redmine", env=~"prod|test",tier!="vip",x="""#).unwrap();
        assert!(selector.matches(&labels(&[("role", "redmine"), ("env", "test")])));
        assert!(!selector.matches(&labels(&[("role", "redmine"), ("env", "tests")])));
        assert!(!selector.matches(&labels(&[("role", "redmine"), ("env", "prod"), ("x", "1")])));
    }

    #[test]
    fn words_of_a_command_line_need_no_quotes() {
        let words = [
            "alertname=DiskFilling",
            r"instance=~10\.0\..*",
            r#"env="a b""#,
            "x!=1, 2",
        ];
        let selector = Selector::from_words(&words).unwrap();
        assert_eq!(
            selector.text,
            r#"alertname="DiskFilling", instance=~"10\\.0\\..*", env="a b", x!="1, 2""#
        );
        assert!(selector.matches(&labels(&[
            ("alertname", "DiskFilling"),
            ("instance", "10.0.1.1"),
            ("env", "a b")
        ])));
        assert!(Selector::from_words(&["alertname"]).is_err());
        assert!(Selector::from_words::<&str>(&[]).is_err());
    }

    #[test]
    fn braces_and_a_last_comma_are_fine() {
        assert_eq!(Selector::parse("{ a = 'b', }").unwrap().matchers.len(), 1);
    }

    #[test]
    fn escapes_are_promql_s() {
        let selector = Selector::parse(r#"a="q\"\\\n\x41\u00e4\101""#).unwrap();
        let MatchOp::Equal(value) = &selector.matchers[0].op else {
            panic!()
        };
        assert_eq!(value, "q\"\\\nA\u{e4}A");
        let raw = Selector::parse(r"a=`\d`").unwrap();
        let MatchOp::Equal(value) = &raw.matchers[0].op else {
            panic!()
        };
        assert_eq!(value, r"\d");
    }

    #[test]
    fn a_pattern_is_anchored_also_against_its_own_parentheses() {
        let selector = Selector::parse(r#"a=~"x|y""#).unwrap();
        assert!(!selector.matches(&labels(&[("a", "xz")])));
        assert!(Selector::parse(r#"a=~"x)|(y""#).is_err());
    }

    #[test]
    fn errors_name_the_column() {
        for (text, column) in [
            ("", 1),
            ("{}", 2),
            ("role", 5),
            ("role=redmine", 6),
            (r#"ä="b""#, 1),
            (r#"a="b" c="d""#, 7),
            (r#"a="b"#, 3),
            (r#"a="b", c=~"(""#, 11),
            (r#"a="\q""#, 4),
            (r#"{a="b""#, 7),
            (r#"a=="b""#, 3),
        ] {
            let error = Selector::parse(text).unwrap_err();
            assert_eq!(error.column, column, "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in r#"[a-z{}=!~"'`,\\ x0-9(ä\n]{0,40}"#) {
            let _ = Selector::parse(&text);
        }

        #[test]
        fn a_quoted_value_comes_back(value in any::<String>()) {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let selector = Selector::parse(&format!("a=\"{quoted}\"")).unwrap();
            let MatchOp::Equal(read) = &selector.matchers[0].op else { panic!() };
            prop_assert_eq!(read, &value);
        }
    }
}
