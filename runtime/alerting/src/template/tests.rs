use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied())
}

/// With two labels, the value 1.5, and a `query` that knows `up`.
fn rendered_within(text: &str, limits: Limits) -> Result<String, Fault> {
    let (own, external) = (
        labels(&[("instance", "db:9100"), ("job", "node")]),
        labels(&[("site", "fra")]),
    );
    let context = Context {
        labels: &own,
        value: 1.5,
        external_labels: &external,
        external_url: "https://evenkeel.example/base%20path?x#y",
        limits,
    };
    let mut query = |asked: &str| match asked {
        "up" => Ok(vec![
            Element {
                labels: labels(&[("instance", "b")]),
                value: 1.0,
            },
            Element {
                labels: labels(&[("instance", "a")]),
                value: 0.0,
            },
        ]),
        "none" => Ok(Vec::new()),
        _ => Err(format!("no answer to {asked}")),
    };
    Template::parse(text)?.render(&context, &mut query)
}

#[track_caller]
fn fault(text: &str) -> Fault {
    rendered_within(text, Limits::default()).expect_err(text)
}

#[track_caller]
fn assert_all(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        let got = rendered_within(text, Limits::default());
        assert_eq!(got.as_deref(), Ok(*expected), "{text}");
    }
}

#[test]
fn what_rules_say_is_rendered() {
    assert_all(&[
        ("no action", "no action"),
        (
            "{{ $labels.instance }} of {{ .Labels.job }}: {{ $value }}",
            "db:9100 of node: 1.5",
        ),
        ("[{{ $labels.missing }}]", "[]"),
        (
            "{{ $value | humanizePercentage }} {{ printf \"%.2f\" .Value }}",
            "150% 1.50",
        ),
        ("{{ $externalLabels.site }} {{ pathPrefix }}", "fra /base path"),
        ("{{ with query \"up\" }}{{ . | first | value }}{{ end }}", "1"),
    ]);
    assert_all(&[(
        "{{ range sortByLabel \"instance\" (query \"up\") }}{{ .Labels.instance }}={{ .Value }};{{ end }}",
        "a=0;b=1;",
    )]);
}

#[test]
fn blocks_take_their_branch() {
    assert_all(&[
        ("{{ if gt $value 1.0 }}a{{ else }}b{{ end }}", "a"),
        ("{{ if false }}a{{ else if $labels.job }}b{{ else }}c{{ end }}", "b"),
        ("{{ with $labels.no }}a{{ else with 3 }}{{ . }}{{ end }}", "3"),
        ("{{ range query \"none\" }}a{{ else }}none{{ end }}", "none"),
        (
            "{{ range $i, $e := query \"up\" }}{{ if $i }}{{ break }}{{ end }}{{ $e.Value }}{{ end }}",
            "1",
        ),
        ("{{ $n := 0 }}{{ range 3 }}{{ $n = . }}{{ end }}{{ $n }}", "2"),
        (
            "{{ define \"x\" }}<{{ . }}>{{ end }}{{ template \"x\" $value }}",
            "<1.5>",
        ),
        ("a {{- /* gone */ -}} b", "ab"),
        ("a {{- 1 -}} b {{ 2 }}", "a1b 2"),
    ]);
}

#[test]
fn what_prometheus_refuses_is_refused_with_its_place() {
    for (text, place, word) in [
        ("{{ $lables.job }}", 3..10, "undefined variable \"$lables\""),
        ("x {{ upcase 1 }}", 5..11, "function \"upcase\" not defined"),
        ("{{ if 1 }}", 3..5, "`if` without its {{end}}"),
        ("{{ end }}", 3..6, "unexpected {{end}}"),
        ("{{ 1 | 2 }}", 7..8, "non executable command in pipeline stage 2"),
        ("{{ \"a }}", 3..4, "unterminated quoted string"),
        ("{{ (1}}", 5..7, "unclosed left paren"),
        ("{{ 2i }}", 3..5, "complex numbers such as \"2i\" are left out here"),
        ("{{ break }}", 3..8, "{{break}} outside {{range}}"),
    ] {
        let refused = Template::parse(text).expect_err(text);
        assert_eq!((refused.place, refused.message.as_str()), (place, word), "{text}");
        assert_eq!(refused.when, When::Parsing);
    }
}

#[test]
fn what_goes_wrong_is_told_in_prometheus_words() {
    let wrong = fault("{{ 1 }}\n{{ query \"x\" | first }}");
    assert_eq!(
        wrong.in_prometheus_words("__alert_Down"),
        "error executing template __alert_Down: template: __alert_Down:2:3: executing \"__alert_Down\" at <query \"x\">: \
         error calling query: no answer to x"
    );
    assert_eq!(wrong.place, 11..20);
    let wrong = fault("{{ .Nope }}");
    assert!(
        wrong
            .in_prometheus_words("t")
            .contains("t:1:115: executing \"t\" at <.Nope>")
    );
}

#[test]
fn each_limit_has_its_word() {
    let limits = Limits {
        text_bytes: 1000,
        steps: 1000,
        queries: 2,
    };
    for (text, word) in [
        ("{{ printf \"%2000d\" 1 }}", "`text_bytes`"),
        ("{{ printf \"%.2000f\" 1.0 }}", "`text_bytes`"),
        ("{{ printf \"%02000d\" 1 }}", "`text_bytes`"),
        ("{{ range 300 }}aaaa{{ end }}", "`text_bytes`"),
        (
            "{{ $x := \"aa\" }}{{ range 50 }}{{ $x = print $x $x }}{{ end }}",
            "`text_bytes`",
        ),
        ("{{ range 1000000000 }}{{ end }}", "`steps`"),
        ("{{ range 3 }}{{ $_ := query \"up\" }}{{ end }}", "`queries`"),
        (
            "{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}",
            "nested more than",
        ),
        (
            "{{ $x := 1 }}{{ range 100 }}{{ $x = args $x }}{{ end }}",
            "`args` within `args`",
        ),
        ("{{ match \"(a{1000}){1000}\" \"a\" }}", "when compiled"),
    ] {
        let refused = rendered_within(text, limits).expect_err(text);
        assert!(refused.limit && refused.message.contains(word), "{text}: {refused}");
    }
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(100), ")".repeat(100));
    assert!(fault(&deep).limit);
    assert!(fault(&" ".repeat(LONGEST + 1)).limit);
}

#[test]
fn widths_beyond_16_bits_are_written_out() {
    for (text, length) in [
        ("{{ printf \"%.70000f\" 1.5 | len }}", 70_002),
        ("{{ printf \"%.70000e\" 1.5 | len }}", 70_006),
        ("{{ printf \"%.70000x\" 1.5 | len }}", 70_008),
        ("{{ printf \"%#.70000g\" 1.5 | len }}", 70_001),
        ("{{ printf \"%.70000d\" 1 | len }}", 70_000),
        ("{{ printf \"%.70000U\" 65 | len }}", 70_002),
        ("{{ printf \"%070000.1f\" -1.5 | len }}", 70_000),
        ("{{ printf \"%-70000s\" \"a\" | len }}", 70_000),
    ] {
        let rendered = rendered_within(text, Limits::default());
        assert_eq!(rendered, Ok(length.to_string()), "{text}");
    }
    let layout = format!("{{{{ (toTime 1.5).Format \".{}\" | len }}}}", "0".repeat(60_000));
    assert_eq!(rendered_within(&layout, Limits::default()), Ok("60001".to_owned()));
}
