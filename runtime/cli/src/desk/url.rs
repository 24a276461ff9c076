//! Parts of addresses of the daemon's API.

use evenkeel_engine::port::RunFilter;

pub fn query(filter: &RunFilter) -> String {
    let text = |value: &dyn std::fmt::Display| encode(&value.to_string());
    let pairs = [
        ("runbook", filter.runbook.as_ref().map(|name| text(name))),
        ("target", filter.target.as_ref().map(|name| text(name))),
        ("customer", filter.customer.as_ref().map(|name| text(name))),
        ("verdict", filter.verdict.map(|verdict| text(&verdict))),
        ("round", filter.round.map(|round| text(&round))),
        ("before", filter.before.map(|run| text(&run))),
        ("limit", Some(text(&filter.limit))),
    ];
    let pairs = pairs
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Percent-encodes all but letters, digits, `-`, `.`, `_` and `~` (RFC 3986, section 2.3).
pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
