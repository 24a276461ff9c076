//! An alerting rule, and the Prometheus that it would run in.
//!
//! The demo starts no Prometheus. It scrapes the board and decides as this rule decides, and what
//! it sends is what a Prometheus 3 sends (`notifier/alert.go` and the Alertmanager's openapi.yaml):
//!
//! ```text
//! alert: TaskBoardSlow
//! expr: 1 - sum(increase(taskboard_request_duration_seconds_bucket{le="0.1"}[15s]))
//!         / sum(increase(taskboard_request_duration_seconds_count[15s])) > 0.9
//! ```

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

pub const NAME: &str = "TaskBoardSlow";

/// What takes longer is slow, in seconds; one of the bounds of the board's histogram.
pub const SLOW: &str = "0.1";

/// The share of slow requests above which the rule fires.
const SHARE: f64 = 0.9;

/// Where the Prometheus shows what the rule sees; a link for people, which nothing follows.
const GENERATOR: &str = concat!(
    "http://prometheus.example:9090/graph?g0.expr=",
    "1+-+sum%28increase%28taskboard_request_duration_seconds_bucket%7Ble%3D%220.1%22%7D%5B15s%5D%29%29+%2F+",
    "sum%28increase%28taskboard_request_duration_seconds_count%5B15s%5D%29%29+%3E+0.9&g0.tab=1",
);

/// A Prometheus says that an alert goes on for four times the longer of its evaluation interval
/// and its resend delay, which is a minute.
const RESEND_DELAY: TimeDelta = TimeDelta::minutes(1);

/// The board's counters at one scrape, summed over routes and statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scrape {
    pub requests: f64,
    /// Those that were not slow.
    pub quick: f64,
    /// All of them together, in seconds.
    pub seconds: f64,
}

/// What went on between two scrapes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub requests: f64,
    pub slow: f64,
    pub seconds: f64,
}

impl Scrape {
    /// Reads the text that `GET /metrics` answers.
    pub fn read(text: &str) -> Self {
        const HISTOGRAM: &str = "taskboard_request_duration_seconds";
        let sum = |suffix: &str, label: &str| -> f64 {
            let name = format!("{HISTOGRAM}_{suffix}{{");
            let samples = text
                .lines()
                .filter(|line| line.starts_with(&name) && line.contains(label));
            samples
                .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
                .sum()
        };
        Self {
            requests: sum("count", ""),
            quick: sum("bucket", &format!("le=\"{SLOW}\"")),
            seconds: sum("sum", ""),
        }
    }

    pub fn since(&self, earlier: &Self) -> Window {
        let requests = self.requests - earlier.requests;
        Window {
            requests,
            slow: requests - (self.quick - earlier.quick),
            seconds: self.seconds - earlier.seconds,
        }
    }
}

impl Window {
    /// Whether the rule fires. Without a request there is nothing to compare, as in PromQL, where
    /// 0 / 0 is no number.
    pub fn is_slow(&self) -> bool {
        self.slow / self.requests > SHARE
    }

    /// How long a request took, on average.
    pub fn mean_ms(&self) -> f64 {
        1000.0 * self.seconds / self.requests
    }
}

/// One alert from its beginning to its end, as a Prometheus knows it.
pub struct Alert {
    /// The board's `HOST:PORT`.
    pub instance: String,
    pub starts_at: DateTime<Utc>,
    pub mean_ms: f64,
}

impl Alert {
    pub fn new(instance: &str, starts_at: DateTime<Utc>, window: &Window) -> Self {
        Self {
            instance: instance.to_owned(),
            starts_at,
            mean_ms: window.mean_ms(),
        }
    }

    /// What is sent while it fires.
    pub fn firing(&self, now: DateTime<Utc>) -> Value {
        self.ending(now + RESEND_DELAY * 4)
    }

    /// What is sent when the rule holds no more.
    pub fn resolved(&self, now: DateTime<Utc>) -> Value {
        self.ending(now)
    }

    fn ending(&self, ends_at: DateTime<Utc>) -> Value {
        let Self { instance, mean_ms, .. } = self;
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        json!({
            "annotations": { "summary": format!("The task board answers after {mean_ms:.0} ms") },
            "endsAt": time(ends_at),
            "startsAt": time(self.starts_at),
            "generatorURL": GENERATOR,
            "labels": { "alertname": NAME, "instance": instance, "job": "taskboard", "severity": "critical" },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = r#"# HELP taskboard_cache_files Files in the session cache.
taskboard_cache_files 12
# TYPE taskboard_request_duration_seconds histogram
taskboard_request_duration_seconds_bucket{method="GET",route="/",status="200",le="0.05"} 1
taskboard_request_duration_seconds_bucket{method="GET",route="/",status="200",le="0.1"} 3
taskboard_request_duration_seconds_bucket{method="GET",route="/",status="200",le="+Inf"} 4
taskboard_request_duration_seconds_sum{method="GET",route="/",status="200"} 0.5
taskboard_request_duration_seconds_count{method="GET",route="/",status="200"} 4
taskboard_request_duration_seconds_bucket{method="POST",route="/tasks/{id}/close",status="303",le="0.1"} 1
taskboard_request_duration_seconds_sum{method="POST",route="/tasks/{id}/close",status="303"} 0.25
taskboard_request_duration_seconds_count{method="POST",route="/tasks/{id}/close",status="303"} 2
"#;

    fn window(requests: f64, slow: f64) -> Window {
        Window {
            requests,
            slow,
            seconds: 1.0,
        }
    }

    #[test]
    fn a_scrape_sums_over_routes() {
        let scrape = Scrape::read(METRICS);
        let expected = Scrape {
            requests: 6.0,
            quick: 4.0,
            seconds: 0.75,
        };
        assert_eq!(scrape, expected);
    }

    #[test]
    fn a_window_is_what_came_between_two_scrapes() {
        let earlier = Scrape {
            requests: 1.0,
            quick: 1.0,
            seconds: 0.05,
        };
        let window = Scrape::read(METRICS).since(&earlier);
        assert_eq!((window.requests, window.slow), (5.0, 2.0));
        assert!((window.mean_ms() - 140.0).abs() < 1e-9, "{window:?}");
    }

    #[test]
    fn the_rule_fires_when_nearly_all_requests_are_slow() {
        assert!(window(5.0, 5.0).is_slow());
        assert!(!window(5.0, 4.0).is_slow());
        assert!(!window(0.0, 0.0).is_slow());
    }

    #[test]
    fn an_alert_has_the_fields_that_a_prometheus_sends() {
        let now = DateTime::from_timestamp_millis(1_700_000_000_123).unwrap();
        let alert = Alert {
            instance: "127.0.0.1:8077".into(),
            starts_at: now,
            mean_ms: 123.4,
        };
        let expected = json!({
            "annotations": { "summary": "The task board answers after 123 ms" },
            "endsAt": "2023-11-14T22:17:20.123Z",
            "startsAt": "2023-11-14T22:13:20.123Z",
            "generatorURL": GENERATOR,
            "labels": {
                "alertname": "TaskBoardSlow", "instance": "127.0.0.1:8077", "job": "taskboard", "severity": "critical",
            },
        });
        assert_eq!(alert.firing(now), expected);
        assert_eq!(alert.resolved(now)["endsAt"], "2023-11-14T22:13:20.123Z");
    }
}
