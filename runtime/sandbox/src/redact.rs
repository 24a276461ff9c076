//! `***` in the place of secrets, in whatever leaves the sandbox, whatever form they are in.
//!
//! Found are a value itself (in any case of its letters), in base64 (standard and URL-safe, wherever
//! it begins in what was encoded), in hexadecimal, and each of these percent-encoded or escaped as
//! in JSON, character by character or not, up to three times over. A value of several lines is
//! found line by line.
//!
//! *Invariant:* as long as no secret was used, nothing is looked at and nothing is copied.

mod matcher;
mod values;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evenkeel_model::secret;
use serde_json::Value;

use matcher::Matcher;
pub use matcher::merged;

const STARS: &str = "***";

/// The secrets that one invocation used so far. Clones know the same ones.
#[derive(Clone, Default)]
pub struct Redactor(Arc<Known>);

#[derive(Default)]
struct Known {
    /// Most invocations use none: then nothing is locked.
    any: AtomicBool,
    secrets: RwLock<Secrets>,
}

#[derive(Default)]
struct Secrets {
    values: Vec<secret::Value>,
    matcher: Option<Arc<Matcher>>,
}

/// What of several texts, read one after the other, belongs to secrets.
pub struct Cover {
    /// In each text, in order.
    pub ranges: Vec<Vec<Range<usize>>>,
    /// From here on it may be the beginning of one: the number of the text and the place in it.
    pub open: Option<(usize, usize)>,
}

impl Redactor {
    /// From now on this value is kept out.
    pub fn add(&self, value: &secret::Value) {
        let mut secrets = self.0.secrets.write().unwrap_or_else(PoisonError::into_inner);
        if !secrets.values.contains(value) {
            secrets.values.push(value.clone());
            secrets.matcher = Some(Arc::new(Matcher::new(&secrets.values)));
            self.0.any.store(true, Ordering::Release);
        }
    }

    /// Nothing is kept out yet.
    pub fn is_idle(&self) -> bool {
        self.matcher().is_none()
    }

    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.matcher() {
            Some(matcher) => starred(text, &matcher.cover(text.as_bytes()).ranges),
            None => Cow::Borrowed(text),
        }
    }

    /// The same of a text that was cut: what may be the beginning of a secret goes too.
    pub fn cut<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(matcher) = self.matcher() else {
            return Cow::Borrowed(text);
        };
        let mut cover = matcher.cover(text.as_bytes());
        cover.ranges.extend(cover.open.map(|open| open..text.len()));
        starred(text, &cover.ranges)
    }

    /// Stars for each byte of it, so that what comes behind keeps its place. None: nothing to do.
    pub fn bytes(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let ranges = self.matcher()?.cover(bytes).ranges;
        if ranges.is_empty() {
            return None;
        }
        let mut bytes = bytes.to_vec();
        ranges.into_iter().for_each(|range| bytes[range].fill(b'*'));
        Some(bytes)
    }

    /// Every text in it, names of fields too, and what bytes stand for. Whether anything was.
    pub fn json(&self, value: &mut Value) -> bool {
        let Some(matcher) = self.matcher() else { return false };
        self.document(&matcher, value)
    }

    /// Texts one after the other: a secret may begin in one and end in a later one.
    pub fn cover(&self, texts: &[&str]) -> Option<Cover> {
        let matcher = self.matcher()?;
        let whole = matcher.cover(texts.concat().as_bytes());
        let mut cover = Cover {
            ranges: Vec::with_capacity(texts.len()),
            open: None,
        };
        let mut begin = 0;
        for (number, text) in texts.iter().enumerate() {
            let end = begin + text.len();
            let here = whole
                .ranges
                .iter()
                .filter(|range| range.start < end && range.end > begin);
            let inside = |range: &Range<usize>| range.start.max(begin) - begin..range.end.min(end) - begin;
            cover.ranges.push(here.map(inside).collect());
            if cover.open.is_none() {
                cover.open = whole
                    .open
                    .filter(|open| (begin..end).contains(open))
                    .map(|open| (number, open - begin));
            }
            begin = end;
        }
        Some(cover)
    }

    fn document(&self, matcher: &Matcher, value: &mut Value) -> bool {
        match value {
            Value::String(text) => self.string(matcher, text),
            Value::Array(items) => items
                .iter_mut()
                .fold(false, |changed, item| self.document(matcher, item) | changed),
            Value::Object(fields) => {
                let mut changed = false;
                for (name, mut value) in std::mem::take(fields) {
                    changed |= self.document(matcher, &mut value);
                    let mut shown = name;
                    changed |= self.string(matcher, &mut shown);
                    fields.insert(shown, value);
                }
                changed
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn string(&self, matcher: &Matcher, text: &mut String) -> bool {
        if let Ok(bytes) = STANDARD.decode(text.as_bytes())
            && let Some(bytes) = self.bytes(&bytes)
        {
            *text = STANDARD.encode(bytes);
            return true;
        }
        let ranges = matcher.cover(text.as_bytes()).ranges;
        if ranges.is_empty() {
            return false;
        }
        *text = starred(text, &ranges).into_owned();
        true
    }

    fn matcher(&self) -> Option<Arc<Matcher>> {
        if !self.0.any.load(Ordering::Acquire) {
            return None;
        }
        let secrets = self.0.secrets.read().unwrap_or_else(PoisonError::into_inner);
        secrets.matcher.clone()
    }
}

/// `***` for each of the ranges, which are in order.
pub fn starred<'t>(text: &'t str, ranges: &[Range<usize>]) -> Cow<'t, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        // A match of bytes may begin or end within a character.
        let start = (from..=range.start)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(from);
        let end = (range.end..=text.len())
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(text.len());
        shown.push_str(&text[from..start.max(from)]);
        shown.push_str(STARS);
        from = end.max(from);
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests;
