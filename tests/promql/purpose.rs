//! Where evenkeel's answer differs from Prometheus's on purpose.

/// What the expression has in it, and why the answers may differ.
pub const ON_PURPOSE: &[(&str, &str)] = &[];

pub fn is_on_purpose(expression: &str) -> bool {
    ON_PURPOSE.iter().any(|(part, _)| expression.contains(part))
}
