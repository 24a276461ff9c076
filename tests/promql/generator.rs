//! Well-formed expressions by chance, most of which find something in `series`.

use crate::words::{
    AGGREGATORS, COUNTERS, DATES, DURATIONS, FUNCTIONS, LABELS, MOVES, NUMBERS, OVER, SELECTORS, STEPS, TIMES,
    TRANSCENDENTAL,
};
use evenkeel_tests::dice::Dice;

/// Levels of an expression.
const DEEPEST: u64 = 4;

pub struct Generator<'d> {
    dice: &'d mut Dice,
}

impl<'d> Generator<'d> {
    pub fn new(dice: &'d mut Dice) -> Self {
        Self { dice }
    }

    pub fn expression(&mut self) -> String {
        match self.dice.below(20) {
            0 => self.scalar(2),
            1 => {
                let inner = self.vector(2);
                match self.dice.below(4) {
                    0 => format!("({inner}) {} {}", self.pick(&["^", "atan2"]), self.scalar(1)),
                    1 => format!("{}(clamp_max({inner}, 700))", self.pick(&["exp", "cosh", "sinh"])),
                    _ => format!("{}({inner})", self.pick(TRANSCENDENTAL)),
                }
            }
            2..=6 => self.vector(1),
            7..=13 => self.vector(2),
            14..=17 => self.vector(3),
            _ => self.vector(DEEPEST),
        }
    }

