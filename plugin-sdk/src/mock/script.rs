use std::collections::{BTreeMap, VecDeque};

use crate::exec::{ExecError, Output};
use crate::http::{HttpError, Response};
use crate::sql::{Rows, SqlError};

/// What a mock host may be told to answer: the answer, the error, or a `Result` of both.
pub trait Reply<T, E> {
    /// The answer.
    fn reply(self) -> Result<T, E>;
}

macro_rules! reply {
    ($($answer:ty, $error:ty);+ $(;)?) => {$(
        impl Reply<$answer, $error> for $answer {
            fn reply(self) -> Result<$answer, $error> {
                Ok(self)
            }
        }
        impl Reply<$answer, $error> for $error {
            fn reply(self) -> Result<$answer, $error> {
                Err(self)
            }
        }
        impl Reply<$answer, $error> for Result<$answer, $error> {
            fn reply(self) -> Self {
                self
            }
        }
    )+};
}

reply! {
    Output, ExecError;
    Response, HttpError;
    Rows, SqlError;
    u64, SqlError;
}

/// Answers by name, one after the other; the last stays.
pub(crate) struct Script<T, E>(BTreeMap<String, VecDeque<Result<T, E>>>);

impl<T, E> Default for Script<T, E> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Clone, E: Clone> Script<T, E> {
    pub fn then(&mut self, name: &str, reply: Result<T, E>) {
        self.0.entry(name.to_owned()).or_default().push_back(reply);
    }

    /// Nothing if it was never told.
    pub fn next(&mut self, name: &str) -> Option<Result<T, E>> {
        let replies = self.0.get_mut(name)?;
        if replies.len() > 1 {
            replies.pop_front()
        } else {
            replies.front().cloned()
        }
    }
}
