//! Into the journal.

use std::borrow::Cow;

use evenkeel_engine::port::memory::{MemoryError, Remembered};
use evenkeel_engine::port::metrics::{MetricsError, Point, Series};
use evenkeel_engine::port::reach::{
    Capacity, Certificate, Entry, EntryKind, ExecError, FilesError, HttpError, Output, Page, Process, ProcessError,
    Removed, Response, Rows, SqlError, SqlValue,
};
use serde_json::{Value, json};

use super::{CapabilityError, Json, bytes};
use crate::redact::Redactor;

/// The names of the cases, those that carry words behind the semicolon.
macro_rules! error {
    ($type:ty { $($plain:ident = $name:literal),* ; $($carrying:ident = $words:literal),* }) => {
        impl Json for $type {
            fn json(&self) -> Value {
                match self {
                    $(Self::$plain => json!($name),)*
                    $(Self::$carrying(why) => json!({ $words: why }),)*
                }
            }

            fn redact(&mut self, redactor: &Redactor) {
                match self {
                    $(Self::$carrying(why) => why.redact(redactor),)*
                    $(Self::$plain => {})*
                }
            }
        }
    };
}

/// An error that says so if the host refused the call; with the cases that leave open whether an effect
/// was made.
macro_rules! refusing {
    ($($type:ty $(: $open:pat)?),* $(,)?) => {
        $(impl CapabilityError for $type {
            fn reason(&self) -> Option<&str> {
                match self {
                    Self::Denied(why) => Some(why),
                    _ => None,
                }
            }

            $(fn is_open(&self) -> bool {
                matches!(self, $open)
            })?
        })*
    };
}

error!(FilesError { Missing = "missing", TooLarge = "too-large"; Denied = "denied", Invalid = "invalid", Io = "io" });
error!(ExecError { TimedOut = "timed-out", OutputLimit = "output-limit"; Denied = "denied", Spawn = "spawn" });
error!(HttpError {
    Dns = "dns", Connect = "connect", TimedOut = "timed-out", TooLarge = "too-large";
    Denied = "denied", Tls = "tls", Other = "other"
});
error!(MetricsError { TooLarge = "too-large"; Denied = "denied", Invalid = "invalid", Unavailable = "unavailable" });
error!(ProcessError { Missing = "missing"; Denied = "denied", Io = "io", Lost = "io" });
error!(SqlError {
    TimedOut = "timed-out", TooLarge = "too-large", Unanswered = "timed-out";
    Denied = "denied", Invalid = "invalid", Unavailable = "unavailable", Lost = "unavailable"
});
error!(MemoryError { Quota = "quota", TooLarge = "too-large", Conflict = "conflict"; Io = "io" });
refusing!(
    FilesError,
    ExecError: ExecError::TimedOut | ExecError::OutputLimit,
    HttpError: HttpError::TimedOut | HttpError::Other(_),
    MetricsError,
    ProcessError: ProcessError::Lost(_),
    SqlError: SqlError::Lost(_) | SqlError::Unanswered,
);

impl CapabilityError for MemoryError {
    fn reason(&self) -> Option<&str> {
        None
    }
}

impl Json for () {
    fn json(&self) -> Value {
        Value::Null
    }
}

impl Json for u64 {
    fn json(&self) -> Value {
        json!(self)
    }
}

impl Json for String {
    fn json(&self) -> Value {
        json!(self)
    }

    fn redact(&mut self, redactor: &Redactor) {
        if let Cow::Owned(shown) = redactor.text(self) {
            *self = shown;
        }
    }
}

/// JSON has no number for what is not finite.
impl Json for f64 {
    fn json(&self) -> Value {
        if self.is_finite() {
            json!(self)
        } else {
            json!(self.to_string())
        }
    }
}

impl<T: Json> Json for Option<T> {
    fn json(&self) -> Value {
        self.as_ref().map_or(Value::Null, Json::json)
    }

    fn redact(&mut self, redactor: &Redactor) {
        self.iter_mut().for_each(|value| value.redact(redactor));
    }
}

impl<T: Json> Json for Vec<T> {
    fn json(&self) -> Value {
        self.iter().map(Json::json).collect()
    }

    fn redact(&mut self, redactor: &Redactor) {
        self.iter_mut().for_each(|value| value.redact(redactor));
    }
}

impl Json for Vec<u8> {
    fn json(&self) -> Value {
        bytes(self)
    }

