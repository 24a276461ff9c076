use std::fmt::Write as _;

use super::number::NoNumber;
use super::*;

mod openmetrics;
mod text;

/// A text, line and column, and what is said.
type Refused = (&'static str, (usize, usize), &'static str);

/// Each entry in one line: names and values in quotes, times after `@`.
fn told(format: Format, body: &[u8]) -> Result<Vec<String>, Fault> {
    let mut told = Vec::new();
    parse(body, format, &Limits::default(), |entry| told.push(line(&entry)))?;
    Ok(told)
}

fn line(entry: &Entry<'_>) -> String {
    match entry {
        Entry::Help { family, text } => format!("help {family:?} {text:?}"),
        Entry::Type { family, kind } => format!("type {family:?} {kind:?}"),
        Entry::Unit { family, unit } => format!("unit {family:?} {unit:?}"),
        Entry::Sample(sample) => {
            let mut line = format!("{:?}{} {:?}", sample.name.read(), braced(sample.labels), sample.value);
            let time = |line: &mut String, time: Option<i64>| time.map(|time| write!(line, " @{time}"));
            time(&mut line, sample.timestamp);
            if let Some(exemplar) = &sample.exemplar {
                write!(line, " # {} {:?}", braced(exemplar.labels), exemplar.value).unwrap();
                time(&mut line, exemplar.timestamp);
            }
            if let Some(created) = sample.created {
                write!(line, " since {created}").unwrap();
            }
            line
        }
    }
}

fn braced(labels: &[Label<'_>]) -> String {
    let labels: Vec<_> = labels
        .iter()
        .map(|label| format!("{:?}={:?}", label.name.read(), label.value.read()))
        .collect();
    format!("{{{}}}", labels.join(","))
}

#[track_caller]
fn takes(format: Format, cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(
            told(format, text.as_bytes()).as_deref(),
            Ok(&expected.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()[..]),
            "{text:?}"
        );
    }
}

#[track_caller]
fn refuses(format: Format, cases: &[Refused]) {
    for (text, (line, column), message) in cases {
        let fault = told(format, text.as_bytes()).expect_err(text);
        assert_eq!(
            (fault.line, fault.column, &*fault.message),
            (*line, *column, *message),
            "{text:?}"
        );
    }
}

