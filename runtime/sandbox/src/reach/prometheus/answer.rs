//! What a Prometheus answers: JSON of its HTTP API, version 1.

mod json;
#[cfg(test)]
mod tests;

use evenkeel_engine::port::metrics::{MetricsError, Point, Series};
use evenkeel_model::call::Level;

use crate::ports::{Answered, Note};
use json::{Answer, Item};

/// Of what a source says, in characters.
const WORDS: usize = 500;
/// Warnings that are passed on, and infos. Of more, their number is told.
const NOTES: usize = 10;
/// Of one series. Prometheus itself sets no bound; nobody's series come near it.
const LABELS: usize = 256;

/// What is kept of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub series: usize,
    /// Of all series together.
    pub points: usize,
}

/// A vector, a matrix, or a scalar, which is one series without labels. Beyond `most` nothing is read.
pub fn read(status: u16, body: &[u8], most: Most) -> Answered {
    match json::parse(body, most) {
        Ok(mut answer) => {
            let notes = notes(&mut answer);
            let result = series(status, answer);
            Answered { result, notes }
        }
        Err(json::Fault::TooMany(what)) => Answered {
            result: Err(MetricsError::TooLarge),
            notes: vec![super::warning(format!("the answer has more than {what}"))],
        },
        Err(json::Fault::NoJson) => Err(no_json(status)).into(),
        Err(json::Fault::Strange) => Err(unknown()).into(),
    }
}

fn series(status: u16, answer: Answer) -> Result<Vec<Series>, MetricsError> {
    if answer.status.as_deref() != Some("success") {
        return Err(refused(status, &answer));
    }
    if answer.items.iter().any(|item| matches!(item, Item::Histograms)) {
        let why = "the expression answers native histograms, which are no numbers: take a quantile, a count or a sum";
        return Err(MetricsError::Invalid(why.into()));
    }
    let of = |ranged: bool| {
        let one = move |item: Item| match item {
            Item::Series(series, it) if it == ranged => Some(series),
            _ => None,
        };
        move |items: Vec<Item>| items.into_iter().map(one).collect::<Option<Vec<_>>>()
    };
    let read = match answer.kind.as_deref() {
        Some("vector") => of(false)(answer.items),
        Some("matrix") => of(true)(answer.items),
        Some("scalar") => scalar(&answer.items).map(|point| vec![point]),
        Some("string") => {
            return Err(MetricsError::Invalid(
                "the expression is a string, and no series".into(),
            ));
        }
        _ => None,
    };
    read.filter(|_| answer.listed).ok_or_else(unknown)
}

fn scalar(items: &[Item]) -> Option<Series> {
    let [Item::Number(at), Item::Text(value)] = items else {
        return None;
    };
    Some(Series {
        labels: Vec::new(),
        points: vec![point(*at, value)?],
    })
}

/// `[seconds, "value"]`
fn point(seconds: f64, value: &str) -> Option<Point> {
    let value = match value {
        "NaN" => f64::NAN,
        "+Inf" | "Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().ok()?,
    };
    // Before 1970 there was nothing to measure; the conversion saturates.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates, which is what is wanted"
    )]
    let at_ms = (seconds * 1_000.0).round() as u64;
    Some(Point { at_ms, value })
}

/// What it has to say beside the answer: series that are missing, a function on the wrong kind of metric.
fn notes(answer: &mut Answer) -> Vec<Note> {
    let (warnings, infos) = (&mut answer.warnings, &mut answer.infos);
    let mut notes = Vec::new();
    for (level, said) in [(Level::Warn, warnings), (Level::Info, infos)] {
        let note = |text| Note { level, text };
        notes.extend(said.first.drain(..).map(note));
        if said.more > 0 {
            notes.push(note(format!("and {} more like it", said.more)));
        }
    }
    notes
}

fn refused(status: u16, answer: &Answer) -> MetricsError {
    let words = answer.error.clone().unwrap_or_else(|| "it does not say why".into());
    match answer.error_type.as_deref() {
        // VictoriaMetrics has the status there.
        Some("bad_data" | "execution" | "400" | "422") => MetricsError::Invalid(words),
        Some(kind) if kind.bytes().all(|byte| byte.is_ascii_digit()) => {
            MetricsError::Unavailable(format!("status {kind}: {words}"))
        }
        Some(kind) => MetricsError::Unavailable(format!("{kind}: {words}")),
        None => strange(&format!("status {status}, and neither success nor an error")),
    }
}

fn no_json(status: u16) -> MetricsError {
    match status {
        401 | 403 => MetricsError::Unavailable(format!(
            "the source refuses to answer (status {status}): `token` names the secret that it wants"
        )),
        _ => strange(&format!("status {status}, and no JSON")),
    }
}

fn unknown() -> MetricsError {
    strange("a result of no type that is known")
}

fn strange(what: &str) -> MetricsError {
    MetricsError::Unavailable(format!("the source does not answer like a Prometheus: {what}"))
}

/// A source's words, for a log and for people.
fn words(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(WORDS).collect()
}
