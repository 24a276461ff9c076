//! From when on a number matters.

use std::fmt;

use serde_json::json;

use crate::{Error, Finding, Params, Result, Severity};

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

    /// The finding that there is no value, in the words of the error that it would be otherwise.
    ///
    /// # Errors
    /// That error, if this is an error.
    pub fn finding(self, code: &str, subject: &str, otherwise: Error) -> Result<Finding> {
        match self.severity() {
            Some(severity) => Ok(Finding::new(severity, code, subject).summary(otherwise.message())),
            None => Err(otherwise),
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

    /// The finding that `what` has this value, which is in its details too: `WHAT is 91.5, above 90`.
    pub fn finding(&self, code: &str, subject: &str, what: &str, value: f64) -> Finding {
        Finding::new(self.judge(value), code, subject)
            .summary(format!("{what} is {}", self.told(value)))
            // JSON has no infinity; the sentence does.
            .details(json!({ "value": value }))
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
    fn a_number_is_a_finding_as_bad_as_its_level() {
        let found = levels(Compare::Above, 80.0, 90.0).finding("disk-full", "/var", "the use of /var", 91.5);
        assert_eq!(
            found,
            Finding::critical("disk-full", "/var")
                .summary("the use of /var is 91.5, above 90")
                .details(json!({ "value": 91.5 }))
        );
        let endless = levels(Compare::Above, 80.0, 90.0).finding("a", "b", "it", f64::INFINITY);
        assert_eq!(endless.summary, "it is inf, above 90");
        assert_eq!(endless.details, Some(json!({ "value": null })));
    }

    #[test]
    fn the_absence_of_a_number_is_what_the_runbook_says() {
        let none = || Error::permanent("no-row", "there is no row");
        for (absent, severity) in [
            (Absent::Critical, Severity::Critical),
            (Absent::Warning, Severity::Warning),
            (Absent::Ok, Severity::Ok),
        ] {
            let found = absent.finding("backlog", "app", none()).expect("a finding");
            let expected = Finding::new(severity, "backlog", "app").summary("there is no row");
            assert_eq!(found, expected);
        }
        let error = Absent::Error.finding("backlog", "app", none()).expect_err("an error");
        assert_eq!((error.code(), error.message()), ("no-row", "there is no row"));
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
