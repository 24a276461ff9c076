use super::*;

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
