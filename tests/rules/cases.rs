//! Cases in one text file: each begins with a line `=== its name`.

/// Names and texts.
pub fn read(text: &'static str) -> Vec<(&'static str, &'static str)> {
    let sections = text.split("=== ").skip(1);
    sections
        .map(|section| section.split_once('\n').expect("a case has a line with its name"))
        .collect()
}

/// Whether the two judge differently exactly where the table says so.
///
/// # Panics
/// At the first case that is not so.
#[track_caller]
pub fn assert_as_listed(case: &str, promtool: bool, ours: bool, listed: &[(&str, &str)], said: &str) {
    let divergence = listed.iter().find(|(name, _)| *name == case);
    match divergence {
        None => assert_eq!(
            promtool, ours,
            "`{case}`: promtool passes it: {promtool}, evenkeel: {ours}\n{said}"
        ),
        Some((_, why)) => assert_ne!(
            promtool, ours,
            "`{case}` is judged alike by now, and listed as otherwise: {why}"
        ),
    }
}
