//! 30: a plugin that traps at every call.

use std::sync::Arc;
use std::time::Duration;

use evenkeel_engine::port::{Calls, Plugins as _};
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Outcome, Stop};
use evenkeel_sandbox::{Ports, Sandbox, digest};
use serde_json::{Value, json};

use crate::stage::{Scene, attendant, compiler, guest, installed, scratch};

/// A sandbox of its own: what traps here must not keep other tests away.
async fn sandbox() -> (tempfile::TempDir, Sandbox) {
    let (dir, home) = scratch();
    std::fs::create_dir(home.join("plugins")).unwrap();
    std::fs::write(home.join("plugins/guest.wasm"), guest()).unwrap();
    let limits = SandboxLimits {
        concurrency: 2,
        ..SandboxLimits::default()
    };
    let sandbox = Sandbox::new(&home, None, &limits, compiler(), Ports::local(&home, attendant())).unwrap();
    sandbox.install(&[installed("plugins/guest.wasm", digest(guest()))]);
    (dir, sandbox)
}

async fn call(sandbox: &Sandbox, customer: &str, steps: Value) -> Outcome {
    let mut scene = Scene::check(steps).limits(|limits| limits.circuit = Duration::from_secs(600));
    let mut target = (*scene.invocation.target).clone();
    target.customer = customer.into();
    scene.invocation.target = Arc::new(target);
    sandbox
        .invoke(scene.invocation.clone(), Arc::clone(&scene.journal) as Arc<dyn Calls>)
        .await
}

#[tokio::test]
async fn a_plugin_that_traps_at_every_call_is_not_called_until_its_circuit_is_closed() {
    let (_dir, sandbox) = sandbox().await;
    for _ in 0..3 {
        let outcome = call(&sandbox, "steel", json!([{ "panic": { "message": "no way" } }])).await;
        assert!(
            matches!(outcome, Outcome::Stopped { stop: Stop::Trap, .. }),
            "{outcome:?}"
        );
    }

    // What would end well is refused too, at once.
    let Outcome::Stopped { stop, message } = call(&sandbox, "steel", json!([])).await else {
        panic!("it was called");
    };
    assert_eq!(stop, Stop::Circuit);
    for words in [
        "`guest@1.0.0` is not called for `steel`: 3 calls in a row ended badly",
        "no way",
        "`evenkeel plugin close guest` closes it",
    ] {
        assert!(message.contains(words), "no {words:?} in {message}");
    }
    let beside = call(&sandbox, "wood", json!([])).await;
    assert!(
        matches!(beside, Outcome::Done(_)),
        "another customer's is called: {beside:?}"
    );
    let open = sandbox.open_circuits();
    assert_eq!((open.len(), open[0].plugin.as_str()), (1, "guest"));

    assert_eq!(sandbox.close_circuits("guest", None), 1);
    let again = call(&sandbox, "steel", json!([])).await;
    assert!(matches!(again, Outcome::Done(_)), "{again:?}");
    assert!(sandbox.open_circuits().is_empty());
}
