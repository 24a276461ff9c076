//! Two keys, whatever anybody writes: a step gets what its grants say and nothing else, and only if the
//! manifest asks for all of it, the ceilings allow all of it, and all of it is the same customer's.
#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::access::{Refusal, access};
use evenkeel_model::action::Risk;
use evenkeel_model::asset::{Asset, Customer, Reach};
use evenkeel_model::check::{Sources, check};
use evenkeel_model::grant::{Capability, Grant};
use evenkeel_model::home::Home;
use evenkeel_model::name::{AssetId, StepId};
use evenkeel_model::plugin::{Digest, Kind, Manifest, Pinned};
use evenkeel_model::role::{Database, Origin, Processes, Profile, Resource, Role, Root, Secret, SecretFrom, Source};
use evenkeel_model::runbook::{Does, Step};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const CAPABILITIES: [Capability; 7] = [
    Capability::Exec,
    Capability::Files,
    Capability::Http,
    Capability::Metrics,
    Capability::Process,
    Capability::Secrets,
    Capability::Sql,
];
const NAMES: [&str; 2] = ["one", "two"];
const ASSETS: [&str; 4] = ["a0", "a1", "a2", "a3"];
/// One that is not there.
const NOBODY: &str = "a9";

fn verbs(capability: Capability) -> &'static [&'static str] {
    match capability {
        Capability::Http => &["GET", "POST", "DELETE"],
        Capability::Process => &["see", "TERM", "KILL"],
        capability => capability.verbs(),
    }
}

