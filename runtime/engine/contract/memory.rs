//! What every [`Memory`] does, whoever keeps it. Included by the tests of each room that has one.

use std::collections::BTreeMap;

use evenkeel_engine::port::memory::{Memory, MemoryError, Owner, Put, Remembered, Usage};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Small enough that random calls run into it.
const QUOTA: Usage = Usage { keys: 4, bytes: 60 };

/// Compares each memory that `new` makes with the plainest one there could be, over random calls of two
/// owners that differ in one name.
pub fn holds<M: Memory>(new: impl Fn() -> M) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(ProptestConfig::with_cases(64));
    let calls = proptest::collection::vec(call(), 1..40);
    let compared = runner.run(&(calls, 0_usize..4), |(calls, name)| {
        let memory = new();
        runtime.block_on(compare(&memory, calls, name))
    });
    compared.expect("the contract holds");
}

#[derive(Clone, Debug)]
enum Call {
    Get(String),
    /// Key, value, version, and whether it is the write of the call before.
    Put(String, Vec<u8>, Option<u64>, bool),
    Delete(String),
    Keys(String, Option<String>, u32),
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]{0,2}",
        1 => Just("a\0".to_owned()),
        1 => Just("aé".to_owned()),
        1 => Just("a%_\u{10ffff}".to_owned()),
    ]
}

/// Each for the first owner or the second.
fn call() -> impl Strategy<Value = (bool, Call)> {
    let value = proptest::collection::vec(any::<u8>(), 0..30);
    let version = proptest::option::weighted(0.4, 0_u64..4);
    let call = prop_oneof![
        2 => key().prop_map(Call::Get),
        5 => (key(), value, version, proptest::bool::weighted(0.2)).prop_map(|(k, v, i, a)| Call::Put(k, v, i, a)),
        2 => key().prop_map(Call::Delete),
        2 => (key(), proptest::option::of(key()), 0_u32..6).prop_map(|(p, a, l)| Call::Keys(p, a, l)),
    ];
    (any::<bool>(), call)
}

fn owner(differs: Option<usize>) -> Owner {
    let word = |at: usize| if differs == Some(at) { "other" } else { "one" };
    Owner {
        plugin: word(0).to_owned(),
        runbook: word(1).into(),
        step: word(2).into(),
        target: word(3).into(),
    }
}

async fn compare(memory: &impl Memory, calls: Vec<(bool, Call)>, name: usize) -> Result<(), TestCaseError> {
    let owners = [owner(None), owner(Some(name))];
    let mut models = [Model::default(), Model::default()];
    for (n, (second, call)) in calls.into_iter().enumerate() {
        let (owner, model) = (&owners[usize::from(second)], &mut models[usize::from(second)]);
        match call {
            Call::Get(key) => prop_assert_eq!(memory.get(owner, &key).await, Ok(model.entries.get(&key).cloned())),
            Call::Put(key, value, if_version, again) => {
                let put = match model.last.clone() {
                    Some((last, put)) if again && last == key => put,
                    _ => Put {
                        value,
                        if_version,
                        write: n.to_string(),
                        quota: QUOTA,
                    },
                };
                let expected = model.put(&key, &put);
                prop_assert_eq!(memory.put(owner, &key, put).await, expected);
            }
            Call::Delete(key) => {
                model.delete(&key);
                prop_assert_eq!(memory.delete(owner, &key).await, Ok(()));
            }
            Call::Keys(prefix, after, limit) => {
                let found = memory.keys(owner, &prefix, after.as_deref(), limit).await;
                prop_assert_eq!(found, Ok(model.keys(&prefix, after.as_deref(), limit)));
            }
        }
        prop_assert_eq!(memory.usage(owner).await, Ok(model.usage()));
    }
    Ok(())
}

/// Keeps all it ever was told, and counts anew each time.
#[derive(Default)]
struct Model {
    entries: BTreeMap<String, Remembered>,
    deleted: Vec<u64>,
    /// The last put that was written, while its key holds it.
    last: Option<(String, Put)>,
}

impl Model {
    fn put(&mut self, key: &str, put: &Put) -> Result<u64, MemoryError> {
        let found = self.entries.get(key).map(|entry| entry.version);
        if self.last.as_ref().is_some_and(|(_, last)| last.write == put.write) {
            return Ok(found.expect("its key holds it"));
        }
        if put.if_version.is_some_and(|version| version != found.unwrap_or(0)) {
            return Err(MemoryError::Conflict);
        }
        let highest = self.deleted.iter().max().copied().unwrap_or(0);
        let version = found.unwrap_or(highest) + 1;
        let value = put.value.clone();
        let before = self.entries.insert(key.to_owned(), Remembered { value, version });
        let usage = self.usage();
        if usage.keys > QUOTA.keys || usage.bytes > QUOTA.bytes {
            match before {
                Some(before) => self.entries.insert(key.to_owned(), before),
                None => self.entries.remove(key),
            };
            return Err(MemoryError::Quota);
        }
        self.last = Some((key.to_owned(), put.clone()));
        Ok(version)
    }

    fn delete(&mut self, key: &str) {
        self.deleted.extend(self.entries.remove(key).map(|entry| entry.version));
        self.last = self.last.take().filter(|(last, _)| last != key);
    }

    fn keys(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<String> {
        let keys = self.entries.keys().filter(|key| key.starts_with(prefix));
        keys.filter(|key| after.is_none_or(|after| key.as_str() > after))
            .take(limit as usize)
            .cloned()
            .collect()
    }

    fn usage(&self) -> Usage {
        Usage {
            keys: self.entries.len(),
            bytes: self
                .entries
                .iter()
                .map(|(key, entry)| key.len() + entry.value.len())
                .sum(),
        }
    }
}
