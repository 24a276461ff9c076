//! Matchers, offsets, `@`, durations and operators, from the parser's types to ours.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use evenkeel_model::pattern::anchored;
use evenkeel_model::runbook::{MatchOp, Matcher};
use promql_parser::label::{MatchOp as ParsedOp, Matchers};
use promql_parser::parser::token as t;
use promql_parser::parser::{AtModifier, Offset};
use regex::Regex;

use super::FURTHEST_MS;
use super::ast::{At, Op, Shift};
use super::error::{Refusal, Why};
use super::lex::LONGEST_MS;

pub(super) fn matchers(parsed: &Matchers, place: &Range<usize>) -> Result<Vec<Matcher>, Refusal> {
    if !parsed.or_matchers.is_empty() {
        return Err(Refusal::new(
            Why::Unsupported,
            place.clone(),
            "`or` between matchers is no PromQL",
        ));
    }
    let pattern = |parsed: &Regex| {
        // The parser has escaped what Go reads otherwise; it neither bounds the pattern nor lets `.` be a line break.
        anchored(parsed.as_str()).map_err(|why| Refusal::new(Why::Invalid, place.clone(), why))
    };
    let one = |matcher: &promql_parser::label::Matcher| {
        let op = match &matcher.op {
            ParsedOp::Equal => MatchOp::Equal(matcher.value.clone()),
            ParsedOp::NotEqual => MatchOp::NotEqual(matcher.value.clone()),
            ParsedOp::Re(parsed) => MatchOp::Regex(pattern(parsed)?),
            ParsedOp::NotRe(parsed) => MatchOp::NotRegex(pattern(parsed)?),
        };
        Ok(Matcher {
            label: matcher.name.clone(),
            op,
        })
    };
    parsed.matchers.iter().map(one).collect()
}

pub(super) fn shift(at: Option<&AtModifier>, offset: Option<&Offset>, place: &Range<usize>) -> Result<Shift, Refusal> {
    let at = match at {
        None => None,
        Some(AtModifier::Start) => Some(At::Start),
        Some(AtModifier::End) => Some(At::End),
        Some(AtModifier::At(time)) => Some(At::Time(unix_ms(*time, place)?)),
    };
    let offset_ms = match offset {
        None => 0,
        Some(Offset::Pos(duration)) => ms(*duration, place)?,
        Some(Offset::Neg(duration)) => -ms(*duration, place)?,
    };
    Ok(Shift { at, offset_ms })
}

fn unix_ms(time: SystemTime, place: &Range<usize>) -> Result<i64, Refusal> {
    let (sign, distance) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (1, after),
        Err(before) => (-1, before.duration()),
    };
    let distance = i64::try_from(distance.as_millis())
        .ok()
        .filter(|distance| *distance <= FURTHEST_MS);
    distance
        .map(|distance| sign * distance)
        .ok_or_else(|| Refusal::new(Why::TooBig, place.clone(), "`@` with a time out of range"))
}

pub(super) fn ms(duration: Duration, place: &Range<usize>) -> Result<i64, Refusal> {
    let ms = i64::try_from(duration.as_millis()).ok().filter(|ms| *ms <= LONGEST_MS);
    ms.ok_or_else(|| Refusal::new(Why::TooBig, place.clone(), "a duration out of range"))
}

pub(super) fn positive(duration: Duration, place: &Range<usize>) -> Result<i64, Refusal> {
    match ms(duration, place)? {
        0 => Err(Refusal::new(
            Why::Invalid,
            place.clone(),
            "a range and a step must be 1 ms or longer",
        )),
        ms => Ok(ms),
    }
}

pub(super) fn operator(id: t::TokenId) -> Option<(&'static str, Op)> {
    Some(match id {
        t::T_ADD => ("+", Op::Add),
        t::T_SUB => ("-", Op::Sub),
        t::T_MUL => ("*", Op::Mul),
        t::T_DIV => ("/", Op::Div),
        t::T_MOD => ("%", Op::Mod),
        t::T_POW => ("^", Op::Pow),
        t::T_ATAN2 => ("atan2", Op::Atan2),
        t::T_EQLC => ("==", Op::Equal),
        t::T_NEQ => ("!=", Op::NotEqual),
        t::T_LSS => ("<", Op::Less),
        t::T_LTE => ("<=", Op::LessEqual),
        t::T_GTR => (">", Op::Greater),
        t::T_GTE => (">=", Op::GreaterEqual),
        t::T_LAND => ("and", Op::And),
        t::T_LOR => ("or", Op::Or),
        t::T_LUNLESS => ("unless", Op::Unless),
        _ => return None,
    })
}
