//! Hosts and links.

use std::net::IpAddr;

use super::escape;
use super::value::Value;

pub(super) fn link(expression: &str, tab: u8) -> Value {
    Value::text(format!("/graph?g0.expr={}&g0.tab={tab}", escape::query(expression)))
}

pub(super) fn strip_port(text: &str) -> Value {
    Value::text(split(text).map_or(text, |(host, _)| host))
}

/// Up to the first dot, unless it is an address.
pub(super) fn strip_domain(text: &str) -> Value {
    let (host, port) = split(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return Value::text(text);
    }
    let short = host.split('.').next().unwrap_or_default();
    Value::text(match port {
        "" => short.to_owned(),
        _ if short.contains(':') => format!("[{short}]:{port}"),
        _ => format!("{short}:{port}"),
    })
}

/// `host:port` or `[host]:port`.
fn split(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    let (host, rest) = match host.strip_prefix('[') {
        Some(inside) => {
            let (inside, rest) = inside.split_once(']')?;
            (inside, rest)
        }
        None if host.contains(':') => return None,
        None => (host, ""),
    };
    let brackets = |text: &str| text.contains(['[', ']']);
    (rest.is_empty() && !brackets(host) && !brackets(port)).then_some((host, port))
}

/// The path of a URL, decoded.
pub(super) fn path(url: &str) -> String {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let start = after.find(['/', '?', '#']).unwrap_or(after.len());
    let path = after[start..].split(['?', '#']).next().unwrap_or_default();
    decoded(path)
}

fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
