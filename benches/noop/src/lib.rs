//! A check that looks at nothing.

use evenkeel_sdk::{Finding, Host, Params, Result};

#[derive(Params)]
struct Params {}

#[evenkeel_sdk::check]
fn noop(_params: Params, _host: &Host) -> Result<Vec<Finding>> {
    Ok(Vec::new())
}
