//! What promtool 3.5.3 reads, tried one by one.

use proptest::prelude::*;

use super::*;

/// `_` for a gap, `stale` for the marker.
fn read(text: &str) -> String {
    let one = |value: &Option<f64>| match value {
        None => "_".to_owned(),
        Some(value) if value.to_bits() == STALE => "stale".to_owned(),
        Some(value) => value.to_string(),
    };
    match values(text, 1000) {
        Ok(values) => values.iter().map(one).collect::<Vec<_>>().join(" "),
        Err(fault) => format!("{fault}"),
    }
}

#[test]
fn values_are_promtool_s() {
    for (text, wanted) in [
        ("1 2 3", "1 2 3"),
        (" 1\t2  3 \n", "1 2 3"),
        ("", ""),
        ("0+10x3", "0 10 20 30"),
        ("1-2x3", "1 -1 -3 -5"),
        ("-1-.5x1 +4", "-1 -1.5 4"),
        ("5x3 6", "5 5 5 5 6"),
        ("1x0 1+2x0", "1 1"),
        ("_ _x3 1 _x0 2", "_ _ _ _ 1 2"),
        ("NaN Inf -Inf +inf nan", "NaN inf -inf inf NaN"),
        ("Inf+1x1 1x01", "inf inf 1 1"),
        ("stale 1 stale", "stale 1 stale"),
        ("1e3 1.5e+1 1e-2x1 1_000 .5 5.", "1000 15 0.01 0.01 1000 0.5 5"),
        ("0x2", "0 0 0"),
        ("010 08 0_1 1_0.5 1e1_0", "8 8 1 10.5 10000000000"),
    ] {
        assert_eq!(read(text), wanted, "{text}");
    }
    let steps = values("0.1+0.1x10", 100).unwrap();
    assert_eq!(steps[10], Some(1.099_999_999_999_999_9));
}

#[test]
fn what_promtool_refuses_is_refused_with_its_column() {
    for (text, column) in [
        ("1 stalex2 5", 3),
        ("1+-2x3", 3),
        ("1 + 2x3", 4),
        ("1 x3", 3),
        ("1+2", 4),
        ("1+2 x3", 4),
        ("x3", 1),
        ("Infx2", 1),
        ("1,2", 2),
        ("1m", 2),
        ("_x", 3),
        ("_x-1", 3),
        ("_x1.5", 3),
        ("1x1e1", 3),
        ("1x2x3", 3),
        ("1_", 1),
        ("1__2", 1),
        ("_1", 2),
        ("STALE", 1),
        ("1X3", 2),
        ("1 # c", 3),
        ("\"a\"", 1),
        ("1e", 1),
        ("1e400", 1),
        ("1..2", 1),
        ("--1", 2),
        ("é", 1),
        ("1 é", 3),
        ("1x2+1", 4),
    ] {
        assert_eq!(values(text, 1000).map_err(|fault| fault.column), Err(column), "{text}");
    }
    // promtool leaves out what follows a line break, or fails.
    assert_eq!(
        read("1\n2"),
        "a value belongs here, and this is a line break (column 2)"
    );
    assert!(read("1 {{schema:1}}").starts_with("a native histogram"));
}

#[test]
fn there_are_no_more_values_than_allowed() {
    assert_eq!(values("1x9", 10).unwrap().len(), 10);
    for text in ["1x10", "_x11", "1x9 1", "1x18446744073709551616"] {
        assert!(values(text, 10).unwrap_err().message.contains("more than 10"), "{text}");
    }
}

#[test]
fn series_are_promtool_s() {
    for (text, wanted) in [
        ("up", "up"),
        (" up ", "up"),
        ("a:b", "a:b"),
        ("up{}", "up"),
        ("up{job='x',}", r#"up{job="x"}"#),
        ("up{ a = \"b\" , c=`d` }", r#"up{a="b", c="d"}"#),
        ("up{a=\"\"}", "up"),
        ("{__name__=\"a\"}", "a"),
        ("{\"utf8 name\", a=\"b\"}", r#"utf8 name{a="b"}"#),
        ("{b=\"c\",\"up\"}", r#"up{b="c"}"#),
        ("up{__name__=\"b\"}", "up"),
        ("{a=\"b\"}", r#"{a="b"}"#),
        (
            "sum{by=\"x\",on=\"y\",\"z-z\"=\"\\u00e9\"}",
            r#"sum{by="x", on="y", z-z="é"}"#,
        ),
    ] {
        assert_eq!(
            series(text).map(|labels| labels.to_string()).as_deref(),
            Ok(wanted),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_series_is_refused_with_its_column() {
    for (text, column) in [
        ("", 1),
        ("{}", 1),
        ("up {a=\"b\"}", 4),
        ("up{a=\"b\"} 1", 11),
        ("up{a=~\"x\"}", 6),
        ("up{a!=\"x\"}", 5),
        ("\"up\"{}", 1),
        ("{\"up\",\"b\"}", 7),
        ("up{a=\"1\",a=\"2\"}", 1),
        ("up # c", 4),
        ("inf", 1),
        ("On{a=\"b\"}", 1),
        ("up[5m]", 3),
        ("up{b=\"c\"", 9),
        ("up{,}", 4),
        ("up{1b=\"c\"}", 4),
        ("up{b:c=\"d\"}", 5),
        ("up{b=c}", 6),
        ("up{b=\"\\'\"}", 7),
        ("up{b=\"a\nb\"}", 6),
        ("up{''=\"y\"}", 4),
        ("up{b=\"\\xff\"}", 6),
        ("5m", 1),
    ] {
        assert_eq!(series(text).map_err(|fault| fault.column), Err(column), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), notation in "[0-9x+_ .einstalfNI{}\"'\\\\=,-]{0,30}") {
        for text in [text, notation] {
            let _ = series(&text);
            prop_assert!(values(&text, 50).map_or(0, |values| values.len()) <= 50);
        }
    }
}
