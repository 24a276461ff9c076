//! The names that effects go by.
//!
//! An effect that an action declares and the call that the plugin makes are compared as these strings, byte for byte:
//! the host writes them by the same rules. There is one function for each form.

use sha2::{Digest, Sha256};

use crate::process::Signal;
use crate::sql::Value;

/// `PROFILE ["arg","arg"]`: the arguments as a compact JSON array, `[]` when there are none.
pub fn exec<S: AsRef<str>>(profile: &str, args: &[S]) -> String {
    let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    format!("{profile} {}", serde_json::json!(args))
}

/// `ROOT:PATH`: the path as it was given, relative to the root.
pub fn files(root: &str, path: &str) -> String {
    format!("{root}:{path}")
}

/// `METHOD ORIGIN:PATH`: the path as it was given, with its query.
pub fn http(method: &str, origin: &str, path: &str) -> String {
    format!("{method} {origin}:{path}")
}

/// `SIGNAL PROFILE`: the signal by its POSIX name without `SIG`, like `TERM web`.
pub fn process(signal: Signal, profile: &str) -> String {
    format!("{} {profile}", signal_name(signal))
}

/// `DATABASE STATEMENT`: the statement as it was given.
pub fn sql(database: &str, statement: &str) -> String {
    format!("{database} {statement}")
}

/// The SHA-256 of a call's body in lower-case hex: stdin, a file's content, an HTTP body, or [`sql_params`].
pub fn content(body: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(body)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// The parameters of a statement as compact JSON: an array of null, booleans, numbers and strings, where a blob is
/// `{"blob":"LOWER-HEX"}` and a number that JSON has no word for is null.
pub fn sql_params(params: &[Value]) -> String {
    let params: Vec<serde_json::Value> = params.iter().map(sql_param).collect();
    serde_json::json!(params).to_string()
}

/// The POSIX name of a signal without `SIG`, as grants and subjects have it.
pub fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Hangup => "HUP",
        Signal::Interrupt => "INT",
        Signal::Quit => "QUIT",
        Signal::Terminate => "TERM",
        Signal::Kill => "KILL",
        Signal::User1 => "USR1",
        Signal::User2 => "USR2",
    }
}

fn sql_param(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Real(value) => (*value).into(),
        Value::Text(value) => value.as_str().into(),
        Value::Blob(bytes) => {
            use std::fmt::Write as _;
            let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            serde_json::json!({ "blob": hex })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_has_its_documented_form() {
        assert_eq!(exec("restart", &[] as &[&str]), "restart []");
        assert_eq!(
            exec("tar", &["-C", "a b", "\"x\"\n", "é"]),
            r#"tar ["-C","a b","\"x\"\n","é"]"#
        );
        assert_eq!(files("data", "tmp/a b"), "data:tmp/a b");
        assert_eq!(http("POST", "app", "/boards?x=1"), "POST app:/boards?x=1");
        assert_eq!(process(Signal::Terminate, "web"), "TERM web");
        assert_eq!(
            sql("main", "delete from t where id = $1"),
            "main delete from t where id = $1"
        );
    }

    #[test]
    fn content_is_lower_hex_sha256() {
        assert_eq!(
            content(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            content(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn statement_parameters_are_compact_json() {
        let params = [
            Value::Null,
            Value::Boolean(true),
            Value::Integer(-1),
            Value::Text("a".into()),
            Value::Blob(vec![0, 255]),
        ];
        assert_eq!(sql_params(&params), r#"[null,true,-1,"a",{"blob":"00ff"}]"#);
    }
}