/// What a key holds: verbs by capability and name.
type Keys = BTreeMap<(Capability, &'static str), Vec<&'static str>>;

#[derive(Clone, Debug)]
struct Case {
    /// By role.
    ceilings: [Keys; 2],
    /// Of each asset: which customer, and which role, if any.
    assets: [(u8, Option<u8>); 4],
    manifest: BTreeMap<Capability, Vec<&'static str>>,
    grants: Vec<(Capability, &'static str, Option<&'static str>, &'static str)>,
    target: usize,
}

fn capability() -> impl Strategy<Value = Capability> {
    select(CAPABILITIES.to_vec())
}

fn of(capability: Capability) -> impl Strategy<Value = Vec<&'static str>> {
    // Mostly much, or nothing would ever be allowed.
    let all = verbs(capability);
    prop_oneof![3 => Just(all.to_vec()), 1 => subsequence(all, 0..=all.len())]
}

fn keys() -> impl Strategy<Value = Keys> {
    let thing = (capability(), select(&NAMES[..]))
        .prop_flat_map(|(capability, name)| of(capability).prop_map(move |verbs| ((capability, name), verbs)));
    vec(thing, 4..20).prop_map(|things| things.into_iter().collect())
}

fn grant() -> impl Strategy<Value = (Capability, &'static str, Option<&'static str>, &'static str)> {
    capability().prop_flat_map(|capability| {
        let asset = prop_oneof![
            3 => Just(None),
            2 => select(&ASSETS[..]).prop_map(Some),
            1 => Just(Some(NOBODY)),
        ];
        (Just(capability), select(verbs(capability)), asset, select(&NAMES[..]))
    })
}

fn case() -> impl Strategy<Value = Case> {
    let manifest = vec(
        capability().prop_flat_map(|one| of(one).prop_map(move |verbs| (one, verbs))),
        3..12,
    )
    .prop_map(|asked| asked.into_iter().collect());
    let asset = || (0u8..2, prop_oneof![1 => Just(None), 4 => (0u8..2).prop_map(Some)]);
    (
        [keys(), keys()],
        [asset(), asset(), asset(), asset()],
        manifest,
        vec(grant(), 0..4),
        0usize..4,
    )
        .prop_map(|(ceilings, assets, manifest, grants, target)| Case {
            ceilings,
            assets,
            manifest,
            grants,
            target,
        })
}

// ---- what should come of it, said as plainly as can be ---------------------------------------

impl Case {
    /// The number of the asset that a grant is about, as far as the target's customer goes.
    fn owner(&self, asset: Option<&str>) -> Option<usize> {
        let Some(asset) = asset else { return Some(self.target) };
        let at = ASSETS.iter().position(|id| *id == asset)?;
        (self.assets[at].0 == self.assets[self.target].0).then_some(at)
    }

    fn is_allowed(&self, (capability, verb, asset, name): (Capability, &str, Option<&str>, &str)) -> bool {
        let asked = self
            .manifest
            .get(&capability)
            .is_some_and(|verbs| verbs.contains(&verb));
        let role = self.owner(asset).and_then(|owner| self.assets[owner].1);
        let ceiling = role.and_then(|role| {
            self.ceilings[usize::from(role)]
                .iter()
                .find(|(key, _)| **key == (capability, name))
        });
        // A profile has no verbs: that it is there allows it.
        let allows = ceiling.is_some_and(|(_, verbs)| capability == Capability::Exec || verbs.contains(&verb));
        asked && allows
    }
}

// ---- the same as a home -----------------------------------------------------------------------

fn home(case: &Case) -> Home {
    let sources = Sources {
        dir: PathBuf::from("/home/ek"),
        evenkeel: Some(String::new()),
        ..Sources::default()
    };
    let mut home = check(&sources, &[]).unwrap().home;
    for (n, ceiling) in case.ceilings.iter().enumerate() {
        let role = role(ceiling);
        home.roles.insert(format!("r{n}").as_str().into(), Arc::new(role));
    }
    for n in 0..2 {
        let id = format!("c{n}");
        let customer = Customer {
            id: id.as_str().into(),
            name: None,
            tier: None,
            vars: BTreeMap::new(),
        };
        home.customers.insert(id.as_str().into(), Arc::new(customer));
    }
    for (id, (customer, role)) in ASSETS.iter().zip(&case.assets) {
        let asset = Asset {
            id: (*id).into(),
            customer: format!("c{customer}").as_str().into(),
            role: role.map(|role| format!("r{role}").as_str().into()),
            address: None,
            labels: BTreeMap::new(),
            vars: BTreeMap::new(),
            depends_on: Vec::new(),
            reach: Reach::Local,
        };
        home.assets.insert((*id).into(), Arc::new(asset));
    }
    home
}

fn role(ceiling: &Keys) -> Role {
    let mut role = Role::default();
    for ((capability, name), allow) in ceiling {
        let (name, allow) = (
            (*name).to_owned(),
            allow.iter().map(|verb| (*verb).to_owned()).collect(),
        );
        match capability {
            Capability::Files => drop(role.roots.insert(name.clone(), root(&name, allow))),
            Capability::Exec => drop(role.exec.insert(name.clone(), profile(&name))),
            Capability::Http => drop(role.origins.insert(name.clone(), origin(&name, allow))),
            Capability::Sql => drop(role.databases.insert(name.clone(), database(&name, allow))),
            Capability::Process => drop(role.processes.insert(name.clone(), processes(&name, allow))),
            Capability::Metrics => drop(role.sources.insert(name.clone(), source(&name, allow))),
            Capability::Secrets => drop(role.secrets.insert(name.clone(), secret(&name, allow))),
            Capability::State => {}
        }
    }
    role
}

fn root(name: &str, allow: Vec<String>) -> Root {
    Root {
        path: format!("/{{{{ asset.id }}}}/{name}").into(),
        allow,
        risk: Risk::Low,
    }
}

fn profile(name: &str) -> Profile {
    Profile {
        command: vec!["run".into(), format!("{{{{ asset.id }}}}/{name}")],
        args: Vec::new(),
        read_only: false,
        risk: Risk::Low,
        env: BTreeMap::new(),
        cwd: None,
        timeout: Duration::from_secs(1),
    }
}

fn origin(name: &str, allow: Vec<String>) -> Origin {
    Origin {
        url: format!("http://app/{{{{ asset.id }}}}/{name}"),
        allow,
        read_only: Vec::new(),
        private: false,
        ca: None,
        risk: Risk::Low,
        timeout: Duration::from_secs(1),
    }
}

fn database(name: &str, allow: Vec<String>) -> Database {
    Database {
        url: format!("sqlite:/{{{{ asset.id }}}}/{name}"),
        socket: None,
        password: None,
        reader: None,
        tls: false,
        server_name: None,
        ca: None,
        allow,
        risk: Risk::Low,
        timeout: Duration::from_secs(1),
    }
}

fn processes(name: &str, allow: Vec<String>) -> Processes {
    Processes {
        name: Some(format!("{{{{ asset.id }}}}/{name}")),
        command: None,
        user: None,
        allow,
        risk: Risk::Low,
    }
}

fn source(name: &str, allow: Vec<String>) -> Source {
    Source {
        url: format!("http://metrics/{{{{ asset.id }}}}/{name}"),
        allow,
        private: false,
        ca: None,
        token: None,
        timeout: Duration::from_secs(1),
    }
}

fn secret(name: &str, allow: Vec<String>) -> Secret {
    Secret {
        from: SecretFrom::File(format!("/{{{{ asset.id }}}}/{name}").into()),
        allow,
        origins: Vec::new(),
        exec: Vec::new(),
        hmac: true,
    }
}

/// `ASSET/NAME`, out of where the thing is.
fn whose(resource: &Resource) -> String {
    let text = match resource {
        Resource::Root(root) => root.path.to_string_lossy().into_owned(),
        Resource::Profile(profile) => format!("/{}", profile.command[1]),
        Resource::Origin(origin) => origin.url.clone(),
        Resource::Database(database) => database.url.clone(),
        Resource::Processes(processes) => format!("/{}", processes.name.clone().unwrap_or_default()),
        Resource::Source(source) => source.url.clone(),
        Resource::Secret(secret) => match &secret.from {
            SecretFrom::File(file) => file.to_string_lossy().into_owned(),
            other => panic!("{other:?}"),
        },
    };
    let mut parts = text.rsplit('/');
    let (name, asset) = (parts.next().unwrap(), parts.next().unwrap());
    format!("{asset}/{name}")
}

fn manifest(case: &Case) -> Manifest {
    let capabilities: BTreeMap<Capability, Vec<String>> = case
        .manifest
        .iter()
        .map(|(capability, verbs)| (*capability, verbs.iter().map(|verb| (*verb).to_owned()).collect()))
        .collect();
    Manifest {
        name: "tool".into(),
        version: "1.0.0".parse().unwrap(),
        summary: String::new(),
        license: None,
        optional: capabilities.clone(),
        capabilities,
        kinds: BTreeMap::new(),
    }
}

fn step(case: &Case) -> Step {
    let grants = case.grants.iter().map(|(capability, verb, asset, name)| Grant {
        capability: *capability,
        verb: (*verb).to_owned(),
        asset: asset.map(AssetId::from),
        name: (*name).to_owned(),
    });
    Step {
        needs: Vec::new(),
        each: None,
        id: StepId::new("step"),
        does: Does::Plugin(Pinned {
            name: "tool".into(),
            version: "1.0.0".parse().unwrap(),
            digest: Digest("d".into()),
            kind: Kind::Check,
        }),
        when: None,
        with: serde_json::Value::Null,
        grant: grants.collect(),
        ask_from: None,
        ask: None,
        expires: std::time::Duration::from_secs(3_600),
        retry: Default::default(),
        on_failure: Default::default(),
        timeout: Duration::from_secs(1),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_outside_of_the_three_keys_is_found_and_all_inside_is(case in case()) {
        let home = home(&case);
        let target = &home.assets[&ASSETS[case.target].into()];
        let all_allowed = case.grants.iter().all(|grant| case.is_allowed(*grant));
        let access = access(&step(&case), &manifest(&case), target, &home);
        prop_assert_eq!(access.is_ok(), all_allowed, "{:?}", access);
        let Ok(access) = access else { return Ok(()) };
        for capability in Capability::ALL {
            for verb in verbs(capability) {
                for name in NAMES {
                    for asset in ASSETS.iter().chain(&[NOBODY]).map(|id| Some(*id)).chain([None]) {
                        let passed = asset.map_or_else(|| name.to_owned(), |asset| format!("{asset}/{name}"));
                        let found = access.find(capability, verb, &passed);
                        let granted = case.grants.contains(&(capability, *verb, asset, name));
                        prop_assert_eq!(found.is_some(), granted, "{} {} {}", capability, verb, passed);
                        if let Some(found) = found {
                            let owner = asset.unwrap_or(ASSETS[case.target]);
                            prop_assert_eq!(whose(found), format!("{owner}/{name}"));
                        }
                    }
                }
            }
        }
    }

    /// Row 35: nobody learns from a refusal what another customer has.
    #[test]
    fn another_customers_things_are_as_if_they_were_not_there(
        mut case in case(), capability in capability(), further in 1usize..4,
    ) {
        let at = (case.target + further) % ASSETS.len();
        let other = ASSETS[at];
        case.assets[at].0 = 1 - case.assets[case.target].0;
        let home = home(&case);
        let target = &home.assets[&ASSETS[case.target].into()];
        let refused = |asset| {
            let verb = verbs(capability)[0];
            let all = CAPABILITIES.map(|capability| (capability, verbs(capability).to_vec()));
            let case = Case {
                grants: vec![(capability, verb, Some(asset), NAMES[0])],
                manifest: all.into(),
                ..case.clone()
            };
            let error = access(&step(&case), &manifest(&case), target, &home).unwrap_err();
            assert!(matches!(error.refusal, Refusal::NoAsset { .. }), "{error}");
            error.to_string().replace(asset, "ASSET")
        };
        prop_assert_eq!(refused(other), refused(NOBODY));
    }
}

/// Or the properties above would say nothing.
#[test]
fn many_of_the_cases_are_allowed_and_many_are_not() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut allowed, mut refused) = (0, 0);
    for _ in 0..500 {
        let case = proptest::strategy::ValueTree::current(&case().new_tree(&mut runner).unwrap());
        match case.grants.iter().all(|grant| case.is_allowed(*grant)) {
            true if !case.grants.is_empty() => allowed += 1,
            true => {}
            false => refused += 1,
        }
    }
    assert!(allowed > 25 && refused > 25, "{allowed} allowed, {refused} refused");
}
