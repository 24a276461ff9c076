//! Which functions there are, what they take, and which ones are left to a Prometheus.

use super::ast::{Aggregator, Type};

/// Types of the arguments, and how many of them must be there.
pub(super) struct Signature {
    pub name: &'static str,
    pub takes: &'static [Type],
    pub at_least: usize,
    /// The last argument may be there any number of times.
    pub repeats: bool,
}

use Type::{Matrix, Scalar, Text, Vector};

/// Of one instant vector.
const OF_VECTOR: &[&str] = &[
    "abs",
    "absent",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "deg",
    "exp",
    "floor",
    "ln",
    "log10",
    "log2",
    "rad",
    "scalar",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_desc",
    "sqrt",
    "tan",
    "tanh",
    "timestamp",
];

/// Of an instant vector, or of the time of the evaluation.
const OF_DATE: &[&str] = &[
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "year",
];

/// Of one range vector.
const OF_RANGE: &[&str] = &[
    "absent_over_time",
    "avg_over_time",
    "changes",
    "count_over_time",
    "delta",
    "deriv",
    "idelta",
    "increase",
    "irate",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "rate",
    "resets",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
];

const OTHERS: &[Signature] = &[
    Signature {
        name: "clamp",
        takes: &[Vector, Scalar, Scalar],
        at_least: 3,
        repeats: false,
    },
    Signature {
        name: "clamp_max",
        takes: &[Vector, Scalar],
        at_least: 2,
        repeats: false,
    },
    Signature {
        name: "clamp_min",
        takes: &[Vector, Scalar],
        at_least: 2,
        repeats: false,
    },
    Signature {
        name: "histogram_quantile",
        takes: &[Scalar, Vector],
        at_least: 2,
        repeats: false,
    },
    Signature {
        name: "label_join",
        takes: &[Vector, Text, Text, Text],
        at_least: 3,
        repeats: true,
    },
    Signature {
        name: "label_replace",
        takes: &[Vector, Text, Text, Text, Text],
        at_least: 5,
        repeats: false,
    },
    Signature {
        name: "pi",
        takes: &[],
        at_least: 0,
        repeats: false,
    },
    Signature {
        name: "predict_linear",
        takes: &[Matrix, Scalar],
        at_least: 2,
        repeats: false,
    },
    Signature {
        name: "quantile_over_time",
        takes: &[Scalar, Matrix],
        at_least: 2,
        repeats: false,
    },
    Signature {
        name: "round",
        takes: &[Vector, Scalar],
        at_least: 1,
        repeats: false,
    },
    Signature {
        name: "time",
        takes: &[],
        at_least: 0,
        repeats: false,
    },
    Signature {
        name: "vector",
        takes: &[Scalar],
        at_least: 1,
        repeats: false,
    },
];

/// What Prometheus calls experimental, or needs native histograms.
const REFUSED: &[(&str, &str)] = &[
    ("double_exponential_smoothing", "experimental"),
    ("first_over_time", "experimental"),
    ("histogram_avg", "of native histograms"),
    ("histogram_count", "of native histograms"),
    ("histogram_fraction", "of native histograms"),
    ("histogram_stddev", "of native histograms"),
    ("histogram_stdvar", "of native histograms"),
    ("histogram_sum", "of native histograms"),
    (
        "holt_winters",
        "experimental, and called `double_exponential_smoothing` since Prometheus 3",
    ),
    ("info", "experimental"),
    ("limit_ratio", "experimental"),
    ("limitk", "experimental"),
    ("mad_over_time", "experimental"),
    ("sort_by_label", "experimental"),
    ("sort_by_label_desc", "experimental"),
    ("ts_of_first_over_time", "experimental"),
    ("ts_of_last_over_time", "experimental"),
    ("ts_of_max_over_time", "experimental"),
    ("ts_of_min_over_time", "experimental"),
    ("fill", "experimental"),
    ("fill_left", "experimental"),
    ("fill_right", "experimental"),
];

pub(super) fn signature(name: &str) -> Option<Signature> {
    let listed = |list: &'static [&'static str], takes, at_least| {
        let name = list.iter().find(|listed| **listed == name)?;
        Some(Signature {
            name,
            takes,
            at_least,
            repeats: false,
        })
    };
    listed(OF_VECTOR, &[Vector], 1)
        .or_else(|| listed(OF_DATE, &[Vector], 0))
        .or_else(|| listed(OF_RANGE, &[Matrix], 1))
        .or_else(|| {
            let found = OTHERS.iter().find(|other| other.name == name)?;
            Some(Signature { ..*found })
        })
}

/// Why a name that Prometheus may know is refused here.
pub(super) fn refused(name: &str) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(refused, _)| *refused == name)
        .map(|(_, why)| *why)
}

pub(super) fn returns(name: &str) -> Type {
    match name {
        "pi" | "scalar" | "time" => Scalar,
        _ => Vector,
    }
}

pub(super) fn aggregator(lower: &str) -> Option<Aggregator> {
    Some(match lower {
        "sum" => Aggregator::Sum,
        "avg" => Aggregator::Avg,
        "min" => Aggregator::Min,
        "max" => Aggregator::Max,
        "count" => Aggregator::Count,
        "group" => Aggregator::Group,
        "stddev" => Aggregator::Stddev,
        "stdvar" => Aggregator::Stdvar,
        "topk" => Aggregator::Topk,
        "bottomk" => Aggregator::Bottomk,
        "quantile" => Aggregator::Quantile,
        "count_values" => Aggregator::CountValues,
        _ => return None,
    })
}
