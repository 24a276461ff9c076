use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;

/// Milliseconds of each unit, the largest first.
const UNITS: [(&str, u64); 6] = [
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A length of time as operators write it: `7d`, `1h30m`, `90s`, `500ms`. Whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(std::time::Duration);

impl Duration {
    /// So many milliseconds.
    pub const fn milliseconds(count: u64) -> Self {
        Self(std::time::Duration::from_millis(count))
    }

    /// So many seconds.
    pub const fn seconds(count: u64) -> Self {
        Self(std::time::Duration::from_secs(count))
    }

    /// So many days of 24 hours.
    pub const fn days(count: u64) -> Self {
        Self(std::time::Duration::from_secs(count * 86_400))
    }

    /// Whole milliseconds, at most `u64::MAX`.
    pub fn as_ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Deref for Duration {
    type Target = std::time::Duration;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl From<std::time::Duration> for Duration {
    fn from(duration: std::time::Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for Duration {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        milliseconds(text).map(Self::milliseconds).ok_or_else(|| {
            Error::invalid(
                "duration",
                format!("`{text}` is not a duration; write it like `7d`, `1h30m`, `90s`, `500ms`"),
            )
        })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.as_ms();
        if left == 0 {
            return out.write_str("0s");
        }
        // Weeks are read but not written: `14d` says more than `2w`.
        for (unit, size) in &UNITS[1..] {
            if left >= *size {
                write!(out, "{}{unit}", left / size)?;
                left %= size;
            }
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+(ms|s|m|h|d|w))+$",
            "description": "A length of time, like `7d`, `1h30m`, `90s` or `500ms`.",
        })
    }
}

/// `None` for anything but one or more `NUMBER UNIT`, or if it doesn't fit.
fn milliseconds(text: &str) -> Option<u64> {
    let mut total = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*size)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_operators_write_them() {
        for (text, ms) in [
            ("500ms", 500),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("2w", 1_209_600_000),
        ] {
            assert_eq!(text.parse::<Duration>().map(Duration::as_ms), Ok(ms), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "7",
            "d",
            "7 d",
            "7D",
            "-7d",
            "1.5h",
            "7days",
            "99999999999999999999d",
            "18446744073709551615w",
        ] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_prints_as_it_reads() {
        for text in ["0s", "500ms", "1m30s", "7d", "1d2h3m4s5ms"] {
            assert_eq!(text.parse::<Duration>().map(|d| d.to_string()).as_deref(), Ok(text));
        }
    }
}
