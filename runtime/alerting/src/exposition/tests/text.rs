use super::*;

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
