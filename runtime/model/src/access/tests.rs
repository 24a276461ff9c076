use std::path::PathBuf;

use super::*;
use crate::check::{Sources, check};
use crate::home::lock::resolve;
use crate::plugin::Installed;

const SETTINGS: &str = r#"
    [role.app.roots.data]
    path = "/srv/{{ asset.id }}"
    allow = ["read", "write"]

    [role.app.roots.cache]
    path = "cache/{{ customer.vars.dir }}"
    allow = ["read"]
    risk = "high"

    [role.app.exec.restart]
    command = ["bin/restart", "--host={{ asset.address }}"]
    args = ["[a-z]+", "..."]
    env = { HOST = "{{ asset.address }}" }
    cwd = "work"

    [role.app.exec.systemctl]
    command = ["systemctl", "restart", "app"]

    [role.app.origins.web]
    url = "http://{{ asset.address }}:3000/base"
    allow = ["GET"]
    ca = "ca.pem"
"#;

const ASSETS: &str = r#"
    [[customer]]
    id = "steel"
    vars = { dir = "steel" }
    [[customer]]
    id = "paper"
    vars = { dir = "../../etc" }
    [[asset]]
    id = "a1"
    customer = "steel"
    role = "app"
    address = "10.0.0.1"
    [[asset]]
    id = "a2"
    customer = "steel"
    role = "app"
    address = "10.0.0.2"
    [[asset]]
    id = "p1"
    customer = "paper"
    address = "10.0.0.3"
"#;

fn manifest() -> Manifest {
    let manifest = serde_json::json!({
        "name": "tool", "version": "1.0.0", "summary": "",
        "capabilities": { "files": ["read", "write"], "exec": ["run"], "http": ["GET"] },
        "optional": { "files": ["read", "write"], "exec": ["run"], "http": ["GET"] },
        "kinds": { "remedy": {} },
    });
    Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap()
}

/// A home with one runbook on `a1`, and its one step, with other grants than were checked.
fn home(grants: &[(Capability, &str)]) -> (Home, Step) {
    let installed = [Installed {
        manifest: manifest(),
        digest: crate::plugin::Digest("d".into()),
        file: "plugins/tool-1.0.0.wasm".into(),
    }];
    let runbook =
        "name = \"r\"\nsummary = \"s\"\n[targets]\nselect = 'asset=\"a1\"'\n[[step]]\nid = \"s\"\nuses = \"tool@1\"\n";
    let mut sources = Sources {
        dir: PathBuf::from("/home/ek"),
        evenkeel: Some(SETTINGS.into()),
        assets: Some(ASSETS.into()),
        runbooks: vec![("runbooks/r.toml".into(), runbook.into())],
        lock: None,
    };
    sources.lock = Some(resolve(&sources, &installed).unwrap().render());
    let home = check(&sources, &installed).unwrap().home;
    let mut step = home.runbooks[&"r".into()].steps[0].clone();
    step.grant = grants
        .iter()
        .map(|(capability, text)| Grant::parse(*capability, text).unwrap())
        .collect();
    (home, step)
}

fn on(target: &str, grants: &[(Capability, &str)]) -> Result<Access, AccessError> {
    let (home, step) = home(grants);
    access(&step, &manifest(), &home.assets[&target.into()], &home)
}

use Capability::{Exec, Files, Http};

#[test]
fn what_all_three_keys_allow_is_rendered_for_the_target() {
    let access = on(
        "a1",
        &[
            (Files, "read data"),
            (Files, "write data"),
            (Files, "read a2/data"),
            (Files, "read cache"),
            (Exec, "run restart"),
            (Exec, "run systemctl"),
            (Http, "GET web"),
        ],
    )
    .unwrap();
    let path = |name, verb| match access.find(Files, verb, name) {
        Some(Resource::Root(root)) => root.path.to_str().map(str::to_owned),
        _ => None,
    };
    assert_eq!(path("data", "write").as_deref(), Some("/srv/a1"));
    assert_eq!(path("a2/data", "read").as_deref(), Some("/srv/a2"));
    assert_eq!(path("a2/data", "write"), None);
    assert_eq!(path("cache", "read").as_deref(), Some("/home/ek/cache/steel"));
    let Some(Resource::Profile(profile)) = access.find(Exec, "run", "restart") else {
        panic!()
    };
    assert_eq!(profile.command, ["/home/ek/bin/restart", "--host=10.0.0.1"]);
    assert_eq!(profile.env["HOST"], "10.0.0.1");
    assert_eq!(profile.args, ["[a-z]+", "..."]);
    assert_eq!(profile.cwd, Some(PathBuf::from("/home/ek/work")));
    let Some(Resource::Profile(profile)) = access.find(Exec, "run", "systemctl") else {
        panic!()
    };
    assert_eq!(profile.command[0], "systemctl");
    let Some(Resource::Origin(origin)) = access.find(Http, "GET", "web") else {
        panic!()
    };
    assert_eq!(origin.url, "http://10.0.0.1:3000/base");
    assert_eq!(origin.ca, Some(PathBuf::from("/home/ek/ca.pem")));
}

#[test]
fn nothing_that_is_not_granted_is_there() {
    let access = on("a1", &[(Files, "read data")]).unwrap();
    assert_eq!(access.entries.len(), 1);
    assert!(access.find(Files, "write", "data").is_none());
    assert!(access.find(Files, "read", "cache").is_none());
}

#[test]
fn another_customers_asset_is_as_if_it_were_not() {
    let foreign = on("a1", &[(Files, "read p1/data")]).unwrap_err().to_string();
    let none = on("a1", &[(Files, "read p9/data")]).unwrap_err().to_string();
    assert_eq!(foreign, "`read p1/data`: customer `steel` has no asset `p1`");
    assert_eq!(foreign.replace("p1", "p9"), none);
}

#[test]
fn a_grant_that_a_key_refuses_is_an_error() {
    let refused = |target, capability, grant| on(target, &[(capability, grant)]).unwrap_err().refusal;
    assert!(matches!(
        refused("a1", Files, "remove data"),
        Refusal::NotRequested { .. }
    ));
    assert!(matches!(
        refused("a1", Files, "write cache"),
        Refusal::AboveCeiling { .. }
    ));
    assert!(matches!(
        refused("a1", Files, "read nowhere"),
        Refusal::NoResource { .. }
    ));
    assert!(matches!(refused("p1", Files, "read data"), Refusal::NoRole { .. }));
    let second = on("a1", &[(Files, "read cache"), (Files, "write cache")]).unwrap_err();
    assert!(matches!(second.refusal, Refusal::AboveCeiling { .. }));
}

#[test]
fn a_value_that_would_climb_is_an_error() {
    let (mut home, step) = home(&[(Files, "read cache")]);
    let mut asset = (*home.assets[&"a1".into()]).clone();
    asset.customer = "paper".into();
    home.assets.insert(asset.id.clone(), std::sync::Arc::new(asset.clone()));
    let error = access(&step, &manifest(), &asset, &home).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`read cache`: on asset `a1`, `cache/../../etc` climbs with `..`"
    );
}
