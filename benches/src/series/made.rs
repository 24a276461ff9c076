//! Series as exporters have them, made up: of 1,830 of a target a third are buckets of histograms, of which half never
//! change, a quarter is constant, a fifth counts, the rest are seconds, sizes and numbers with all their places.

use std::fmt::Write as _;

use evenkeel_alerting::promql::{Labels, NAME};

/// Series of a target.
pub const EACH: usize = 1830;

#[derive(Clone, Copy)]
enum Kind {
    Constant,
    /// Grows by up to so many a scrape.
    Counter(u64),
    /// Grows by up to so many hundredths.
    Seconds(u64),
    /// Walks in pages.
    Size,
    Fraction,
    /// Grows by fractions with all their places.
    Sum,
}

pub struct Target {
    number: usize,
    random: u64,
    kinds: Vec<Kind>,
    values: Vec<f64>,
}

impl Target {
    pub fn new(number: usize) -> Self {
        let mut target = Self {
            number,
            random: number as u64 + 1,
            kinds: (0..EACH).map(kind).collect(),
            values: Vec::new(),
        };
        for kind in target.kinds.clone() {
            let value = match kind {
                Kind::Constant => (target.draw() % 3) as f64,
                Kind::Counter(0) => (target.draw() % 2000) as f64,
                Kind::Counter(_) => (target.draw() % 10_000_000) as f64,
                Kind::Seconds(_) => (target.draw() % 100_000_000) as f64 / 100.0,
                Kind::Size => (target.draw() % 1_000_000) as f64 * 4096.0,
                Kind::Fraction => target.fraction(),
                Kind::Sum => target.fraction() * 1e4,
            };
            target.values.push(value);
        }
        target
    }

    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Between two scrapes.
    pub fn tick(&mut self) {
        for place in 0..EACH {
            let old = self.values[place];
            self.values[place] = match self.kinds[place] {
                Kind::Constant => old,
                Kind::Counter(most) => old + (self.draw() % (most + 1)) as f64,
                Kind::Seconds(most) => ((old * 100.0).round() + (self.draw() % (most + 1)) as f64) / 100.0,
                Kind::Size => (old + ((self.draw() % 401) as f64 - 200.0) * 4096.0).abs(),
                Kind::Fraction => self.fraction(),
                Kind::Sum => old + self.fraction(),
            };
        }
    }

    /// Milliseconds that a scrape is late.
    pub fn jitter(&mut self) -> i64 {
        (self.draw() % 3) as i64
    }

    /// With what a Prometheus adds to what it scrapes.
    pub fn labels(&self, instance: &str) -> impl Iterator<Item = Labels> {
        (0..EACH).map(move |place| {
            let (name, rest) = self.name(place);
            let own = [(NAME.to_owned(), name), ("instance".to_owned(), instance.to_owned())];
            let job = ("job".to_owned(), "taskboard".to_owned());
            Labels::new(own.into_iter().chain([job]).chain(rest))
        })
    }

    pub fn text(&self) -> String {
        let mut text = String::with_capacity(EACH * 160);
        for (place, value) in self.values.iter().enumerate() {
            let (name, labels) = self.name(place);
            let labels: Vec<String> = labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{value}\""))
                .collect();
            let _ = writeln!(text, "{name}{{{}}} {value}", labels.join(","));
        }
        text
    }

    fn name(&self, place: usize) -> (String, Vec<(String, String)>) {
        let (family, member) = (place / 12, place % 12);
        let pod = self.number * 100 + family % 30;
        let mut labels = vec![
            ("namespace".to_owned(), format!("ns-{}", pod % 7)),
            ("pod".to_owned(), format!("pod-{pod}")),
            ("container".to_owned(), format!("container-{}", family % 5)),
            ("node".to_owned(), format!("node-{}", self.number)),
            ("team".to_owned(), format!("team-{}", self.number % 10)),
        ];
        if place == 0 {
            return ("m0_up".to_owned(), labels);
        }
        if matches!(place % 3, 1) {
            const BOUNDS: [&str; 4] = ["0.1", "0.5", "1", "+Inf"];
            labels.push(("le".to_owned(), BOUNDS[member / 3].to_owned()));
            return (format!("m{family}_requests_bucket"), labels);
        }
        labels.push(("kind".to_owned(), format!("kind-{member}")));
        (format!("m{family}_things_total"), labels)
    }

    /// Vigna's splitmix64: the same numbers in each run.
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn fraction(&mut self) -> f64 {
        self.draw() as f64 / u64::MAX as f64
    }
}

fn kind(place: usize) -> Kind {
    if place % 3 == 1 {
        // Buckets.
        return Kind::Counter(if place.is_multiple_of(2) { 0 } else { 30 });
    }
    match place / 3 * 2 + place % 3 / 2 {
        n if n % 20 < 8 => Kind::Constant,
        n if n % 20 < 14 => Kind::Counter([2, 40, 1500][n % 3]),
        n if n % 20 < 16 => Kind::Seconds(1500),
        n if n % 20 < 18 => Kind::Size,
        n if n % 20 < 19 => Kind::Fraction,
        _ => Kind::Sum,
    }
}
