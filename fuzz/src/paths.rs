//! Paths of files and of requests: what is accepted stays where the operator put it.

use std::path::{Component, Path};

use crate::{subject, target};

pub fn try_one(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if subject::plain(&text).is_ok() {
        below_its_root(&text);
    }
    if target::path(&text).is_ok() {
        below_its_base(&text);
    }
}

/// It names something below the root, and there is no other way to write it.
fn below_its_root(path: &str) {
    let joined = Path::new("/root").join(path);
    let below = joined.strip_prefix("/root").expect("it stays below");
    let names: Vec<&str> = below
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str().expect("it was text"),
            other => panic!("{other:?} in {path:?}"),
        })
        .collect();
    assert!(!names.is_empty(), "{path:?}");
    assert_eq!(names.join("/"), path);
    assert!(!path.contains('\0'), "{path:?}");
}

/// However often a server decodes it, whatever it takes for a slash and wherever it ends a name.
fn below_its_base(path: &str) {
    assert!(path.starts_with('/') && path.is_ascii(), "{path:?}");
    assert!(
        !path.bytes().any(|byte| byte.is_ascii_control() || byte == b' '),
        "{path:?}"
    );
    let base = target::Target::of("http://app.example/base/").expect("an origin");
    let joined = base.join(path);
    assert!(joined.starts_with("/base/"), "{joined:?}");
    let mut before_query = path.split('?').next().unwrap_or_default().as_bytes().to_vec();
    for _ in 0..4 {
        let mut depth = 0;
        for name in before_query.split(|byte| matches!(byte, b'/' | b'\\')) {
            let name = name.split(|byte| *byte == b';').next().unwrap_or_default();
            depth += match name {
                b".." => -1,
                b"" | b"." => 0,
                _ => 1,
            };
            assert!(depth >= 0, "{path:?} climbs");
        }
        before_query = decoded(&before_query);
    }
}

/// Each `%xx` replaced once.
fn decoded(text: &[u8]) -> Vec<u8> {
    let hex = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut decoded, mut at) = (Vec::new(), 0);
    while at < text.len() {
        match (text[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).expect("two digits"));
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}
