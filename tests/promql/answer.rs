//! What was answered, so that it can be compared.

use std::collections::BTreeMap;

use serde_json::Value;

/// Of the greater one of two values.
const TOLERANCE: f64 = 1e-9;

pub enum Answer {
    Refused(String),
    Given(Value),
}

impl Answer {
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    pub fn has_series(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Given(data) => data["result"].as_array().is_some_and(|result| !result.is_empty()),
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self {
            Self::Refused(why) => format!("refused: {why}"),
            Self::Given(data) => data.to_string(),
        };
        let cut: String = text.chars().take(1500).collect();
        f.write_str(&cut)
    }
}

/// What differs first, in words.
pub fn difference(ours: &Answer, theirs: &Answer, ordered: bool) -> Option<String> {
    let (ours, theirs) = match (ours, theirs) {
        (Answer::Refused(_), Answer::Refused(_)) => return None,
        (Answer::Given(ours), Answer::Given(theirs)) => (ours, theirs),
        (Answer::Refused(_), Answer::Given(_)) => return Some("we refuse".to_owned()),
        (Answer::Given(_), Answer::Refused(_)) => return Some("they refuse".to_owned()),
    };
    if ours["resultType"] != theirs["resultType"] {
        return Some("types".to_owned());
    }
    match ours["resultType"].as_str() {
        Some("scalar") => samples(&ours["result"], &theirs["result"]),
        Some("string") => (ours["result"] != theirs["result"]).then(|| "strings".to_owned()),
        _ => by_series(ours, theirs).or_else(|| ordered.then(|| order(ours, theirs)).flatten()),
    }
}

fn by_series(ours: &Value, theirs: &Value) -> Option<String> {
    let ((ours, twice), (theirs, _)) = (of_series(ours), of_series(theirs));
    if let Some(twice) = twice {
        return Some(format!("{twice} is there twice"));
    }
    if let Some(more) = ours.keys().find(|labels| !theirs.contains_key(*labels)) {
        return Some(format!("only we have {more}"));
    }
    for (labels, series) in &theirs {
        let Some(known) = ours.get(labels) else {
            return Some(format!("only they have {labels}"));
        };
        let differs = match (known["values"].as_array(), series["values"].as_array()) {
            (Some(a), Some(b)) if a.len() == b.len() => a.iter().zip(b).find_map(|(a, b)| samples(a, b)),
            (None, None) => samples(&known["value"], &series["value"]),
            _ => Some("not the same count of values".to_owned()),
        };
        if let Some(differs) = differs {
            return Some(format!("{labels}: {differs}"));
        }
    }
    None
}

/// By their labels as text; and one that is there more than once.
fn of_series(data: &Value) -> (BTreeMap<String, &Value>, Option<String>) {
    let (mut all, mut twice) = (BTreeMap::new(), None);
    for series in data["result"].as_array().into_iter().flatten() {
        let labels: BTreeMap<&String, &Value> = series["metric"].as_object().into_iter().flatten().collect();
        let labels = serde_json::to_string(&labels).unwrap_or_default();
        // `last_over_time` and plain windows may have one series of several names.
        if all.insert(labels.clone(), series).is_some() {
            twice = Some(labels);
        }
    }
    (all, twice)
}

/// Equal values may stand in any order.
fn order(ours: &Value, theirs: &Value) -> Option<String> {
    let (ours, theirs) = (ours["result"].as_array()?, theirs["result"].as_array()?);
    let mut pairs = ours.iter().zip(theirs);
    pairs.find_map(|(a, b)| samples(&a["value"], &b["value"]).map(|differs| format!("order: {differs}")))
}

fn samples(ours: &Value, theirs: &Value) -> Option<String> {
    let same_time = ours[0].as_f64() == theirs[0].as_f64();
    let same = match (number(&ours[1]), number(&theirs[1])) {
        (Some(a), Some(b)) => a == b || (a.is_nan() && b.is_nan()) || near(a, b),
        _ => false,
    };
    (!same_time || !same).then(|| format!("ours is {ours}, theirs {theirs}"))
}

fn near(a: f64, b: f64) -> bool {
    a.is_finite() && b.is_finite() && (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

fn number(value: &Value) -> Option<f64> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn small_differences_are_none_and_others_are_found() {
        let vector = |values: &[(&str, &str)]| {
            let series = values
                .iter()
                .map(|(label, value)| json!({ "metric": { "a": label }, "value": [1, value] }));
            Answer::Given(json!({ "resultType": "vector", "result": series.collect::<Vec<_>>() }))
        };
        let one = vector(&[("x", "1"), ("y", "2")]);
        assert_eq!(
            difference(&one, &vector(&[("y", "2.000000001"), ("x", "1")]), false),
            None
        );
        assert!(difference(&one, &vector(&[("y", "2"), ("x", "1")]), true).is_some());
        for other in [
            &[("x", "1")][..],
            &[("x", "1"), ("y", "2"), ("z", "3")],
            &[("x", "1"), ("y", "2.0001")],
            &[("x", "NaN"), ("y", "2")],
            &[("x", "Inf"), ("y", "2")],
        ] {
            assert!(difference(&one, &vector(other), false).is_some());
            assert!(difference(&vector(other), &one, false).is_some());
        }
        let refused = Answer::Refused(String::new());
        assert!(difference(&one, &refused, false).is_some() && difference(&refused, &one, false).is_some());
        assert_eq!(
            difference(&vector(&[("x", "NaN")]), &vector(&[("x", "NaN")]), false),
            None
        );
    }
}
