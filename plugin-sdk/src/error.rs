//! What a plugin answers when it can't do its work.

use std::fmt;

use serde_json::Value;

pub use crate::bindings::base::evenkeel::plugin::types::Class;

/// What every kind returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call of a plugin failed. The host branches on the class alone: `transient` is retried, the others are not.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    class: Class,
    code: String,
    message: String,
    details: Option<Box<Value>>,
}

impl Error {
    /// The code is stable and kebab-case: runbooks and knowledge articles name it. The message is for people.
    pub fn new(class: Class, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            class,
            code: code.into(),
            message: message.into(),
            details: None,
        }
    }

    /// The parameters, or what was found, make no sense. Trying again won't help.
    pub fn invalid(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Class::Invalid, code, message)
    }

    /// Somebody decided that this is not allowed.
    pub fn denied(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Class::Denied, code, message)
    }

    /// It may well work in a moment: the one class that the host retries.
    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Class::Transient, code, message)
    }

    /// It failed, and will fail again until somebody does something.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Class::Permanent, code, message)
    }

    /// Adds a JSON document for machines: the story of a run shows it folded.
    #[must_use]
    pub fn details(mut self, details: impl Into<Value>) -> Self {
        self.details = Some(Box::new(details.into()));
        self
    }

    /// Puts what was being done in front of the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// What the host decides by.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The stable name of this failure.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The words for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The document for machines, if there is one.
    pub fn document(&self) -> Option<&Value> {
        self.details.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Adds to an error what was being done when it happened.
pub trait Context<T> {
    /// `host.files("data").read("pid").context("finding the process")?`
    fn context(self, doing: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for Result<T, E> {
    fn context(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().context(doing))
    }
}

/// Returns an error: `bail!(permanent, "no-such-board", "there is no board `{name}`")`. The first word is a class.
#[macro_export]
macro_rules! bail {
    ($class:ident, $code:expr, $($message:tt)+) => {
        return ::core::result::Result::Err($crate::Error::$class($code, ::std::format!($($message)+)).into())
    };
}

/// Returns an error unless the condition holds: `ensure!(warn < critical, invalid, "levels", "warn must be below critical")`.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $class:ident, $code:expr, $($message:tt)+) => {
        if !$condition {
            $crate::bail!($class, $code, $($message)+);
        }
    };
}

/// A capability call that failed: what it was about, and what the host answered.
///
/// `?` makes an [`Error`] of it; match on `cause` to go on instead.
#[derive(Clone, Debug, PartialEq)]
pub struct CallError<E> {
    /// In the operator's words, like `data:tmp/x` or `GET app:/health`.
    pub subject: String,
    /// The host's answer.
    pub cause: E,
}

impl<E> CallError<E> {
    pub(crate) fn about(subject: impl Into<String>) -> impl FnOnce(E) -> Self {
        let subject = subject.into();
        move |cause| Self { subject, cause }
    }
}

impl<E: Cause> fmt::Display for CallError<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}`: {}", self.subject, self.cause.verdict().2)
    }
}

impl<E: Cause + fmt::Debug> std::error::Error for CallError<E> {}

impl<E: Cause> From<CallError<E>> for Error {
    fn from(error: CallError<E>) -> Self {
        let (class, code, _) = error.cause.verdict();
        Self::new(class, code, error.to_string())
    }
}

/// An error of a capability, judged: its class, code and words.
pub trait Cause {
    /// Says `transient` only where the same call may well succeed a moment later.
    fn verdict(&self) -> (Class, &'static str, String);
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::invalid("json", error.to_string())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let class = match error.kind() {
            Kind::PermissionDenied => Class::Denied,
            Kind::InvalidInput | Kind::InvalidData => Class::Invalid,
            Kind::TimedOut
            | Kind::Interrupted
            | Kind::WouldBlock
            | Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::ResourceBusy => Class::Transient,
            _ => Class::Permanent,
        };
        Self::new(class, "io", error.to_string())
    }
}

/// Failures to read a value from text: always `invalid`, because the same text fails again.
macro_rules! from_parsing {
    ($($error:ty => $code:literal),+ $(,)?) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::invalid($code, error.to_string())
            }
        }
    )+};
}

from_parsing! {
    std::num::ParseIntError => "not-a-number",
    std::num::ParseFloatError => "not-a-number",
    std::num::TryFromIntError => "out-of-range",
    std::str::Utf8Error => "not-utf8",
    std::string::FromUtf8Error => "not-utf8",
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{files, http};

    #[test]
    fn a_call_error_keeps_its_subject_and_class() {
        let error: Error = CallError {
            subject: "app".into(),
            cause: http::HttpError::Connect,
        }
        .into();
        assert_eq!((error.class(), error.code()), (Class::Transient, "http-connect"));
        assert_eq!(error.message(), "`app`: the connection failed");
        let error: Error = CallError {
            subject: "data:x".into(),
            cause: files::FilesError::Missing,
        }
        .into();
        assert_eq!((error.class(), error.code()), (Class::Permanent, "file-missing"));
    }

    #[test]
    fn bail_and_ensure_name_class_code_and_words() {
        fn level(warn: u8) -> Result<u8> {
            ensure!(warn <= 100, invalid, "level", "{warn} is more than 100 %");
            if warn == 0 {
                bail!(permanent, "level", "nothing to do at {warn} %");
            }
            Ok(warn)
        }
        assert_eq!(level(80), Ok(80));
        assert_eq!(level(101).expect_err("too high").class(), Class::Invalid);
        assert_eq!(level(0).expect_err("zero").message(), "nothing to do at 0 %");
    }

    #[test]
    fn std_errors_become_errors_with_honest_classes() {
        let timed_out = Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        assert_eq!(timed_out.class(), Class::Transient);
        let missing = Error::from(std::io::Error::from(std::io::ErrorKind::NotFound));
        assert_eq!(missing.class(), Class::Permanent);
        let number: Error = "x".parse::<u8>().expect_err("not a number").into();
        assert_eq!(number.class(), Class::Invalid);
    }

    #[test]
    fn context_goes_in_front() {
        let failed: Result<u8> = "x".parse::<u8>().context("reading the level");
        assert_eq!(
            failed.expect_err("not a number").message(),
            "reading the level: invalid digit found in string"
        );
    }
}
