//! A record that is not what the plugin does: another answer, another end, none, or a damaged one.

use std::fs;

use evenkeel_engine::recording::{Ending, Recording, Side};
use evenkeel_model::call::Answer;
use evenkeel_model::tape::Tape;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{differs, looking};
use crate::stage::{Scene, effect, replay, scratch};

/// Row 29.
#[tokio::test]
async fn an_answer_that_was_changed_is_found_where_the_plugin_acts_on_it() {
    let (_dir, path) = scratch();
    fs::write(path.join("name"), "one").unwrap();
    let steps = json!([
        { "read": { "root": "data", "path": "name", "offset": 0, "limit": 9 } },
        { "put": { "key": "<last>", "value": "v" } },
        { "space": { "root": "data" } },
    ]);
    let scene = Scene::check(steps).root(&["read"], "data", &path);
    let outcome = scene.play().await;
    let mut recording = scene.recording(outcome);
    recording.calls[0].answer = Some(Answer::Ok(json!("dHdv")));
    let replayed = replay(recording).await;
    assert_eq!(replayed.calls, 1);
    let difference = differs(replayed);
    let subject = |side: &Side| match side {
        Side::Called(call) => (call.operation.clone(), call.subject.clone()),
        other => panic!("no call: {other:?}"),
    };
    assert_eq!(difference.n, 1);
    assert_eq!(subject(&difference.recorded), ("put".into(), "one".into()));
    assert_eq!(subject(&difference.replayed), ("put".into(), "two".into()));
}

#[tokio::test]
async fn another_result_fewer_calls_and_more_calls_are_differences() {
    let looks = |n: usize| Value::from(vec![json!({ "space": { "root": "x" } }); n]);
    let scene = Scene::check(looks(2));
    let outcome = scene.play().await;
    let recording = scene.recording(outcome.clone());

    let mut fewer = recording.clone();
    fewer.params = json!({ "steps": looks(1) });
    let difference = differs(replay(fewer).await);
    assert_eq!(difference.n, 1);
    assert!(matches!(difference.recorded, Side::Called(_)), "{difference:?}");
    assert!(matches!(difference.replayed, Side::Ended(_)), "{difference:?}");

    let mut more = recording.clone();
    more.params = json!({ "steps": looks(3) });
    let difference = differs(replay(more).await);
    assert_eq!(difference.n, 2);
    assert_eq!(difference.recorded, Side::Ended(outcome));
    assert!(matches!(difference.replayed, Side::Called(_)), "{difference:?}");

    let mut other = recording.clone();
    other.params = json!({ "steps": looks(2), "details": "more words" });
    let difference = differs(replay(other).await);
    assert!(matches!(
        (&difference.recorded, &difference.replayed),
        (Side::Ended(_), Side::Ended(_))
    ));

    let mut sensing = recording;
    sensing.params = json!({ "steps": [{ "space": { "root": "x" } }, { "clocks": {} }, { "space": { "root": "x" } }] });
    let difference = differs(replay(sensing).await);
    assert!(matches!(difference.replayed, Side::Sensed(_)), "{difference:?}");
}

#[tokio::test]
async fn a_record_without_an_end_is_open_where_it_ends() {
    let scene = Scene::check(Value::from(vec![json!({ "space": { "root": "x" } }); 4]));
    let outcome = scene.play().await;
    let whole = scene.recording(outcome);
    for kept in 0..=4_usize {
        let mut recording = whole.clone();
        recording.outcome = None;
        recording.calls.truncate(kept);
        let replayed = replay(recording).await;
        let n = u32::try_from(kept).unwrap();
        match replayed.ending {
            Ending::Open { n: open, call } => {
                assert_eq!((open, replayed.calls), (n, n));
                assert_eq!(call.is_some(), kept < 4, "the next call is told");
            }
            other => panic!("not open after {kept}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_effect_whose_answer_is_not_known_is_where_it_is_open() {
    let (_dir, path) = scratch();
    let steps = json!([
        { "space": { "root": "data" } },
        { "write": { "root": "data", "path": "new", "content": "x" } },
    ]);
    let scene = Scene::apply(vec![effect("files", "write", "data:new")], steps).root(&["read", "write"], "data", &path);
    let outcome = scene.play().await;
    let mut recording = scene.recording(outcome);
    recording.outcome = None;
    assert!(recording.calls[1].call.effect, "it was intended");
    recording.calls[1].answer = None;
    let intended = recording.calls[1].call.clone();
    let replayed = replay(recording).await;
    assert_eq!(
        replayed.ending,
        Ending::Open {
            n: 1,
            call: Some(intended)
        }
    );
}

/// What is torn, cut, doubled or swapped in a record.
#[derive(Clone, Debug)]
enum Damage {
    Tape(usize, u8),
    CutTape(usize),
    Swap(usize, usize),
    Drop(usize),
    Answer(usize, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Tape(at, byte)),
        any::<usize>().prop_map(Damage::CutTape),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Damage::Swap(a, b)),
        any::<usize>().prop_map(Damage::Drop),
        (any::<usize>(), 0..4_u8).prop_map(|(at, how)| Damage::Answer(at, how)),
    ]
}

fn damaged(mut recording: Recording, damages: &[Damage]) -> Recording {
    let calls = recording.calls.len();
    for damage in damages {
        let (tape, calls) = (&mut recording.tape.0, calls.min(recording.calls.len()).max(1));
        match *damage {
            Damage::Tape(at, byte) if !tape.is_empty() => {
                let at = at % tape.len();
                tape[at] = byte;
            }
            Damage::CutTape(at) if !tape.is_empty() => tape.truncate(at % tape.len()),
            Damage::Swap(a, b) if !recording.calls.is_empty() => recording.calls.swap(a % calls, b % calls),
            Damage::Drop(at) if !recording.calls.is_empty() => drop(recording.calls.remove(at % calls)),
            Damage::Answer(at, how) if !recording.calls.is_empty() => {
                recording.calls[at % calls].answer = match how {
                    0 => None,
                    1 => Some(Answer::Ok(Value::Null)),
                    2 => Some(Answer::Ok(json!({ "sealed": "AAAA", "kind": [1] }))),
                    _ => Some(Answer::Denied("no".into())),
                };
            }
            _ => {}
        }
    }
    recording
}

/// A record may come from a damaged disk or from another version: that is said, and never a panic
/// or a hang.
#[test]
fn a_damaged_record_is_told_as_a_difference() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let recording = runtime.block_on(async {
        let (_dir, path) = scratch();
        let scene = looking(&path);
        let outcome = scene.play().await;
        scene.recording(outcome)
    });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(64));
    let damages = proptest::collection::vec(damage(), 1..4);
    let ran = runner.run(&damages, |damages| {
        let replayed = runtime.block_on(replay(damaged(recording.clone(), &damages)));
        prop_assert!(replayed.calls as usize <= recording.calls.len());
        Ok(())
    });
    ran.unwrap();
    let mut torn = recording;
    torn.tape = Tape(vec![255; torn.tape.0.len()]);
    assert!(matches!(
        differs(runtime.block_on(replay(torn))).recorded,
        Side::Unreadable(_)
    ));
}
