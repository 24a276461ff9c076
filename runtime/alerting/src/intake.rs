//! What the forms of pushed alerts have in common: the limits, the times, and how it is said what
//! is wrong.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, SubsecRound as _, TimeDelta, Utc};
use evenkeel_model::alert::{Alert, Grade, Identity, Labels};
use evenkeel_model::name::CustomerId;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::lifecycle::Manner;

/// Alerts in one request. A Prometheus sends at most 256.
pub const ALERTS: usize = 10_000;
/// Labels of one alert, and annotations of one.
pub const LABELS: usize = 128;
/// Bytes of all names and values of one alert, labels and annotations together.
pub const TEXT_BYTES: usize = 64 << 10;

/// Who sends, and when it came.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// As `evenkeel.toml` names the source.
    pub source: &'a str,
    /// Whose alert it is.
    pub customer: &'a (dyn Fn(&Labels) -> CustomerId + Sync),
    pub now: DateTime<Utc>,
    /// How long an alert without an end fires.
    pub resolve_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub alerts: Vec<Alert>,
    pub rejected: Vec<Rejected>,
    pub manner: Manner,
}

/// One alert that was not taken in; those beside it were.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rejected {
    /// Its place in the array, from 0.
    pub index: usize,
    pub why: String,
}

/// Nothing of it could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Malformed {
    pub why: String,
    /// Line and column, from 1; none: it has no one place.
    pub place: Option<(usize, usize)>,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)?;
        match self.place {
            Some((line, column)) => write!(f, " (line {line}, column {column})"),
            None => Ok(()),
        }
    }
}

impl Malformed {
    pub(crate) fn whole(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            place: None,
        }
    }

    /// What serde_json says, with the place taken out of the sentence.
    pub(crate) fn json(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let why = text.split(" at line ").next().unwrap_or(&text);
        Self {
            why: format!("not JSON: {why}"),
            place: (error.line() > 0).then_some((error.line(), error.column())),
        }
    }
}

/// One alert as it was sent, times not yet understood.
pub(crate) struct Sent {
    pub labels: Labels,
    pub annotations: Labels,
    /// None: missing or zero.
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
    pub generator_url: String,
}

impl Sent {
    /// With Alertmanager's defaults for what was left out. `assumed` is how long it fires
    /// without an end.
    pub fn into_alert(mut self, context: &Context<'_>, assumed: Duration) -> Result<Alert, String> {
        self.labels.retain(|_, value| !value.is_empty());
        self.check_size()?;
        let (starts_at, ends_at, said) = self.times(context.now, assumed)?;
        Ok(Alert {
            identity: Identity::new((context.customer)(&self.labels), &self.labels),
            grade: Grade::of(&self.labels),
            labels: self.labels,
            annotations: self.annotations,
            starts_at,
            ends_at,
            resolved: said && ends_at <= context.now,
            generator_url: self.generator_url,
            source: context.source.to_owned(),
        })
    }

    /// The last is whether the end was said.
    fn times(&self, now: DateTime<Utc>, assumed: Duration) -> Result<(DateTime<Utc>, DateTime<Utc>, bool), String> {
        let starts_at = self
            .starts_at
            .unwrap_or_else(|| self.ends_at.map_or(now, |end| end.min(now)));
        let ends_at = match self.ends_at {
            Some(said) => said,
            None => now
                .checked_add_signed(TimeDelta::from_std(assumed).unwrap_or(TimeDelta::MAX))
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
        };
        if ends_at < starts_at {
            let supposed = if self.ends_at.is_some() {
                ""
            } else {
                ", supposed, for none was given"
            };
            return Err(format!(
                "it ends before it starts: endsAt is {}{supposed}; startsAt is {}",
                ends_at.to_rfc3339(),
                starts_at.to_rfc3339()
            ));
        }
        Ok((starts_at, ends_at, self.ends_at.is_some()))
    }

    fn check_size(&self) -> Result<(), String> {
        if self.labels.is_empty() {
            return Err("it has no label with a value; at least one is needed".to_owned());
        }
        for (what, pairs) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if pairs.len() > LABELS {
                return Err(format!("it has {} {what}; at most {LABELS} are taken", pairs.len()));
            }
            if pairs.contains_key("") {
                return Err(format!("one of its {what} has no name"));
            }
        }
        let pairs = self.labels.iter().chain(&self.annotations);
        let bytes: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
        if bytes > TEXT_BYTES {
            return Err(format!(
                "its labels and annotations hold {bytes} bytes; at most {TEXT_BYTES} are taken"
            ));
        }
        Ok(())
    }
}

/// RFC 3339; empty and year 1 mean that none was given, as in Go. Microseconds are kept.
pub(crate) fn time(field: &str, text: Option<&str>) -> Result<Option<DateTime<Utc>>, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| format!("`{field}` is `{}`, and must be a time as in RFC 3339", shorten(text)))?;
    let time = time.to_utc().trunc_subsecs(6);
    Ok((time.year() > 1).then_some(time))
}

/// So much of a hostile text that a message about it stays readable.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// A JSON object of strings; null is an empty one, as Go reads it.
#[derive(Default)]
pub(crate) struct Pairs(pub Labels);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }
    fn visit_none<E>(self) -> Result<Pairs, E> {
        Ok(Pairs::default())
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Pairs, D::Error> {
        deserializer.deserialize_map(self)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Labels::new();
        while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
            pairs.insert(name, value.unwrap_or_default());
        }
        Ok(Pairs(pairs))
    }
}

/// Why one alert can't be read, although it is JSON: the first thing in it that has a wrong type.
pub(crate) fn wrong_type(path: &str, raw: &str) -> String {
    let Ok(alert) = serde_json::from_str::<Value>(raw) else {
        return format!("`{path}` is nested too deeply, or holds a number that no computer does");
    };
    let Value::Object(fields) = &alert else {
        return format!("`{path}` is {}, and must be an object", kind(&alert));
    };
    for field in ["labels", "annotations"] {
        match fields.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(pairs)) => {
                let wrong = pairs.iter().find(|(_, value)| !value.is_string() && !value.is_null());
                if let Some((name, value)) = wrong {
                    return format!(
                        "`{path}.{field}.{}` is {}, and must be a string",
                        shorten(name),
                        kind(value)
                    );
                }
            }
            Some(other) => return format!("`{path}.{field}` is {}, and must be an object of strings", kind(other)),
        }
    }
    for field in ["startsAt", "endsAt", "generatorURL", "status"] {
        if let Some(value) = fields.get(field).filter(|value| !value.is_string() && !value.is_null()) {
            return format!("`{path}.{field}` is {}, and must be a string", kind(value));
        }
    }
    format!("`{path}` names a field twice")
}

pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
