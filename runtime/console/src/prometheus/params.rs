//! Parameters, of the URL and of a form together.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::header;
use evenkeel_alerting::promql::Query;
use evenkeel_model::runbook::Matcher;

use super::access::Scope;
use super::answer::Error;
use super::time;
use crate::body;
use crate::state::Console;

/// More are no question that anybody asks.
const PAIRS: usize = 1_000;
/// Each is a pass through the index.
const SELECTORS: usize = 100;

#[derive(Debug, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
    pub scope: Scope,
}

impl FromRequest<Arc<Console>> for Params {
    type Rejection = axum::response::Response;

    async fn from_request(request: Request, _: &Arc<Console>) -> Result<Self, Self::Rejection> {
        use axum::response::IntoResponse as _;
        let scope = request.extensions().get::<Scope>().cloned().unwrap_or_default();
        let (head, sent) = request.into_parts();
        let kind = head
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let is_form = kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        // What a form says comes before what the URL says, as in Go.
        let form = body::read(sent).await.map_err(|error| error.into_response())?;
        let form = if is_form { form.bytes } else { Vec::new() };
        let of_url = head.uri.query().unwrap_or_default().as_bytes();
        let pairs = form_urlencoded::parse(&form).chain(form_urlencoded::parse(of_url));
        let pairs: Vec<_> = pairs
            .take(PAIRS + 1)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        if pairs.len() > PAIRS {
            return Err(Error::bad(format!("more than {PAIRS} parameters")).into_response());
        }
        Ok(Self { pairs, scope })
    }
}

impl Params {
    /// The first of that name; an empty one is none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.pairs.iter().filter(|(key, _)| key == name);
        found
            .next()
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.pairs
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn required_time(&self, name: &str) -> Result<i64, Error> {
        self.time(name)?.ok_or_else(|| Error::parameter(name, "it is missing"))
    }

    pub fn time(&self, name: &str) -> Result<Option<i64>, Error> {
        let wrong = |text: &str| {
            let why = format!("invalid time value for '{name}': cannot parse \"{text}\" to a valid timestamp");
            Error::parameter(name, why)
        };
        self.get(name)
            .map(|text| time::time(text).ok_or_else(|| wrong(text)))
            .transpose()
    }

    pub fn duration(&self, name: &str) -> Result<Option<i64>, Error> {
        let wrong = |text: &str| Error::parameter(name, format!("cannot parse \"{text}\" to a valid duration"));
        self.get(name)
            .map(|text| time::duration(text).ok_or_else(|| wrong(text)))
            .transpose()
    }

    /// None and 0: no limit.
    pub fn limit(&self, name: &str) -> Result<usize, Error> {
        let Some(text) = self.get(name) else {
            return Ok(usize::MAX);
        };
        match text.parse::<usize>() {
            Ok(0) => Ok(usize::MAX),
            Ok(limit) => Ok(limit),
            Err(_) => Err(Error::parameter(name, "limit must be a whole number from 0 up")),
        }
    }

    pub fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.get(name) {
            None => Ok(false),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some(other) => Err(Error::parameter(name, format!("\"{other}\" is neither true nor false"))),
        }
    }

    /// From the earliest to the latest time that there is, if nothing is said. It may end before it starts: nothing is there then.
    pub fn span(&self) -> Result<(i64, i64), Error> {
        let start = self.time("start")?.unwrap_or(i64::MIN);
        Ok((start, self.time("end")?.unwrap_or(i64::MAX)))
    }

    /// `match[]`, each narrowed to what may be seen.
    pub fn selectors(&self) -> Result<Vec<Vec<Matcher>>, Error> {
        let read = |text: &str| {
            let query = Query::check(text).map_err(|refusal| Error::parameter("match[]", refusal))?;
            let matchers = query.selector().map(<[Matcher]>::to_vec);
            let mut matchers = matchers.ok_or_else(|| Error::parameter("match[]", "it is no selector of series"))?;
            matchers.extend(self.scope.matcher());
            Ok(matchers)
        };
        if self.all("match[]").count() > SELECTORS {
            return Err(Error::parameter("match[]", format!("more than {SELECTORS} of them")));
        }
        self.all("match[]").map(read).collect()
    }

    /// The same, or all that may be seen.
    pub fn selectors_or_all(&self) -> Result<Vec<Vec<Matcher>>, Error> {
        let mut selectors = self.selectors()?;
        if selectors.is_empty() {
            selectors.push(self.scope.matcher().into_iter().collect());
        }
        Ok(selectors)
    }
}
