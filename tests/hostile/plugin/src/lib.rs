//! Attacks the host as its parameters say, and reports what came of each try.
//!
//! A denied call is told and passed over: a plugin that means harm does not stop at the first refusal.

mod act;
mod computer;
#[cfg(target_arch = "wasm32")]
mod handles;
mod remedy;
mod services;

use act::{Act, all};
use evenkeel_sdk::{Finding, Host, Notice, Params, Result, Sample};

#[derive(Params)]
struct Look {
    /// What it does, one after the other.
    #[serde(default)]
    acts: Vec<Act>,
    /// How many empty findings or samples it answers besides.
    #[serde(default)]
    many: u32,
}

#[evenkeel_sdk::check]
fn look(params: Look, host: &Host) -> Result<Vec<Finding>> {
    let told = all(&params.acts, host).into_iter();
    let told = told.map(|told| Finding::info("told", "hostile").summary(told));
    let many = (0..params.many).map(|_| Finding::info("", ""));
    Ok(told.chain(many).collect())
}

#[evenkeel_sdk::monitor]
fn measure(params: Look, host: &Host) -> Result<Vec<Sample>> {
    all(&params.acts, host);
    Ok((0..params.many).map(|_| Sample::gauge("nothing", 0.0)).collect())
}

#[evenkeel_sdk::notifier]
fn tell(params: Look, _notice: Notice, host: &Host) -> Result<Option<String>> {
    Ok(Some(all(&params.acts, host).join("\n")))
}
