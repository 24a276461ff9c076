use std::sync::Arc;

use super::*;
use crate::check::{Sources, check};
use crate::home::lock::resolve;
use crate::plugin::{Digest, Installed};

const SETTINGS: &str = r#"
    [role.app.roots.data]
    path = "/srv/{{ asset.id }}"
    allow = ["read", "write", "remove"]

    [role.app.databases.app]
    url = "postgres://ek@10.0.0.1/app"
    socket = "/run/postgresql"
    password = "db"
    reader = "looker"
    allow = ["query", "execute"]
    risk = "high"

    [role.app.process.app]
    name = "{{ asset.labels.program }}"
    command = "puma .*"
    allow = ["see", "TERM"]

    [role.app.sources.prometheus]
    url = "http://10.0.0.1:9090"
    private = true
    token = "db"
    allow = ["query"]

    [role.app.origins.board]
    url = "https://board.example"
    allow = ["POST"]
    read_only = ["POST /search"]

    [role.app.exec.sign]
    command = ["sign", "a b", ""]
    args = ["[a-z]+", "..."]

    [role.app.secrets.db]
    command = ["vault-cli", "read", "private/path"]
    allow = ["use"]
    origins = ["board"]
    exec = ["sign"]
    hmac = true
"#;

const ASSETS: &str = r#"
    [[customer]]
    id = "steel"
    [[asset]]
    id = "a1"
    customer = "steel"
    role = "app"
    labels = { program = "puma" }
    [[asset]]
    id = "a2"
    customer = "steel"
    role = "app"
    labels = { program = "puma" }
"#;

const RUNBOOK: &str = r#"
    name = "r"
    summary = "s"
    [targets]
    select = 'role="app"'
    [[step]]
    id = "s"
    uses = "tool@1"
    [step.grant]
    files = ["read data"]
    sql = ["query app"]
    process = ["see app"]
    metrics = ["query prometheus"]
    http = ["POST board"]
    exec = ["run sign"]
    secrets = ["use db"]
"#;

fn home() -> Home {
    let asked = serde_json::json!({
        "files": ["read", "write"], "sql": ["query"], "process": ["see", "TERM", "KILL"],
        "metrics": ["query"], "http": ["POST"], "exec": ["run"], "secrets": ["use", "reveal"],
    });
    let manifest = serde_json::json!({
        "name": "tool", "version": "1.0.0", "summary": "",
        "capabilities": asked, "optional": asked, "kinds": { "remedy": {} },
    });
    let installed = [Installed {
        manifest: Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap(),
        digest: Digest("d".into()),
        file: "plugins/tool-1.0.0.wasm".into(),
    }];
    let mut sources = Sources {
        dir: "/home/ek".into(),
        evenkeel: Some(SETTINGS.into()),
        assets: Some(ASSETS.into()),
        runbooks: vec![("runbooks/r.toml".into(), RUNBOOK.into())],
        lock: None,
    };
    sources.lock = Some(resolve(&sources, &installed).unwrap().render());
    check(&sources, &installed).unwrap().home
}

fn of(explained: &Explained, capability: Capability) -> &Effective {
    let mut grants = explained.targets[0].grants.iter();
    grants.find(|grant| grant.capability == capability).unwrap()
}

#[test]
fn each_name_says_what_it_stands_for_and_no_secret_where_it_is_kept() {
    let explained = explain(&home(), None).remove(0);
    for (capability, meaning) in [
        (Capability::Files, "/srv/a1"),
        (
            Capability::Sql,
            "postgres://ek@10.0.0.1/app through /run/postgresql, queries as looker, password from command vault-cli",
        ),
        (Capability::Process, "processes with name puma and command \"puma .*\""),
        (
            Capability::Metrics,
            "http://10.0.0.1:9090 (private addresses), token from command vault-cli",
        ),
        (Capability::Http, "https://board.example (read-only: POST /search)"),
        (Capability::Exec, r#"sign "a b" "" <[a-z]+> ..."#),
        (
            Capability::Secrets,
            "from command vault-cli, may go to origin board, stdin of sign, hmac-sha256",
        ),
    ] {
        assert_eq!(of(&explained, capability).meaning, meaning);
    }
    assert!(!format!("{explained:?}").contains("private/path"));
    assert_eq!(of(&explained, Capability::Sql).risk, Risk::High);
}

#[test]
fn what_is_left_over_says_which_key_cut_it() {
    let explained = explain(&home(), None).remove(0);
    let left = |capability| of(&explained, capability).left_over.clone();
    let cut = |verb: &str, by: &[Key]| LeftOver {
        verb: verb.into(),
        cut_by: by.to_vec(),
    };
    assert_eq!(
        left(Capability::Files),
        [cut("write", &[Key::Grant]), cut("remove", &[Key::Manifest, Key::Grant])]
    );
    assert_eq!(left(Capability::Sql), [cut("execute", &[Key::Manifest, Key::Grant])]);
    assert_eq!(left(Capability::Process), [cut("TERM", &[Key::Grant])]);
    assert_eq!(left(Capability::Secrets), []);
    assert_eq!(
        explained.not_granted,
        ["files write", "process TERM", "process KILL", "secrets reveal"]
    );
}

#[test]
fn targets_of_one_grant_stand_together_and_others_apart() {
    let mut home = home();
    let groups = |home: &Home| {
        let targets = explain(home, Some("r")).remove(0).targets;
        let ids = |group: Group| group.assets.iter().map(|id| id.to_string()).collect::<Vec<_>>();
        targets.into_iter().map(ids).collect::<Vec<_>>()
    };
    assert_eq!(groups(&home), [["a1"], ["a2"]]);
    let runbook = Arc::make_mut(home.runbooks.get_mut(&"r".into()).unwrap());
    runbook.steps[0]
        .grant
        .retain(|grant| grant.capability == Capability::Http);
    assert_eq!(groups(&home), [["a1", "a2"]]);
    assert_eq!(explain(&home, Some("other")), []);
}

/// No home that checks clean comes to this; it is told all the same, and never as if it were nothing.
#[test]
fn what_can_not_attach_is_refused_with_its_reason() {
    let mut home = home();
    assert!(!is_refused(&explain(&home, None)));
    let mut bare = (*home.assets[&"a2".into()]).clone();
    bare.role = None;
    home.assets.insert("a2".into(), Arc::new(bare));
    Arc::make_mut(home.runbooks.get_mut(&"r".into()).unwrap())
        .targets
        .select = Some(crate::runbook::Selector::parse("customer=\"steel\"").unwrap());
    let explained = explain(&home, None);
    assert!(is_refused(&explained));
    let refused = &explained[0].targets[1];
    assert_eq!(refused.grants, []);
    assert_eq!(
        refused.refused.as_deref(),
        Some("`read data`: asset `a2` has no role, and so nothing that could be granted")
    );
    home.plugins.clear();
    let gone = explain(&home, None).remove(0);
    assert_eq!(
        gone.targets[0].refused.as_deref(),
        Some("`tool@1.0.0` is not installed any more")
    );
}
