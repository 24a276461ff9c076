use std::fmt::Write as _;

use super::number::NoNumber;
use super::*;

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
fn the_text_format_is_read() {
    takes(
        Format::Text,
        &[
            ("", &[]),
            ("\n \t\n", &[]),
            ("up 1", &[r#""up"{} 1.0"#]),
            ("up 1\n", &[r#""up"{} 1.0"#]),
            ("  up\t1  ", &[r#""up"{} 1.0"#]),
            ("job:up:sum5m 2", &[r#""job:up:sum5m"{} 2.0"#]),
            (":a_9 2", &[r#"":a_9"{} 2.0"#]),
            ("up{} 1", &[r#""up"{} 1.0"#]),
            ("up { } 1", &[r#""up"{} 1.0"#]),
            (r#"up{a="b",_c9="d"} 1"#, &[r#""up"{"a"="b","_c9"="d"} 1.0"#]),
            (r#"up{a="b",} 1"#, &[r#""up"{"a"="b"} 1.0"#]),
            (r#"up { a = "b" , c	= "d" , } 1"#, &[r#""up"{"a"="b","c"="d"} 1.0"#]),
            // No comma is needed.
            (r#"up{a="b"c="d" e="f"} 1"#, &[r#""up"{"a"="b","c"="d","e"="f"} 1.0"#]),
            (r#"up{a="x,y={}#"} 1"#, &[r#""up"{"a"="x,y={}#"} 1.0"#]),
            // A name may come twice: that is for the caller.
            (r#"up{a="1",a="2"} 1"#, &[r#""up"{"a"="1","a"="2"} 1.0"#]),
            ("up 1 1700000000123", &[r#""up"{} 1.0 @1700000000123"#]),
            ("up 1 \t 007 \t", &[r#""up"{} 1.0 @7"#]),
            ("up 1 9223372036854775807", &[r#""up"{} 1.0 @9223372036854775807"#]),
            (
                "a 1\nb 2\n\n# c\nd 3",
                &[r#""a"{} 1.0"#, r#""b"{} 2.0"#, r#""d"{} 3.0"#],
            ),
            // The value needs no blank before it.
            (r#"up{a="b"}1"#, &[r#""up"{"a"="b"} 1.0"#]),
            ("up-1 5", &[r#""up"{} -1.0 @5"#]),
            ("up.5", &[r#""up"{} 0.5"#]),
        ],
    );
}

#[test]
fn names_in_quotes_are_read() {
    let cases: &[(&str, &[&str])] = &[
        (r#"{"up"} 1"#, &[r#""up"{} 1.0"#]),
        (r#"{"up",} 1"#, &[r#""up"{} 1.0"#]),
        (r#"{"a b","c.d"="e"} 1"#, &[r#""a b"{"c.d"="e"} 1.0"#]),
        (r#"{c="e","größe",d="f"} 1"#, &[r#""größe"{"c"="e","d"="f"} 1.0"#]),
        (r#"{"a\"b\\\n\x"} 1"#, &[r#""a\"b\\\n\\x"{} 1.0"#]),
        ("{\"a\nb\"} 1", &[r#""a\nb"{} 1.0"#]),
        (r#"up{"c.d"="e"} 1"#, &[r#""up"{"c.d"="e"} 1.0"#]),
        ("# TYPE \"a b\" gauge", &[r#"type "a b" Gauge"#]),
        ("# HELP \"a\\\"b\" c", &[r#"help "a\"b" "c""#]),
    ];
    takes(Format::Text, cases);
    for (text, expected) in cases {
        takes(Format::OpenMetrics, &[(&format!("{text}\n# EOF"), expected)]);
    }
}

#[test]
fn escapes_are_read_and_unknown_ones_stay() {
    takes(
        Format::Text,
        &[
            (r#"m{a="\\\"\n"} 1"#, &[r#""m"{"a"="\\\"\n"} 1.0"#]),
            (r#"m{a="\\n"} 1"#, &[r#""m"{"a"="\\n"} 1.0"#]),
            (r#"m{a="\t\é\'"} 1"#, &[r#""m"{"a"="\\t\\é\\'"} 1.0"#]),
            (r#"m{a="größe €"} 1"#, &[r#""m"{"a"="größe €"} 1.0"#]),
            (r#"m{a=""} 1"#, &[r#""m"{"a"=""} 1.0"#]),
            // Prometheus takes a raw line break here.
            ("m{a=\"x\ny\"} 1", &[r#""m"{"a"="x\ny"} 1.0"#]),
            ("m{a=\"\0x\0\"} 1", &[r#""m"{"a"="\0x\0"} 1.0"#]),
            ("m{a=\"\\\0\"\"} 1", &[r#""m"{"a"="\\\0\""} 1.0"#]),
            (r##"# HELP m a\\b\nc\"d\x\"##, &[r#"help "m" "a\\b\nc\\\"d\\x\\""#]),
        ],
    );
    takes(
        Format::OpenMetrics,
        &[(
            "# HELP m a\\\\b\\nc\\\"d\\x\\\n# EOF",
            &[r#"help "m" "a\\b\nc\"d\\x\\""#],
        )],
    );
}

#[test]
fn metadata_of_the_text_format_is_read() {
    takes(
        Format::Text,
        &[
            (
                "# HELP m  some text \nm 1",
                &[r#"help "m" " some text ""#, r#""m"{} 1.0"#],
            ),
            ("# HELP m", &[r#"help "m" """#]),
            ("# HELP m \t\n", &[r#"help "m" """#]),
            ("# HELP m\ttext", &[r#"help "m" "text""#]),
            ("# HELP m a\0b\r", &[r#"help "m" "a\0b\r""#]),
            ("  #\t HELP \t m text", &[r#"help "m" "text""#]),
            ("# TYPE m counter", &[r#"type "m" Counter"#]),
            (
                "# TYPE m gauge\n# TYPE m histogram",
                &[r#"type "m" Gauge"#, r#"type "m" Histogram"#],
            ),
            (
                "# TYPE m summary\n# TYPE m untyped",
                &[r#"type "m" Summary"#, r#"type "m" Unknown"#],
            ),
            // Whatever one byte follows the name.
            ("# TYPE m-counter", &[r#"type "m" Counter"#]),
            ("# HELP m-", &[r#"help "m" """#]),
            // These are comments.
            (
                "#\n# \n#HELP\n#TYPE m x\n# HELP\n# HELPm x\n# Help m x\n# UNIT m s\n# EOF\n#\r",
                &[],
            ),
        ],
    );
}

const NO_TEXT: &[Refused] = &[
    ("up", (1, 3), "expected a value, found the end of the text"),
    ("a 1\nup\nb 1", (2, 3), "expected a value, found the end of the line"),
    ("a 1\n 9up 1", (2, 2), "expected a metric's name, `{` or `#`, found `9`"),
    ("größe 1", (1, 3), "expected a value, found `öße`, which is no number"),
    ("é 1", (1, 1), "expected a metric's name, `{` or `#`, found `é`"),
    ("up true", (1, 4), "expected a value, found `true`, which is no number"),
    ("up 1\r\n", (1, 4), "expected a value, found `1\\r`, which is no number"),
    ("\r\nup 1", (1, 1), "expected a metric's name, `{` or `#`, found `\\r`"),
    (
        "up 1{",
        (1, 5),
        "expected a time in whole milliseconds or the end of the line, found `{`",
    ),
    ("up{a=\"b\"}\n1", (1, 10), "expected a value, found the end of the line"),
    (
        "up{a='b'} 1",
        (1, 6),
        "expected a label's value in double quotes, found `'`",
    ),
    (
        "up{a=b} 1",
        (1, 6),
        "expected a label's value in double quotes, found `b`",
    ),
    (
        "up{a=\"b} 1\n",
        (1, 6),
        "expected a closing `\"`: these quotes have none",
    ),
    (
        "up{a=\"b\\",
        (1, 9),
        "expected an escaped character after `\\`, found the end of the text",
    ),
    (
        "up{a=\"b\\\n\"} 1",
        (1, 9),
        "expected an escaped character after `\\`, found the end of the line",
    ),
    ("up{a} 1", (1, 5), "expected `=` after a label's name, found `}`"),
    (
        "up{a:b=\"c\"} 1",
        (1, 5),
        "expected `=` after a label's name, found `:`",
    ),
    ("up{=\"b\"} 1", (1, 4), "expected a label's name or `}`, found `=`"),
    ("up{,} 1", (1, 4), "expected a label's name or `}`, found `,`"),
    ("up{a=\"b\",,} 1", (1, 10), "expected a label's name or `}`, found `,`"),
    (
        "up{a=\"b\"\n} 1",
        (1, 9),
        "expected a label's name or `}`, found the end of the line",
    ),
    (
        "up{a=\"b\"",
        (1, 9),
        "expected a label's name or `}`, found the end of the text",
    ),
    ("up{\"\"=\"b\"} 1", (1, 4), "expected a name in these quotes"),
    ("{\"\"} 1", (1, 2), "expected a name in these quotes"),
    (
        "{} 1",
        (1, 1),
        "expected a metric's name, before these braces or in quotes in them",
    ),
    (
        "{a=\"b\"} 1",
        (1, 1),
        "expected a metric's name, before these braces or in quotes in them",
    ),
    ("{up} 1", (1, 4), "expected `=` after a label's name, found `}`"),
    (
        "{\"up\" a=\"b\"} 1",
        (1, 7),
        "expected `=` after a label's name, found `a`",
    ),
    (
        "up{\"up\"} 1",
        (1, 4),
        "expected a label: the metric's name is known already",
    ),
    (
        "{\"a\",b=\"c\",\"d\"} 1",
        (1, 12),
        "expected a label: the metric's name is known already",
    ),
    (
        "up 1 -5",
        (1, 6),
        "expected a time in whole milliseconds or the end of the line, found `-`",
    ),
    (
        "up 1 5.0",
        (1, 7),
        "expected the end of the line after the time, found `.`",
    ),
    (
        "up 1 5 6",
        (1, 8),
        "expected the end of the line after the time, found `6`",
    ),
    (
        "up 1 # {a=\"b\"} 1",
        (1, 6),
        "expected a time in whole milliseconds or the end of the line, found `#`",
    ),
    (
        "up 1 9223372036854775808",
        (1, 6),
        "expected a time in milliseconds, found one past 64 bits",
    ),
    ("# HELP ", (1, 8), "expected a metric's name, found the end of the text"),
    ("# TYPE 9 counter", (1, 8), "expected a metric's name, found `9`"),
    ("# TYPE \"\" counter", (1, 8), "expected a name in these quotes"),
    (
        "# TYPE m",
        (1, 9),
        "expected `counter`, `gauge`, `histogram`, `summary` or `untyped`, found ``",
    ),
    (
        "# TYPE m  gauge",
        (1, 10),
        "expected `counter`, `gauge`, `histogram`, `summary` or `untyped`, found ` gauge`",
    ),
    (
        "# TYPE m gauge\r",
        (1, 10),
        "expected `counter`, `gauge`, `histogram`, `summary` or `untyped`, found `gauge\\r`",
    ),
    (
        "# TYPE m unknown",
        (1, 10),
        "expected `counter`, `gauge`, `histogram`, `summary` or `untyped`, found `unknown`",
    ),
    (
        "# HELP mé x",
        (1, 9),
        "expected a blank after the metric's name, found `é`",
    ),
];

#[test]
fn what_prometheus_refuses_in_the_text_format_is_refused_at_its_place() {
    refuses(Format::Text, NO_TEXT);
}

#[test]
fn a_line_break_in_quotes_counts_as_a_line() {
    refuses(
        Format::Text,
        &[(
            "m{a=\"x\ny\"} 1\n\nb c",
            (4, 3),
            "expected a value, found `c`, which is no number",
        )],
    );
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
fn openmetrics_is_read() {
    takes(
        Format::OpenMetrics,
        &[
            ("# EOF", &[]),
            ("# EOF\n", &[]),
            ("a 1\n# EOF\n", &[r#""a"{} 1.0"#]),
            ("a{b=\"c\",} 1 1.5\n# EOF\n", &[r#""a"{"b"="c"} 1.0 @1500"#]),
            ("a{} -1e3 -0.0015\n# EOF\n", &[r#""a"{} -1000.0 @-1"#]),
            ("a 1 1520879607.789\n# EOF\n", &[r#""a"{} 1.0 @1520879607789"#]),
            ("a 1 1e300\n# EOF\n", &[r#""a"{} 1.0 @9223372036854775807"#]),
            ("a_total 1 # {} 2\n# EOF\n", &[r#""a_total"{} 1.0 # {} 2.0"#]),
            (
                "a_total 1 2 # {\"b c\"=\"d\\\"\",e=\"f\",} 3 4.5\n# EOF\n",
                &[r#""a_total"{} 1.0 @2000 # {"b c"="d\"","e"="f"} 3.0 @4500"#],
            ),
            ("a{b=\"\0\"} NaN\n# EOF\n", &[r#""a"{"b"="\0"} NaN"#]),
            (
                "# HELP a \n# UNIT a \n# UNIT a_s s\n# HELP a  b\n# EOF\n",
                &[
                    r#"help "a" """#,
                    r#"unit "a" """#,
                    r#"unit "a_s" "s""#,
                    r#"help "a" " b""#,
                ],
            ),
            (
                "# TYPE c counter\nc_total 1\nc_created 1.5\n# TYPE g gauge\ng_created 2\n# EOF",
                &[
                    r#"type "c" Counter"#,
                    r#""c_total"{} 1.0"#,
                    r#""c_created"{} 1.5 since 1500"#,
                    r#"type "g" Gauge"#,
                    r#""g_created"{} 2.0"#,
                ],
            ),
        ],
    );
    for (word, kind) in [
        ("counter", "Counter"),
        ("gauge", "Gauge"),
        ("histogram", "Histogram"),
        ("gaugehistogram", "GaugeHistogram"),
        ("summary", "Summary"),
        ("info", "Info"),
        ("stateset", "StateSet"),
        ("unknown", "Unknown"),
    ] {
        takes(
            Format::OpenMetrics,
            &[(&format!("# TYPE m {word}\n# EOF"), &[&format!("type \"m\" {kind}")])],
        );
    }
}

const NO_OPENMETRICS: &[Refused] = &[
    ("", (1, 1), "expected `# EOF` before the text ends: it may be cut off"),
    (
        "a 1\n",
        (2, 1),
        "expected `# EOF` before the text ends: it may be cut off",
    ),
    (
        "a 1",
        (1, 4),
        "expected a time, ` # {` or the end of the line after the value, found the end of the text",
    ),
    (
        "a\n",
        (1, 2),
        "expected one blank and a value, found the end of the line",
    ),
    ("a\t1\n", (1, 2), "expected one blank and a value, found a tab"),
    ("a  1\n", (1, 3), "expected a value, found a blank"),
    (
        "a 1 \n",
        (1, 5),
        "expected a time in seconds, found the end of the line",
    ),
    (
        "a 1\t2\n",
        (1, 3),
        "expected a value, found `1\\t2`, which is no number",
    ),
    ("a 1\r\n", (1, 3), "expected a value, found `1\\r`, which is no number"),
    (
        "a {b=\"c\"} 1\n",
        (1, 3),
        "expected a value, found `{b=\"c\"}`, which is no number",
    ),
    (
        "a 1 2 \n",
        (1, 6),
        "expected ` # {` or the end of the line after the time, found a blank",
    ),
    (
        "a 1 2 3\n",
        (1, 6),
        "expected ` # {` or the end of the line after the time, found a blank",
    ),
    (
        "a 1 NaN\n",
        (1, 5),
        "expected a time in seconds, found one that is not finite",
    ),
    (
        "a 1 -Inf\n",
        (1, 5),
        "expected a time in seconds, found one that is not finite",
    ),
    (
        "a 1 1_2\n",
        (1, 5),
        "expected a time in seconds, found `1_2`, which is no number",
    ),
    (
        "\n# EOF",
        (1, 1),
        "expected a metric's name, `{` or `# `, found the end of the line",
    ),
    (" a 1\n", (1, 1), "expected a metric's name, `{` or `# `, found a blank"),
    ("# EOF\n\n", (2, 1), "expected nothing after `# EOF`"),
    ("# EOFa", (1, 6), "expected nothing after `# EOF`"),
    (
        "# a\n",
        (1, 1),
        "expected `# HELP `, `# TYPE `, `# UNIT ` or `# EOF`: comments are not allowed",
    ),
    (
        "#  TYPE a gauge\n",
        (1, 1),
        "expected `# HELP `, `# TYPE `, `# UNIT ` or `# EOF`: comments are not allowed",
    ),
    ("# TYPE  a gauge\n", (1, 8), "expected a metric's name, found a blank"),
    (
        "# HELP a\n",
        (1, 9),
        "expected one blank after the metric's name, found the end of the line",
    ),
    (
        "# HELP a b",
        (1, 11),
        "expected the end of the line, and `# EOF`, before the text ends",
    ),
    (
        "# UNIT as s\n",
        (1, 11),
        "expected a unit that the name ends with, after a `_`; `as` does not end with `_s`",
    ),
    (
        "# UNIT s s\n",
        (1, 10),
        "expected a unit that the name ends with, after a `_`; `s` does not end with `_s`",
    ),
    (
        "a{b=\"c\" ,d=\"e\"} 1\n",
        (1, 8),
        "expected `,` or `}` after a label's value, found a blank",
    ),
    (
        "a{b=\"c\"d=\"e\"} 1\n",
        (1, 8),
        "expected `,` or `}` after a label's value, found `d`",
    ),
    (
        "a{ b=\"c\"} 1\n",
        (1, 3),
        "expected a label's name or `}`, found a blank",
    ),
    (
        "a{b =\"c\"} 1\n",
        (1, 4),
        "expected `=` after a label's name, found a blank",
    ),
    (
        "a{b= \"c\"} 1\n",
        (1, 5),
        "expected a label's value in double quotes, found a blank",
    ),
    ("a{,} 1\n", (1, 3), "expected a label's name or `}`, found `,`"),
    ("a{b} 1\n", (1, 4), "expected `=` after a label's name, found `}`"),
    ("{b} 1\n", (1, 3), "expected `=` after a label's name, found `}`"),
    (
        "a{b=\"c\nd\"} 1\n",
        (1, 7),
        "expected a closing `\"` before the line ends (a line break is written `\\n`)",
    ),
    ("a 1 # {b} 1\n", (1, 9), "expected `=` after a label's name, found `}`"),
    (
        "a 1 # {\"b\"} 1\n",
        (1, 11),
        "expected `=` after a label's name, found `}`",
    ),
    (
        "a 1 # {b=\"c\"}\n",
        (1, 14),
        "expected one blank and the exemplar's value, found the end of the line",
    ),
    (
        "a 1 # {b=\"c\"} x\n",
        (1, 15),
        "expected the exemplar's value, found `x`, which is no number",
    ),
    (
        "a 1 # {b=\"c\"} 1 Inf\n",
        (1, 17),
        "expected a time in seconds, found one that is not finite",
    ),
    (
        "a 1 # {b=\"c\"} 1 2 3\n",
        (1, 18),
        "expected the end of the line after the exemplar, found a blank",
    ),
    (
        "a 1 #{b=\"c\"} 1\n",
        (1, 5),
        "expected a time in seconds, found `#{b=\"c\"}`, which is no number",
    ),
    (
        "a 1 # b\n",
        (1, 5),
        "expected a time in seconds, found `#`, which is no number",
    ),
];

#[test]
fn what_prometheus_refuses_in_openmetrics_is_refused_at_its_place() {
    refuses(Format::OpenMetrics, NO_OPENMETRICS);
    let fault = told(Format::OpenMetrics, b"# TYPE a untyped\n").unwrap_err();
    assert_eq!((fault.line, fault.column), (1, 10));
    assert!(fault.message.ends_with("or `unknown`, found `untyped`"), "{fault}");
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
