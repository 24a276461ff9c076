//! A check that looks at nothing, as benches/noop: JSON in, JSON out, and as many calls of the host as it is asked for.

use extism_pdk::{FnResult, Json, host_fn, plugin_fn};
use serde::{Deserialize, Serialize};

#[host_fn]
extern "ExtismHost" {
    /// The value under a key; empty if there is none.
    fn lookup(key: String) -> String;
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    #[serde(default)]
    calls: u32,
}

#[derive(Serialize)]
struct Finding {
    code: String,
}

#[plugin_fn]
pub fn run(Json(params): Json<Params>) -> FnResult<Json<Vec<Finding>>> {
    for _ in 0..params.calls {
        // SAFETY: the host answers with a string; the macro makes every import unsafe.
        unsafe { lookup("nothing".to_owned())? };
    }
    Ok(Json(Vec::new()))
}
