//! Out of the journal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{FromJson, GuestError, Unreadable};
use crate::bindings::evenkeel::cap::{exec, files, http, metrics, process, secrets, sql, state};

/// A record: its fields and their names.
macro_rules! record {
    ($type:ty { $($field:ident = $name:literal),* }) => {
        impl FromJson for $type {
            fn from_json(value: &Value) -> Result<Self, Unreadable> {
                let fields = Fields::of(value)?;
                Ok(Self { $($field: fields.get($name)?),* })
            }
        }
    };
}

/// An error: its cases besides `denied`, those that carry words behind the semicolon.
macro_rules! error {
    ($type:ty { $($plain:ident = $name:literal),* ; $($carrying:ident = $words:literal),* }, $denied:ident) => {
        impl FromJson for $type {
            fn from_json(value: &Value) -> Result<Self, Unreadable> {
                match case(value)? {
                    $(($name, None) => Ok(Self::$plain),)*
                    $(($words, Some(why)) => Ok(Self::$carrying(String::from_json(why)?)),)*
                    (name, _) => Err(wrong(name, "one of the contract's errors")),
                }
            }
        }
        impl GuestError for $type {
            fn denied(why: String) -> Self {
                Self::$denied(why)
            }
        }
    };
}

record!(exec::Output { code = "code", stdout = "stdout", stderr = "stderr", truncated = "truncated" });
record!(files::Capacity {
    total_bytes = "total-bytes", free_bytes = "free-bytes", total_inodes = "total-inodes", free_inodes = "free-inodes"
});
record!(files::Entry {
    path = "path", kind = "kind", bytes = "bytes", modified_ms = "modified-ms", mode = "mode", uid = "uid", gid = "gid"
});
record!(files::Removed { files = "files", bytes = "bytes" });
record!(http::Response {
    status = "status", headers = "headers", body = "body", elapsed_ms = "elapsed-ms", certificate = "certificate"
});
record!(http::Certificate { subject = "subject", issuer = "issuer", not_after_ms = "not-after-ms" });
record!(metrics::Series { labels = "labels", points = "points" });
record!(metrics::Point { at_ms = "at-ms", value = "value" });
record!(process::Info {
    pid = "pid", name = "name", command = "command", user = "user", state = "state", started_ms = "started-ms",
    cpu_ms = "cpu-ms", resident_bytes = "resident-bytes", threads = "threads"
});
record!(sql::Rows { columns = "columns", rows = "rows", truncated = "truncated" });
record!(state::Entry { value = "value", version = "version" });

error!(exec::ExecError {
    TimedOut = "timed-out", OutputLimit = "output-limit"; Denied = "denied", Spawn = "spawn"
}, Denied);
error!(files::FilesError {
    Missing = "missing", TooLarge = "too-large"; Denied = "denied", Invalid = "invalid", Io = "io"
}, Denied);
error!(http::HttpError {
    Dns = "dns", Connect = "connect", TimedOut = "timed-out", TooLarge = "too-large";
    Denied = "denied", Tls = "tls", Other = "other"
}, Denied);
error!(metrics::MetricsError {
    TooLarge = "too-large"; Denied = "denied", Invalid = "invalid", Unavailable = "unavailable"
}, Denied);
error!(process::ProcessError { Missing = "missing"; Denied = "denied", Io = "io" }, Denied);
error!(secrets::SecretError { Missing = "missing"; Denied = "denied" }, Denied);
error!(sql::SqlError {
    TimedOut = "timed-out", TooLarge = "too-large";
    Denied = "denied", Invalid = "invalid", Unavailable = "unavailable"
}, Denied);
// Needs no grant, so the contract has no word for a refusal.
error!(state::StateError { Quota = "quota", TooLarge = "too-large", Conflict = "conflict"; Io = "io" }, Io);

impl FromJson for files::Kind {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        match case(value)? {
            ("file", None) => Ok(Self::File),
            ("directory", None) => Ok(Self::Directory),
            ("link", None) => Ok(Self::Link),
            ("other", None) => Ok(Self::Other),
            (name, _) => Err(wrong(name, "a kind of file")),
        }
    }
}

impl FromJson for sql::Value {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        Ok(match case(value)? {
            ("null", None) => Self::Null,
            ("boolean", Some(is)) => Self::Boolean(bool::from_json(is)?),
            ("integer", Some(number)) => Self::Integer(i64::from_json(number)?),
            ("real", Some(number)) => Self::Real(f64::from_json(number)?),
            ("text", Some(text)) => Self::Text(String::from_json(text)?),
            ("blob", Some(blob)) => Self::Blob(Vec::from_json(blob)?),
            (name, _) => return Err(wrong(name, "a value of a database")),
        })
    }
}

impl FromJson for () {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        value.as_null().ok_or_else(|| wrong(value, "null"))
    }
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        value.as_bool().ok_or_else(|| wrong(value, "true or false"))
    }
}

impl FromJson for String {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        let text = value.as_str().ok_or_else(|| wrong(value, "text"))?;
        Ok(text.to_owned())
    }
}

impl FromJson for f64 {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        let number = match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_f64(),
        };
        number.ok_or_else(|| wrong(value, "a number"))
    }
}

macro_rules! integer {
    ($($type:ty = $as:ident),*) => {
        $(impl FromJson for $type {
            fn from_json(value: &Value) -> Result<Self, Unreadable> {
                let number = value.$as().and_then(|number| number.try_into().ok());
                number.ok_or_else(|| wrong(value, stringify!($type)))
            }
        })*
    };
}

integer!(u16 = as_u64, u32 = as_u64, u64 = as_u64, i32 = as_i64, i64 = as_i64);

impl FromJson for Vec<u8> {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        let text = value.as_str().ok_or_else(|| wrong(value, "base64"))?;
        STANDARD.decode(text).map_err(|_| wrong(value, "base64"))
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        let items = value.as_array().ok_or_else(|| wrong(value, "a list"))?;
        items.iter().map(T::from_json).collect()
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        match value {
            Value::Null => Ok(None),
            value => T::from_json(value).map(Some),
        }
    }
}

impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn from_json(value: &Value) -> Result<Self, Unreadable> {
        match value.as_array().map(Vec::as_slice) {
            Some([first, second]) => Ok((A::from_json(first)?, B::from_json(second)?)),
            _ => Err(wrong(value, "a pair")),
        }
    }
}

struct Fields<'v>(&'v Map<String, Value>);

impl<'v> Fields<'v> {
    fn of(value: &'v Value) -> Result<Self, Unreadable> {
        value.as_object().map(Self).ok_or_else(|| wrong(value, "an object"))
    }

    fn get<T: FromJson>(&self, name: &str) -> Result<T, Unreadable> {
        let value = self.0.get(name).unwrap_or(&Value::Null);
        T::from_json(value).map_err(|Unreadable(why)| Unreadable(format!("`{name}`: {why}")))
    }
}

/// The name of a variant's case, and what it carries.
fn case(value: &Value) -> Result<(&str, Option<&Value>), Unreadable> {
    match value {
        Value::String(name) => Ok((name, None)),
        Value::Object(fields) if fields.len() == 1 => fields
            .iter()
            .next()
            .map(|(name, carried)| (name.as_str(), Some(carried)))
            .ok_or_else(|| wrong(value, "a case")),
        _ => Err(wrong(value, "a case")),
    }
}

fn wrong(value: impl std::fmt::Display, expected: &str) -> Unreadable {
    let value: String = value.to_string().chars().take(40).collect();
    Unreadable(format!("`{value}` is not {expected}"))
}
