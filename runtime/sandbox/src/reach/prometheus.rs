//! PromQL over the HTTP API of a Prometheus, asked from where the asset is.

use std::sync::Arc;

use async_trait::async_trait;
use evenkeel_engine::port::metrics::{Metrics, MetricsError, Question, Series};
use evenkeel_engine::port::reach::Reach;
use evenkeel_model::name::AssetId;
use evenkeel_model::role::Source;
use evenkeel_model::secret::Value as Secret;

/// Asks through a reach, so that a Prometheus inside a customer's network is asked from there.
pub struct Prometheus {
    _reach: Arc<dyn Reach>,
}

impl Prometheus {
    pub fn over(reach: Arc<dyn Reach>) -> Self {
        Self { _reach: reach }
    }
}

#[async_trait]
impl Metrics for Prometheus {
    async fn query(
        &self,
        _: &AssetId,
        _: &Source,
        _: Option<&Secret>,
        _: Question,
    ) -> Result<Vec<Series>, MetricsError> {
        Err(MetricsError::Unavailable("not there yet".into()))
    }
}
