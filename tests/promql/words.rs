//! Words that expressions are made of.

pub const SELECTORS: &[&str] = &[
    "http_requests_total",
    "http_requests_total{job=\"api\"}",
    "http_requests_total{code=~\"2..|5.*\", instance!=\"b:9100\"}",
    "http_requests_total{code!~\"4.+\", job=\"web\"}",
    "{__name__=~\"http_.*|up\", job=\"api\"}",
    "up",
    "up{job=\"web\"}",
    "disk_free_bytes",
    "disk_size_bytes{mountpoint=~\"/.*\"}",
    "temperature",
    "build_info",
    "rare",
    "same",
    "latency_seconds_bucket{job=\"api\"}",
    "latency_seconds_bucket",
    "latency_seconds_count",
    "broken_bucket",
    "special",
    "mixed",
    "flapping",
    "{\"größe.der platte\"}",
    "keywords{on=\"y\"}",
    "job:rate:5m",
    "many_labels",
    "dense",
    "once",
    "twice",
    "gone",
    "{__name__=~\"relay_.\"}",
    "dates",
    "process_start_time_seconds",
];

pub const COUNTERS: &[&str] = &[
    "http_requests_total",
    "http_requests_total{job=\"api\"}",
    "http_requests_total{code!=\"404\"}",
    "latency_seconds_bucket",
    "latency_seconds_count{job=\"web\"}",
    "latency_seconds_sum",
    "temperature",
    "flapping",
    "mixed",
    "rare",
    "dense",
    "twice",
    "special",
    "same",
    "{__name__=~\"relay_.\"}",
];

pub const LABELS: &[&str] = &[
    "job",
    "instance",
    "code",
    "le",
    "mountpoint",
    "l",
    "n",
    "kind",
    "zone",
    "version",
];
pub const DURATIONS: &[&str] = &["30s", "1m", "90s", "5m", "7m30s", "20m", "1h", "250ms", "61"];
pub const MOVES: &[&str] = &["1m", "5m", "30s", "-1m", "1h", "-17s"];
pub const NUMBERS: &[&str] = &[
    "0", "1", "2", "0.5", "-1", "1e3", "100", "0.95", "-0.5", "1.5", "NaN", "Inf", "3600", "1e-9", "0x1F", "1m", "08",
];

pub const AGGREGATORS: &[&str] = &["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];

pub const OVER: &[&str] = &[
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "deriv",
    "changes",
    "resets",
    "avg_over_time",
    "count_over_time",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "absent_over_time",
];

pub const FUNCTIONS: &[&str] = &[
    "abs",
    "absent",
    "deg",
    "rad",
    "sort",
    "sort_desc",
    "sqrt",
    "timestamp",
    "-",
    "+",
];

/// They make a last digit the first one. Prometheus adds up in another order each time, but for what comes right from the store.
pub const STEPS: &[&str] = &["ceil", "floor", "sgn", "round"];

/// Their last digits differ from a library of mathematics to another, and a difference of two makes them the first ones: so
/// they are asked last of all.
pub const TRANSCENDENTAL: &[&str] = &[
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "ln", "log10", "log2", "sin", "tan", "tanh",
];

/// Of what is surely a time; of other numbers Go leaves it to the processor.
pub const DATES: &[&str] = &[
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "year",
];

pub const TIMES: &[&str] = &[
    "dates",
    "vector(time())",
    "timestamp(up)",
    "disk_size_bytes",
    "http_requests_total * 1e5",
    "-dates",
    "keywords",
    "",
];
