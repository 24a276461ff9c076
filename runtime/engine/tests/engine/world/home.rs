//! Homes and runbooks as they are once they have been checked.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::action::Risk;
use evenkeel_model::asset::{Asset, Customer};
use evenkeel_model::cron::Schedule;
use evenkeel_model::grant::{Capability, Grant};
use evenkeel_model::home::{Approvers, Home, SandboxLimits, Settings};
use evenkeel_model::plugin::{Digest, Installed, Kind, Pinned};
use evenkeel_model::role::{Profile, Role, Source};
use evenkeel_model::runbook::{
    Batch, Does, Healed, Limits, MatchOp, Matcher, Missed, On, Otherwise, Overlap, Proof, Runbook, Selector, Step,
    Targets,
};
use serde_json::json;

/// Plugins: the checks `look`, `report` and `letter`, the remedies `fix` and `more`, the monitor `meter`, the notifier `tell`.
pub const PLUGINS: [(&str, Kind); 7] = [
    ("look", Kind::Check),
    ("report", Kind::Check),
    ("letter", Kind::Check),
    ("fix", Kind::Remedy),
    ("more", Kind::Remedy),
    ("meter", Kind::Monitor),
    ("tell", Kind::Notifier),
];

pub fn pinned(name: &str) -> Pinned {
    let (_, kind) = PLUGINS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a known plugin");
    Pinned {
        name: name.into(),
        version: semver::Version::new(1, 0, 0),
        digest: Digest(format!("digest-of-{name}")),
        kind: *kind,
    }
}

fn installed(name: &str, kind: Kind) -> Installed {
    let manifest = json!({
        "name": name,
        "version": "1.0.0",
        "summary": "",
        "capabilities": { "exec": ["run"] },
        "kinds": { kind.as_str(): { "type": "object" } },
    });
    Installed {
        manifest: serde_json::from_value(manifest).unwrap(),
        digest: pinned(name).digest,
        file: format!("plugins/{name}-1.0.0.wasm"),
    }
}

/// Customers `local`, `steel` and `paper`; assets `local`, `steel-1`, `steel-2`, `paper-1`, all
/// but `local` of the role `app`, which has an exec profile `restart` of medium risk.
pub fn home(runbooks: Vec<Runbook>) -> Home {
    let assets = [
        asset("local", "local", None),
        asset("steel-1", "steel", Some("10.0.0.1")),
        asset("steel-2", "steel", Some("10.0.0.2")),
        asset("paper-1", "paper", Some("10.0.0.1")),
    ];
    with_assets(runbooks, assets.into())
}

pub fn with_assets(runbooks: Vec<Runbook>, assets: Vec<Asset>) -> Home {
    let customers = assets.iter().map(|asset| customer(asset.customer.as_str()));
    Home {
        dir: "/home-of-tests".into(),
        settings: Settings {
            listen: "127.0.0.1:7654".parse().unwrap(),
            sources: vec![],
            resolve_timeout: Duration::from_secs(300),
            sandbox: SandboxLimits::default(),
            runs: 16,
            journal: Default::default(),
            windows: Default::default(),
            scrapes: vec![],
            series: Default::default(),
            rules: Default::default(),
            readers: vec![],
            approvers: BTreeMap::from([(
                "duty".to_owned(),
                Approvers {
                    people: vec!["ben".into(), "cleo".into(), "ada".into()],
                    need: 1,
                },
            )]),
            approve_own: false,
            group: None,
        },
        roles: BTreeMap::from([("app".into(), Arc::new(role()))]),
        customers: customers
            .map(|customer| (customer.id.clone(), Arc::new(customer)))
            .collect(),
        assets: assets
            .into_iter()
            .map(|asset| (asset.id.clone(), Arc::new(asset)))
            .collect(),
        runbooks: runbooks
            .into_iter()
            .map(|book| (book.name.clone(), Arc::new(book)))
            .collect(),
        routing: Default::default(),
        archived: vec![],
        plugins: PLUGINS.iter().map(|(name, kind)| installed(name, *kind)).collect(),
        schemas: Default::default(),
        sources: Default::default(),
    }
}

pub fn asset(id: &str, customer: &str, address: Option<&str>) -> Asset {
    Asset {
        id: id.into(),
        customer: customer.into(),
        role: (id != "local").then(|| "app".into()),
        address: address.map(str::to_owned),
        labels: BTreeMap::new(),
        vars: BTreeMap::new(),
        depends_on: vec![],
        reach: Default::default(),
    }
}

fn customer(id: &str) -> Customer {
    Customer {
        id: id.into(),
        name: None,
        tier: None,
        vars: BTreeMap::new(),
    }
}

fn role() -> Role {
    let restart = Profile {
        command: vec!["restart".into()],
        args: vec![],
        read_only: false,
        risk: Risk::Medium,
        env: BTreeMap::new(),
        cwd: None,
        timeout: Duration::from_secs(10),
    };
    let prometheus = Source {
        url: "http://prometheus.example".into(),
        allow: vec!["query".into()],
        private: false,
        ca: None,
        token: None,
        timeout: Duration::from_secs(10),
    };
    Role {
        name: Some("app".into()),
        exec: BTreeMap::from([("restart".into(), restart)]),
        sources: BTreeMap::from([("prometheus".into(), prometheus)]),
        ..Role::default()
    }
}

