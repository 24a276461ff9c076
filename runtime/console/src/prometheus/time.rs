//! Times and durations as parameters write them.

use chrono::DateTime;
use evenkeel_alerting::promql;

/// Times without a bound, as Prometheus writes them.
const EARLIEST: &str = "-292273086-05-16T16:47:06Z";
const LATEST: &str = "292277025-08-18T07:12:54.999999999Z";

/// Seconds since 1970, with a fraction or without, or RFC 3339; in milliseconds.
pub fn time(text: &str) -> Option<i64> {
    match text {
        EARLIEST => return Some(i64::MIN),
        LATEST => return Some(i64::MAX),
        _ => {}
    }
    if let Ok(seconds) = text.parse::<f64>() {
        return milliseconds(seconds);
    }
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.timestamp_millis())
}

/// Seconds, or a duration such as `1h30m`; in milliseconds.
pub fn duration(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return milliseconds(seconds);
    }
    units(text)
}

/// `1y2w3d4h5m6s7ms`
fn units(text: &str) -> Option<i64> {
    let written = Some(text).filter(|text| !text.is_empty());
    written
        .and_then(promql::duration)
        .filter(|milliseconds| *milliseconds < i64::MAX)
}

fn milliseconds(seconds: f64) -> Option<i64> {
    let milliseconds = (seconds * 1000.0).round();
    // Every such number is exact, and nothing beyond is evaluated.
    (milliseconds.abs() <= 9e15).then_some(milliseconds as i64)
}

/// A time as Go writes it: nanoseconds as far as there are any.
pub fn shown(at_ms: i64) -> String {
    match DateTime::from_timestamp_millis(at_ms) {
        Some(time) if at_ms % 1000 == 0 => time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Some(time) => {
            let text = time.format("%Y-%m-%dT%H:%M:%S%.3f").to_string();
            format!("{}Z", text.trim_end_matches('0'))
        }
        None => NEVER.to_owned(),
    }
}

/// Go's time of nothing.
pub const NEVER: &str = "0001-01-01T00:00:00Z";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        assert_eq!(time("1435781430.781"), Some(1_435_781_430_781));
        assert_eq!(time("2015-07-01T20:10:30.781Z"), Some(1_435_781_430_781));
        assert_eq!(time("2015-07-01T22:10:30+02:00"), Some(1_435_781_430_000));
        assert_eq!(time("-1.5"), Some(-1_500));
        for wrong in ["", "now", "NaN", "inf", "1e300", "2015-07-01"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_are_seconds_or_units_from_the_largest_on() {
        assert_eq!(duration("0.25"), Some(250));
        assert_eq!(duration("1h30m"), Some(5_400_000));
        assert_eq!(duration("1m500ms"), Some(60_500));
        for wrong in ["", "1", "5m1h", "1m1m", "m", "-1m", "1.5h", "99999999999y"] {
            assert_eq!(units(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_shown_as_go_has_them() {
        assert_eq!(shown(1_435_781_430_780), "2015-07-01T20:10:30.78Z");
        assert_eq!(shown(1_435_781_430_000), "2015-07-01T20:10:30Z");
        assert_eq!(shown(i64::MAX), NEVER);
    }
}
