//! What is looked after, and for whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alert::Labels;
use crate::name::{AssetId, CustomerId, RoleName};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    pub id: CustomerId,
    pub name: Option<String>,
    pub tier: Option<String>,
    pub vars: BTreeMap<String, serde_json::Value>,
}

/// How the host acts on an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    #[default]
    Local,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    pub id: AssetId,
    pub customer: CustomerId,
    pub role: Option<RoleName>,
    /// An alert's `instance` is matched with the id and with this.
    pub address: Option<String>,
    /// Written in `assets.toml`, over what the customer gives (`tier`).
    pub labels: Labels,
    pub vars: BTreeMap<String, serde_json::Value>,
    pub depends_on: Vec<AssetId>,
    pub reach: Reach,
}

impl Asset {
    /// What selectors see: the labels, and `asset`, `customer` and `role`, which can't be overridden.
    pub fn selectable(&self) -> Labels {
        let mut labels = self.labels.clone();
        labels.insert("asset".into(), self.id.to_string());
        labels.insert("customer".into(), self.customer.to_string());
        if let Some(role) = &self.role {
            labels.insert("role".into(), role.to_string());
        }
        labels
    }
}
