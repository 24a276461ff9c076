//! Durations as Prometheus writes them.

use crate::promql::{UNITS, duration};

/// What Go can count in nanoseconds.
const LONGEST_MS: i64 = i64::MAX / 1_000_000;

/// Milliseconds of `1h30m`: whole numbers, the larger unit first; or of `0`. The error says what to write.
pub(super) fn parse(text: &str) -> Result<i64, &'static str> {
    const FORM: &str = "write it like `90s`, `10m` or `1h30m`";
    if text == "0" {
        return Ok(0);
    }
    let milliseconds = Some(text)
        .filter(|text| !text.is_empty())
        .and_then(duration)
        .ok_or(FORM)?;
    match milliseconds <= LONGEST_MS {
        true => Ok(milliseconds),
        false => Err("that is longer than 292 years"),
    }
}

/// A duration as Prometheus writes it: `1h30m`, weeks, days and years only where they are whole.
pub fn written(milliseconds: i64) -> String {
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let mut rest = milliseconds;
    let mut text = String::new();
    for (unit, size) in UNITS {
        let whole = matches!(unit, "y" | "w" | "d");
        if rest >= size && (!whole || rest % size == 0) {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_prometheus_s() {
        assert_eq!(parse("0"), Ok(0));
        assert_eq!(parse("1h30m"), Ok(5_400_000));
        assert_eq!(
            parse("1y2w3d4h5m6s7ms"),
            Ok(31_536_000_000 + 1_209_600_000 + 259_200_000 + 14_706_007)
        );
        for text in ["", "5", "m", "30m1h", "5m5m", "1.5h", "-5m", " 5m", "5M", "300y", "5x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_written_duration_is_read_as_it_was() {
        for (text, milliseconds) in [("1m30s", 90_000), ("36h", 129_600_000), ("2d", 172_800_000), ("7ms", 7)] {
            assert_eq!(written(milliseconds), text);
            assert_eq!(parse(text), Ok(milliseconds));
        }
    }
}
