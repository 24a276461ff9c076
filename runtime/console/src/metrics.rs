//! Metrics in Prometheus's text format 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::fmt::Write as _;

/// One family.
pub struct Metric {
    name: &'static str,
    help: &'static str,
    kind: MetricKind,
    samples: Vec<(Vec<(&'static str, String)>, f64)>,
}

#[derive(Clone, Copy)]
pub enum MetricKind {
    Counter,
    Gauge,
}

impl Metric {
    /// `help` is one line.
    pub fn new(name: &'static str, help: &'static str, kind: MetricKind) -> Self {
        Self {
            name,
            help,
            kind,
            samples: Vec::new(),
        }
    }

    pub fn value(self, value: f64) -> Self {
        self.labelled(Vec::new(), value)
    }

    pub fn labelled(mut self, labels: Vec<(&'static str, String)>, value: f64) -> Self {
        self.samples.push((labels, value));
        self
    }
}

/// The page of all families.
pub fn text(metrics: &[Metric]) -> String {
    let mut out = String::new();
    for metric in metrics {
        family(&mut out, metric).expect("a string takes all that is written");
    }
    out
}

fn family(out: &mut String, metric: &Metric) -> std::fmt::Result {
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
    };
    writeln!(
        out,
        "# HELP {} {}\n# TYPE {} {kind}",
        metric.name, metric.help, metric.name
    )?;
    for (labels, value) in &metric.samples {
        let labels: Vec<_> = labels
            .iter()
            .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
            .collect();
        match labels.is_empty() {
            true => writeln!(out, "{} {value}", metric.name)?,
            false => writeln!(out, "{}{{{}}} {value}", metric.name, labels.join(","))?,
        }
    }
    Ok(())
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::{Metric, MetricKind, text};

    #[test]
    fn label_values_are_escaped() {
        let metric = Metric::new("m", "Help.", MetricKind::Gauge).labelled(vec![("l", "a\"b\\c\nd".to_owned())], 1.5);
        assert_eq!(
            text(&[metric]),
            "# HELP m Help.\n# TYPE m gauge\nm{l=\"a\\\"b\\\\c\\nd\"} 1.5\n"
        );
    }
}
