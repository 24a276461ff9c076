//! Finds the forms of all values in one walk over a text, and over what is left of the text when
//! escapes are taken out of it.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::nfa::noncontiguous::NFA;
use aho_corasick::{Anchored, MatchKind, PatternID};
use evenkeel_model::secret;

use super::values::{Form, forms};

/// Escapes of escapes are taken out so often.
const ROUNDS: usize = 3;

pub struct Matcher {
    /// None: there are so many that no automaton can be made of them, and all texts are covered.
    nfa: Option<NFA>,
    forms: Vec<Form>,
    /// How much of a form has been read in each state of the automaton.
    depths: HashMap<aho_corasick::automaton::StateID, usize>,
}

/// In one text.
pub struct Covered {
    /// In order, none touches another.
    pub ranges: Vec<Range<usize>>,
    /// Where the end of the text begins that may be the beginning of a form.
    pub open: Option<usize>,
}

impl Matcher {
    pub fn new(values: &[secret::Value]) -> Self {
        let forms: Vec<Form> = values.iter().flat_map(|value| forms(value.expose())).collect();
        let nfa = NFA::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(forms.iter().map(|form| &form.bytes))
            .ok();
        let mut matcher = Self {
            nfa,
            forms,
            depths: HashMap::new(),
        };
        matcher.depths = matcher.measured();
        matcher
    }

    pub fn cover(&self, text: &[u8]) -> Covered {
        let mut covered = Covered {
            ranges: Vec::new(),
            open: None,
        };
        self.look_through(&View::plain(text), ROUNDS, &mut covered);
        covered.ranges = merged(covered.ranges);
        covered
    }

    /// One kind of escapes at a time: a value may itself hold what looks like the other.
    fn look_through(&self, view: &View<'_>, rounds: usize, covered: &mut Covered) {
        self.look(view, covered);
        if rounds == 0 {
            return;
        }
        for mark in [b'%', b'\\'] {
            if let Some(view) = view.unescaped(mark) {
                self.look_through(&view, rounds - 1, covered);
            }
        }
    }

    fn look(&self, view: &View, covered: &mut Covered) {
        let text: &[u8] = &view.bytes;
        let Some(nfa) = &self.nfa else {
            covered
                .ranges
                .extend((!text.is_empty()).then(|| view.place(0..text.len())));
            return;
        };
        let Ok(mut state) = nfa.start_state(Anchored::No) else {
            return;
        };
        for (at, byte) in text.iter().enumerate() {
            state = nfa.next_state(Anchored::No, state, *byte);
            for index in 0..if nfa.is_match(state) { nfa.match_len(state) } else { 0 } {
                covered
                    .ranges
                    .push(view.place(self.around(nfa.match_pattern(state, index), at + 1, text)));
            }
        }
        let begun = self.depths.get(&state).copied().unwrap_or(0);
        if begun > 0 {
            let open = view.place(text.len() - begun..text.len()).start;
            covered.open = Some(covered.open.map_or(open, |other| other.min(open)));
        } else if let Some(escape) = view.half_escape() {
            covered.open = Some(covered.open.map_or(escape, |other| other.min(escape)));
        }
    }

    /// The match, and the characters beside it that hold some of its bits.
    fn around(&self, pattern: PatternID, end: usize, text: &[u8]) -> Range<usize> {
        let form = &self.forms[pattern.as_usize()];
        let start = end - form.bytes.len();
        let is_digit = |at: &usize| {
            text.get(*at)
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte))
        };
        let before = (start.saturating_sub(form.before)..start).filter(is_digit).count();
        let after = (end..end + form.after).filter(is_digit).count();
        start - before..end + after
    }

    fn measured(&self) -> HashMap<aho_corasick::automaton::StateID, usize> {
        let mut depths = HashMap::new();
        let Some(nfa) = &self.nfa else { return depths };
        for form in &self.forms {
            let Ok(mut state) = nfa.start_state(Anchored::No) else {
                continue;
            };
            let whole = form.bytes.len();
            for (read, byte) in form.bytes.iter().enumerate() {
                state = nfa.next_state(Anchored::No, state, *byte);
                if read + 1 < whole {
                    depths.insert(state, read + 1);
                }
            }
        }
        depths
    }
}

