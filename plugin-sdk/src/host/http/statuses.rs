use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;

/// HTTP statuses that a parameter expects: `200`, `"200-299"`, or a list of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// 200 to 299 (RFC 9110, section 15.3).
    pub fn success() -> Self {
        Self(vec![200..=299])
    }

    /// Whether it is one of them.
    pub fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|range| range.contains(&status))
    }
}

impl FromStr for Statuses {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        range(text).map(|range| Self(vec![range])).ok_or_else(|| {
            Error::invalid(
                "status",
                format!("`{text}` is not a status; write `200`, or `200-299` for a range"),
            )
        })
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(word).collect();
        out.write_str(&words.join(", "))
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(word))
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Statuses;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a status like 200, a range like \"200-299\", or a list of them")
    }

    fn visit_u64<E: de::Error>(self, status: u64) -> Result<Statuses, E> {
        self.visit_str(&status.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Statuses, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Statuses, A::Error> {
        let mut ranges = Vec::new();
        while let Some(Statuses(more)) = list.next_element()? {
            ranges.extend(more);
        }
        if ranges.is_empty() {
            Err(de::Error::invalid_length(0, &self))
        } else {
            Ok(Statuses(ranges))
        }
    }
}

impl JsonSchema for Statuses {
    fn schema_name() -> Cow<'static, str> {
        "Statuses".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = json_schema!({ "type": "integer", "minimum": 100, "maximum": 599 });
        let range = json_schema!({ "type": "string", "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$" });
        json_schema!({
            "anyOf": [
                number,
                range,
                { "type": "array", "minItems": 1, "items": { "anyOf": [number, range] } },
            ],
            "description": "Statuses like `200`, `\"200-299\"`, or a list of them.",
        })
    }
}

/// `None` unless both ends are statuses (100 to 599) in order.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let status = |text: &str| {
        text.parse()
            .ok()
            .filter(|status| text.len() == 3 && (100..600).contains(status))
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (status(from)?, status(to)?);
    (from <= to).then_some(from..=to)
}

fn word(range: &RangeInclusive<u16>) -> String {
    let (from, to) = (range.start(), range.end());
    if from == to {
        from.to_string()
    } else {
        format!("{from}-{to}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn numbers_ranges_and_lists_are_read() {
        for (written, contained, other) in [
            (json!(200), 200, 201),
            (json!("404"), 404, 200),
            (json!("200-299"), 299, 300),
            (json!([200, "301-302"]), 302, 303),
        ] {
            let statuses: Statuses = from_value(written.clone()).expect("it reads");
            assert!(statuses.contain(contained) && !statuses.contain(other), "{written}");
        }
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for written in [
            json!(99),
            json!(600),
            json!("299-200"),
            json!("2xx"),
            json!([]),
            json!(true),
            json!("+20"),
        ] {
            assert!(from_value::<Statuses>(written.clone()).is_err(), "{written}");
        }
    }

    #[test]
    fn statuses_print_as_they_read() {
        let statuses: Statuses = from_value(json!([200, "301-302"])).expect("it reads");
        assert_eq!(statuses.to_string(), "200, 301-302");
        assert_eq!(
            serde_json::to_value(&statuses).expect("it writes"),
            json!(["200", "301-302"])
        );
    }
}
