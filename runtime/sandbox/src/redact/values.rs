//! The forms of a value that are looked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Of a piece. A longer line of a value is looked for in pieces.
const PIECE: usize = 512;
/// Shorter lines are no secret of their own.
const LINE: usize = 6;

/// One form; what it is found in shall go with this many characters around it, which hold some of
/// its bits.
pub struct Form {
    pub bytes: Vec<u8>,
    pub before: usize,
    pub after: usize,
}

/// All forms of a value, escaping aside.
pub fn forms(value: &str) -> Vec<Form> {
    pieces(value).into_iter().flat_map(encoded).collect()
}

/// The whole, or if that is long or of several lines, what it is made of.
fn pieces(value: &str) -> Vec<&[u8]> {
    let bytes = value.as_bytes();
    let mut pieces = Vec::new();
    if bytes.len() <= PIECE {
        pieces.push(bytes);
    }
    let lines: Vec<&[u8]> = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).collect();
    if lines.len() > 1 || pieces.is_empty() {
        let long_enough = lines.into_iter().filter(|line| line.len() >= LINE);
        long_enough.for_each(|line| pieces.extend(cut(line)));
    }
    if pieces.is_empty() {
        pieces.extend(cut(bytes));
    }
    pieces
}

/// None of them is short: the last may be longer instead.
fn cut(line: &[u8]) -> Vec<&[u8]> {
    let many = (line.len() / PIECE).max(1);
    let piece = |number: usize| {
        let end = if number + 1 == many {
            line.len()
        } else {
            (number + 1) * PIECE
        };
        &line[number * PIECE..end]
    };
    (0..many).map(piece).collect()
}

fn encoded(piece: &[u8]) -> Vec<Form> {
    let whole = |bytes: Vec<u8>| Form {
        bytes,
        before: 0,
        after: 0,
    };
    let hex = piece.iter().flat_map(|byte| format!("{byte:02x}").into_bytes());
    let mut forms = vec![whole(piece.to_vec()), whole(hex.collect())];
    if piece.contains(&b' ') {
        // As forms of web pages are sent.
        forms.push(whole(
            piece
                .iter()
                .map(|byte| if *byte == b' ' { b'+' } else { *byte })
                .collect(),
        ));
    }
    for lead in 0..3 {
        let form = base64(piece, lead);
        let url_safe = form.bytes.iter().map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        });
        let url_safe: Vec<u8> = url_safe.collect();
        if url_safe != form.bytes {
            forms.push(Form {
                bytes: url_safe,
                ..form
            });
        }
        forms.push(form);
    }
    forms
}

/// What is the same whatever stands around it, with so many bytes before it in its group of three.
fn base64(piece: &[u8], lead: usize) -> Form {
    let mut led = vec![0; lead];
    led.extend_from_slice(piece);
    let mut text = STANDARD_NO_PAD.encode(&led).into_bytes();
    text.truncate(led.len() * 8 / 6);
    text.drain(..(lead * 8).div_ceil(6));
    Form {
        bytes: text,
        before: usize::from(lead > 0),
        after: usize::from(!(led.len() * 8).is_multiple_of(6)),
    }
}
