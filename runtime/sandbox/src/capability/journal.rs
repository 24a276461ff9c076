//! How answers look in the journal: the field names of the contract, bytes as base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evenkeel_engine::port::reach::{
    Capacity, Certificate, Entry, EntryKind, ExecError, FilesError, HttpError, Output, Page, Removed, Response,
};
use serde_json::{Value, json};

/// What a plugin got.
pub trait Json {
    fn json(&self) -> Value;
}

/// What a plugin got instead.
pub trait CapabilityError: Json + std::error::Error {
    /// Set if the host refused it before anything was done.
    fn reason(&self) -> Option<&str>;
}

pub fn bytes(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}

impl Json for () {
    fn json(&self) -> Value {
        Value::Null
    }
}

impl Json for Vec<u8> {
    fn json(&self) -> Value {
        bytes(self)
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
        self.entries.iter().map(Json::json).collect()
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
}

impl Json for Response {
    fn json(&self) -> Value {
        json!({
            "status": self.status,
            "headers": self.headers,
            "body": bytes(&self.body),
            "elapsed-ms": u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
            "certificate": self.certificate.as_ref().map(Json::json),
        })
    }
}

impl Json for Certificate {
    fn json(&self) -> Value {
        json!({ "subject": self.subject, "issuer": self.issuer, "not-after-ms": self.not_after_ms })
    }
}

impl Json for FilesError {
    fn json(&self) -> Value {
        match self {
            Self::Denied(why) => json!({ "denied": why }),
            Self::Missing => json!("missing"),
            Self::Invalid(why) => json!({ "invalid": why }),
            Self::TooLarge => json!("too-large"),
            Self::Io(why) => json!({ "io": why }),
        }
    }
}

impl CapabilityError for FilesError {
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Denied(why) => Some(why),
            _ => None,
        }
    }
}

impl Json for ExecError {
    fn json(&self) -> Value {
        match self {
            Self::Denied(why) => json!({ "denied": why }),
            Self::Spawn(why) => json!({ "spawn": why }),
            Self::TimedOut => json!("timed-out"),
            Self::OutputLimit => json!("output-limit"),
        }
    }
}

impl CapabilityError for ExecError {
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Denied(why) => Some(why),
            _ => None,
        }
    }
}

impl Json for HttpError {
    fn json(&self) -> Value {
        match self {
            Self::Denied(why) => json!({ "denied": why }),
            Self::Dns => json!("dns"),
            Self::Connect => json!("connect"),
            Self::Tls(why) => json!({ "tls": why }),
            Self::TimedOut => json!("timed-out"),
            Self::TooLarge => json!("too-large"),
            Self::Other(why) => json!({ "other": why }),
        }
    }
}

impl CapabilityError for HttpError {
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Denied(why) => Some(why),
            _ => None,
        }
    }
}
