//! What is printed of many measured times.

use std::time::Duration;

/// Times of one thing, measured again and again.
#[derive(Default)]
pub struct Figures(Vec<Duration>);

impl Figures {
    pub fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// The time that a share of all (0 to 1) does not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted
            .get((last as f64 * share).round() as usize)
            .copied()
            .unwrap_or_default()
    }

    pub fn line(&self, name: &str) -> String {
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| self.quantile(share));
        format!(
            "{name:<44} n {:>6}  p50 {p50:>10.1?}  p90 {p90:>10.1?}  p99 {p99:>10.1?}",
            self.0.len()
        )
    }
}

/// How many times as fast the first is by its median.
pub fn ratio(ours: &Figures, peer: &Figures) -> f64 {
    peer.quantile(0.5).as_secs_f64() / ours.quantile(0.5).as_secs_f64()
}

#[expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]
pub fn say(line: &str) {
    println!("{line}");
}
