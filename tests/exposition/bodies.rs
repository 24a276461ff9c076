use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

/// How far ahead of its scrape the time of a sample may be.
pub const AHEAD_MS: i64 = 600_000;

/// What a target answers.
#[derive(Clone)]
pub struct Body {
    pub format: Format,
    pub text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Version 0.0.4.
    Text,
    /// Version 1.0.0, which may have names in quotes.
    Text1,
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Text1 => "text/plain; version=1.0.0; escaping=allow-utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Body {
    pub fn new(format: Format, text: impl Into<Vec<u8>>) -> Self {
        Self {
            format,
            text: text.into(),
        }
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} \"{}\"", self.format, self.text.escape_ascii())
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(now.as_millis()).expect("it is before the year 292278994")
}
