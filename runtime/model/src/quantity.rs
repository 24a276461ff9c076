//! Durations and sizes as they are written in TOML.

use std::time::Duration;

/// The longest duration that can be written: a hundred years.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

const DURATIONS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// `500ms`, `90s`, `10m`, `8h`, `7d`, `1h30m`: whole numbers, the larger unit first.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = DURATIONS.iter();
    let mut milliseconds = 0u64;
    while !rest.is_empty() {
        let (number, unit, after) = split(rest)?;
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        milliseconds = milliseconds.checked_add(number.checked_mul(*factor)?)?;
        rest = after;
    }
    let duration = Duration::from_millis(milliseconds);
    (!text.is_empty() && duration <= LONGEST).then_some(duration)
}

/// A duration as it would be written: `10m`, `1h30m`, `500ms`.
pub fn written(span: Duration) -> String {
    let mut rest = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, size) in DURATIONS {
        if rest >= size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// `512B`, `256KiB`, `256MiB`, `4GiB`, in bytes.
pub fn size(text: &str) -> Option<u64> {
    let (number, unit, after) = split(text)?;
    let (_, factor) = SIZES.iter().find(|(name, _)| *name == unit)?;
    after.is_empty().then_some(())?;
    number.checked_mul(*factor)
}

/// A number, its unit, and what follows.
fn split(text: &str) -> Option<(u64, &str, &str)> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let after = text[unit..]
        .find(|c: char| c.is_ascii_digit())
        .map_or(text.len(), |n| unit + n);
    Some((text[..unit].parse().ok()?, &text[unit..after], &text[after..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, seconds) in [
            ("90s", 90),
            ("10m", 600),
            ("8h", 28_800),
            ("7d", 604_800),
            ("1h30m", 5_400),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("1s500ms"), Some(Duration::from_millis(1_500)));
    }

    #[test]
    fn a_written_duration_is_read_as_it_was() {
        for text in ["500ms", "90s", "1m30s", "7d", "1h30m", "0s"] {
            let read = duration(text).unwrap();
            assert_eq!(duration(&written(read)), Some(read), "{text}");
        }
        assert_eq!(written(Duration::from_secs(90)), "1m30s");
        assert_eq!(written(Duration::ZERO), "0s");
    }

    #[test]
    fn anything_else_is_no_duration() {
        for text in [
            "",
            "5",
            "s",
            "5 m",
            "-5m",
            "1.5h",
            "30m1h",
            "1m1m",
            "5min",
            "99999999999d",
            "40000d",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(size("256MiB"), Some(256 << 20));
        assert_eq!(size("512B"), Some(512));
        for text in ["256MB", "1", "1KiB1B", "", "99999999999999999999GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic(text in "[0-9dhmsKMGiBä]{0,24}") {
            let _ = duration(&text);
            let _ = size(&text);
        }
    }
}
