//! What a scene is made of, and what is asked of its end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use evenkeel_model::action::{Action, Effect, Risk};
use evenkeel_model::alert::Labels;
use evenkeel_model::asset::{Asset, Reach};
use evenkeel_model::invocation::{Notice, Severity};
use evenkeel_model::name::{AssetId, CustomerId};
use evenkeel_model::role::{Database, Origin, Profile, Resource, Root};
use serde_json::{Value, json};

pub fn target() -> Asset {
    Asset {
        id: AssetId::new("app-1"),
        customer: CustomerId::new("steel"),
        role: None,
        address: None,
        labels: Labels::new(),
        vars: BTreeMap::new(),
        depends_on: Vec::new(),
        reach: Reach::Local,
    }
}

pub fn action(effects: Vec<Effect>, undo_effects: Vec<Effect>, body: Value) -> Action {
    Action {
        id: "the-action".into(),
        summary: "does it".into(),
        risk: Risk::Low,
        effects,
        undo: None,
        undo_effects,
        body,
    }
}

pub fn notice() -> Notice {
    Notice {
        id: "incident-7/1".into(),
        severity: Severity::Critical,
        title: "disk full".into(),
        text: "the disk of app-1 is full".into(),
        labels: Labels::new(),
        link: None,
        details: Some(json!({ "html": "<b>full</b>" })),
    }
}

pub fn effect(capability: &str, operation: &str, subject: &str) -> Effect {
    Effect {
        capability: capability.into(),
        operation: operation.into(),
        subject: subject.into(),
        content: None,
        at_most: 1,
    }
}

pub fn root(path: &Path) -> Resource {
    Resource::Root(Root {
        path: path.to_path_buf(),
        allow: Vec::new(),
        risk: Risk::Low,
    })
}

/// `sh -c SCRIPT`, as an operator would never write it.
pub fn shell(script: &str) -> Profile {
    profile(&["sh", "-c", script], &[])
}

pub fn profile(command: &[&str], args: &[&str]) -> Profile {
    let strings = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
    Profile {
        command: strings(command),
        args: strings(args),
        read_only: true,
        risk: Risk::Low,
        env: BTreeMap::new(),
        cwd: None,
        timeout: Duration::from_secs(20),
    }
}

pub fn origin(url: &str) -> Origin {
    Origin {
        url: url.into(),
        allow: Vec::new(),
        read_only: Vec::new(),
        private: false,
        ca: None,
        risk: Risk::Low,
        timeout: Duration::from_secs(10),
    }
}

pub fn database(url: &str) -> Database {
    Database {
        url: url.into(),
        socket: None,
        password: None,
        reader: None,
        tls: false,
        server_name: None,
        ca: None,
        allow: Vec::new(),
        risk: Risk::Low,
        timeout: Duration::from_secs(20),
    }
}

/// The reason why a step was denied.
pub fn denied(told: &Value) -> &str {
    let error = told["err"].as_str().unwrap_or_else(|| panic!("not refused: {told}"));
    assert!(error.contains("Denied("), "not denied: {error}");
    error
}

/// Waits for what another process is about to do.
pub async fn eventually(mut condition: impl FnMut() -> bool) {
    let patience = Duration::from_secs(20);
    let waited = tokio::time::timeout(patience, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("it happens in time");
}

pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_path_buf();
    (dir, path)
}
