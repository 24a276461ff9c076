//! A check that looks at nothing, as benches/noop: JSON in, JSON out.

use extism_pdk::{FnResult, Json, plugin_fn};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {}

#[derive(Serialize)]
struct Finding {
    code: String,
}

#[plugin_fn]
pub fn run(_params: Json<Params>) -> FnResult<Json<Vec<Finding>>> {
    Ok(Json(Vec::new()))
}
