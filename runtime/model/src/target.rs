//! Which asset an alert is about.

use std::net::IpAddr;

use crate::alert::Labels;
use crate::asset::Asset;
use crate::home::Home;
use crate::name::{AssetId, CustomerId};

/// Whose alert it is when its source doesn't say: the customer of the one asset that it names,
/// else `local`.
pub fn owner(labels: &Labels, home: &Home) -> CustomerId {
    let named = named_by(labels, None, home.assets.values().map(AsRef::as_ref));
    let asset = match named.as_slice() {
        [one] => home.assets.get(one),
        _ => None,
    };
    asset.map_or_else(|| CustomerId::from("local"), |asset| asset.customer.clone())
}

/// The assets that an alert names: by the label `asset`, which is an id, or else by `instance`,
/// which is an id or an address, with or without a port (and IPv6 in brackets), or a URL of it.
/// With a `customer`, other customers' assets are not there. One is what a run needs; none or
/// several are for the caller to refuse.
pub fn named_by<'a>(
    labels: &Labels,
    customer: Option<&CustomerId>,
    candidates: impl IntoIterator<Item = &'a Asset>,
) -> Vec<AssetId> {
    let label = |name: &str| labels.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let (asset, instance) = (label("asset"), label("instance"));
    let names = |candidate: &Asset| match (asset, instance) {
        (Some(id), _) => candidate.id.as_str() == id,
        (None, Some(instance)) => is_instance(candidate, instance),
        (None, None) => false,
    };
    candidates
        .into_iter()
        .filter(|candidate| customer.is_none_or(|customer| candidate.customer == *customer))
        .filter(|candidate| names(candidate))
        .map(|candidate| candidate.id.clone())
        .collect()
}

fn is_instance(asset: &Asset, instance: &str) -> bool {
    let instance = Endpoint::read(instance);
    let id = Endpoint {
        host: Host::Name(asset.id.to_string()),
        port: None,
    };
    let address = asset.address.as_deref().map(Endpoint::read);
    instance.meets(&id) || address.is_some_and(|address| instance.meets(&address))
}

struct Endpoint {
    host: Host,
    port: Option<u16>,
}

#[derive(PartialEq)]
enum Host {
    /// However it is written.
    Address(IpAddr),
    /// In lower case, without the dot of the root.
    Name(String),
}

impl Endpoint {
    fn read(text: &str) -> Self {
        let authority = match text.split_once("://") {
            Some((_, rest)) => {
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                authority.rsplit('@').next().unwrap_or_default()
            }
            None => text,
        };
        let (host, port) = split_port(authority);
        let host = match host.parse() {
            Ok(address) => Host::Address(address),
            Err(_) => Host::Name(host.trim_end_matches('.').to_lowercase()),
        };
        Self { host, port }
    }

    /// The same host, and the same port if both say one.
    fn meets(&self, other: &Self) -> bool {
        let same_port = match (self.port, other.port) {
            (Some(port), Some(other)) => port == other,
            _ => true,
        };
        self.host == other.host && same_port
    }
}

fn split_port(authority: &str) -> (&str, Option<u16>) {
    if let Some((host, rest)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match authority.rsplit_once(':') {
        // More than one colon without brackets: an IPv6 address that says no port.
        Some((host, port)) if !host.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (authority, None),
        },
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asset(id: &str, customer: &str, address: Option<&str>) -> Asset {
        Asset {
            id: id.into(),
            customer: customer.into(),
            role: None,
            address: address.map(str::to_owned),
            labels: Labels::new(),
            vars: Default::default(),
            depends_on: vec![],
            reach: Default::default(),
        }
    }

    fn found(labels: &[(&str, &str)], customer: Option<&str>) -> Vec<String> {
        let assets = [
            asset("steel-app-1", "steel", Some("10.2.3.4")),
            asset("steel-app-2", "steel", Some("app2.steel.example:9100")),
            asset("paper-app-1", "paper", Some("10.2.3.4")),
            asset("six", "paper", Some("2001:db8::1")),
        ];
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let customer = customer.map(CustomerId::from);
        named_by(&labels, customer.as_ref(), &assets)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_asset_label_wins_over_the_instance() {
        let labels = [("asset", "six"), ("instance", "10.2.3.4:9100")];
        assert_eq!(found(&labels, None), ["six"]);
    }

    #[test]
    fn an_instance_is_an_id_or_an_address_with_or_without_a_port() {
        for (instance, wanted) in [
            ("steel-app-1", "steel-app-1"),
            ("steel-app-1:9100", "steel-app-1"),
            ("APP2.steel.example.", "steel-app-2"),
            ("app2.steel.example:9100", "steel-app-2"),
            ("[2001:db8:0::1]:9100", "six"),
            ("2001:db8::1", "six"),
            ("https://app2.steel.example/login?x=1", "steel-app-2"),
        ] {
            assert_eq!(found(&[("instance", instance)], None), [wanted], "{instance}");
        }
    }

    #[test]
    fn another_port_is_another_thing() {
        assert!(found(&[("instance", "app2.steel.example:8080")], None).is_empty());
    }

    #[test]
    fn two_customers_with_one_address_never_meet() {
        let labels = [("instance", "10.2.3.4:9100")];
        assert_eq!(found(&labels, Some("paper")), ["paper-app-1"]);
        assert_eq!(found(&labels, None), ["steel-app-1", "paper-app-1"]);
        assert!(found(&[("asset", "steel-app-1")], Some("paper")).is_empty());
    }

    #[test]
    fn an_alert_without_such_labels_names_nothing() {
        assert!(found(&[("job", "node"), ("instance", "")], None).is_empty());
    }
}
