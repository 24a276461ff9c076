//! `POST /api/v2/alerts`, as a Prometheus pushes to an Alertmanager (its `api/v2/openapi.yaml`).

use evenkeel_model::alert::Alert;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::intake::{self, Batch, Context, Malformed, Pairs, Rejected, Sent};
use crate::lifecycle::Manner;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    #[serde(default)]
    labels: Pairs,
    #[serde(default)]
    annotations: Pairs,
    starts_at: Option<String>,
    ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
}

/// Reads an array of alerts. One that is wrong is rejected by itself; `Malformed` is for what is
/// no array at all, or has more than [`intake::ALERTS`].
pub fn parse(body: &[u8], context: &Context<'_>) -> Result<Batch, Malformed> {
    let raws = array(body)?;
    let mut batch = Batch {
        alerts: Vec::with_capacity(raws.len()),
        rejected: Vec::new(),
        manner: Manner::Repeats,
    };
    for (index, raw) in raws.iter().enumerate() {
        match alert(raw.get(), &format_args!("[{index}]"), context) {
            Ok(alert) => batch.alerts.push(alert),
            Err(why) => batch.rejected.push(Rejected { index, why }),
        }
    }
    Ok(batch)
}

/// The alerts as text, so that a wrong one spoils none beside it.
fn array(body: &[u8]) -> Result<Vec<&RawValue>, Malformed> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_none() {
        return Err(Malformed::whole(
            "the body is empty, and must be a JSON array of alerts",
        ));
    }
    let raws: Vec<&RawValue> = match serde_json::from_slice(body) {
        Ok(raws) => raws,
        Err(error) if error.is_data() => {
            return Err(match serde_json::from_slice::<&RawValue>(body) {
                Ok(_) => Malformed::whole("the body must be a JSON array of alerts, and is JSON of another kind"),
                Err(error) => Malformed::json(&error),
            });
        }
        Err(error) => return Err(Malformed::json(&error)),
    };
    if raws.len() > intake::ALERTS {
        let why = format!(
            "{} alerts in one request; at most {} are taken",
            raws.len(),
            intake::ALERTS
        );
        return Err(Malformed::whole(why));
    }
    Ok(raws)
}

pub(crate) fn alert(raw: &str, path: &dyn std::fmt::Display, context: &Context<'_>) -> Result<Alert, String> {
    let posted: Posted = serde_json::from_str(raw).map_err(|_| intake::wrong_type(&path.to_string(), raw))?;
    let read = |field: &str, text: &Option<String>| {
        intake::time(field, text.as_deref()).map_err(|why| why.replacen('`', &format!("`{path}."), 1))
    };
    let sent = Sent {
        starts_at: read("startsAt", &posted.starts_at)?,
        ends_at: read("endsAt", &posted.ends_at)?,
        labels: posted.labels.0,
        annotations: posted.annotations.0,
        generator_url: posted.generator_url.unwrap_or_default(),
    };
    sent.into_alert(context, context.resolve_timeout)
        .map_err(|why| format!("`{path}`: {why}"))
}

#[cfg(test)]
#[path = "v2_tests.rs"]
mod tests;