    fn redact(&mut self, redactor: &Redactor) {
        if let Some(shown) = redactor.bytes(self) {
            *self = shown;
        }
    }
}

impl Json for Capacity {
    fn json(&self) -> Value {
        json!({
            "total-bytes": self.total_bytes,
            "free-bytes": self.free_bytes,
            "total-inodes": self.total_inodes,
            "free-inodes": self.free_inodes,
        })
    }
}

impl Json for Page {
    fn json(&self) -> Value {
        self.entries.json()
    }

    fn redact(&mut self, redactor: &Redactor) {
        self.entries.redact(redactor);
    }
}

impl Json for Entry {
    fn json(&self) -> Value {
        let kind = match self.kind {
            EntryKind::File => "file",
            EntryKind::Directory => "directory",
            EntryKind::Link => "link",
            EntryKind::Other => "other",
        };
        json!({
            "path": self.path,
            "kind": kind,
            "bytes": self.bytes,
            "modified-ms": self.modified_ms,
            "mode": self.mode,
            "uid": self.uid,
            "gid": self.gid,
        })
    }

    fn redact(&mut self, redactor: &Redactor) {
        self.path.redact(redactor);
    }
}

impl Json for Removed {
    fn json(&self) -> Value {
        json!({ "files": self.files, "bytes": self.bytes })
    }
}

impl Json for Output {
    fn json(&self) -> Value {
        json!({
            "code": self.code,
            "stdout": bytes(&self.stdout),
            "stderr": bytes(&self.stderr),
            "truncated": self.truncated,
        })
    }

    fn redact(&mut self, redactor: &Redactor) {
        self.stdout.redact(redactor);
        self.stderr.redact(redactor);
    }
}

impl Json for Response {
    fn json(&self) -> Value {
        json!({
            "status": self.status,
            "headers": self.headers,
            "body": bytes(&self.body),
            "elapsed-ms": u32::try_from(self.elapsed.as_millis()).unwrap_or(u32::MAX),
            "certificate": self.certificate.json(),
        })
    }

    fn redact(&mut self, redactor: &Redactor) {
        for (name, value) in &mut self.headers {
            name.redact(redactor);
            value.redact(redactor);
        }
        self.body.redact(redactor);
    }
}

impl Json for Certificate {
    fn json(&self) -> Value {
        json!({ "subject": self.subject, "issuer": self.issuer, "not-after-ms": self.not_after_ms })
    }
}

impl Json for Series {
    fn json(&self) -> Value {
        json!({ "labels": self.labels, "points": self.points.json() })
    }
}

impl Json for Point {
    fn json(&self) -> Value {
        json!({ "at-ms": self.at_ms, "value": self.value.json() })
    }
}

impl Json for Process {
    fn json(&self) -> Value {
        json!({
            "pid": self.pid,
            "name": self.name,
            "command": self.command,
            "user": self.user,
            "state": self.state,
            "started-ms": self.started_ms,
            "cpu-ms": self.cpu_ms,
            "resident-bytes": self.resident_bytes,
            "threads": self.threads,
        })
    }

    fn redact(&mut self, redactor: &Redactor) {
        self.name.redact(redactor);
        self.command.redact(redactor);
    }
}

impl Json for Rows {
    fn json(&self) -> Value {
        json!({ "columns": self.columns, "rows": self.rows.json(), "truncated": self.truncated })
    }

    fn redact(&mut self, redactor: &Redactor) {
        self.rows.redact(redactor);
    }
}

impl Json for SqlValue {
    fn json(&self) -> Value {
        match self {
            Self::Null => json!("null"),
            Self::Boolean(is) => json!({ "boolean": is }),
            Self::Integer(number) => json!({ "integer": number }),
            Self::Real(number) => json!({ "real": number.json() }),
            Self::Text(text) => json!({ "text": text }),
            Self::Blob(blob) => json!({ "blob": bytes(blob) }),
        }
    }

    fn redact(&mut self, redactor: &Redactor) {
        match self {
            Self::Text(text) => text.redact(redactor),
            Self::Blob(blob) => blob.redact(redactor),
            Self::Null | Self::Boolean(_) | Self::Integer(_) | Self::Real(_) => {}
        }
    }
}

impl Json for Remembered {
    fn json(&self) -> Value {
        json!({ "value": bytes(&self.value), "version": self.version })
    }

    fn redact(&mut self, redactor: &Redactor) {
        self.value.redact(redactor);
    }
}
