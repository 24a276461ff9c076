use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use evenkeel_alerting::port::Memory;
use evenkeel_alerting::watch::Watch;
use evenkeel_engine::Engine;
use evenkeel_engine::port::outbox::Outbox;
use evenkeel_engine::port::{Clock, Journal};

use crate::metrics::{Metric, MetricKind};
use crate::port::Daemon;

/// What the handlers share.
pub struct Console {
    pub engine: Arc<Engine>,
    pub journal: Arc<dyn Journal>,
    pub outbox: Arc<dyn Outbox>,
    pub memory: Arc<dyn Memory>,
    pub watch: Arc<Watch>,
    pub clock: Arc<dyn Clock>,
    pub daemon: Arc<dyn Daemon>,
    pub counters: Counters,
}

/// Counted since the start.
#[derive(Default)]
pub struct Counters {
    pub received: AtomicU64,
    pub rejected: AtomicU64,
    pub edges: AtomicU64,
    pub pushes: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let counter = |name, help, value: &AtomicU64| {
            Metric::new(name, help, MetricKind::Counter).value(value.load(Ordering::Relaxed) as f64)
        };
        vec![
            counter("evenkeel_alert_pushes_total", "Requests with alerts.", &self.pushes),
            counter(
                "evenkeel_alerts_received_total",
                "Alerts taken in, re-sent ones included.",
                &self.received,
            ),
            counter(
                "evenkeel_alerts_rejected_total",
                "Alerts refused because something was wrong with them.",
                &self.rejected,
            ),
            counter(
                "evenkeel_alert_edges_total",
                "Alerts that began to fire or were resolved.",
                &self.edges,
            ),
        ]
    }
}
