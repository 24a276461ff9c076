//! What an Alertmanager's `webhook_configs` sends, version 4 (its `notify/webhook/webhook.go`).

use std::time::Duration;

use evenkeel_model::alert::Alert;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::intake::{self, Batch, Context, Malformed, Pairs, Rejected, Sent};
use crate::lifecycle::Manner;

/// How long a firing alert fires without another word. An Alertmanager says when it ends, and
/// repeats it at the latest after its `data.retention`, which is 120 h unless set: what is
/// silent for longer is no longer known there.
pub const SILENCE: Duration = Duration::from_secs(120 * 3600);

#[derive(Debug)]
pub struct Notification {
    pub batch: Batch,
    /// Alerts of the group that `max_alerts` cut off: they were not sent at all.
    pub truncated: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    version: Option<Value>,
    #[serde(borrow)]
    alerts: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    truncated_alerts: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notified {
    status: Option<String>,
    #[serde(default)]
    labels: Pairs,
    #[serde(default)]
    annotations: Pairs,
    starts_at: Option<String>,
    ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
}

/// Reads a notification. One alert that is wrong is rejected by itself.
pub fn parse(body: &[u8], context: &Context<'_>) -> Result<Notification, Malformed> {
    let envelope = envelope(body)?;
    let raws = envelope.alerts.unwrap_or_default();
    let mut batch = Batch {
        alerts: Vec::with_capacity(raws.len()),
        rejected: Vec::new(),
        manner: Manner::Tells,
    };
    for (index, raw) in raws.iter().enumerate() {
        match alert(raw.get(), &format!("alerts[{index}]"), context) {
            Ok(alert) => batch.alerts.push(alert),
            Err(why) => batch.rejected.push(Rejected { index, why }),
        }
    }
    Ok(Notification {
        batch,
        truncated: envelope.truncated_alerts,
    })
}

fn envelope(body: &[u8]) -> Result<Envelope<'_>, Malformed> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Malformed::whole(
            "the body is empty, and must be an Alertmanager's notification",
        ));
    }
    let envelope: Envelope<'_> = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(error) if error.is_data() => return Err(no_notification(body)),
        Err(error) => return Err(Malformed::json(&error)),
    };
    match envelope.version.as_ref() {
        Some(Value::String(version)) if version == "4" => {}
        Some(other) => {
            let why = format!("`version` is {other}; this is for version \"4\" of an Alertmanager's webhook");
            return Err(Malformed::whole(why));
        }
        None => {
            let why = "`version` is missing: a webhook with a `payload` of its own is none that is known here";
            return Err(Malformed::whole(why));
        }
    }
    match envelope.alerts.as_ref().map(Vec::len) {
        None => Err(Malformed::whole("`alerts` is missing")),
        Some(many) if many > intake::ALERTS => Err(Malformed::whole(format!(
            "{many} alerts in one request; at most {} are taken",
            intake::ALERTS
        ))),
        Some(_) => Ok(envelope),
    }
}

/// It may be JSON, but it is not what an Alertmanager sends.
fn no_notification(body: &[u8]) -> Malformed {
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return Malformed::json(&error),
    };
    let Value::Object(fields) = &value else {
        let why = format!(
            "the body is {}, and must be an Alertmanager's notification: an object",
            intake::kind(&value)
        );
        return Malformed::whole(why);
    };
    let wrong = [("alerts", "an array"), ("truncatedAlerts", "a number from 0")]
        .into_iter()
        .find(|(field, _)| {
            fields.get(*field).is_some_and(|value| match *field {
                "alerts" => !value.is_array() && !value.is_null(),
                _ => value.as_u64().is_none(),
            })
        });
    Malformed::whole(match wrong {
        Some((field, must)) => format!("`{field}` is {}, and must be {must}", intake::kind(&fields[field])),
        None => "a field is named twice".to_owned(),
    })
}

fn alert(raw: &str, path: &str, context: &Context<'_>) -> Result<Alert, String> {
    let notified: Notified = serde_json::from_str(raw).map_err(|_| intake::wrong_type(path, raw))?;
    let read = |field: &str, text: &Option<String>| {
        intake::time(field, text.as_deref()).map_err(|why| why.replacen('`', &format!("`{path}."), 1))
    };
    let resolved = match notified.status.as_deref() {
        Some("firing") => false,
        Some("resolved") => true,
        _ => return Err(format!("`{path}.status` must be `firing` or `resolved`")),
    };
    let said = read("endsAt", &notified.ends_at)?;
    let sent = Sent {
        starts_at: read("startsAt", &notified.starts_at)?,
        // While it fires the end is only supposed, by the Alertmanager or whoever told it.
        ends_at: if resolved {
            Some(said.unwrap_or(context.now))
        } else {
            None
        },
        labels: notified.labels.0,
        annotations: notified.annotations.0,
        generator_url: notified.generator_url.unwrap_or_default(),
    };
    let mut alert = sent
        .into_alert(context, SILENCE)
        .map_err(|why| format!("`{path}`: {why}"))?;
    // Also if its clock goes before ours.
    alert.resolved = resolved;
    Ok(alert)
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
