//! Alerts in the form that a Prometheus pushes.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

/// One alert, to be sent as often as a test likes.
#[derive(Clone)]
pub struct Alert {
    labels: Map<String, Value>,
    starts_at: DateTime<Utc>,
}

impl Alert {
    /// One that has been firing for a minute.
    pub fn new(name: &str) -> Self {
        let mut labels = Map::new();
        labels.insert("alertname".to_owned(), name.into());
        Self {
            labels,
            starts_at: now() - TimeDelta::minutes(1),
        }
    }

    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), value.into());
        self
    }

    /// The same alert, fired anew now.
    #[must_use]
    pub fn again(mut self) -> Self {
        self.starts_at = now();
        self
    }

    /// As it is sent while it fires: its end is supposed, minutes ahead.
    pub fn firing(&self) -> Value {
        self.ending(now() + TimeDelta::minutes(4))
    }

    /// As it is sent when it has ended.
    pub fn resolved(&self) -> Value {
        self.ending(now())
    }

    /// As an Alertmanager's webhook has it in its `alerts`.
    pub fn notified(&self, status: &str) -> Value {
        let mut alert = if status == "firing" {
            self.firing()
        } else {
            self.resolved()
        };
        alert["status"] = status.into();
        alert["fingerprint"] = "0000000000000000".into();
        if status == "firing" {
            alert["endsAt"] = "0001-01-01T00:00:00Z".into();
        }
        alert
    }

    fn ending(&self, ends_at: DateTime<Utc>) -> Value {
        json!({
            "labels": self.labels,
            "annotations": { "summary": "made by a test" },
            "startsAt": written(self.starts_at),
            "endsAt": written(ends_at),
            "generatorURL": "http://prometheus.example/graph?g0.expr=up",
        })
    }
}

/// An Alertmanager's notification, version 4.
pub fn notification(alerts: &[Value]) -> Value {
    let status = match alerts.iter().any(|alert| alert["status"] == "firing") {
        true => "firing",
        false => "resolved",
    };
    json!({
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "evenkeel",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": alerts,
    })
}

fn now() -> DateTime<Utc> {
    Utc::now()
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
