//! Good texts with one to four bytes, pieces or lines of them changed.

use crate::{
    bodies::{Body, Format},
    cases::at,
};
use evenkeel_tests::dice::Dice;

/// Texts as targets have them, and what the lexers look at.
const TEXTS: &[&str] = &[
    "# HELP jobs Jobs by state.\n# TYPE jobs gauge\njobs{state=\"a\",queue=\"b c\"} 1\njobs{state=\"d\"} 2.5e3 $MS\n",
    "# TYPE took histogram\ntook_bucket{le=\"0.5\"} 1\ntook_bucket{le=\"+Inf\"} 2\ntook_sum 0.75\ntook_count 2\n",
    "# TYPE size summary\nsize{quantile=\"0.5\"} NaN\nsize{quantile=\"1\"} -Inf\nsize_sum 1e-9\nsize_count 7\n",
    "{\"dotted.name\",\"label.name\"=\"x\\\"y\"} 1\nplain{path=\"C:\\\\dir\\n\"} +0.5\n# a comment\nlast 3\n",
    "m{a=\"1\",b=\"2\",c=\"3\"} 12345678901234567890\nn -0.0\no 0.1 $MS\np{a=\"\"} 4\n",
];
const OPENMETRICS: &[&str] = &[
    "# TYPE jobs counter\n# HELP jobs Jobs.\njobs_total{state=\"a\"} 1 $S # {id=\"x\"} 0.5 $S\njobs_created{state=\"a\"} $S\n# EOF\n",
    "# TYPE took_seconds histogram\n# UNIT took_seconds seconds\ntook_seconds_bucket{le=\"1\"} 1 # {} 0.5\ntook_seconds_bucket{le=\"+Inf\"} 2\n\
     took_seconds_count 2\n# EOF\n",
    "{\"dotted.name\",\"label.name\"=\"x\\\"y\"} 1\n# TYPE build info\nbuild_info{version=\"1\\n2\"} 1\n# EOF\n",
    "m{a=\"1\",b=\"2\"} 1\nm{a=\"2\",b=\"2\"} NaN $S\nn 1e3\n# EOF\n",
];
const PIECES: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\n",
    b"{",
    b"}",
    b",",
    b"=",
    b" ",
    b"\t",
    b"\r",
    b"#",
    b"# ",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b"1",
    b"e",
    b"E",
    b"_",
    b"-",
    b"+",
    b".",
    b"0x1p3",
    b"NaN",
    b"Inf",
    b" # {",
    b"# EOF\n",
    b"__name__",
    b"le",
    b":",
    b"'",
    b"{}",
    b"=\"",
    b"\",",
    b"\n\n",
    b"  ",
    b"a",
    b"\\n",
    b"\\\"",
    b"# TYPE ",
    b"# HELP ",
    b"# UNIT ",
    b"0",
    b"9",
    b"x",
    b"{\"",
    b"\"}",
    b"b=\"2\"",
    b"1e999",
];

pub fn made(seed: u64, texts: usize, now_ms: i64) -> Vec<Body> {
    let mut random = Dice::new(seed);
    let mut made = Vec::with_capacity(texts);
    while made.len() < texts {
        let formats = [Format::Text, Format::Text1, Format::OpenMetrics, Format::OpenMetrics];
        let format = *random.one_of(&formats);
        let texts = if format == Format::OpenMetrics {
            OPENMETRICS
        } else {
            TEXTS
        };
        let mut text = at(random.one_of(texts).as_bytes(), now_ms);
        for _ in 0..=random.below(4) {
            mutate(&mut text, &mut random);
        }
        if !kills(format, &text) {
            made.push(Body::new(format, text));
        }
    }
    made
}

/// A Prometheus 3.5 dies of a name of one byte in an OpenMetrics text that has to be in quotes and is not.
fn kills(format: Format, text: &[u8]) -> bool {
    let is_end = |byte: u8| matches!(byte, b',' | b'}');
    format == Format::OpenMetrics
        && text
            .windows(3)
            .any(|three| matches!(three[0], b'{' | b',') && is_end(three[2]))
}

fn mutate(text: &mut Vec<u8>, random: &mut Dice) {
    let at = random.below(text.len() + 1);
    let end = (at + 1 + random.below(3)).min(text.len());
    match random.below(9) {
        0 | 1 => drop(text.drain(at..end)),
        2..=4 => drop(text.splice(at..at, random.one_of(PIECES).iter().copied())),
        5 | 6 => drop(text.splice(at..end, random.one_of(PIECES).iter().copied())),
        7 => {
            let (start, end) = line(text, at);
            let copy = text[start..end].to_vec();
            drop(text.splice(start..start, copy));
        }
        _ if random.below(4) == 0 => text.truncate(at),
        _ => {
            let (start, end) = line(text, at);
            let taken: Vec<u8> = text.drain(start..end).collect();
            text.extend(taken);
        }
    }
}

/// The line that is there, its end included.
fn line(text: &[u8], at: usize) -> (usize, usize) {
    let start = text[..at]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let end = text[at..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(text.len(), |end| at + end + 1);
    (start, end)
}
