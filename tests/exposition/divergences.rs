//! Where evenkeel's verdict is another one, on purpose.

use crate::{
    bodies::{Body, Format},
    verdict::Kind,
};

pub struct Divergence {
    pub reason: &'static str,
    kind: Kind,
    format: Format,
    /// None: a Prometheus that has taken such a text stores nothing after it, so it can't be asked with others.
    example: Option<&'static [u8]>,
    /// Of this kind is a text that may get another verdict for this reason.
    is_about: fn(&Body) -> bool,
}

impl Divergence {
    pub fn example(&self) -> Option<Body> {
        self.example.map(|text| Body::new(self.format, text))
    }

    pub fn explains(&self, body: &Body, kind: Kind) -> bool {
        self.kind == kind && (self.is_about)(body)
    }
}

pub const ALL: &[Divergence] = &[
    Divergence {
        reason: "a NUL outside of values, help and comments is refused; Prometheus ends there in silence",
        kind: Kind::Verdict,
        format: Format::Text,
        example: Some(b"m 1\n\0\nn 1\n"),
        is_about: |body| body.text.contains(&0),
    },
    Divergence {
        reason: "a NUL behind a value is refused; Prometheus takes the sample, and refuses the next one",
        kind: Kind::Place,
        format: Format::OpenMetrics,
        example: Some(b"m 1\0\n# EOF\n"),
        is_about: |body| is_openmetrics(body) && body.text.contains(&0),
    },
    Divergence {
        reason: "HELP, TYPE and UNIT are UTF-8; Prometheus looks at the names of samples alone",
        kind: Kind::Verdict,
        format: Format::Text,
        example: Some(b"# HELP m\xff text\nm 1\n"),
        is_about: |body| {
            lines(body).any(|line| line.trim_ascii_start().starts_with(b"#") && std::str::from_utf8(line).is_err())
        },
    },
    Divergence {
        reason: "HELP, TYPE and UNIT are about a name, and it is not empty",
        kind: Kind::Verdict,
        format: Format::Text,
        example: Some(b"# HELP \"\" text\nm 1\n"),
        is_about: |body| {
            lines(body)
                .any(|line| line.trim_ascii_start().starts_with(b"#") && line.windows(2).any(|two| two == b"\"\""))
        },
    },
    Divergence {
        reason: "a name in braces is in quotes; Prometheus takes one that is not, and cuts it at both ends",
        kind: Kind::Verdict,
        format: Format::OpenMetrics,
        example: Some(b"{upper} 1\n# EOF\n"),
        is_about: |body| is_openmetrics(body) && has_bare_name_in_braces(body),
    },
    Divergence {
        reason: "blanks before a metric's name are no part of it; Prometheus stores `  m`",
        kind: Kind::Verdict,
        format: Format::Text,
        example: Some(b"  m 1\n"),
        is_about: |body| !is_openmetrics(body) && lines(body).any(|line| matches!(line.first(), Some(b' ' | b'\t'))),
    },
    Divergence {
        reason: "an empty name, or one that is no UTF-8, is refused where it stands; Prometheus reads its sample first",
        kind: Kind::Place,
        format: Format::Text,
        example: Some(b"{\"\"} 1\n"),
        is_about: |body| has(body, b"\"\"") || std::str::from_utf8(&body.text).is_err(),
    },
    Divergence {
        reason: "a blank behind a value that no time follows is refused; Prometheus takes the sample, and refuses the next one",
        kind: Kind::Place,
        format: Format::OpenMetrics,
        example: Some(b"m 1 \n# EOF\n"),
        is_about: |body| is_openmetrics(body) && has_blank_before_no_time(body),
    },
    Divergence {
        reason: "a time past 64 bits is dropped alone, as in a Prometheus that takes nothing out of order; this one does",
        kind: Kind::Verdict,
        format: Format::OpenMetrics,
        example: None,
        is_about: |body| is_openmetrics(body) && numbers(body).any(|number| number.abs() >= 9e15),
    },
];

fn is_openmetrics(body: &Body) -> bool {
    body.format == Format::OpenMetrics
}

fn lines(body: &Body) -> impl Iterator<Item = &[u8]> {
    body.text.split(|byte| *byte == b'\n')
}

fn has(body: &Body, part: &[u8]) -> bool {
    body.text.windows(part.len()).any(|window| window == part)
}

fn has_blank_before_no_time(body: &Body) -> bool {
    let is_gap = |two: &[u8]| two[0] == b' ' && matches!(two[1], b' ' | b'\n' | b'#' | 0);
    body.text.ends_with(b" ") || body.text.windows(2).any(is_gap)
}

fn has_bare_name_in_braces(body: &Body) -> bool {
    let mut parts = body
        .text
        .split_inclusive(|byte| matches!(byte, b'{' | b',' | b'}' | b'=' | b'"' | b' '));
    parts.any(|part| part.len() > 1 && matches!(part.last(), Some(b',' | b'}')))
}

fn numbers(body: &Body) -> impl Iterator<Item = f64> {
    let words = body.text.split(|byte| byte.is_ascii_whitespace());
    words.filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
}
