//! Where evenkeel's answer differs from Prometheus's on purpose. docs/operators.md says the same.

const NATIVE: &str = "native histograms are refused by name, at check time; Prometheus finds nothing in other series";
const DATE: &str =
    "Go leaves it to the processor what whole number NaN, or one past 64 bits, is; here such a time has no date";
const BYTES: &str = "a string that is no UTF-8 can be no label here; Prometheus's JSON replaces its bytes";

/// What the expression has in it, and why the answers differ.
pub const ON_PURPOSE: [(&str, &str); 14] = [
    ("histogram_avg(", NATIVE),
    ("histogram_count(", NATIVE),
    ("histogram_fraction(", NATIVE),
    ("histogram_stddev(", NATIVE),
    ("histogram_stdvar(", NATIVE),
    ("histogram_sum(", NATIVE),
    ("year(special)", DATE),
    ("month(special)", DATE),
    ("hour(special)", DATE),
    ("\\xff", BYTES),
    ("\\377", BYTES),
    (
        "((\"a\"))",
        "Prometheus fails at a string within two pairs of brackets, at one time but not over a range",
    ),
    (
        "\"NaN\", \"le\"",
        "a bucket up to NaN has no place; Prometheus leaves it where its sorting happens to pass it",
    ),
    (
        "ln(vector(5e-324))",
        "Go's logarithm on amd64 is wrong for numbers below 2.2e-308",
    ),
];

pub fn is_on_purpose(expression: &str) -> bool {
    ON_PURPOSE.iter().any(|(part, _)| expression.contains(part))
}
