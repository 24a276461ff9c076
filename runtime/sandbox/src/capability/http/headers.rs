//! Which headers a plugin may send: none that makes a server see another request than the host
//! checked, and with an effect none that nobody approved.
//!
//! Names are compared as CGI, WSGI and Rack pass them on, with `_` for `-`.

use super::target::is_token;

/// Headers of a request.
const HEADERS: usize = 64;
/// All names and values of them.
const HEADERS_BYTES: usize = 32 << 10;
/// Headers about the connection: the host writes its own in their place.
const STRIPPED: [&str; 9] = [
    "host",
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers that make servers take the request for one with another method, path, host or sender.
const REWRITING: [&str; 6] = [
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-host",
    "x-method",
    "x-real-ip",
];
/// The same, by the beginnings of their names.
const REWRITING_PREFIXES: [&str; 6] = [
    "x-forwarded",
    "x-http-host",
    "x-http-method",
    "x-method-",
    "x-original-",
    "x-rewrite-",
];
/// What an effect may carry although nobody approves it: how its body and its answer are
/// written, who asks, conditions that it is made on, and marks to find it again.
const WITH_EFFECT: [&str; 14] = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "private-token",
    "traceparent",
    "user-agent",
    "x-api-key",
    "x-redmine-api-key",
    "x-request-id",
];

/// Whether they may be sent at all.
pub fn check(headers: &[(String, String)]) -> Result<(), String> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > HEADERS || bytes > HEADERS_BYTES {
        return Err(format!(
            "a request has at most {HEADERS} headers of {} KiB together",
            HEADERS_BYTES >> 10
        ));
    }
    headers.iter().try_for_each(|(name, value)| {
        plain(name, value)?;
        if rewrites(name) {
            return Err(format!(
                "the header `{name}` can make a server take the request for another one"
            ));
        }
        Ok(())
    })
}

/// Whether they may be sent with a request that changes something: they are neither in its
/// subject nor in its content.
pub fn check_effect(headers: &[(String, String)]) -> Result<(), String> {
    match headers.iter().find(|(name, _)| !goes_with_effect(name)) {
        None => Ok(()),
        Some((name, _)) => Err(format!(
            "the header `{name}` may change what a request does, and no approval covers it: with an effect go \
             `accept-*` and {}",
            WITH_EFFECT.map(|name| format!("`{name}`")).join(", ")
        )),
    }
}

/// Those that are the plugin's.
pub fn sent(headers: Vec<(String, String)>) -> Vec<(String, String)> {
    headers.into_iter().filter(|(name, _)| !stripped(name)).collect()
}

fn plain(name: &str, value: &str) -> Result<(), String> {
    let name_is_plain = !name.is_empty() && name.bytes().all(is_token);
    let value_is_plain = value
        .bytes()
        .all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
    if name_is_plain && value_is_plain {
        return Ok(());
    }
    Err(format!(
        "the header `{}` holds characters that no header may hold",
        name.escape_debug()
    ))
}

fn stripped(name: &str) -> bool {
    let name = folded(name);
    STRIPPED.contains(&name.as_str()) || name.starts_with("proxy-")
}

fn rewrites(name: &str) -> bool {
    let name = folded(name);
    REWRITING.contains(&name.as_str()) || REWRITING_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Those that are stripped do nothing, so they may be there.
fn goes_with_effect(name: &str) -> bool {
    let is_listed = |name: &str| WITH_EFFECT.contains(&name) || name.starts_with("accept-");
    stripped(name) || is_listed(&name.to_ascii_lowercase())
}

fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn headers_about_the_connection_are_the_hosts() {
        let own = ["Authorization", "Accept", "X-Token"];
        let stripped = [
            "Host",
            "HOST",
            "Connection",
            "Proxy-Authorization",
            "Transfer-Encoding",
            "transfer_encoding",
            "TE",
        ];
        let all: Vec<(&str, &str)> = own.iter().chain(&stripped).map(|name| (*name, "v")).collect();
        assert_eq!(check(&headers(&all)), Ok(()));
        let sent = sent(headers(&all));
        assert_eq!(sent.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), own);
    }

    #[test]
    fn headers_that_override_method_path_or_sender_are_denied_by_name() {
        for name in [
            "X-HTTP-Method-Override",
            "X_HTTP_Method_Override",
            "x-http-method",
            "X-Method-Override",
            "X-Method",
            "X-Original-Method",
            "X-Original-URL",
            "X-Rewrite-URL",
            "Forwarded",
            "X-Forwarded-For",
            "x_forwarded_host",
            "X-Forwarded-Prefix",
            "X-Real-IP",
        ] {
            assert_eq!(
                check(&headers(&[("accept", "*/*"), (name, "DELETE")])),
                Err(format!(
                    "the header `{name}` can make a server take the request for another one"
                ))
            );
        }
    }

    #[test]
    fn an_effect_carries_no_header_that_nobody_approved() {
        let usual = [
            ("Content-Type", "application/json"),
            ("Accept-Language", "zh"),
            ("Authorization", "Bearer t"),
            ("If-Match", "1"),
            ("Idempotency-Key", "7"),
            ("X-Redmine-API-Key", "k"),
            ("Host", "stripped"),
        ];
        assert_eq!(check_effect(&headers(&usual)), Ok(()));
        for name in [
            "X-Redmine-Switch-User",
            "Destination",
            "X-Anything",
            "Cookie",
            "content_type",
        ] {
            let words = check_effect(&headers(&[("accept", "*/*"), (name, "v")])).unwrap_err();
            assert!(words.starts_with(&format!("the header `{name}` may change")), "{words}");
        }
    }

    #[test]
    fn headers_that_carry_line_breaks_are_refused() {
        assert_eq!(check(&headers(&[("accept", "*/*"), ("x-a", "é")])), Ok(()));
        assert!(check(&headers(&[("a", "b\r\nHost: evil")])).is_err());
        assert!(check(&headers(&[("a: b\r\nc", "d")])).is_err());
        assert!(check(&headers(&[("", "d")])).is_err());
        assert!(check(&headers(&[("a", "b"); 65])).is_err());
        assert!(check(&headers(&[("a", &"b".repeat(40_000))])).is_err());
    }
}
