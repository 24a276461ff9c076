//! Customers and assets, and whom they name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::refuse_duplicates;
use super::roles::Roles;
use crate::alert::Labels;
use crate::asset::{Asset, Customer, Reach};
use crate::authored::assets as authored;
use crate::authored::json::Json;
use crate::authored::{At, Reader};
use crate::name::{AssetId, CustomerId, RoleName};

/// The asset, and the customer, that always exist.
pub(crate) const LOCAL: &str = "local";

pub(crate) struct Assets {
    pub customers: BTreeMap<CustomerId, Arc<Customer>>,
    pub assets: BTreeMap<AssetId, Arc<Asset>>,
    /// Otherwise nothing can be said about who is missing.
    pub are_known: bool,
}

pub(crate) fn check(reader: &Reader<'_>, authored: Option<authored::AuthoredAssets>, roles: &Roles<'_>) -> Assets {
    let are_known = authored.is_some();
    let authored = authored.unwrap_or(authored::AuthoredAssets {
        customers: Vec::new(),
        assets: Vec::new(),
    });
    refuse_duplicates(
        reader,
        "customers",
        authored.customers.iter().map(|customer| &customer.id),
    );
    refuse_duplicates(reader, "assets", authored.assets.iter().map(|asset| &asset.id));
    let mut assets = Assets {
        customers: customers(&authored.customers),
        assets: BTreeMap::new(),
        are_known,
    };
    for asset in &authored.assets {
        assets.check_customers(reader, asset.customer.as_slice());
        if let Some(role) = &asset.role {
            check_role(reader, role, roles);
        }
        let asset = checked(asset, &assets.customers);
        assets.assets.entry(asset.id.clone()).or_insert_with(|| Arc::new(asset));
    }
    assets.assets.entry(LOCAL.into()).or_insert_with(|| Arc::new(local()));
    for asset in &authored.assets {
        check_dependencies(reader, asset, &assets);
    }
    refuse_cycles(reader, &authored.assets);
    assets
}

impl Assets {
    /// Whether each of these is a customer.
    pub fn check_customers(&self, reader: &Reader<'_>, named: &[At<String>]) {
        for name in named {
            let id = CustomerId::from(name.get_ref().as_str());
            if !self.are_known || self.customers.contains_key(&id) {
                continue;
            }
            let message = format!("there is no customer `{id}`");
            let problem = reader.file.problem("unknown-customer", name.span(), message);
            let known = self.customers.keys().map(CustomerId::as_str);
            reader.say(
                problem
                    .suggest(id.as_str(), known)
                    .help("assets.toml defines it as a `[[customer]]`"),
            );
        }
    }
}

fn customers(authored: &[authored::Customer]) -> BTreeMap<CustomerId, Arc<Customer>> {
    let mut customers = BTreeMap::new();
    for customer in authored {
        let id = CustomerId::from(customer.id.get_ref().as_str());
        customers.entry(id.clone()).or_insert_with(|| {
            Arc::new(Customer {
                id,
                name: customer.name.clone(),
                tier: customer.tier.clone(),
                vars: vars(&customer.vars),
            })
        });
    }
    customers.entry(LOCAL.into()).or_insert_with(|| {
        Arc::new(Customer {
            id: LOCAL.into(),
            name: None,
            tier: None,
            vars: BTreeMap::new(),
        })
    });
    customers
}

/// With the customer's tier as a label, unless it has one of its own.
fn checked(asset: &authored::Asset, customers: &BTreeMap<CustomerId, Arc<Customer>>) -> Asset {
    let customer = asset
        .customer
        .as_ref()
        .map_or(LOCAL, |customer| customer.get_ref().as_str());
    let customer = CustomerId::from(customer);
    let mut labels = asset.labels.clone();
    if let Some(tier) = customers.get(&customer).and_then(|customer| customer.tier.clone()) {
        labels.entry("tier".to_owned()).or_insert(tier);
    }
    Asset {
        id: asset.id.get_ref().as_str().into(),
        customer,
        role: asset.role.as_ref().map(|role| RoleName::from(role.get_ref().as_str())),
        address: asset.address.clone(),
        labels,
        vars: vars(&asset.vars),
        depends_on: asset
            .depends_on
            .iter()
            .map(|id| AssetId::from(id.get_ref().as_str()))
            .collect(),
        reach: asset.reach,
    }
}

fn vars(json: &Json) -> BTreeMap<String, Value> {
    let entries = json.value.as_object().into_iter().flatten();
    entries.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn local() -> Asset {
    Asset {
        id: LOCAL.into(),
        customer: LOCAL.into(),
        role: None,
        address: None,
        labels: Labels::new(),
        vars: BTreeMap::new(),
        depends_on: Vec::new(),
        reach: Reach::Local,
    }
}

fn check_role(reader: &Reader<'_>, role: &At<String>, roles: &Roles<'_>) {
    let name = role.get_ref();
    if roles.are_known() && roles.get(name).is_none() {
        let problem = reader
            .file
            .problem("unknown-role", role.span(), format!("there is no role `{name}`"));
        reader.say(
            problem
                .suggest(name, roles.names())
                .help(format!("evenkeel.toml defines it as `[role.{name}.…]`")),
        );
    }
}

fn check_dependencies(reader: &Reader<'_>, asset: &authored::Asset, assets: &Assets) {
    for dependency in &asset.depends_on {
        let id = dependency.get_ref().as_str();
        if !assets.assets.contains_key(&AssetId::from(id)) {
            let problem = reader
                .file
                .problem("unknown-asset", dependency.span(), format!("there is no asset `{id}`"));
            reader.say(problem.suggest(id, assets.assets.keys().map(AssetId::as_str)));
        }
    }
}

/// Each cycle once, at the dependency that closes it.
fn refuse_cycles(reader: &Reader<'_>, assets: &[authored::Asset]) {
    let graph = assets
        .iter()
        .map(|asset| (asset.id.get_ref().as_str(), asset.depends_on.as_slice()));
    let graph = graph.collect::<BTreeMap<_, _>>();
    let mut finished = BTreeSet::new();
    for asset in assets {
        follow(reader, &graph, asset.id.get_ref(), &mut finished);
    }
}

/// Depth first, without recursion: a chain of assets may be long.
fn follow<'a>(
    reader: &Reader<'_>,
    graph: &BTreeMap<&'a str, &'a [At<String>]>,
    start: &'a str,
    finished: &mut BTreeSet<&'a str>,
) {
    let edges = |id: &str| graph.get(id).copied().unwrap_or_default().iter();
    let mut way = vec![(start, edges(start))];
    let mut depth = BTreeMap::from([(start, 0)]);
    while let Some((id, dependencies)) = way.last_mut() {
        let Some(dependency) = dependencies.next() else {
            finished.insert(*id);
            depth.remove(id);
            way.pop();
            continue;
        };
        let next = dependency.get_ref().as_str();
        if let Some(n) = depth.get(next) {
            let cycle = way[*n..].iter().map(|(id, _)| *id).chain([next]);
            let cycle = cycle.collect::<Vec<_>>().join(" → ");
            let message = format!("asset `{next}` depends on itself");
            reader.say(
                reader
                    .file
                    .problem("dependency-cycle", dependency.span(), message)
                    .label(cycle),
            );
        } else if !finished.contains(next) {
            depth.insert(next, way.len());
            way.push((next, edges(next)));
        }
    }
}
