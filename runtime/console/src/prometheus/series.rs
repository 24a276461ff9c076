//! `series`, `labels` and `label/NAME/values`.

use std::sync::Arc;

use axum::extract::{Path, State};
use evenkeel_alerting::promql::json;
use evenkeel_alerting::series::{Listing, Store};
use evenkeel_model::runbook::Matcher;

use super::answer::{Answer, Error};
use super::params::Params;
use super::query::TURNS;
use crate::state::Console;

/// `GET|POST /api/v1/series`
pub async fn list(State(console): State<Arc<Console>>, params: Params) -> Result<Answer, Error> {
    let selectors = params.selectors()?;
    if selectors.is_empty() {
        return Err(Error::bad("no match[] parameter provided"));
    }
    if selectors.iter().any(|matchers| matches_everything(matchers)) {
        let why = "match[] must contain at least one non-empty matcher";
        return Err(Error::parameter("match[]", why));
    }
    let asked = Asked::read(&params, selectors)?;
    let found = look(console, move |series| asked.list(series)).await?;
    let mut data = String::from("[");
    for (n, labels) in found.items.iter().enumerate() {
        if n > 0 {
            data.push(',');
        }
        json::labels(&mut data, labels);
    }
    data.push(']');
    Ok(Answer::raw(data).cut(found.is_cut))
}

/// `GET|POST /api/v1/labels`
pub async fn labels(State(console): State<Arc<Console>>, params: Params) -> Result<Answer, Error> {
    let selectors = params.selectors_or_all()?;
    let asked = Asked::read(&params, selectors)?;
    let found = look(console, move |series| asked.names(series)).await?;
    Ok(Answer::of(&found.items).cut(found.is_cut))
}

/// `GET /api/v1/label/{name}/values`
pub async fn values(
    State(console): State<Arc<Console>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Answer, Error> {
    // A name with other characters is escaped so that it fits into a URL.
    let name = unescaped(&name);
    if name.is_empty() {
        return Err(Error::bad("invalid label name: \"\""));
    }
    let selectors = params.selectors_or_all()?;
    let asked = Asked::read(&params, selectors)?;
    let found = look(console, move |series| asked.values(series, &name)).await?;
    Ok(Answer::of(&found.items).cut(found.is_cut))
}

struct Asked {
    selectors: Vec<Vec<Matcher>>,
    start_ms: i64,
    end_ms: i64,
    limit: usize,
}

impl Asked {
    fn read(params: &Params, selectors: Vec<Vec<Matcher>>) -> Result<Self, Error> {
        let (start_ms, end_ms) = params.span()?;
        Ok(Self {
            selectors,
            start_ms,
            end_ms,
            limit: params.limit("limit")?,
        })
    }

    fn list(&self, series: &Store) -> Listing<evenkeel_alerting::promql::Labels> {
        series.list_series(&self.selectors, self.start_ms, self.end_ms, self.limit)
    }

    fn names(&self, series: &Store) -> Listing<String> {
        series.label_names(&self.selectors, self.start_ms, self.end_ms, self.limit)
    }

    fn values(&self, series: &Store, name: &str) -> Listing<String> {
        series.label_values(name, &self.selectors, self.start_ms, self.end_ms, self.limit)
    }
}

/// Away from the threads that serve others: an index of a million series takes a while.
async fn look<T: Send + 'static>(
    console: Arc<Console>,
    work: impl FnOnce(&Store) -> T + Send + 'static,
) -> Result<T, Error> {
    let turn = TURNS
        .acquire()
        .await
        .map_err(|_| Error::internal("the daemon is stopping"))?;
    let looked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work(console.watch.series())
    });
    looked.await.map_err(|error| Error::internal(error.to_string()))
}

fn matches_everything(matchers: &[Matcher]) -> bool {
    matchers.iter().all(|matcher| matcher.matches(""))
}

/// `U__` before a name says that `_HEX_` stands for a character, and `__` for `_` (UTF-8 names in Prometheus' API).
fn unescaped(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else {
        return name.to_owned();
    };
    let mut plain = String::new();
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            plain.push('_');
            rest = after;
            continue;
        }
        let Some((hex, after)) = rest.split_once('_') else {
            return name.to_owned();
        };
        match u32::from_str_radix(hex, 16).ok().and_then(char::from_u32) {
            Some(character) if hex.len() <= 6 => plain.push(character),
            _ => return name.to_owned(),
        }
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_other_characters_are_unescaped() {
        assert_eq!(unescaped("job"), "job");
        assert_eq!(unescaped("U__a_2e_b"), "a.b");
        assert_eq!(unescaped("U__a__b"), "a_b");
        assert_eq!(unescaped("U__a_zz_b"), "U__a_zz_b");
        assert_eq!(unescaped("U__a_2e"), "U__a_2e");
        assert_eq!(unescaped("U___263a_"), "☺");
    }
}
