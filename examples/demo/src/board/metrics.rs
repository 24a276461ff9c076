//! What the board tells a Prometheus, in the text exposition format 0.0.4.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{sessions::Size, tasks::Task};

/// Upper bounds of the histogram's buckets, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0];

/// One series of the histogram: how requests of one kind went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    pub method: String,
    /// The route, not the path: a series an identifier would be as many as there are tasks.
    pub route: String,
    pub status: u16,
}

#[derive(Clone, Default)]
struct Durations {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

#[derive(Default)]
pub struct Metrics {
    requests: Mutex<BTreeMap<Request, Durations>>,
}

impl Metrics {
    pub fn observe(&self, request: Request, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let durations = requests.entry(request).or_default();
        durations.count += 1;
        durations.sum += seconds;
        for (bucket, bound) in durations.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    pub fn exposition(&self, cache: &Size, tasks: &[Task]) -> String {
        let open = tasks.iter().filter(|task| task.open).count();
        let mut text = String::new();
        gauge(&mut text, "cache_files", "Files in the session cache.", cache.files);
        gauge(&mut text, "cache_bytes", "Bytes in the session cache.", cache.bytes);
        gauge(&mut text, "tasks_open", "Tasks that are open.", open);
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        histogram(&mut text, &requests);
        text
    }
}

fn gauge(text: &mut String, name: &str, help: &str, value: impl std::fmt::Display) {
    text.push_str(&format!(
        "# HELP taskboard_{name} {help}\n# TYPE taskboard_{name} gauge\ntaskboard_{name} {value}\n"
    ));
}

fn histogram(text: &mut String, requests: &BTreeMap<Request, Durations>) {
    const NAME: &str = "taskboard_request_duration_seconds";
    text.push_str(&format!(
        "# HELP {NAME} How long requests took.\n# TYPE {NAME} histogram\n"
    ));
    for (request, durations) in requests {
        let labels = format!(
            "method=\"{}\",route=\"{}\",status=\"{}\"",
            request.method, request.route, request.status
        );
        let mut line = |suffix: &str, le: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{NAME}_{suffix}{{{labels}{le}}} {value}").expect("writing to a string cannot fail");
        };
        for (bucket, bound) in durations.buckets.iter().zip(BOUNDS) {
            line("bucket", &format!(",le=\"{bound}\""), bucket);
        }
        line("bucket", ",le=\"+Inf\"", &durations.count);
        line("sum", "", &durations.sum);
        line("count", "", &durations.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            method: "GET".into(),
            route: "/".into(),
            status: 200,
        }
    }

    #[test]
    fn buckets_are_cumulative_and_end_in_the_count() {
        let metrics = Metrics::default();
        metrics.observe(request(), Duration::from_millis(2));
        metrics.observe(request(), Duration::from_millis(300));
        metrics.observe(request(), Duration::from_secs(7));

        let text = metrics.exposition(&Size::default(), &[]);

        for line in [
            r#"_bucket{method="GET",route="/",status="200",le="0.001"} 0"#,
            r#"_bucket{method="GET",route="/",status="200",le="0.0025"} 1"#,
            r#"_bucket{method="GET",route="/",status="200",le="0.5"} 2"#,
            r#"_bucket{method="GET",route="/",status="200",le="+Inf"} 3"#,
            r#"_count{method="GET",route="/",status="200"} 3"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn gauges_tell_the_size_of_the_cache() {
        let size = Size { files: 12, bytes: 3456 };
        let text = Metrics::default().exposition(&size, &[]);

        assert!(text.contains("\ntaskboard_cache_files 12\n"), "{text}");
        assert!(text.contains("\ntaskboard_cache_bytes 3456\n"), "{text}");
    }
}
