//! One field of a crontab(5) expression.

use super::{CronError, Word};

pub(super) struct FieldSpec {
    name: &'static str,
    low: u32,
    high: u32,
    /// Three-letter names, the first of which is `low`.
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl FieldSpec {
    pub const SECOND: Self = Self::numbers("second", 0, 59);
    pub const MINUTE: Self = Self::numbers("minute", 0, 59);
    pub const HOUR: Self = Self::numbers("hour", 0, 23);
    pub const DAY_OF_MONTH: Self = Self::numbers("day of month", 1, 31);
    pub const MONTH: Self = Self {
        names: MONTHS,
        ..Self::numbers("month", 1, 12)
    };
    /// 0 and 7 are Sunday.
    pub const DAY_OF_WEEK: Self = Self {
        names: WEEKDAYS,
        ..Self::numbers("day of week", 0, 7)
    };

    /// Sunday once.
    fn values(&self) -> impl Iterator<Item = u32> {
        (self.low..=self.high).filter(|value| self.same(*value) == *value)
    }

    /// 7 is another word for Sunday.
    fn same(&self, value: u32) -> u32 {
        if self.high == 7 && value == 7 { 0 } else { value }
    }

    const fn numbers(name: &'static str, low: u32, high: u32) -> Self {
        Self {
            name,
            low,
            high,
            names: &[],
        }
    }
}

/// The values that a field admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Bit `n` stands for the value `n`.
    values: u64,
    /// Nothing is left out.
    all: bool,
    pub starts_with_star: bool,
}

impl Field {
    /// The second of a schedule with five fields.
    pub fn zero() -> Self {
        Self {
            values: 1,
            all: false,
            starts_with_star: false,
        }
    }

    pub fn parse(spec: &FieldSpec, word: Word<'_>) -> Result<Self, CronError> {
        let mut values = 0;
        let mut start = word.start;
        for item in word.text.split(',') {
            values |= Item {
                spec,
                word: Word { text: item, start },
            }
            .values()?;
            start += item.len() + 1;
        }
        let field = Self {
            values,
            all: false,
            starts_with_star: word.text.starts_with('*'),
        };
        Ok(Self {
            all: spec.values().all(|value| field.has(value)),
            ..field
        })
    }

    /// As the `cron` crate reads it.
    pub fn list(self) -> String {
        match self.all {
            true => "*".to_owned(),
            false => list((0..64).filter(|value| self.has(*value))),
        }
    }

    /// The same for weekdays, which that crate counts from 1 for Sunday.
    pub fn weekdays(self) -> String {
        match self.all {
            true => "*".to_owned(),
            false => list((0..7).filter(|day| self.has(*day)).map(|day| day + 1)),
        }
    }

    fn has(self, value: u32) -> bool {
        self.values >> value & 1 == 1
    }
}

fn list(values: impl Iterator<Item = u32>) -> String {
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

/// What stands between two commas: `*`, `a`, `a-b`, each range with or without `/step`.
struct Item<'t> {
    spec: &'t FieldSpec,
    word: Word<'t>,
}

impl Item<'_> {
    fn values(&self) -> Result<u64, CronError> {
        let (range, step) = match self.word.text.split_once('/') {
            Some((range, step)) => (range, self.step(step)?),
            None => (self.word.text, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.spec.low, self.spec.high),
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None if self.word.text.contains('/') => return Err(self.lone_step(range)),
            None => (self.value(range)?, self.value(range)?),
        };
        if first > last {
            return Err(self.error(self.backwards(first, last)));
        }
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        let values = (first..=last).step_by(step).map(|value| self.spec.same(value));
        Ok(values.fold(0, |values, value| values | 1 << value))
    }

    fn value(&self, text: &str) -> Result<u32, CronError> {
        let FieldSpec { name, low, high, names } = self.spec;
        let named = names.iter().position(|known| known.eq_ignore_ascii_case(text));
        if let Some(position) = named.and_then(|position| u32::try_from(position).ok()) {
            return Ok(low + position);
        }
        match number(text) {
            Some(value) if (*low..=*high).contains(&value) => Ok(value),
            Some(_) => Err(self.error(format!("the {name} is {low} to {high}, not `{text}`"))),
            None if text.is_empty() => Err(self.error(format!("the {name} lacks a value"))),
            None if names.is_empty() => Err(self.error(format!("the {name} is {low} to {high} or `*`, not `{text}`"))),
            None => {
                let (first, last) = (names[0], names[names.len() - 1]);
                let message = format!("the {name} is {low} to {high}, `{first}` to `{last}` or `*`, not `{text}`");
                Err(self.error(message))
            }
        }
    }

    fn step(&self, text: &str) -> Result<u32, CronError> {
        let (name, high) = (self.spec.name, self.spec.high);
        match number(text) {
            Some(step) if (1..=high).contains(&step) => Ok(step),
            _ => Err(self.error(format!("the step of the {name} is 1 to {high}, not `{text}`"))),
        }
    }

    fn lone_step(&self, start: &str) -> CronError {
        let (name, high) = (self.spec.name, self.spec.high);
        self.error(format!(
            "a step of the {name} follows `*` or a range: `{start}-{high}/…`"
        ))
    }

    fn backwards(&self, first: u32, last: u32) -> String {
        let (name, low, high) = (self.spec.name, self.spec.low, self.spec.high);
        match (name, last) {
            ("day of week", 0) => format!("Sunday ends a range as 7: `{first}-7`"),
            _ => format!("the {name} range runs backwards: write `{first}-{high},{low}-{last}`"),
        }
    }

    fn error(&self, message: String) -> CronError {
        CronError {
            field: Some(self.spec.name),
            span: self.word.start..self.word.start + self.word.text.len(),
            message,
        }
    }
}

/// Digits alone: no sign, and few enough not to overflow.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
