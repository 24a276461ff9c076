//! `metrics`: PromQL over a source that the operator named.

use evenkeel_model::grant::Capability;

use crate::bindings::evenkeel::cap::metrics;
use crate::state::State;

impl metrics::Host for State {
    async fn query(
        &mut self,
        source: String,
        _: String,
        _: Option<u64>,
    ) -> wasmtime::Result<Result<Vec<metrics::Series>, metrics::MetricsError>> {
        self.absent(Capability::Metrics, "query", &source).await
    }

    async fn query_range(
        &mut self,
        source: String,
        _: String,
        _: u64,
        _: u64,
        _: u64,
    ) -> wasmtime::Result<Result<Vec<metrics::Series>, metrics::MetricsError>> {
        self.absent(Capability::Metrics, "query-range", &source).await
    }
}
