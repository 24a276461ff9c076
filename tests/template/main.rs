//! Templates of rules beside the real promtool: the same text, the same refusals, the same words of what goes wrong.

mod both;
mod random;

use both::{Both, Verdict};
use evenkeel_tests::evenkeel::Home;

/// One template a line.
const CORPUS: &str = include_str!("corpus.txt");

/// What evenkeel leaves out, each with the words that refuse it.
const LEFT_OUT: [(&str, &str); 6] = [
    ("{{ 2i }}", "complex numbers such as \"2i\" are left out here"),
    ("{{ query \"one\" }}", "an address in memory here, which is left out"),
    (
        "{{ printf \"%p\" $labels }}",
        "an address in memory here, which is left out",
    ),
    (
        "{{ (toTime 1).AddDate 1 1 1 }}",
        "the method AddDate of times is left out here",
    ),
    (
        "{{ printf \"%d\" (toTime 1) }}",
        "this verb for a time is left out here",
    ),
    ("{{ eq (toTime 1) (toTime 1) }}", "comparing times is left out here"),
];

/// Where evenkeel says something else on purpose: what promtool says, what evenkeel says, and why.
const OTHERWISE: [(&str, &str, &str); 4] = [
    // promtool has no external URL to give to functions, and breaks; a Prometheus has one.
    ("{{ pathPrefix }}", "nil pointer dereference", "/base path"),
    (
        "{{ externalURL }}",
        "nil pointer dereference",
        "https://evenkeel.example/base%20path",
    ),
    // Text is UTF-8 throughout.
    ("{{ len \"\\xff\" }}", "1", "3"),
    // A limit.
    ("{{ printf \"%270000d\" 1 }}", "          1", "`text_bytes`"),
];

#[test]
fn each_template_of_the_corpus_comes_out_as_from_promtool() -> anyhow::Result<()> {
    let templates: Vec<String> = CORPUS.lines().map(str::to_owned).collect();
    let judged = Both::find()?.judge(&Home::empty()?, &templates)?;
    assert_alike(&templates, &judged);
    assert!(judged.iter().filter(|(it, _)| *it == Verdict::Refused).count() > 10);
    Ok(())
}

#[test]
fn what_is_left_out_is_refused_by_name() -> anyhow::Result<()> {
    let templates = LEFT_OUT.map(|(template, _)| template.to_owned());
    let judged = Both::find()?.judge(&Home::empty()?, &templates)?;
    for ((template, words), (promtool, ours)) in LEFT_OUT.iter().zip(judged) {
        assert!(
            !promtool.says("left out") && promtool != Verdict::Refused,
            "{template}: {promtool:?}"
        );
        assert!(ours.says(words) || ours == Verdict::Refused, "{template}: {ours:?}");
    }
    Ok(())
}

#[test]
fn what_is_otherwise_is_so_on_purpose() -> anyhow::Result<()> {
    let templates = OTHERWISE.map(|(template, ..)| template.to_owned());
    let judged = Both::find()?.judge(&Home::empty()?, &templates)?;
    for ((template, theirs, words), (promtool, ours)) in OTHERWISE.iter().zip(judged) {
        assert!(promtool.says(theirs), "{template}: {promtool:?}");
        assert!(ours.says(words), "{template}: {ours:?}");
    }
    Ok(())
}

#[test]
fn random_templates_come_out_as_from_promtool() -> anyhow::Result<()> {
    for seed in 0..2 {
        let templates = random::templates(seed, 300);
        let judged = Both::find()?.judge(&Home::empty()?, &templates)?;
        let all = templates.into_iter().zip(judged);
        let (left_out, rest): (Vec<_>, Vec<_>) = all.partition(|(_, (_, ours))| ours.says("left out"));
        let (templates, judged): (Vec<_>, Vec<_>) = rest.into_iter().unzip();
        assert_alike(&templates, &judged);
        let printed = left_out.len();
        assert!(
            printed * 10 < templates.len(),
            "seed {seed}: {printed} print what is left out"
        );
    }
    Ok(())
}

#[test]
fn any_order_of_signs_is_refused_or_not_as_by_promtool() -> anyhow::Result<()> {
    let templates = random::soups(7, 400);
    let judged = Both::find()?.judge(&Home::empty()?, &templates)?;
    assert_alike(&templates, &judged);
    let refused = judged.iter().filter(|(it, _)| *it == Verdict::Refused).count();
    assert!((50..350).contains(&refused), "{refused} are refused");
    Ok(())
}

/// # Panics
/// With all that differ.
#[track_caller]
fn assert_alike(templates: &[String], judged: &[(Verdict, Verdict)]) {
    let differ: Vec<_> = (templates.iter().zip(judged))
        .filter(|(_, (promtool, ours))| promtool != ours)
        .map(|(template, (promtool, ours))| {
            let (theirs, ours) = promtool.first_other(ours);
            format!("{template:?}\n  promtool: {theirs:?}\n  evenkeel: {ours:?}\n")
        })
        .collect();
    assert!(differ.is_empty(), "{} differ\n{}", differ.len(), differ.concat());
}
