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
        "exp(vector(709.5))",
        "Go's exponential on amd64 is infinite a little before it should be",
    ),
    (
        "ln(vector(5e-324))",
        "Go's logarithm on amd64 is wrong for numbers below 2.2e-308",
    ),
];

/// The part of the expression for which its answers may differ.
pub fn on_purpose(expression: &str) -> Option<&'static str> {
    let mut parts = ON_PURPOSE.iter().map(|(part, _)| *part);
    parts.find(|part| expression.contains(part))
}
