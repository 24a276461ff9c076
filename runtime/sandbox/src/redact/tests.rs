use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn redactor(values: &[&str]) -> Redactor {
    let redactor = Redactor::default();
    values
        .iter()
        .for_each(|value| redactor.add(&secret::Value::new(*value)));
    redactor
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Some of the characters as `%XX`, in either case of the digits.
fn percent(text: &str, mix: &[bool]) -> String {
    let encoded = text
        .bytes()
        .zip(mix.iter().cycle())
        .map(|(byte, encode)| match (byte, encode) {
            (byte, true) if byte % 2 == 0 => format!("%{byte:02X}"),
            (byte, true) => format!("%{byte:02x}"),
            (b'%', false) => "%25".to_owned(),
            (byte, false) if byte.is_ascii() => char::from(byte).to_string(),
            (byte, false) => format!("%{byte:02X}"),
        });
    encoded.collect()
}

/// All that a plugin may make of it that is promised to be found.
fn spellings(value: &str, mix: &[bool]) -> Vec<String> {
    let mut spellings = vec![
        value.to_owned(),
        hex(value.as_bytes()),
        hex(value.as_bytes()).to_uppercase(),
        percent(value, mix),
        percent(&percent(value, mix), mix),
        json!(value).to_string(),
        json!(json!(value).to_string()).to_string(),
        value
            .chars()
            .map(|letter| format!("\\u{:04x}", u32::from(letter)))
            .collect(),
    ];
    for lead in ["", "a", "ab"] {
        for tail in ["", "c", "cd"] {
            let text = format!("{lead}{value}{tail}");
            spellings.push(STANDARD.encode(&text));
            spellings.push(STANDARD_NO_PAD.encode(&text));
            spellings.push(URL_SAFE.encode(&text));
            spellings.push(URL_SAFE_NO_PAD.encode(&text));
            spellings.push(percent(&STANDARD.encode(&text), &[true]));
        }
    }
    spellings
}

/// What a spelling has beside the value: quotes, or what was encoded along with it.
fn beside(number: usize) -> usize {
    match number {
        0..5 | 7 => 0,
        5..7 => 6,
        _ => 24,
    }
}

/// Whether it is still there in one of its forms.
fn survives(value: &str, shown: &str) -> bool {
    let forms = [value.to_owned(), hex(value.as_bytes()), STANDARD_NO_PAD.encode(value)];
    let shown = shown.to_lowercase();
    forms.iter().any(|form| shown.contains(&form.to_lowercase()))
}

proptest! {
    #[test]
    fn nothing_of_a_value_survives_whatever_it_is_written_as(
        value in "[!-~é]{6,40}",
        before in "[g-z ]{0,20}",
        after in "[g-z ]{0,20}",
        mix in proptest::collection::vec(any::<bool>(), 1..8),
    ) {
        let redactor = redactor(&[&value]);
        for (number, spelling) in spellings(&value, &mix).into_iter().enumerate() {
            let text = format!("{before} {spelling} {after}");
            let shown = redactor.text(&text);
            prop_assert!(shown.contains(STARS), "{spelling}");
            prop_assert!(!survives(&value, &shown), "{spelling}: {shown}");
            prop_assert!(!shown.contains(&spelling), "{spelling}: {shown}");
            prop_assert!(shown.starts_with(&before) && shown.ends_with(&after), "{spelling}: {shown}");
            let (left, right) = shown[before.len()..shown.len() - after.len()].split_once(STARS).unwrap();
            prop_assert!(left.len() + right.len() <= beside(number) + 2, "{spelling}: {shown}");
        }
    }

    #[test]
    fn it_is_found_over_the_end_of_a_text(
        value in "[!-~]{6,40}",
        at in any::<prop::sample::Index>(),
        which in any::<prop::sample::Index>(),
    ) {
        let redactor = redactor(&[&value]);
        let all = spellings(&value, &[true, false]);
        let number = which.index(all.len());
        let spelling = &all[number];
        let at = (0..=at.index(spelling.len())).rev().find(|at| spelling.is_char_boundary(*at)).unwrap();
        let cover = redactor.cover(&[&spelling[..at], &spelling[at..], "."]).unwrap();
        let left: usize = [&spelling[..at], &spelling[at..]]
            .iter()
            .zip(&cover.ranges)
            .map(|(text, ranges)| text.len() - ranges.iter().map(ExactSizeIterator::len).sum::<usize>())
            .sum();
        prop_assert!(left <= beside(number), "{spelling}: {left} bytes are left");
    }

    #[test]
    fn what_is_held_back_is_all_that_may_go_on(value in "[!-~]{6,20}", at in 1_usize..6) {
        let redactor = redactor(&[&value]);
        let cover = redactor.cover(&[".", &value[..at]]).unwrap();
        let (text, from) = cover.open.unwrap();
        prop_assert!((text, from) <= (1, 0), "it begins there, or before");
    }

    #[test]
    fn a_text_without_secrets_is_untouched(text in "[ -~é]{0,200}", value in "[!-~]{20,40}") {
        let redactor = redactor(&[&value]);
        prop_assert_eq!(redactor.text(&text), text.as_str());
        let mut document = json!({ "a": [text, 1, null], "b": STANDARD.encode(&text) });
        let before = document.clone();
        prop_assert!(!redactor.json(&mut document));
        prop_assert_eq!(document, before);
    }
}

#[test]
fn several_lines_are_found_one_by_one() {
    let key = format!(
        "-----BEGIN KEY-----\n{}\n{}\n-----END KEY-----",
        "A1b2".repeat(16),
        "C3d4".repeat(16)
    );
    let redactor = redactor(&[&key]);
    assert_eq!(
        redactor.text(&format!("it is {} there", "C3d4".repeat(16))),
        "it is *** there"
    );
    assert_eq!(redactor.text(&format!("<{key}>")), "<***>");
}

#[test]
fn a_long_value_is_found_in_pieces_and_as_a_whole() {
    let value: String = (0..60_000_u32)
        .map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 26))
        .collect();
    let redactor = redactor(&[&value]);
    assert_eq!(redactor.text(&format!("<{value}>")), "<***>");
    assert_eq!(redactor.text(&hex(value.as_bytes())), "***");
    assert!(!redactor.text(&value[100..2_000]).contains(&value[512..1_024]));
}

#[test]
fn bytes_keep_their_length_and_are_found_in_documents() {
    let redactor = redactor(&["hunter22"]);
    assert_eq!(redactor.bytes(b"\xff hunter22 \x00").unwrap(), b"\xff ******** \x00");
    let mut document = json!({ "body": STANDARD.encode("x=hunter22"), "hunter22": ["hunter22"], "n": 1 });
    assert!(redactor.json(&mut document));
    assert_eq!(
        document,
        json!({ "body": STANDARD.encode("x=********"), "***": ["***"], "n": 1 })
    );
}

#[test]
fn a_text_that_was_cut_within_a_secret_ends_before_it() {
    let redactor = redactor(&["hunter22"]);
    assert_eq!(redactor.cut("it is hunt"), "it is ***");
    assert_eq!(redactor.cut("it is not"), "it is not");
}

#[test]
fn without_a_secret_nothing_is_copied() {
    let redactor = Redactor::default();
    assert!(matches!(redactor.text("hunter22"), Cow::Borrowed(_)));
    assert!(redactor.bytes(b"hunter22").is_none() && redactor.cover(&["hunter22"]).is_none());
}
