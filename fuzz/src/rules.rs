//! Rule files and their unit tests: no text makes them panic, every problem has a place in it, and what is read can be
//! evaluated, over and over.

use std::time::Duration;

use evenkeel_alerting::promql::{Labels, Limits, Memory, NAME, Options};
use evenkeel_alerting::rules::{Externals, Group, Resend, Settings, State, read, unit};
use evenkeel_model::problem::{File, Problem};

/// So little that an evaluation ends at once.
const LIMITS: Limits = Limits {
    series: 100,
    samples: 20_000,
    steps: 1_000,
};
/// Evaluations of each group.
const TURNS: i64 = 5;

/// One byte for what it is: a rule file in YAML or in TOML, or a test file; and the text.
pub fn try_one(bytes: &[u8]) {
    let Some((kind, text)) = bytes.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let path = match kind % 3 {
        0 => "a.yml",
        1 => "a.toml",
        _ => return try_tests(&text),
    };
    let read = read(File { path, text: &text });
    check_places(&text, &read.problems);
    if read.is_sound() {
        read.groups.into_iter().for_each(evaluate);
    }
}

fn try_tests(text: &str) {
    let read = unit::read(File { path: "a.yml", text });
    check_places(text, &read.problems);
    for test in read.suite.tests.iter().filter(|_| read.is_sound()) {
        // What takes long is not what is looked for.
        if test.evaluations() <= TURNS {
            test.run(&[], &read.suite.group_order);
        }
    }
}

fn check_places(text: &str, problems: &[Problem]) {
    for problem in problems {
        let span = problem.span.clone().unwrap_or_default();
        assert!(text.get(span).is_some(), "{problem:?} in {text:?}");
        assert!(!problem.message.is_empty());
    }
}

fn evaluate(definition: evenkeel_alerting::rules::definition::Group) {
    let limit = definition.limit;
    let mut memory = Memory::default();
    for instance in ["a", "b"] {
        let labels = Labels::new([(NAME, "up"), ("instance", instance)]);
        memory.append(&labels, 0, 1.0).expect("its first sample");
    }
    let (externals, options) = (
        Externals::default(),
        Options {
            limits: LIMITS,
            ..Options::default()
        },
    );
    let settings = Settings {
        externals: &externals,
        options: &options,
        interval_ms: 60_000,
        query_offset_ms: 0,
        resend: Resend::default(),
        stopwatch: &|| Duration::ZERO,
    };
    let mut group = Group::new(definition);
    for turn in 0..TURNS {
        group.evaluate(turn * 120_000, &mut memory, &settings);
        for rule in group.rules() {
            assert!(rule.alerts().all(|alert| alert.state != State::Inactive));
            assert!(limit.is_none_or(|limit| rule.alerts().count() <= limit), "{rule:?}");
        }
    }
}