#[test]
fn a_nul_outside_of_values_help_and_comments_is_refused() {
    refuses(
        Format::Text,
        &[
            ("\0", (1, 1), "expected a metric's name, `{` or `#`, found `\\0`"),
            ("up\0 1", (1, 3), "expected a value, found `\\0`"),
            (
                "up 1\0",
                (1, 5),
                "expected a time in whole milliseconds or the end of the line, found `\\0`",
            ),
            ("up{a=\"b\"\0} 1", (1, 9), "expected a label's name or `}`, found `\\0`"),
            (
                "up{a=\0\"b\"} 1",
                (1, 6),
                "expected a label's value in double quotes, found `\\0`",
            ),
            ("{\"u\0p\"} 1", (1, 4), "expected no NUL in these quotes"),
            (
                "# HELP m\0",
                (1, 9),
                "expected a blank after the metric's name, found `\\0`",
            ),
        ],
    );
    takes(Format::Text, &[("#\0\n# \0\nup 1", &[r#""up"{} 1.0"#])]);
    refuses(
        Format::OpenMetrics,
        &[("a 1 # {b=\"\0\"} 1\n# EOF", (1, 11), "expected no NUL in these quotes")],
    );
}

#[test]
fn numbers_are_those_of_go() {
    for (word, expected) in [
        ("0", 0.0),
        ("-0", -0.0),
        ("+1", 1.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5e1", -5.0),
        ("1E+05", 1e5),
        ("4.9351e-05", 4.9351e-05),
        ("7.424100000000001e-05", 7.424100000000001e-05),
        ("9007199254740993", 9_007_199_254_740_992.0),
        (
            "123456789012345678901234567890",
            123_456_789_012_345_680_000_000_000_000.0,
        ),
        ("1.7976931348623157e308", f64::MAX),
        ("5e-324", 5e-324),
        ("1e-400", 0.0),
        ("0e99999999999999999999", 0.0),
        ("0000000000000000000000000000000001", 1.0),
        ("inf", f64::INFINITY),
        ("+INFINITY", f64::INFINITY),
        ("-Inf", f64::NEG_INFINITY),
    ] {
        assert_eq!(number::parse(word).map(f64::to_bits), Ok(expected.to_bits()), "{word}");
    }
    for word in ["NaN", "nan", "NAN"] {
        assert_eq!(number::parse(word).map(f64::to_bits), Ok(f64::NAN.to_bits()));
    }
    for word in [
        "",
        "+",
        ".",
        "-.",
        "e5",
        "1e",
        "1e+",
        "1.2.3",
        "--1",
        "+nan",
        "-NaN",
        "infin",
        "infinityy",
        "1_000",
        "0x10",
        "0x1p-3",
        "0X1P3",
        "1p3",
        "1f",
        "1,5",
        "１",
        "0b1",
        "1e5.0",
    ] {
        assert_eq!(number::parse(word), Err(NoNumber::Syntax), "{word}");
    }
    for word in ["1e309", "-1e309", "1e99999999999999999999", "179769313486231580793e289"] {
        assert_eq!(number::parse(word), Err(NoNumber::Range), "{word}");
    }
}

#[test]
fn bounds_are_spelt_as_prometheus_spells_them() {
    for (written, read) in [
        ("1", "1.0"),
        ("+Inf", "+Inf"),
        ("inf", "+Inf"),
        ("0.005", "0.005"),
        ("5e-3", "0.005"),
        ("0.00001", "1e-05"),
        ("0.0001", "0.0001"),
        ("100000", "100000.0"),
        ("1000000", "1e+06"),
        ("1234567", "1.234567e+06"),
        ("-0", "0.0"),
        ("-1e100", "-1e+100"),
        ("NaN", "NaN"),
        ("none", "none"),
        ("1e400", "1e400"),
    ] {
        let text = format!("# TYPE h histogram\nh_bucket{{le=\"{written}\",quantile=\"1\"}} 2");
        let expected = format!("\"h_bucket\"{{\"le\"={read:?},\"quantile\"=\"1\"}} 2.0");
        assert_eq!(told(Format::Text, text.as_bytes()).unwrap()[1], expected);
    }
    takes(
        Format::Text,
        &[
            ("s{quantile=\"1\",le=\"1\"} 2", &[r#""s"{"quantile"="1","le"="1"} 2.0"#]),
            (
                "# TYPE s summary\ns{quantile=\"1\",le=\"1\"} 2",
                &[r#"type "s" Summary"#, r#""s"{"quantile"="1.0","le"="1"} 2.0"#],
            ),
        ],
    );
}

#[test]
fn what_is_not_utf8_is_refused_but_for_comments() {
    let at = |format, body: &[u8]| told(format, body).map_err(|fault| (fault.line, fault.column, fault.message));
    let refused = |line, column| Err((line, column, Cow::Borrowed("not UTF-8")));
    assert_eq!(
        at(Format::Text, b"# gr\xf6\xdfe\nup 1\n# \xff"),
        Ok(vec![r#""up"{} 1.0"#.to_owned()])
    );
    assert_eq!(at(Format::Text, b"a 1\nb{c=\"d\xffe\"} 1\nf"), refused(2, 7));
    assert_eq!(at(Format::Text, b"b{\"d\xff\"=\"e\"} 1"), refused(1, 5));
    assert_eq!(at(Format::Text, b"{\"\xc3\"} 1"), refused(1, 3));
    assert_eq!(at(Format::Text, b"# HELP a \xc3"), refused(1, 10));
    assert_eq!(at(Format::Text, b"\xff 1"), refused(1, 1));
    assert_eq!(at(Format::Text, b"a 1\xff"), refused(1, 4));
    assert_eq!(at(Format::OpenMetrics, b"a{b=\"\xff\"} 1\n# EOF\n"), refused(1, 6));
    // The first fault is told, and a comment before it is none.
    let told = at(Format::Text, b"# \xff\nup x\n\xff");
    assert_eq!(
        told,
        Err((2, 4, Cow::Borrowed("expected a value, found `x`, which is no number")))
    );
}

#[test]
fn limits_are_named() {
    let limits = Limits {
        line_bytes: 40,
        labels: 2,
        name_bytes: 10,
        value_bytes: 8,
        samples: 3,
    };
    let limited = |text: &str| parse(text.as_bytes(), Format::Text, &limits, |_| {}).map_err(|fault| fault.limit);
    assert_eq!(limited("abcdefghij{a=\"12345678\",b=\"\"} 1\nb 2\nc 3"), Ok(()));
    assert_eq!(limited(&format!("# {}\n", "x".repeat(99))), Ok(()));
    assert_eq!(limited("abcdefghijk 1"), Err(Some(Limit::NameBytes)));
    assert_eq!(limited("{\"abcdefghijk\"} 1"), Err(Some(Limit::NameBytes)));
    assert_eq!(limited("a{abcdefghijk=\"\"} 1"), Err(Some(Limit::NameBytes)));
    assert_eq!(limited("a{b=\"123456789\"} 1"), Err(Some(Limit::ValueBytes)));
    assert_eq!(limited("a{b=\"\",c=\"\",d=\"\"} 1"), Err(Some(Limit::Labels)));
    assert_eq!(limited(&format!("a {}1", " ".repeat(40))), Err(Some(Limit::LineBytes)));
    assert_eq!(
        limited(&format!("# HELP a {}", "x".repeat(40))),
        Err(Some(Limit::LineBytes))
    );
    assert_eq!(limited("a 1\na 1\na 1\na 1"), Err(Some(Limit::Samples)));
    assert_eq!(limited("a x"), Err(None));
    let fault = parse(b"a 1\na{b=\"123456789\"} 1", Format::Text, &limits, |_| {}).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "more than 8 bytes in a label's value (line 2, column 5)"
    );
}

#[test]
fn series_are_as_they_stand() {
    let mut series = Vec::new();
    let text = "a{b=\"\\n\"} 1\n c { d = \"e\" } 2\nf\t3\n";
    let take = |entry: Entry<'_>| match entry {
        Entry::Sample(sample) => series.push(sample.series.to_owned()),
        _ => unreachable!("{entry:?}"),
    };
    parse(text.as_bytes(), Format::Text, &Limits::default(), take).unwrap();
    assert_eq!(series, ["a{b=\"\\n\"}", "c { d = \"e\" }", "f"]);
}

#[test]
fn the_content_type_decides_the_format() {
    for (content_type, expected) in [
        ("text/plain", Ok(Format::Text)),
        ("text/plain;", Ok(Format::Text)),
        ("text/plain; version=0.0.4; charset=utf-8", Ok(Format::Text)),
        (
            " Text/Plain ;Version = \"1.0.0\";escaping=allow-utf-8",
            Ok(Format::Text),
        ),
        ("text/plain; a=\"x\\\"y;\"; b=c", Ok(Format::Text)),
        ("text/plain; a=b; A=b", Ok(Format::Text)),
        ("application/openmetrics-text; version=1.0.0", Ok(Format::OpenMetrics)),
        ("application/vnd.google.protobuf; proto=x", Err("protobuf")),
        ("text/html", Err("only")),
        ("text", Err("only")),
        ("application/json; charset=utf-8", Err("only")),
        ("", Err("no Content-Type")),
        ("text/plain; charset", Err("malformed")),
        ("text/plain;;", Err("malformed")),
        ("text/plain; a=b c=d", Err("malformed")),
        ("text/plain; a=\"b", Err("malformed")),
        ("text/plain; a=b; a=c", Err("malformed")),
        ("text/pl ain", Err("malformed")),
        ("text/", Err("malformed")),
        ("/plain", Err("malformed")),
        ("text/plain, text/html", Err("malformed")),
        ("\u{202e}", Err("`\\u{202e}` is malformed")),
    ] {
        match (Format::of(Some(content_type), None), expected) {
            (Ok(format), Ok(expected)) => assert_eq!(format, expected, "{content_type}"),
            (Err(why), Err(part)) => assert!(why.to_string().contains(part), "{content_type}: {why}"),
            (found, _) => panic!("{content_type}: {found:?}"),
        }
    }
    assert_eq!(Format::of(None, None), Err(Unreadable::Missing));
    assert_eq!(Format::of(None, Some(Format::Text)), Ok(Format::Text));
    assert_eq!(
        Format::of(Some("text/html"), Some(Format::OpenMetrics)),
        Ok(Format::OpenMetrics)
    );
    assert_eq!(
        Format::of(Some("text/plain"), Some(Format::OpenMetrics)),
        Ok(Format::Text)
    );
    let protobuf = Format::of(Some("application/vnd.google.protobuf"), Some(Format::Text));
    assert_eq!(protobuf, Err(Unreadable::Protobuf));
}

#[test]
fn a_bound_is_any_number_of_go() {
    let cases = [
        ("1_0", "10.0"),
        ("1__0", "1__0"),
        ("_1", "_1"),
        ("1_", "1_"),
        ("1_.5", "1_.5"),
        ("1_000.2_5", "1000.25"),
        ("1e1_0", "1e+10"),
        ("0x10", "0x10"),
        ("0x1p4", "16.0"),
        ("-0X1.8P+1", "-3.0"),
        ("0x_1p-2", "0.25"),
        ("0x1p-1074", "5e-324"),
        ("0x1p1024", "0x1p1024"),
        ("0xp1", "0xp1"),
        ("1p4", "1p4"),
        ("0x1p", "0x1p"),
    ];
    for (written, expected) in cases {
        let text = format!("# TYPE h histogram\nh_bucket{{le=\"{written}\"}} 1\n");
        let told = told(Format::Text, text.as_bytes()).unwrap();
        assert_eq!(told[1], format!("\"h_bucket\"{{\"le\"={expected:?}}} 1.0"));
    }
}