    fn pick(&mut self, things: &[&'static str]) -> &'static str {
        self.dice.one_of::<&'static str>(things)
    }

    fn moved(&mut self) -> String {
        let mut text = String::new();
        if self.dice.percent(8) {
            text += &format!(" offset {}", self.pick(MOVES));
        }
        if self.dice.percent(6) {
            text += &format!(" @ {}", self.pick(&["1500", "start()", "end()", "2000.5", "61"]));
        }
        text
    }

    fn scalar(&mut self, depth: u64) -> String {
        if depth == 0 {
            return self.pick(NUMBERS).to_owned();
        }
        match self.dice.below(10) {
            0 => "time()".to_owned(),
            1 => "pi()".to_owned(),
            2 | 3 => format!("scalar({})", self.vector(depth - 1)),
            4 | 5 => {
                let op = self.pick(&["+", "-", "*", "/", "%", "== bool", "> bool", "<= bool", "!= bool"]);
                format!("({} {op} {})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
            6 => format!("-{}", self.scalar(depth - 1)),
            _ => self.pick(NUMBERS).to_owned(),
        }
    }

    fn vector(&mut self, depth: u64) -> String {
        if depth == 0 {
            return match self.dice.below(12) {
                0 => format!("vector({})", self.scalar(0)),
                1 => self.over(0),
                _ => format!("{}{}", self.pick(SELECTORS), self.moved()),
            };
        }
        match self.dice.below(20) {
            0..=2 => self.aggregate(depth),
            3..=5 => self.over(depth),
            6 | 7 => self.function(depth),
            8..=10 => self.binary(depth),
            11 | 12 => self.with_scalar(depth),
            13 => self.labels(depth),
            14 => self.ranked(depth),
            15 => self.histogram(depth),
            16 => format!("({})", self.vector(depth - 1)),
            17 => self.set(depth),
            18 => self.clamp(depth),
            _ => format!("{}{}", self.pick(SELECTORS), self.moved()),
        }
    }

    fn grouping(&mut self) -> String {
        let word = match self.dice.below(4) {
            0 => return String::new(),
            1 | 2 => "by",
            _ => "without",
        };
        let labels = self.some_labels();
        format!("{word} ({labels})")
    }

    fn some_labels(&mut self) -> String {
        let count = self.dice.below(4);
        (0..count).map(|_| self.pick(LABELS)).collect::<Vec<_>>().join(", ")
    }

    fn aggregate(&mut self, depth: u64) -> String {
        let (grouping, inner) = (self.grouping(), self.vector(depth - 1));
        match self.dice.below(10) {
            0 => format!("quantile {grouping} ({}, {inner})", self.scalar(0)),
            1 => format!(
                "count_values {grouping} (\"{}\", ceil({}))",
                self.pick(&["value", "job", "é"]),
                self.vector(0)
            ),
            2 => format!("{} ({inner}) {grouping}", self.pick(AGGREGATORS)),
            _ => format!("{} {grouping} ({inner})", self.pick(AGGREGATORS)),
        }
    }

    fn window(&mut self, depth: u64) -> String {
        if depth > 0 && self.dice.percent(25) {
            let (inner, range) = (self.vector(depth - 1), self.pick(&["5m", "10m", "90s", "20m"]));
            let step = self.pick(&["", "30s", "1m", "7s", "2m30s"]);
            // Of an `@` in a subquery with an offset Prometheus may miss the samples.
            let moved = if inner.contains('@') {
                String::new()
            } else {
                self.moved()
            };
            return format!("({inner})[{range}:{step}]{moved}");
        }
        let selector = if self.dice.percent(70) { COUNTERS } else { SELECTORS };
        format!("{}[{}]{}", self.pick(selector), self.pick(DURATIONS), self.moved())
    }

    fn over(&mut self, depth: u64) -> String {
        let window = self.window(depth);
        match self.dice.below(12) {
            0 => format!("predict_linear({window}, {})", self.scalar(0)),
            1 => format!("quantile_over_time({}, {window})", self.scalar(0)),
            2..=4 => format!("rate({window})"),
            _ => format!("{}({window})", self.pick(OVER)),
        }
    }

    fn function(&mut self, depth: u64) -> String {
        if self.dice.percent(12) {
            return format!("{}({})", self.pick(DATES), self.pick(TIMES));
        }
        if self.dice.percent(20) {
            let inner = self.vector(0);
            return format!("{}({inner})", self.pick(STEPS));
        }
        let inner = self.vector(depth - 1);
        format!("{}({inner})", self.pick(FUNCTIONS))
    }

    fn matching(&mut self, grouped: bool) -> String {
        let mut text = match self.dice.below(5) {
            0 if !grouped => return String::new(),
            0..=2 => format!("on ({})", self.some_labels()),
            _ => format!("ignoring ({})", self.some_labels()),
        };
        if grouped && self.dice.percent(50) {
            text += &format!(
                " {} ({})",
                self.pick(&["group_left", "group_right"]),
                self.pick(&["", "version", "job", "code"])
            );
        }
        text
    }

    fn operator(&mut self) -> &'static str {
        self.pick(&[
            "+", "-", "*", "/", "/", "%", ">", "<", ">=", "<=", "==", "!=", "> bool", "== bool", "!= bool",
        ])
    }

    fn binary(&mut self, depth: u64) -> String {
        let op = self.operator();
        // What belongs together more often than two by chance.
        if self.dice.percent(40) {
            let matching = self.pick(&["", "ignoring (code)", "on (job, instance, code)"]);
            let (left, right) = (
                self.pick(&["rate", "increase", "last_over_time"]),
                self.pick(&["delta", "max_over_time"]),
            );
            return format!(
                "{left}(http_requests_total[5m]) {op} {matching} {right}(http_requests_total{{job=\"api\"}}[7m])"
            );
        }
        if self.dice.percent(30) {
            let left = self.vector(depth - 1);
            let side = self.pick(&["group_left", "group_left (version)", "group_left (zone, empty)"]);
            return format!("({left}) {op} on (instance) {side} build_info");
        }
        let (left, right) = (self.vector(depth - 1), self.vector(depth - 1));
        let matching = self.matching(true);
        format!("({left}) {op} {matching} ({right})")
    }

    fn set(&mut self, depth: u64) -> String {
        let (left, right) = (self.vector(depth - 1), self.vector(depth - 1));
        let op = self.pick(&["and", "or", "unless"]);
        let matching = self.matching(false);
        format!("({left}) {op} {matching} ({right})")
    }

    fn with_scalar(&mut self, depth: u64) -> String {
        let (op, inner, scalar) = (self.operator(), self.vector(depth - 1), self.scalar(1));
        match self.dice.percent(70) {
            true => format!("({inner}) {op} {scalar}"),
            false => format!("{scalar} {op} ({inner})"),
        }
    }

    fn labels(&mut self, depth: u64) -> String {
        let inner = self.vector(depth - 1);
        if self.dice.percent(40) {
            let (a, b) = (self.pick(LABELS), self.pick(LABELS));
            return format!(
                "label_join({inner}, \"{}\", \"{}\", \"{a}\", \"{b}\")",
                self.pick(&["to", "job", "__name__"]),
                self.pick(&["-", "", "é"])
            );
        }
        let (to, from) = (self.pick(&["to", "job", "le", "__name__", "new"]), self.pick(LABELS));
        let with = self.pick(&["$1", "x", "", "$1-$2", "${1}a", "$0", "$$", "$name"]);
        let pattern = self.pick(&["(.*)", "(.*):(.*)", "a.*", "", "(?P<name>[0-9]).*", "(.)|(..)"]);
        format!("label_replace({inner}, \"{to}\", \"{with}\", \"{from}\", \"{pattern}\")")
    }

    /// Which of equal values are taken is told by the order of series, which Prometheus leaves to chance but where they
    /// come right from the store.
    fn ranked(&mut self, depth: u64) -> String {
        let (op, grouping) = (self.pick(&["topk", "bottomk"]), self.grouping());
        let count = self.pick(&["1", "2", "3", "5", "0", "-1", "1.9", "100"]);
        match self.dice.below(3) {
            0 => format!("{op} {grouping} ({count}, {})", self.pick(SELECTORS)),
            1 => format!(
                "{op} {grouping} ({count}, {}({}[5m]))",
                self.pick(OVER),
                self.pick(COUNTERS)
            ),
            _ => format!("sum {grouping} ({op} {grouping} ({count}, {}))", self.vector(depth - 1)),
        }
    }

    fn histogram(&mut self, depth: u64) -> String {
        let phi = match self.dice.percent(70) {
            true => self
                .pick(&["0.5", "0.9", "0.99", "0", "1", "-1", "1.1", "NaN"])
                .to_owned(),
            false => self.scalar(1),
        };
        let buckets = match self.dice.below(5) {
            0 => "broken_bucket".to_owned(),
            1 => "latency_seconds_bucket".to_owned(),
            2 => format!("rate(latency_seconds_bucket[{}])", self.pick(DURATIONS)),
            3 => "sum by (le, job) (rate(latency_seconds_bucket[5m]))".to_owned(),
            _ => self.vector(depth - 1),
        };
        format!("histogram_quantile({phi}, {buckets})")
    }

    fn clamp(&mut self, depth: u64) -> String {
        let inner = self.vector(depth - 1);
        match self.dice.below(4) {
            0 => format!("clamp({inner}, {}, {})", self.scalar(0), self.scalar(0)),
            1 => format!("clamp_min({inner}, {})", self.scalar(1)),
            2 => format!("clamp_max({inner}, {})", self.scalar(1)),
            _ => format!("round({}, {})", self.vector(0), self.scalar(1)),
        }
    }
}
