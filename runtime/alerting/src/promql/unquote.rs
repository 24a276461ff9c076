//! Strings as PromQL writes them, which is Go's way: `"…"` and `'…'` with escapes, and raw between backticks.

/// What is wrong, and the byte of the quoted text where.
pub(crate) type Wrong = (usize, String);

/// What stands between the quotes.
pub(crate) fn unquote(quoted: &str) -> Result<String, Wrong> {
    String::from_utf8(bytes(quoted)?).map_err(|_| (0, "its bytes are no UTF-8".to_owned()))
}

/// The same, whether or not it is UTF-8.
pub(crate) fn bytes(quoted: &str) -> Result<Vec<u8>, Wrong> {
    let quote = quoted.chars().next().unwrap_or_default();
    let inner = quoted
        .get(1..quoted.len().max(2) - 1)
        .filter(|_| quoted.len() >= 2 && matches!(quote, '"' | '\'' | '`') && quoted.ends_with(quote))
        .ok_or_else(|| (0, "a string without an end".to_owned()))?;
    if quote == '`' {
        return Ok(inner.as_bytes().to_vec());
    }
    let (mut bytes, mut at) = (Vec::with_capacity(inner.len()), 0);
    while let Some(c) = inner[at..].chars().next() {
        let wrong = |message: &str| (at + 1, message.to_owned());
        match c {
            '\n' => return Err(wrong("a string without an end")),
            c if c == quote => return Err(wrong("a quote within its own quotes")),
            '\\' => at += escape(&inner[at..], quote, &mut bytes).map_err(|message| wrong(&message))?,
            c => {
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                at += c.len_utf8();
            }
        }
    }
    Ok(bytes)
}

/// Adds what the escape at the beginning stands for; how long it is.
fn escape(text: &str, quote: char, into: &mut Vec<u8>) -> Result<usize, String> {
    let kind = text[1..].chars().next().ok_or("an escape without an end")?;
    let single = match kind {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' => Some(b'\\'),
        c if c == quote => Some(quote as u8),
        _ => None,
    };
    if let Some(byte) = single {
        into.push(byte);
        return Ok(2);
    }
    let (skip, digits, radix) = match kind {
        'x' => (2, 2, 16),
        'u' => (2, 4, 16),
        'U' => (2, 8, 16),
        '0'..='7' => (1, 3, 8),
        kind => return Err(format!("`\\{kind}` is no escape here")),
    };
    let number = text
        .get(skip..skip + digits)
        .filter(|number| number.chars().all(|c| c.is_digit(radix)))
        .and_then(|number| u32::from_str_radix(number, radix).ok())
        .ok_or_else(|| format!("`\\{kind}` wants {digits} digits"))?;
    match kind {
        'u' | 'U' => {
            let c = char::from_u32(number).ok_or("no character has this number")?;
            into.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        _ => into.push(u8::try_from(number).map_err(|_| "a byte is at most `\\377`")?),
    }
    Ok(skip + digits)
}

#[cfg(test)]
mod tests {
    use super::unquote;

    #[test]
    fn escapes_are_go_s() {
        for (quoted, read) in [
            (r#""a\tb\n\\\"""#, "a\tb\n\\\""),
            (r"'\''", "'"),
            (r#""\u00e9\U0001F600\303\251\xc3\xa9""#, "é😀éé"),
            (r"`\n`", r"\n"),
            ("\"é\"", "é"),
            ("''", ""),
        ] {
            assert_eq!(unquote(quoted).as_deref(), Ok(read), "{quoted}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused_with_its_place() {
        for (quoted, at) in [
            (r#""\'""#, 1),
            (r#"'a\"'"#, 2),
            (r#""\xff""#, 0),
            (r#""\400""#, 1),
            (r#""\ud800""#, 1),
            (r#""\x1""#, 1),
            ("\"a\nb\"", 2),
            ("\"a", 0),
            ("\"", 0),
            ("", 0),
        ] {
            assert_eq!(unquote(quoted).map_err(|(at, _)| at), Err(at), "{quoted}");
        }
    }
}
