//! Templates of rules: none panics or takes more than it may, what is wrong has its place, and a smaller limit changes
//! nothing but that it is named.

use evenkeel_alerting::promql::{Element, Labels};
use evenkeel_alerting::template::{Context, Fault, Limits, Template, When};

const VALUES: [f64; 8] = [
    0.0,
    1.5,
    -1e21,
    1e-7,
    86_461.5,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

const WIDE: Limits = Limits {
    // Beyond 16 bits, where formatting in Rust has bounds of its own.
    text_bytes: 70_000,
    steps: 5_000,
    queries: 10,
};

/// One byte for the value, one for how narrow the second rendering is, and the template.
pub fn try_one(bytes: &[u8]) {
    let Some((&[value, narrow], text)) = bytes.split_first_chunk() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let template = match Template::parse(&text) {
        Ok(template) => template,
        Err(fault) => {
            assert_eq!(fault.when, When::Parsing);
            return placed(&text, &fault);
        }
    };
    let value = VALUES[usize::from(value) % VALUES.len()];
    let rendered = rendered(&template, value, WIDE);
    match &rendered {
        Ok(out) => {
            assert!(out.len() <= WIDE.text_bytes, "{text:?}");
            assert!(text.contains("{{") || *out == text, "{text:?}");
        }
        Err(fault) => placed(&text, fault),
    }
    let narrow = Limits {
        text_bytes: usize::from(narrow) * 4,
        steps: usize::from(narrow) * 2,
        queries: usize::from(narrow) % 4,
    };
    match self::rendered(&template, value, narrow) {
        Err(fault) if fault.limit => placed(&text, &fault),
        again => assert_eq!(again, rendered, "{text:?}"),
    }
}

fn placed(text: &str, fault: &Fault) {
    assert!(text.get(fault.place.clone()).is_some(), "{fault:?} in {text:?}");
    assert!(!fault.message.is_empty());
    assert!(fault.in_prometheus_words("t").contains("template t"), "{fault:?}");
}

fn rendered(template: &Template, value: f64, limits: Limits) -> Result<String, Fault> {
    let labels = Labels::new([("instance", "host.example:9100"), ("odd", "a\"b\\c\n<é>")]);
    let external = Labels::new([("site", "fra")]);
    let context = Context {
        labels: &labels,
        value,
        external_labels: &external,
        external_url: "https://evenkeel.example/base",
        limits,
    };
    let element = |n: u32| Element {
        labels: Labels::new([("n", n.to_string())]),
        value: f64::from(n),
    };
    let mut query = |asked: &str| match asked {
        "" => Err("nothing is asked".to_owned()),
        _ => Ok((0..asked.len() as u32 % 5).map(element).collect()),
    };
    template.render(&context, &mut query)
}
