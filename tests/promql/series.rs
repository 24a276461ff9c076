//! The series that are asked about: an hour of them, with what real ones have and worse.

use std::collections::BTreeMap;

use evenkeel_tests::dice::Dice;
use evenkeel_tests::servers::Written;
use serde_json::json;

/// Times are multiples of this.
const UNIT_MS: i64 = 250;
const END_MS: i64 = 3_600_000;
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// The same ones whenever it is asked, in the order of their labels: where values are equal, Prometheus takes what came first.
pub fn all() -> Vec<Written> {
    let mut maker = Maker {
        dice: Dice::new(7),
        series: Vec::new(),
    };
    maker.counters();
    maker.gauges();
    maker.histograms();
    maker.oddities();
    maker.names();
    maker.series.sort_by(|a, b| a.labels.cmp(&b.labels));
    maker.series
}

/// In promtool's notation, a value each [`UNIT_MS`].
pub fn file(series: &[Written]) -> String {
    let written = |one: &Written| {
        let labels: Vec<String> = one
            .labels
            .iter()
            .map(|(name, value)| format!("{name:?}={value:?}"))
            .collect();
        json!({ "series": format!("{{{}}}", labels.join(",")), "values": values(&one.samples) })
    };
    let all: Vec<_> = series.iter().map(written).collect();
    json!({ "interval": format!("{UNIT_MS}ms"), "input_series": all }).to_string()
}

fn values(samples: &[(i64, f64)]) -> String {
    let (mut words, mut next) = (Vec::new(), 0);
    for (at_ms, value) in samples {
        let at = at_ms / UNIT_MS;
        if at > next {
            words.push(format!("_x{}", at - next));
        }
        words.push(match value.to_bits() == STALE {
            true => "stale".to_owned(),
            false => value.to_string(),
        });
        next = at + 1;
    }
    words.join(" ")
}

struct Maker {
    dice: Dice,
    series: Vec<Written>,
}

fn stale() -> f64 {
    f64::from_bits(STALE)
}

impl Maker {
    fn add(&mut self, name: &str, labels: &[(&str, &str)], samples: Vec<(i64, f64)>) {
        let labels: BTreeMap<String, String> = labels
            .iter()
            .chain(&[("__name__", name)])
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.series.push(Written {
            labels: labels.into_iter().collect(),
            samples,
        });
    }

    /// Every `every` seconds, up to a second late.
    fn times(&mut self, from_s: i64, to_s: i64, every_s: i64) -> Vec<i64> {
        let mut times = Vec::new();
        let mut at = from_s * 1000;
        while at <= (to_s * 1000).min(END_MS) {
            let late = self.dice.below(4_i64) * UNIT_MS;
            times.push(at + late);
            at += every_s * 1000;
        }
        times
    }

    fn walk(&mut self, times: &[i64], start: f64, mut next: impl FnMut(&mut Dice, f64) -> f64) -> Vec<(i64, f64)> {
        let mut value = start;
        let mut samples = Vec::new();
        for at in times {
            samples.push((*at, value));
            value = next(&mut self.dice, value);
        }
        samples
    }

    fn counter(&mut self, from_s: i64, to_s: i64, resets: bool) -> Vec<(i64, f64)> {
        let times = self.times(from_s, to_s, 15);
        self.walk(&times, 3.0, |dice, value| match resets && dice.percent(3) {
            true => dice.below(5) as f64,
            false => value + dice.below(30) as f64,
        })
    }

    fn counters(&mut self) {
        for job in ["api", "web"] {
            for instance in ["a:9100", "b:9100", "c:9100"] {
                for code in ["200", "404", "500"] {
                    let (from, to) = match (instance, code) {
                        ("b:9100", _) => (600, 2100),
                        ("c:9100", "500") => (1500, 3600),
                        _ => (0, 3600),
                    };
                    let mut samples = self.counter(from, to, code != "404");
                    if instance == "b:9100" {
                        samples.push((2_130_000, stale()));
                    }
                    self.add(
                        "http_requests_total",
                        &[("job", job), ("instance", instance), ("code", code)],
                        samples,
                    );
                }
                let times = self.times(0, 3600, 15);
                let up = self.walk(&times, 1.0, |dice, _| f64::from(u8::from(!dice.percent(10))));
                self.add("up", &[("job", job), ("instance", instance)], up);
                let start = (0..240)
                    .map(|i| (i * 15_000, if i < 100 { 12.5 } else { 1500.25 }))
                    .collect();
                self.add(
                    "process_start_time_seconds",
                    &[("job", job), ("instance", instance)],
                    start,
                );
            }
        }
    }

    fn gauges(&mut self) {
        for (i, instance) in ["a:9100", "b:9100", "c:9100"].into_iter().enumerate() {
            for mount in ["/", "/var", "/home"] {
                let times = self.times(0, 3600, 30);
                let size = times.iter().map(|at| (*at, 1e11 * (i + 1) as f64)).collect();
                let labels = [("instance", instance), ("mountpoint", mount), ("device", "sda1")];
                self.add("disk_size_bytes", &labels, size);
                let free = self.walk(&times, 8e10, |dice, value| value - dice.below(90_000_000) as f64 + 3e7);
                self.add("disk_free_bytes", &labels, free);
            }
            let times = self.times(0, 3600, 20);
            let temperature = self.walk(&times, -3.5, |dice, value| value + dice.below(100) as f64 / 10.0 - 5.0);
            self.add("temperature", &[("instance", instance), ("zone", "z")], temperature);
            let version = ["1.0", "1.1", "1.1"][i];
            let info = (0..120).map(|i| (i * 30_000, 1.0)).collect();
            self.add(
                "build_info",
                &[("instance", instance), ("version", version), ("empty", "")],
                info,
            );
            // Far apart, and sometimes silent for longer than the lookback.
            let rare = (0..9).map(|n| (n * 420_000 + 1000 * n, n as f64)).collect();
            self.add("rare", &[("instance", instance)], rare);
            let same = (0..200).map(|n| (n * 15_000, 7.0)).collect();
            self.add("same", &[("instance", instance)], same);
        }
    }

