//! The rules: an answer and the time in, findings out.

use evenkeel_sdk::http::{Certificate, Response};
use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::{Duration, Finding, Severity};

use crate::params::HttpProbe;

/// Characters of an unexpected body that are shown: enough to recognise an error page.
const EXCERPT: usize = 200;

pub fn answer(params: &HttpProbe, answer: &Response, now_ms: u64) -> Vec<Finding> {
    let mut findings = vec![status(params, answer)];
    findings.extend(latency(params, answer));
    findings.extend(body(params, answer));
    findings.extend(
        answer
            .certificate
            .as_ref()
            .map(|certificate| expiry(params, certificate, now_ms)),
    );
    findings.into_iter().map(|finding| params.label(finding)).collect()
}

fn status(params: &HttpProbe, answer: &Response) -> Finding {
    let (status, expected, subject) = (answer.status, params.status.to_string(), params.subject());
    let details = json!({ "status": status, "expected": expected, "elapsed_ms": answer.elapsed_ms });
    if params.status.contain(status) {
        let words = format!("`{subject}` answered {status} after {} ms", answer.elapsed_ms);
        return Finding::ok("http-status", subject).summary(words).details(details);
    }
    let mut details = details;
    details["excerpt"] = answer.text().chars().take(EXCERPT).collect::<String>().into();
    let words = format!("`{subject}` answered {status}, expected {expected}");
    Finding::critical("http-status", subject)
        .summary(words)
        .details(details)
}

/// Only if the runbook says what is slow.
fn latency(params: &HttpProbe, answer: &Response) -> Option<Finding> {
    let (warn, critical) = (params.latency_warn, params.latency_critical);
    let elapsed = Duration::milliseconds(answer.elapsed_ms.into());
    let reached = |level: Option<Duration>| level.filter(|level| elapsed >= *level);
    let (severity, level) = match (reached(critical), reached(warn)) {
        (Some(level), _) => (Severity::Critical, level),
        (None, Some(level)) => (Severity::Warning, level),
        (None, None) => (Severity::Ok, warn.or(critical)?),
    };
    let compared = if severity == Severity::Ok {
        "within"
    } else {
        "not within"
    };
    let finding = Finding::new(severity, "http-slow", params.subject())
        .summary(format!(
            "`{}` answered after {elapsed}, {compared} {level}",
            params.subject()
        ))
        .details(json!({ "elapsed_ms": answer.elapsed_ms, "level_ms": level.as_ms() }));
    Some(finding)
}

/// Only if the runbook says what the body has to be.
fn body(params: &HttpProbe, answer: &Response) -> Option<Finding> {
    if params.contains.is_empty() && params.lacks.is_empty() {
        return None;
    }
    let (text, subject) = (answer.text(), params.subject());
    let missing: Vec<_> = params
        .contains
        .iter()
        .filter(|expected| !text.contains(expected.as_str()))
        .collect();
    let unwanted: Vec<_> = params
        .lacks
        .iter()
        .filter(|unwanted| text.contains(unwanted.as_str()))
        .collect();
    if missing.is_empty() && unwanted.is_empty() {
        return Some(Finding::ok("http-body", &subject).summary(format!("the body of `{subject}` is as expected")));
    }
    let mut wrong: Vec<String> = missing.iter().map(|text| format!("lacks `{text}`")).collect();
    wrong.extend(unwanted.iter().map(|text| format!("contains `{text}`")));
    let excerpt: String = text.chars().take(EXCERPT).collect();
    let finding = Finding::critical("http-body", &subject)
        .summary(format!("the body of `{subject}` {}", wrong.join(" and ")))
        .details(json!({ "missing": missing, "unwanted": unwanted, "excerpt": excerpt }));
    Some(finding)
}

fn expiry(params: &HttpProbe, certificate: &Certificate, now_ms: u64) -> Finding {
    let left_ms = certificate.not_after_ms.saturating_sub(now_ms);
    let days_left = left_ms / Duration::days(1).as_ms();
    let severity = if left_ms < params.certificate_critical.as_ms() {
        Severity::Critical
    } else if left_ms < params.certificate_warn.as_ms() {
        Severity::Warning
    } else {
        Severity::Ok
    };
    let when = match (left_ms, days_left) {
        (0, _) => "has ended".to_owned(),
        (_, 0) => "ends today".to_owned(),
        (_, 1) => "ends in 1 day".to_owned(),
        (_, days) => format!("ends in {days} days"),
    };
    Finding::new(severity, "certificate-expiring", params.subject())
        .summary(format!(
            "the certificate of `{}` ({}) {when}",
            params.origin, certificate.subject
        ))
        .details(json!({
            "days_left": days_left,
            "not_after_ms": certificate.not_after_ms,
            "subject": certificate.subject,
            "issuer": certificate.issuer,
        }))
}
