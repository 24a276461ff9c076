use std::collections::BTreeMap;

use evenkeel_sdk::http::Statuses;
use evenkeel_sdk::{Duration, Finding, Params, Result, ensure};

/// What to ask, and what to expect of the answer.
#[derive(Params)]
pub struct HttpProbe {
    /// The origin to ask.
    pub origin: String,
    /// Relative to the origin's base.
    #[serde(default = "root")]
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
    /// How to ask; HEAD has no body to judge.
    #[serde(default)]
    pub method: Method,
    /// Headers to send.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A secret to send as a bearer token.
    pub bearer: Option<String>,
    /// The statuses that are well. Redirects are not followed: expect them, if they are.
    #[serde(default = "Statuses::success")]
    pub status: Statuses,
    /// From which time to the whole answer on it is a warning.
    pub latency_warn: Option<Duration>,
    /// From which time on it is critical.
    pub latency_critical: Option<Duration>,
    /// Texts that the body has to contain, all of them.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Texts that the body must not contain.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// How long before the certificate ends it is a warning.
    #[serde(default = "three_weeks")]
    pub certificate_warn: Duration,
    /// How long before the certificate ends it is critical.
    #[serde(default = "one_week")]
    pub certificate_critical: Duration,
}

#[derive(Params, Clone, Copy, PartialEq, Default)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Get,
    Head,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

fn root() -> String {
    "/".into()
}

fn three_weeks() -> Duration {
    Duration::days(21)
}

fn one_week() -> Duration {
    Duration::days(7)
}

impl HttpProbe {
    /// What the schema can't say.
    pub fn validate(&self) -> Result<()> {
        ensure!(
            self.method == Method::Get || self.contains.is_empty() && self.lacks.is_empty(),
            invalid,
            "no-body",
            "HEAD has no body: `contains` and `lacks` need GET"
        );
        ensure!(
            self.bearer.is_none()
                || !self
                    .headers
                    .keys()
                    .any(|name| name.eq_ignore_ascii_case("authorization")),
            invalid,
            "authorized-twice",
            "`bearer` and the header `authorization` can't both be given"
        );
        if let (Some(warn), Some(critical)) = (self.latency_warn, self.latency_critical) {
            ensure!(
                warn <= critical,
                invalid,
                "levels",
                "`latency_warn` ({warn}) is above `latency_critical` ({critical})"
            );
        }
        let (warn, critical) = (self.certificate_warn, self.certificate_critical);
        ensure!(
            critical <= warn,
            invalid,
            "levels",
            "`certificate_critical` ({critical}) is above `certificate_warn` ({warn})"
        );
        Ok(())
    }

    /// What findings are about.
    pub fn subject(&self) -> String {
        format!("{}:{}", self.origin, self.path)
    }

    pub fn label(&self, finding: Finding) -> Finding {
        finding.label("origin", &self.origin).label("path", &self.path)
    }
}
