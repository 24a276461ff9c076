//! Where a request goes: the origin is the operator's, only the path below it is the plugin's.

use evenkeel_model::role::Origin;
use hyper::Uri;

/// Of a path with its query, in bytes.
const PATH_BYTES: usize = 8 << 10;
/// Times that servers on the way may decode a path. One that is not plain then is refused.
const DECODINGS: usize = 5;

/// An origin's URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub tls: bool,
    /// Without brackets.
    pub host: String,
    pub port: u16,
    /// As the `Host` header has it.
    pub authority: String,
    /// Without a slash at its end.
    base: String,
}

impl Target {
    pub fn of(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("the origin's `url`, `{url}`, {why}");
        let uri: Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
        let (tls, default) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(wrong("begins neither with `http://` nor with `https://`")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?.as_str();
        if authority.contains('@') {
            return Err(wrong("holds a user; give the header instead"));
        }
        if uri.query().is_some() {
            return Err(wrong("holds a query"));
        }
        let host = uri.host().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Ok(Self {
            tls,
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(default),
            authority: authority.to_owned(),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The path below the base.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// Whether the path stays what the operator's origin, base path and read-only marks are about.
pub fn path(path: &str) -> Result<(), String> {
    let shown: String = path.chars().take(100).flat_map(char::escape_debug).collect();
    let wrong = |why: &str| Err(format!("the path `{shown}` {why}"));
    if path.len() > PATH_BYTES {
        return wrong("is too long");
    }
    if !path.starts_with('/') {
        return wrong("does not begin with a slash");
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("holds a character that must be percent-encoded");
    }
    if path.contains(['#', '\\']) {
        return wrong("holds a `#` or a backslash");
    }
    let before_query = path.split('?').next().unwrap_or(path);
    if before_query.contains("//") {
        return wrong("holds `//`");
    }
    if climbs(before_query) {
        return wrong("holds `.` or `..` as a name, or is percent-encoded over and over");
    }
    Ok(())
}

/// An upper-case method that carries a request and nothing else.
pub fn method(method: &str) -> Result<(), String> {
    let plain = !method.is_empty() && method.len() <= 20 && method.bytes().all(|byte| byte.is_ascii_uppercase());
    if plain && !matches!(method, "CONNECT" | "TRACE") {
        return Ok(());
    }
    Err(format!("`{}` is not a method that may be used", method.escape_debug()))
}

/// Whether such a request changes nothing: GET, HEAD, and what the operator marked.
pub fn read_only(origin: &Origin, method: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    let marked = |mark: &String| match mark.split_once(' ') {
        Some((marked, prefix)) if marked == method => match prefix.strip_suffix('*') {
            Some(prefix) => prefix.ends_with('/') && path.len() > prefix.len() && path.starts_with(prefix),
            None => path == prefix,
        },
        _ => false,
    };
    matches!(method, "GET" | "HEAD") || origin.read_only.iter().any(marked)
}

/// As RFC 9110 has it: what names of headers are made of.
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A server, or a proxy before it, may decode once more than the next one, and some leave out
/// what comes behind a `;` in a name (RFC 3986, 3.3) before they look at the dots.
fn climbs(path: &str) -> bool {
    let mut path = path.as_bytes().to_vec();
    for _ in 0..=DECODINGS {
        if has_dots(&path) {
            return true;
        }
        let decoded = decoded(&path);
        if decoded == path {
            return false;
        }
        path = decoded;
    }
    true
}

fn has_dots(path: &[u8]) -> bool {
    path.split(|byte| matches!(byte, b'/' | b'\\'))
        .map(|name| name.split(|byte| *byte == b';').next().unwrap_or(name))
        .any(|name| matches!(name, b"." | b".."))
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let byte = match after {
            [high, low, ..] if first == b'%' => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        decoded.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    decoded
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_model::action::Risk;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = Target::of("https://redmine.example:8443/app/").unwrap();
        assert_eq!(
            (target.tls, target.host.as_str(), target.port),
            (true, "redmine.example", 8443)
        );
        assert_eq!(target.join("/issues.json?limit=1"), "/app/issues.json?limit=1");
        assert_eq!(Target::of("http://[::1]/").unwrap().host, "::1");
        assert_eq!(Target::of("http://10.0.0.1:3000").unwrap().join("/x"), "/x");
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "app",
            "ftp://x/",
            "http://user:word@x/",
            "http://x/?a=b",
            "/path",
            "http://",
        ] {
            assert!(Target::of(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_path_stays_on_its_origin_and_below_its_base() {
        for plain in [
            "/",
            "/a/b?next=//evil/../x",
            "/a.b/..c",
            "/%41",
            "/a:b@c",
            "/a;v=1/b",
            "/100%25",
        ] {
            assert_eq!(path(plain), Ok(()), "{plain}");
        }
        for evil in [
            "",
            "a",
            "http://evil/",
            "//evil/",
            "/a//b",
            "/..",
            "/a/../b",
            "/a/./b",
            "/%2e%2e/b",
            "/.%2E/b",
            "/a%2f..%2fb",
            "/%252e%252e/b",
            "/%25252e%25252e/b",
            "/%2525252525252e/b",
            "/a/..;/b",
            "/a/..;x=1/b",
            "/a/.;/b",
            "/a/..%3b/b",
            "/a/%2e%2e%3Bx/b",
            "/a/%252e%252e%253b/b",
            "/a/..;",
            "/a\\..\\b",
            "/a\r\nHost: evil",
            "/a b",
            "/a#b",
            "/é",
            "/a%5c..%5cb",
        ] {
            assert!(path(evil).is_err(), "{evil:?}");
        }
    }

    #[test]
    fn methods_are_words_in_capitals() {
        assert_eq!(method("PROPFIND"), Ok(()));
        for evil in ["", "get", "CONNECT", "TRACE", "GET /x HTTP/1.1\r\n", "G-T"] {
            assert!(method(evil).is_err(), "{evil:?}");
        }
    }

    #[test]
    fn only_marked_paths_are_read_only() {
        let origin = Origin {
            url: String::new(),
            allow: Vec::new(),
            read_only: vec!["POST /search".into(), "POST /q/*".into(), "POST /bad*".into()],
            private: false,
            ca: None,
            risk: Risk::Low,
            timeout: Duration::ZERO,
        };
        for (method, path, expected) in [
            ("GET", "/x", true),
            ("HEAD", "/x", true),
            ("POST", "/search", true),
            ("POST", "/search?x=1", true),
            ("POST", "/search/all", false),
            ("POST", "/q/a/b", true),
            ("POST", "/q", false),
            ("POST", "/q/", false),
            ("PUT", "/search", false),
            ("POST", "/badly", false),
        ] {
            assert_eq!(read_only(&origin, method, path), expected, "{method} {path}");
        }
    }

    proptest! {
        #[test]
        fn no_accepted_path_climbs_however_often_it_is_decoded(text in "/[a./%2eEfF5c;3bB]{0,16}") {
            if path(&text).is_ok() {
                let mut bytes = text.into_bytes();
                for _ in 0..3 {
                    let names: Vec<&[u8]> = bytes
                        .split(|byte| *byte == b'/')
                        .map(|name| name.split(|byte| *byte == b';').next().unwrap())
                        .collect();
                    prop_assert!(!names.iter().any(|name| *name == b".." || *name == b"."));
                    bytes = decoded(&bytes);
                }
            }
        }
    }
}
