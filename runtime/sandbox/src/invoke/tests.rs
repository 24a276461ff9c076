//! Components that attack while they are instantiated, before any export is called.

use std::time::Duration;

use evenkeel_model::home::SandboxLimits;
use wasmtime::component::Linker;

use super::*;
use crate::describe::{Unheard, nothing};
use crate::ports::Ports;
use crate::reach::local::Attendant;
use crate::{capability, code};

async fn instantiated(text: &str, change: impl FnOnce(&mut SandboxLimits)) -> Result<(), Halt> {
    let mut invocation = nothing(Kind::Check);
    change(&mut invocation.limits);
    let engine = crate::engine::start(&SandboxLimits {
        concurrency: 2,
        ..invocation.limits.clone()
    })
    .unwrap();
    let mut linker = Linker::new(&engine);
    capability::link(&mut linker).unwrap();
    let component = code::compile(&engine, &wat::parse_str(text).unwrap())
        .and_then(|code| code::take(&engine, &code).map_err(|error| error.to_string()))
        .map_err(|error| Halt::new(Stop::Load, error))?;
    let loaded = Loaded::new(&linker, component).unwrap();
    let mut store = store(
        &loaded,
        State::new(invocation, Arc::new(Unheard), Ports::local(".", Attendant::nobody())),
    );
    let watch = Watch::over(&store);
    let done = watch
        .until_it_ends(async { instantiate(&loaded, &mut store).await.map(drop) })
        .await;
    done.map_err(|error| stopped(&error, store.data()))
}

/// 2: loops in a start function.
#[tokio::test]
async fn a_start_function_has_a_cpu_budget() {
    let text = r#"(component
        (core module $m (func $start (loop (br 0))) (start $start))
        (core instance (instantiate $m)))"#;
    let halt = instantiated(text, |limits| limits.cpu = Duration::from_millis(50))
        .await
        .unwrap_err();
    assert_eq!(halt, Halt::cpu(Duration::from_millis(50)));
}

/// 4: many memories, each within what one may have.
#[tokio::test]
async fn memories_of_all_instances_are_summed() {
    let text = r#"(component
        (core module $m (memory 128))
        (core instance (instantiate $m)) (core instance (instantiate $m)) (core instance (instantiate $m)))"#;
    let halt = instantiated(text, |limits| limits.memory_bytes = 16 << 20)
        .await
        .unwrap_err();
    assert_eq!(halt, Halt::memory(16 << 20));
    assert_eq!(
        instantiated(text, |limits| limits.memory_bytes = 24 << 20).await,
        Ok(())
    );
}

/// 4: many tables.
#[tokio::test]
async fn tables_are_counted_as_memory() {
    let text = r#"(component
        (core module $m (table 90000 funcref) (table 90000 funcref))
        (core instance (instantiate $m)) (core instance (instantiate $m)))"#;
    let halt = instantiated(text, |limits| limits.memory_bytes = 2 << 20)
        .await
        .unwrap_err();
    assert_eq!(halt, Halt::memory(2 << 20));
}

/// 4: many instances.
#[tokio::test]
async fn instances_are_counted() {
    let instances = "(core instance (instantiate $m))".repeat(65);
    let text = format!("(component (core module $m) {instances})");
    let halt = instantiated(&text, |_| ()).await.unwrap_err();
    assert!(halt.message.contains("65 core module instances"), "{}", halt.message);
}

/// 11: creates resources of WASI without dropping them.
#[tokio::test]
async fn handles_are_counted() {
    let text = r#"(component $c
        (import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
        (alias export $poll "pollable" (type $pollable))
        (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
            (alias outer $c $pollable (type $outer))
            (export "pollable" (type $mine (eq $outer)))
            (export "subscribe-duration" (func (param "when" u64) (result (own $mine))))))
        (alias export $clock "subscribe-duration" (func $subscribe))
        (core func $lowered (canon lower (func $subscribe)))
        (core module $m
            (import "" "subscribe" (func $subscribe (param i64) (result i32)))
            (func $start (loop (drop (call $subscribe (i64.const 1))) (br 0)))
            (start $start))
        (core instance (instantiate $m (with "" (instance (export "subscribe" (func $lowered)))))))"#;
    let halt = instantiated(text, |_| ()).await.unwrap_err();
    assert_eq!(halt.stop, Stop::Limit);
    assert_eq!(
        halt.message,
        "it held more than 1000 handles at once: the limit is `[sandbox] handles` in evenkeel.toml"
    );
}

/// An instance may have more memories than its share of the pool.
#[tokio::test]
async fn instances_beyond_the_pool_wait_for_room() {
    let memories = "(core instance (instantiate $m))".repeat(4);
    let text = format!("(component (core module $m (memory 1)) {memories})");
    assert_eq!(
        instantiated(&text, |_| ()).await,
        Ok(()),
        "more than its share, while nobody else is there"
    );
}
