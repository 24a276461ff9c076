//! What is printed of many measured times.

use std::time::Duration;

/// One thing, measured again and again.
#[derive(Default)]
pub struct Figures {
    each: Vec<Duration>,
    /// Steps a second, of each turn.
    rates: Vec<f64>,
}

impl Figures {
    pub fn add(&mut self, took: Duration) {
        self.turn(took, vec![took]);
    }

    /// Several that were measured together, and took so long in all.
    pub fn turn(&mut self, all: Duration, each: Vec<Duration>) {
        self.rates.push(each.len() as f64 / all.as_secs_f64());
        self.each.extend(each);
    }

    /// The time that a share of all (0 to 1) does not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.each.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        sorted.get(at).copied().unwrap_or_default()
    }

    /// How many a second: the median of all turns, so that a turn that was disturbed doesn't count.
    pub fn rate(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_unstable_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    }
}

/// Contenders one below the other; the first one is ours.
pub fn table(title: &str, rows: &[(&str, &Figures)]) {
    say(&format!(
        "\n{title:<52} {:>7} {:>11} {:>11} {:>9}  evenkeel has",
        "n", "median", "p99", "a second"
    ));
    let ours = rows.first().map_or(0.0, |(_, ours)| ours.rate());
    for (name, figures) in rows {
        let [median, p99] = [0.5, 0.99].map(|share| figures.quantile(share));
        let (n, rate) = (figures.each.len(), figures.rate());
        let times = ours / rate;
        let digits = if rate < 10.0 { 3 } else { 1 };
        say(&format!(
            "  {name:<50} {n:>7} {median:>11.1?} {p99:>11.1?} {rate:>9.digits$}  {times:.2} x its rate"
        ));
    }
}

#[expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]
pub fn say(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_the_rate_are_of_what_was_measured() {
        let mut figures = Figures::default();
        for millis in [5, 1, 2, 4, 3] {
            figures.add(Duration::from_millis(millis));
        }
        assert_eq!(figures.quantile(0.5), Duration::from_millis(3));
        assert_eq!(figures.quantile(0.99), Duration::from_millis(5));
        assert_eq!(figures.rate().round(), 333.0);
    }

    #[test]
    fn nothing_measured_is_zero_and_no_panic() {
        assert_eq!(Figures::default().quantile(0.99), Duration::ZERO);
        assert_eq!(Figures::default().rate(), 0.0);
    }
}
