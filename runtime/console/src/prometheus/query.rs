//! `query` and `query_range`.

use std::sync::Arc;

use axum::extract::State;
use evenkeel_alerting::promql::{self, Only, Options, Query, Steps, json};
use tokio::sync::Semaphore;

use super::access::Scope;
use super::answer::{Answer, Error};
use super::params::Params;
use crate::state::Console;

/// Expressions that are evaluated at a time; others wait for their turn.
const AT_ONCE: usize = 4;
/// Steps of one query over a range.
const POINTS: i64 = 11_000;
/// Samples that one may read and make: some 160 MB.
const SAMPLES: usize = 10_000_000;

pub(super) static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// `GET|POST /api/v1/query`
pub async fn instant(State(console): State<Arc<Console>>, params: Params) -> Result<Answer, Error> {
    let query = read(&params)?;
    let at_ms = params
        .time("time")?
        .unwrap_or_else(|| console.clock.now().timestamp_millis());
    let (options, limit) = (options(&params)?, params.limit("limit")?);
    evaluate(console, params.scope, move |seen| {
        let mut answer = query.instant(seen, at_ms, &options).map_err(unanswered)?;
        let is_cut = match &mut answer {
            promql::Answer::Vector(elements) => cut(elements, limit),
            promql::Answer::Matrix(lines) => cut(lines, limit),
            promql::Answer::Scalar(_) | promql::Answer::Text(_) => false,
        };
        let mut data = String::new();
        json::answer(&mut data, &answer, at_ms);
        Ok(Answer::raw(data).cut(is_cut))
    })
    .await
}

/// `GET|POST /api/v1/query_range`
pub async fn range(State(console): State<Arc<Console>>, params: Params) -> Result<Answer, Error> {
    let (start_ms, end_ms) = (params.required_time("start")?, params.required_time("end")?);
    if end_ms < start_ms {
        return Err(Error::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ms = params.duration("step")?.unwrap_or(0);
    if step_ms <= 0 {
        let why = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(Error::parameter("step", why));
    }
    if end_ms.saturating_sub(start_ms) / step_ms > POINTS {
        return Err(Error::bad(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    let query = read(&params)?;
    let (options, limit) = (options(&params)?, params.limit("limit")?);
    let steps = Steps {
        start_ms,
        end_ms,
        step_ms,
    };
    evaluate(console, params.scope, move |seen| {
        let mut lines = query.range(seen, steps, &options).map_err(unanswered)?;
        let is_cut = cut(&mut lines, limit);
        let mut data = String::new();
        json::lines(&mut data, &lines);
        Ok(Answer::raw(data).cut(is_cut))
    })
    .await
}

/// `GET|POST /api/v1/query_exemplars`: none are kept.
pub async fn exemplars(params: Params) -> Result<Answer, Error> {
    read(&params)?;
    Ok(Answer::raw("[]".to_owned()))
}

fn read(params: &Params) -> Result<Query, Error> {
    Query::check(params.get("query").unwrap_or_default()).map_err(|refusal| Error::parameter("query", refusal))
}

fn options(params: &Params) -> Result<Options, Error> {
    let mut options = Options::default();
    options.limits.samples = SAMPLES;
    if let Some(lookback) = params.duration("lookback_delta")? {
        if lookback <= 0 {
            return Err(Error::parameter("lookback_delta", "it is to be longer than nothing"));
        }
        options.lookback_ms = lookback;
    }
    // Every evaluation is bounded by what it reads; the time is only looked at.
    params.duration("timeout")?;
    Ok(options)
}

fn unanswered(error: promql::Error) -> Error {
    match error {
        error @ (promql::Error::BadStep(_) | promql::Error::BadTimes | promql::Error::NotOverRange(_)) => {
            Error::bad(error.to_string())
        }
        other => Error::execution(other.to_string()),
    }
}

fn cut<T>(items: &mut Vec<T>, limit: usize) -> bool {
    let is_cut = items.len() > limit;
    items.truncate(limit);
    is_cut
}

/// Away from the threads that serve others.
async fn evaluate(
    console: Arc<Console>,
    scope: Scope,
    work: impl FnOnce(&Only<'_>) -> Result<Answer, Error> + Send + 'static,
) -> Result<Answer, Error> {
    let turn = TURNS
        .acquire()
        .await
        .map_err(|_| Error::internal("the daemon is stopping"))?;
    let evaluated = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let source = &**console.watch.series();
        work(&Only {
            source,
            besides: scope.matcher(),
        })
    });
    evaluated
        .await
        .unwrap_or_else(|error| Err(Error::internal(error.to_string())))
}
