//! `assets.toml`.

use super::json::Json;
use super::value::{StringTable, Strings};
use super::{At, Reader, Table};
use crate::alert::{Labels, is_label_name};
use crate::asset::Reach;

/// Labels that selectors see whatever an asset is labelled.
const RESERVED: [&str; 3] = ["asset", "customer", "role"];

const LATER_REACHES: [&str; 2] = ["ssh", "agent"];

pub(crate) struct AuthoredAssets {
    pub customers: Vec<Customer>,
    pub assets: Vec<Asset>,
}

pub(crate) struct Customer {
    pub id: At<String>,
    pub name: Option<String>,
    pub tier: Option<String>,
    pub vars: Json,
}

pub(crate) struct Asset {
    pub id: At<String>,
    /// None: `local`.
    pub customer: Option<At<String>>,
    pub role: Option<At<String>>,
    pub address: Option<String>,
    pub labels: Labels,
    pub vars: Json,
    pub depends_on: Vec<At<String>>,
    pub reach: Reach,
}

/// None: the file is no TOML.
pub(crate) fn read(reader: &Reader<'_>) -> Option<AuthoredAssets> {
    let document = reader.document()?;
    let root = reader.root(&document);
    let customers = root.tables("customer").iter().filter_map(read_customer).collect();
    let assets = root.tables("asset").iter().filter_map(read_asset).collect();
    root.finish();
    Some(AuthoredAssets { customers, assets })
}

fn read_customer(table: &Table<'_, '_>) -> Option<Customer> {
    let id = table.required::<String>("id");
    let name = table.optional::<String>("name");
    let tier = table.optional::<String>("tier");
    let vars = read_vars(table);
    table.finish();
    let id = id?;
    table.check_name("a customer", &id);
    Some(Customer {
        id,
        name: name.map(At::into_inner),
        tier: tier.map(At::into_inner),
        vars,
    })
}

fn read_asset(table: &Table<'_, '_>) -> Option<Asset> {
    let id = table.required::<String>("id");
    let customer = table.optional::<String>("customer");
    let role = table.optional::<String>("role");
    let address = table.optional::<String>("address");
    let labels = read_labels(table);
    let vars = read_vars(table);
    let depends_on = table.optional::<Strings>("depends_on");
    let reach = read_reach(table);
    table.finish();
    if let Some(address) = &address {
        check_address(table, address);
    }
    let id = id?;
    table.check_name("an asset", &id);
    Some(Asset {
        id,
        customer,
        role,
        address: address.map(At::into_inner),
        labels,
        vars,
        depends_on: depends_on.map(At::into_inner).unwrap_or_default(),
        reach,
    })
}

fn read_reach(table: &Table<'_, '_>) -> Reach {
    let later = table
        .optional::<String>("reach")
        .filter(|reach| LATER_REACHES.contains(&reach.get_ref().as_str()));
    if let Some(reach) = later {
        let message = format!("`{}` arrives with a later version", reach.get_ref());
        let problem = table
            .problem("not-yet", reach.span(), message)
            .label("not in this version");
        table.say(problem.help("until then, assets are reached as `local`"));
        return Reach::Local;
    }
    let reach = table.choice("reach", &[("local", Reach::Local)]);
    reach.map(At::into_inner).unwrap_or_default()
}

fn read_vars(table: &Table<'_, '_>) -> Json {
    match table.value("vars") {
        Some(vars) if vars.get_ref().is_table() => Json::read(table, vars),
        Some(other) => {
            table.wrong_type("vars", other, "a table");
            Json::absent(table.span.clone())
        }
        None => Json::absent(table.span.clone()),
    }
}

fn read_labels(table: &Table<'_, '_>) -> Labels {
    let Some(labels) = table.optional::<StringTable>("labels") else {
        return Labels::new();
    };
    for (label, value) in labels.get_ref() {
        if RESERVED.contains(&label.as_str()) {
            let problem = table.problem(
                "reserved-label",
                value.span(),
                format!("the label `{label}` can't be set"),
            );
            table.say(problem.label(format!("it is always the asset's {}", what(label))));
        } else if !is_label_name(label) {
            let problem = table.problem("bad-name", value.span(), format!("`{label}` can't name a label"));
            table.say(problem.help("a label has letters, digits and `_`, and no digit first"));
        }
    }
    let labels = labels.into_inner().into_iter();
    labels.map(|(label, value)| (label, value.into_inner())).collect()
}

fn what(label: &str) -> &str {
    if label == "asset" { "id" } else { label }
}

fn check_address(table: &Table<'_, '_>, address: &At<String>) {
    let text = address.get_ref();
    if text.is_empty() || text.contains("://") || text.contains(['/', ' ', '@']) {
        let problem = table.problem("bad-value", address.span(), "`address` is no host");
        table.say(problem.label("a name or an IP address, with a port or without"));
    }
}
