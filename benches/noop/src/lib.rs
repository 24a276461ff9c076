//! A check that looks at nothing, after it has made the calls that it was asked for.

use evenkeel_sdk::{Finding, Host, Params, Result};

#[derive(Params)]
struct Params {
    /// Capability calls to make: each reads a key that was never put.
    #[serde(default)]
    calls: u32,
}

#[evenkeel_sdk::check]
fn noop(params: Params, host: &Host) -> Result<Vec<Finding>> {
    for _ in 0..params.calls {
        host.state().get("nothing")?;
    }
    Ok(Vec::new())
}