/// In order, and joined where they touch.
pub fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// A text without its escapes, and where each byte of it came from.
struct View<'t> {
    bytes: std::borrow::Cow<'t, [u8]>,
    /// The begin of each byte in the text, and its end; None: the text itself.
    origin: Option<Vec<(usize, usize)>>,
}

impl<'t> View<'t> {
    fn plain(text: &'t [u8]) -> Self {
        Self {
            bytes: text.into(),
            origin: None,
        }
    }

    fn place(&self, range: Range<usize>) -> Range<usize> {
        match &self.origin {
            None => range,
            Some(origin) => origin[range.start].0..origin[range.end - 1].1,
        }
    }

    /// Without the escapes that begin with this mark. None: there are none.
    fn unescaped(&self, mark: u8) -> Option<View<'static>> {
        if !self.bytes.contains(&mark) {
            return None;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut origin = Vec::with_capacity(self.bytes.len());
        let mut at = 0;
        let mut character = [0; 4];
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let (meant, length) = match rest[0] == mark {
                true => read(rest, &mut character),
                false => (&rest[..1], 1),
            };
            let place = self.place(at..at + length);
            bytes.extend_from_slice(meant);
            origin.extend(meant.iter().map(|_| (place.start, place.end)));
            at += length;
        }
        Some(View {
            bytes: bytes.into(),
            origin: Some(origin),
        })
    }

    /// Where an escape begins that the end of the text cuts off.
    fn half_escape(&self) -> Option<usize> {
        let from = self.bytes.len().saturating_sub(5);
        let tail = &self.bytes[from..];
        let at = tail.iter().rposition(|byte| matches!(byte, b'%' | b'\\'))?;
        let rest = &tail[at..];
        let whole = match rest {
            [b'%', ..] => 3,
            [b'\\', b'u', ..] => 6,
            _ => 2,
        };
        (rest.len() < whole).then(|| self.place(from + at..self.bytes.len()).start)
    }
}

/// What the text begins with: what is meant by it, and how many bytes say it.
fn read<'b>(text: &'b [u8], character: &'b mut [u8; 4]) -> (&'b [u8], usize) {
    match text {
        [b'%', high, low, ..] => {
            if let Some(byte) = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low) {
                character[0] = byte;
                return (&character[..1], 3);
            }
        }
        [b'\\', b'u', digits @ ..] => {
            if let Some((letter, length)) = unicode(digits) {
                let length_of = letter.encode_utf8(character).len();
                return (&character[..length_of], length);
            }
        }
        [b'\\', letter, ..] => {
            let meant = match letter {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'f' => 12,
                b'"' | b'\\' | b'/' | b'\'' => *letter,
                _ => return (&text[..1], 1),
            };
            character[0] = meant;
            return (&character[..1], 2);
        }
        _ => {}
    }
    (&text[..1], 1)
}

/// `HHHH`, or a pair of surrogates `HHHH\uHHHH`, and the length of the escape as a whole.
fn unicode(digits: &[u8]) -> Option<(char, usize)> {
    let unit = |digits: &[u8]| -> Option<u32> {
        let digits = digits.get(..4)?;
        digits
            .iter()
            .try_fold(0, |unit, hex| Some(unit << 4 | u32::from(digit(*hex)?)))
    };
    let first = unit(digits)?;
    if let Some(letter) = char::from_u32(first) {
        return Some((letter, 6));
    }
    let second = unit(digits.get(4..)?.strip_prefix(b"\\u")?)?;
    let letter = char::decode_utf16([u16::try_from(first).ok()?, u16::try_from(second).ok()?]).next()?;
    letter.ok().map(|letter| (letter, 12))
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