    fn histograms(&mut self) {
        for (job, bounds) in [
            ("api", &["0.1", "0.5", "1", "2.5", "+Inf"][..]),
            ("web", &["0.25", "1.0", "5e0", "+Inf"]),
            ("endless", &["0.1", "1", "10"]),
            ("below", &["-10", "-1", "0", "3", "+Inf"]),
            ("one", &["+Inf"]),
            ("words", &["1", "many", "", "+Inf"]),
            ("twice", &["1", "1.0", "2", "+Inf"]),
        ] {
            for instance in ["a:9100", "b:9100"] {
                for (i, bound) in bounds.iter().enumerate() {
                    let times = self.times(0, 3600, 15);
                    let mut step = 0.0;
                    let samples = self.walk(&times, 0.0, |dice, value| {
                        step = dice.below(3 + 3 * i as u64) as f64;
                        value + step + i as f64
                    });
                    self.add(
                        "latency_seconds_bucket",
                        &[("job", job), ("instance", instance), ("le", bound)],
                        samples,
                    );
                }
                let count = self.counter(0, 3600, false);
                self.add("latency_seconds_count", &[("job", job), ("instance", instance)], count);
                let sum = self.counter(0, 3600, false);
                self.add("latency_seconds_sum", &[("job", job), ("instance", instance)], sum);
            }
        }
        // Counts that fall, are no numbers, or nothing at all.
        for (kind, counts) in [
            ("falls", [5.0, 4.0, 9.0, 8.0]),
            ("nan", [1.0, f64::NAN, 3.0, 4.0]),
            ("endless", [1.0, 2.0, 3.0, f64::INFINITY]),
            ("none", [0.0; 4]),
            ("nearly", [1.0, 1.0 - 1e-15, 3.0, 3.0 - 1e-14]),
            ("negative", [-5.0, -1.0, 2.0, 3.0]),
            ("last-nan", [1.0, 2.0, 3.0, f64::NAN]),
        ] {
            for (bound, count) in ["1", "2", "3", "+Inf"].iter().zip(counts) {
                let samples = (0..120).map(|n| (n * 30_000, count)).collect();
                self.add("broken_bucket", &[("kind", kind), ("le", bound)], samples);
            }
        }
    }

    fn oddities(&mut self) {
        let special = [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.0,
            -0.0,
            1.5,
            -2.5,
            1e308,
            1e-300,
            1e-7,
            123_456_789.125,
        ];
        for (i, value) in special.into_iter().enumerate() {
            let samples = (0..120).map(|n| (n * 30_000, value)).collect();
            self.add("special", &[("n", &i.to_string())], samples);
        }
        for label in ["x", "y"] {
            let times = self.times(0, 3600, 30);
            let mixed = self.walk(&times, 1.0, |dice, _| *dice.one_of(&special));
            self.add("mixed", &[("l", label)], mixed);
        }
        let flapping = (0..120)
            .map(|n| (n * 30_000, if n % 7 == 5 { stale() } else { (n % 11) as f64 }))
            .collect();
        self.add("flapping", &[("l", "x")], flapping);
        self.add("once", &[("l", "x")], vec![(1_700_000, 4.0)]);
        self.add("twice", &[("l", "x")], vec![(1_700_000, 4.0), (1_760_250, 6.0)]);
        self.add("gone", &[("l", "x")], vec![(0, 1.0), (15_000, 2.0), (30_000, stale())]);
        // One series goes on where another one ends.
        let first = (0..60)
            .map(|n| (n * 30_000, n as f64))
            .chain([(1_800_000, stale())])
            .collect();
        self.add("relay_a", &[("l", "x")], first);
        let second = (60..120).map(|n| (n * 30_000, n as f64)).collect();
        self.add("relay_b", &[("l", "x")], second);
    }

    /// Names, labels and times.
    fn names(&mut self) {
        let plain = || (0..120).map(|n| (n * 30_000, (n % 13) as f64)).collect::<Vec<_>>();
        self.add(
            "größe.der platte",
            &[("läbel", "wért \"q\" \\ \n"), ("instance", "a:9100")],
            plain(),
        );
        self.add(
            "keywords",
            &[("by", "x"), ("on", "y"), ("bool", "z"), ("offset", "1"), ("sum", "s")],
            plain(),
        );
        self.add("job:rate:5m", &[("job", "api")], plain());
        self.add(
            "dates",
            &[("n", "0")],
            vec![(1_000_000, 1_709_214_310.0), (1_500_000, -86_400.0), (3_000_000, 1e18)],
        );
        let lots: Vec<(String, String)> = (0..40).map(|n| (format!("label_{n:02}"), format!("v{n}"))).collect();
        let lots: Vec<(&str, &str)> = lots
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        self.add("many_labels", &lots, plain());
        let dense = (0..3600)
            .map(|n| (n * 1000, f64::from(u8::try_from(n % 250).unwrap_or(0)).sin()))
            .collect();
        self.add("dense", &[("l", "x")], dense);
    }
}