pub fn may_restart() -> Vec<Grant> {
    vec![Grant {
        capability: Capability::Exec,
        verb: "run".into(),
        asset: None,
        name: "restart".into(),
    }]
}

// ---- runbooks ----------------------------------------------------------------------------

/// A step with the id and the plugin of that name.
pub fn step(name: &str) -> Step {
    Step {
        id: name.into(),
        does: Does::Plugin(pinned(name)),
        needs: vec![],
        each: None,
        when: None,
        with: json!({}),
        grant: vec![],
        ask_from: Some(Risk::Medium),
        ask: None,
        expires: std::time::Duration::from_secs(3_600),
        retry: Default::default(),
        on_failure: Default::default(),
        timeout: Duration::from_secs(60),
    }
}

pub fn step_as(id: &str, plugin: &str) -> Step {
    Step {
        id: id.into(),
        ..step(plugin)
    }
}

/// Runs a runbook.
pub fn running(id: &str, runbook: &str) -> Step {
    Step {
        id: id.into(),
        does: Does::Runbook(runbook.into()),
        ..step("look")
    }
}

pub fn only_when(step: Step, when: &str) -> Step {
    Step {
        when: Some(when.into()),
        ..step
    }
}

/// Each waits for the one above.
pub fn one_by_one(mut steps: Vec<Step>) -> Vec<Step> {
    for at in 1..steps.len() {
        steps[at].needs = vec![steps[at - 1].id.clone()];
    }
    steps
}

/// The step waits for these, and no others.
pub fn needing(mut book: Runbook, step: &str, needs: &[&str]) -> Runbook {
    let step = book.steps.iter_mut().find(|it| it.id.as_str() == step).unwrap();
    step.needs = needs.iter().map(|need| (*need).into()).collect();
    book
}

/// Acts on `local`, without triggers and without a cool-down.
pub fn runbook(name: &str, steps: Vec<Step>) -> Runbook {
    Runbook {
        name: name.into(),
        file: format!("runbooks/{name}.toml"),
        text: format!("the text of {name}"),
        hash: format!("hash-of-{name}"),
        summary: String::new(),
        owner: None,
        on: vec![],
        targets: Targets {
            select: None,
            batch: Batch::All,
            per_customer: None,
            stop_after: NonZeroU32::MIN,
        },
        limits: Limits {
            cooldown: Duration::ZERO,
            max_runs: None,
            strikes: NonZeroU32::new(100).unwrap(),
            overlap: Overlap::Queue,
            fleet: Batch::All,
            deadline: None,
            parallel: NonZeroU32::new(8).unwrap(),
        },
        inputs: vec![],
        steps: one_by_one(steps),
        healed: None,
        after: vec![],
    }
}

pub fn healed(runbook: Runbook, otherwise: Otherwise) -> Runbook {
    Runbook {
        healed: Some(Healed {
            proof: Proof::Rerun("look".into()),
            within: Duration::from_secs(60),
            otherwise,
        }),
        ..runbook
    }
}

/// `[healed]` by a query instead.
pub fn asking(book: Runbook) -> Runbook {
    let mut book = book;
    let healed = book.healed.as_mut().unwrap();
    healed.proof = Proof::Query {
        expr: "up{job=\"{{ target.id }}\"} == bool 1".into(),
        source: Grant {
            capability: Capability::Metrics,
            verb: "query".into(),
            asset: None,
            name: "prometheus".into(),
        },
    };
    book
}

pub fn cooling(runbook: Runbook, minutes: u64) -> Runbook {
    Runbook {
        limits: Limits {
            cooldown: Duration::from_secs(minutes * 60),
            ..runbook.limits
        },
        ..runbook
    }
}

pub fn selecting(runbook: Runbook, label: &str, value: &str) -> Runbook {
    let targets = Targets {
        select: Some(selector(label, value)),
        ..runbook.targets
    };
    Runbook { targets, ..runbook }
}

pub fn selector(label: &str, value: &str) -> Selector {
    Selector {
        text: format!("{label}={value:?}"),
        matchers: vec![Matcher {
            label: label.into(),
            op: MatchOp::Equal(value.into()),
        }],
    }
}

pub fn on_alert(mut runbook: Runbook, name: &str) -> Runbook {
    runbook.on.push(On::Alert {
        name: name.into(),
        matching: Selector::default(),
        on_resolve_continue: false,
    });
    runbook
}

pub fn on_cron(mut runbook: Runbook, expression: &str, missed: Missed) -> Runbook {
    runbook.on.push(On::Cron {
        schedule: Schedule::parse(expression, chrono_tz::UTC).unwrap(),
        missed,
        jitter: Duration::ZERO,
    });
    runbook
}

/// Its schedules open their rounds up to so much later.
pub fn jittered(mut runbook: Runbook, most: Duration) -> Runbook {
    for on in &mut runbook.on {
        if let On::Cron { jitter, .. } = on {
            *jitter = most;
        }
    }
    runbook
}
