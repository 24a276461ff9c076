//! From when on a number matters.

use std::fmt;

use crate::{Error, Params, Result, Severity};

/// On which side of a level it is bad.
#[derive(Params, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compare {
    /// Above it.
    #[default]
    #[serde(rename = ">")]
    Above,
    /// Below it.
    #[serde(rename = "<")]
    Below,
}

/// What a check says when there is no value at all.
#[derive(Params, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Absent {
    /// It could not find out: the step fails.
    #[default]
    Error,
    Critical,
    Warning,
    /// It is as it should be.
    Ok,
}

/// A warning and a critical level; one of them may be left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    compare: Compare,
    warn: Option<f64>,
    critical: Option<f64>,
}

impl Compare {
    fn passes(self, value: f64, level: f64) -> bool {
        match self {
            Self::Above => value > level,
            Self::Below => value < level,
        }
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Above => "above",
            Self::Below => "below",
        })
    }
}

impl Absent {
    /// How bad it is; nothing if it is an error.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Error => None,
            Self::Critical => Some(Severity::Critical),
            Self::Warning => Some(Severity::Warning),
            Self::Ok => Some(Severity::Ok),
        }
    }
}

impl Levels {
    /// As a runbook's `compare`, `warn` and `critical` give them.
    ///
    /// # Errors
    /// `levels`, if there is none, one is not a number, or a warning would come after what is critical.
    pub fn new(compare: Compare, warn: Option<f64>, critical: Option<f64>) -> Result<Self> {
        let refused = |words: String| Err(Error::invalid("levels", words));
        if warn.is_none() && critical.is_none() {
            return refused("neither `warn` nor `critical` is given, so that nothing would ever be found".into());
        }
        if let Some(level) = warn.iter().chain(&critical).find(|level| !level.is_finite()) {
            return refused(format!("`{level}` is no level"));
        }
        if let (Some(warn), Some(critical)) = (warn, critical)
            && compare.passes(warn, critical)
        {
            return refused(format!(
                "`warn` ({warn}) is {compare} `critical` ({critical}), so that nothing would ever be a warning"
            ));
        }
        Ok(Self {
            compare,
            warn,
            critical,
        })
    }

    /// How bad a value is; what is no number passes no level.
    pub fn judge(&self, value: f64) -> Severity {
        let passed = |level: Option<f64>| level.is_some_and(|level| self.compare.passes(value, level));
        if passed(self.critical) {
            Severity::Critical
        } else if passed(self.warn) {
            Severity::Warning
        } else {
            Severity::Ok
        }
    }

    /// `91.5, above 90`, or `12, not above 80`
    pub fn told(&self, value: f64) -> String {
        let (not, level) = match self.judge(value) {
            Severity::Critical => ("", self.critical),
            Severity::Warning => ("", self.warn),
            _ => ("not ", self.warn.or(self.critical)),
        };
        format!("{value}, {not}{} {}", self.compare, level.unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(compare: Compare, warn: f64, critical: f64) -> Levels {
        Levels::new(compare, Some(warn), Some(critical)).expect("levels")
    }

    #[test]
    fn a_value_on_the_level_is_well() {
        let above = levels(Compare::Above, 80.0, 90.0);
        for (value, severity) in [
            (80.0, Severity::Ok),
            (80.5, Severity::Warning),
            (90.0, Severity::Warning),
            (f64::INFINITY, Severity::Critical),
            (f64::NAN, Severity::Ok),
        ] {
            assert_eq!(above.judge(value), severity, "{value}");
        }
        let below = levels(Compare::Below, 2.0, 1.0);
        for (value, severity) in [(2.0, Severity::Ok), (1.5, Severity::Warning), (0.0, Severity::Critical)] {
            assert_eq!(below.judge(value), severity, "{value}");
        }
    }

    #[test]
    fn a_value_is_told_with_the_level_that_it_passed() {
        let above = levels(Compare::Above, 80.0, 90.0);
        assert_eq!(above.told(91.5), "91.5, above 90");
        assert_eq!(above.told(85.0), "85, above 80");
        assert_eq!(above.told(12.0), "12, not above 80");
        let one = Levels::new(Compare::Below, None, Some(1.0)).expect("a level");
        assert_eq!(
            (one.told(0.0).as_str(), one.told(1.0).as_str()),
            ("0, below 1", "1, not below 1")
        );
    }

    #[test]
    fn levels_that_say_nothing_are_refused() {
        for (compare, warn, critical, words) in [
            (Compare::Above, None, None, "neither `warn` nor `critical`"),
            (Compare::Above, Some(f64::NAN), None, "`NaN` is no level"),
            (
                Compare::Above,
                Some(2.0),
                Some(1.0),
                "`warn` (2) is above `critical` (1)",
            ),
            (
                Compare::Below,
                Some(1.0),
                Some(2.0),
                "`warn` (1) is below `critical` (2)",
            ),
        ] {
            let error = Levels::new(compare, warn, critical).expect_err("refused");
            assert!(error.message().contains(words), "{error}");
        }
    }
}
