//! Answers with what the source says beside them. It is journaled with the answer: an invocation that goes on after an
//! interruption, or is replayed, has the same lines in its log.

use std::fmt;

use evenkeel_engine::port::metrics::{MetricsError, Series};
use evenkeel_model::call::Level;
use serde_json::{Value, json};

use crate::bindings::evenkeel::cap::metrics;
use crate::capability::journal::{CapabilityError, FromJson, Json, Unreadable};
use crate::ports::{Answered, Note};
use crate::redact::Redactor;

/// As it came.
pub struct Noted {
    pub series: Vec<Series>,
    pub notes: Vec<Note>,
}

/// As the plugin gets it, and what people get.
pub struct Heard {
    pub series: Vec<metrics::Series>,
    pub notes: Vec<Note>,
}

/// The contract has no place for words in all of its errors; the journal has.
#[derive(Debug)]
pub struct Refused {
    pub error: MetricsError,
    words: Option<String>,
}

pub fn noted(answered: Answered) -> Result<Noted, Refused> {
    let Answered { result, notes } = answered;
    match result {
        Ok(series) => Ok(Noted { series, notes }),
        Err(error) => Err(Refused {
            error,
            words: notes.into_iter().next().map(|note| note.text),
        }),
    }
}

/// Without notes it is the list that the plugin gets.
impl Json for Noted {
    fn json(&self) -> Value {
        let series = self.series.json();
        if self.notes.is_empty() {
            return series;
        }
        let note = |note: &Note| json!([note.level, note.text]);
        json!({ "series": series, "notes": self.notes.iter().map(note).collect::<Vec<_>>() })
    }

    fn redact(&mut self, redactor: &Redactor) {
        self.series.redact(redactor);
        for note in &mut self.notes {
            note.text = redactor.text(&note.text).into_owned();
        }
    }
}

impl FromJson for Heard {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        if value.is_array() {
            let series = Vec::from_json(value)?;
            return Ok(Self {
                series,
                notes: Vec::new(),
            });
        }
        let wrong = || Unreadable("the notes of an answer are none".into());
        let notes = value["notes"].as_array().ok_or_else(wrong)?;
        let note = |note: &Value| {
            let level = serde_json::from_value::<Level>(note[0].clone()).ok()?;
            let text = note[1].as_str()?.to_owned();
            Some(Note { level, text })
        };
        Ok(Self {
            series: Vec::from_json(&value["series"])?,
            notes: notes.iter().map(note).collect::<Option<_>>().ok_or_else(wrong)?,
        })
    }
}

impl From<Noted> for Heard {
    fn from(Noted { series, notes }: Noted) -> Self {
        let series = series.into_iter().map(Into::into).collect();
        Self { series, notes }
    }
}

impl From<MetricsError> for Refused {
    fn from(error: MetricsError) -> Self {
        Self { error, words: None }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.words {
            Some(words) => out.write_str(words),
            None => self.error.fmt(out),
        }
    }
}

impl std::error::Error for Refused {}

impl Json for Refused {
    fn json(&self) -> Value {
        self.error.json()
    }

    fn redact(&mut self, redactor: &Redactor) {
        self.error.redact(redactor);
    }
}

impl CapabilityError for Refused {
    fn reason(&self) -> Option<&str> {
        self.error.reason()
    }
}
