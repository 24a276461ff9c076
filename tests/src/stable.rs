//! Takes out of a text what differs from run to run, so that the rest can be compared.

use std::path::Path;

use regex::Regex;

/// What stands for it, and what is taken out.
const DIFFERS: &[(&str, &str)] = &[
    ("TIME", r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"),
    ("plan HASH", r"plan [0-9a-f]{12}\b"),
    ("SHA256", r"\b[0-9a-f]{64}\b"),
    ("(MS ms)", r"\(\d+ ms\)"),
    ("after SPAN", r"after (\d+\.\d{3} s|\d+ s|\d+ min)"),
    ("127.0.0.1:PORT", r"127\.0\.0\.1:\d+"),
    ("elapsed_ms MS", r"elapsed_ms \d+"),
    ("process PID", r"process \d+"),
    (
        "PERCENT % full: SPACE",
        r"\d+\.\d % full: \d+(\.\d)? [KMGT]?i?B of \d+(\.\d)? [KMGT]?i?B",
    ),
];

/// The text with `HOME` for the home's path and words in capitals for times, spans and hashes.
pub fn stable(text: &str, home: &Path) -> String {
    let mut text = text.replace(&*home.to_string_lossy(), "HOME");
    for (stands, differs) in DIFFERS {
        let differs = Regex::new(differs).expect("the patterns above are well formed");
        text = differs.replace_all(&text, *stands).into_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_taken_out_and_nothing_else() {
        let text = "run 7 at 2026-11-23 14:12:47Z after 0.123 s: /h/x/app (12 ms), plan 0123456789ab: 3 actions";
        assert_eq!(
            stable(text, Path::new("/h/x")),
            "run 7 at TIME after SPAN: HOME/app (MS ms), plan HASH: 3 actions"
        );
    }
}
