//! The three keys, from the texts of a home to what changes in the world: whatever a plugin asks for, a step grants,
//! a role allows and an action declares, the calls that all of them allow are made, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use evenkeel_engine::port::Work;
use evenkeel_model::access::access;
use evenkeel_model::action::{Effect, hex};
use evenkeel_model::call::Answer;
use evenkeel_model::check::{Sources, check};
use evenkeel_model::grant::{Access, Capability, Grant};
use evenkeel_model::home::Home;
use evenkeel_model::home::lock::resolve;
use evenkeel_model::invocation::Outcome;
use evenkeel_model::plugin::{Digest, Installed, Manifest};
use evenkeel_model::runbook::Step;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::stage::{Scene, action, scratch};

/// Something that can be done: capability, verb, name as the plugin passes it, and whether it changes something.
type Deed = (&'static str, &'static str, &'static str, bool);

const DEEDS: [Deed; 13] = [
    ("files", "read", "data", false),
    ("files", "write", "data", true),
    ("files", "remove", "data", true),
    ("files", "read", "db-1/data", false),
    ("files", "write", "db-1/data", true),
    ("files", "remove", "db-1/data", true),
    ("exec", "run", "look", false),
    ("exec", "run", "act", true),
    ("http", "GET", "app", false),
    ("http", "POST", "app", true),
    ("http", "DELETE", "app", true),
    ("secrets", "reveal", "key", false),
    // Needs no key: every plugin has its own memory.
    ("state", "put", "", false),
];
const STATE: usize = 12;
const APPROVED: &str = "approved";

/// What the three keys say, by place in [`DEEDS`], and what is tried.
#[derive(Clone, Debug)]
struct Case {
    /// `capability verb`
    asked: BTreeSet<String>,
    granted: Vec<bool>,
    ceiling: Vec<bool>,
    /// How often the action declares the effect.
    declared: Vec<u32>,
    phase: Phase,
    /// Which deed, and whether with the content that was approved.
    calls: Vec<(usize, bool)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Check,
    Plan,
    Apply,
}

fn asking((capability, verb, ..): Deed) -> String {
    format!("{capability} {verb}")
}

fn case() -> impl Strategy<Value = Case> {
    let key = || prop::collection::vec(prop::bool::weighted(0.75), STATE);
    let phase = prop_oneof![
        1 => Just(Phase::Check),
        1 => Just(Phase::Plan),
        3 => Just(Phase::Apply),
    ];
    let calls = prop::collection::vec((0..DEEDS.len(), prop::bool::weighted(0.8)), 1..24);
    let declared = prop::collection::vec(0u32..3, STATE);
    (key(), key(), key(), declared, phase, calls).prop_map(|(asked, granted, ceiling, declared, phase, calls)| {
        let asked = DEEDS.iter().zip(asked).filter(|(_, is)| *is);
        Case {
            asked: asked.map(|(deed, _)| asking(*deed)).collect(),
            granted,
            ceiling,
            declared,
            phase,
            calls,
        }
    })
}

// ---- the oracle ----------------------------------------------------------------------------

/// Of each call, whether it is to be made. Knows nothing of how the host comes to its answer.
fn allowed(case: &Case) -> Vec<bool> {
    let mut left = case.declared.clone();
    let is_allowed = |(deed, is_approved): &(usize, bool)| {
        if *deed == STATE {
            return true;
        }
        if !(is_asked(case, *deed) && case.granted[*deed] && case.ceiling[*deed]) {
            return false;
        }
        let (_, verb, _, is_effect) = DEEDS[*deed];
        if !is_effect {
            return true;
        }
        let declared = case.phase == Phase::Apply && left[*deed] > 0 && (verb != "write" || *is_approved);
        if declared {
            left[*deed] -= 1;
        }
        declared
    };
    case.calls.iter().map(is_allowed).collect()
}

fn is_asked(case: &Case, deed: usize) -> bool {
    case.asked.contains(&asking(DEEDS[deed]))
}

/// Whether every grant is one that the other two keys allow.
fn is_sound(case: &Case) -> bool {
    (0..STATE).all(|deed| !case.granted[deed] || (is_asked(case, deed) && case.ceiling[deed]))
}

/// The case with nothing granted that another key refuses, as an operator corrects it.
fn corrected(case: &Case) -> Case {
    let granted = (0..STATE).map(|deed| case.granted[deed] && is_asked(case, deed) && case.ceiling[deed]);
    Case {
        granted: granted.collect(),
        ..case.clone()
    }
}

// ---- the keys as their owners write them -----------------------------------------------------

fn manifest(case: &Case) -> Manifest {
    let mut asked = BTreeMap::<&str, Vec<&str>>::new();
    for asking in &case.asked {
        let (capability, verb) = asking.split_once(' ').unwrap();
        asked.entry(capability).or_default().push(verb);
    }
    let manifest = json!({
        "name": "guest", "version": "1.0.0", "summary": "",
        "capabilities": asked, "optional": asked, "kinds": { "check": {}, "remedy": {} },
    });
    Manifest::parse(&serde_json::to_vec(&manifest).unwrap()).unwrap()
}

/// A thing of a role, with the verbs that the ceiling allows; without any, it isn't there.
fn thing(case: &Case, capability: &str, name: &str, table: &str, body: &str) -> String {
    let deeds = DEEDS[..STATE].iter().zip(&case.ceiling);
    let verbs: Vec<&str> = deeds
        .filter(|((of, _, named, _), is)| **is && *of == capability && *named == name)
        .map(|((_, verb, ..), _)| *verb)
        .collect();
    match verbs.as_slice() {
        [] => String::new(),
        ["run"] => format!("[role.{table}]\n{body}\n"),
        verbs => format!("[role.{table}]\n{body}\nallow = {verbs:?}\n"),
    }
}

fn roles(case: &Case, dir: &Path, origin: &str) -> String {
    let dir = dir.display();
    let script = |name: &str| format!("command = [\"sh\", \"-c\", \"echo x >> {dir}/{name}\"]");
    [
        "[role.app]\n[role.db]\n".to_owned(),
        thing(
            case,
            "files",
            "data",
            "app.roots.data",
            &format!("path = \"{dir}/{{{{ asset.id }}}}\""),
        ),
        thing(
            case,
            "files",
            "db-1/data",
            "db.roots.data",
            &format!("path = \"{dir}/db-1\""),
        ),
        thing(
            case,
            "exec",
            "look",
            "app.exec.look",
            &format!("{}\nread_only = true", script("look")),
        ),
        thing(case, "exec", "act", "app.exec.act", &script("act")),
        thing(case, "http", "app", "app.origins.app", &format!("url = \"{origin}\"")),
        thing(
            case,
            "secrets",
            "key",
            "app.secrets.key",
            &format!("file = \"{dir}/secret\""),
        ),
    ]
    .concat()
}

/// The home as it checks clean, and its one step.
fn home(case: &Case, dir: &Path, origin: &str) -> (Home, Step) {
    let installed = [Installed {
        manifest: manifest(case),
        digest: Digest("d".into()),
        file: "plugins/guest.wasm".into(),
    }];
    let assets = "[[customer]]\nid = \"steel\"\n[[asset]]\nid = \"app-1\"\ncustomer = \"steel\"\nrole = \"app\"\n\
        [[asset]]\nid = \"db-1\"\ncustomer = \"steel\"\nrole = \"db\"\n";
    let runbook = "name = \"runbook\"\nsummary = \"s\"\n[targets]\nselect = 'asset=\"app-1\"'\n\
        [[step]]\nid = \"step\"\nuses = \"guest/remedy@1\"\n";
    let mut sources = Sources {
        dir: dir.to_owned(),
        evenkeel: Some(roles(case, dir, origin)),
        assets: Some(assets.into()),
        runbooks: vec![("runbooks/r.toml".into(), runbook.into())],
        lock: None,
    };
    sources.lock = Some(resolve(&sources, &installed).unwrap().render());
    let home = check(&sources, &installed).unwrap().home;
    let step = home.runbooks[&"runbook".into()].steps[0].clone();
    (home, step)
}

fn grants(case: &Case) -> Vec<Grant> {
    let granted = DEEDS[..STATE].iter().zip(&case.granted).filter(|(_, is)| **is);
    granted
        .map(|((capability, verb, name, _), _)| {
            let of = |known: &Capability| known.as_str() == *capability;
            let capability = Capability::ALL.into_iter().find(of).unwrap();
            Grant::parse(capability, &format!("{verb} {name}")).unwrap()
        })
        .collect()
}

fn effects(case: &Case) -> Vec<Effect> {
    let deeds = DEEDS[..STATE].iter().zip(&case.declared);
    let declared = deeds.filter(|((.., is_effect), times)| *is_effect && **times > 0);
    declared
        .map(|((capability, verb, name, _), times)| {
            let (operation, subject) = match *capability {
                "files" => (*verb, format!("{name}:{}", file(verb))),
                "exec" => ("run", format!("{name} []")),
                _ => ("send", format!("{verb} {name}:/x")),
            };
            Effect {
                capability: (*capability).into(),
                operation: operation.into(),
                subject,
                content: (*verb == "write").then(|| hex(&sha2::Sha256::digest(APPROVED))),
                at_most: *times,
            }
        })
        .collect()
}

fn file(verb: &str) -> &'static str {
    match verb {
        "write" => "written",
        "remove" => "removed",
        _ => "read",
    }
}

// ---- the guest, and the world around it ------------------------------------------------------

fn calls(case: &Case) -> Value {
    let call = |(deed, is_approved): &(usize, bool)| {
        let (capability, verb, name, _) = DEEDS[*deed];
        let content = if *is_approved { APPROVED } else { "other" };
        match (capability, verb) {
            ("files", "read") => json!({ "read": { "root": name, "path": file(verb), "limit": 10 } }),
            ("files", "write") => json!({ "write": { "root": name, "path": file(verb), "content": content } }),
            ("files", _) => json!({ "remove": { "root": name, "paths": [file(verb)] } }),
            ("exec", _) => json!({ "exec": { "profile": name } }),
            ("http", _) => json!({ "http": { "origin": name, "method": verb, "path": "/x" } }),
            ("secrets", _) => json!({ "reveal": { "name": name } }),
            _ => json!({ "put": { "key": "k", "value": "v" } }),
        }
    };
    case.calls.iter().map(call).collect()
}

/// The methods that it was asked with.
type Asked = Arc<Mutex<Vec<String>>>;

/// Answers everything, and remembers.
async fn origin() -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let remembered = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => head.extend_from_slice(&buffer[..read]),
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let method = head.split(' ').next().unwrap_or_default();
            remembered.lock().unwrap().push(method.to_owned());
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
    });
    (url, asked)
}

fn world(dir: &Path) {
    for asset in ["app-1", "db-1"] {
        fs::create_dir(dir.join(asset)).unwrap();
        for verb in ["read", "remove"] {
            fs::write(dir.join(asset).join(file(verb)), "there").unwrap();
        }
    }
    fs::write(dir.join("secret"), "open-sesame").unwrap();
    fs::set_permissions(dir.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// What has happened to it, by deed; whatever leaves no trace is left out.
fn traces(dir: &Path, asked: &Asked) -> BTreeMap<String, usize> {
    let mut traces = BTreeMap::new();
    for (asset, root) in [("app-1", "data"), ("db-1", "db-1/data")] {
        let written = fs::read_to_string(dir.join(asset).join(file("write")));
        let is_removed = !dir.join(asset).join(file("remove")).exists();
        assert!(written.as_deref().unwrap_or(APPROVED) == APPROVED, "{written:?}");
        traces.insert(format!("write {root}"), usize::from(written.is_ok()));
        traces.insert(format!("remove {root}"), usize::from(is_removed));
    }
    for profile in ["look", "act"] {
        let lines = fs::read_to_string(dir.join(profile)).unwrap_or_default();
        traces.insert(format!("run {profile}"), lines.lines().count());
    }
    for method in ["GET", "POST", "DELETE"] {
        let asked = asked.lock().unwrap();
        let times = asked.iter().filter(|asked| *asked == method).count();
        traces.insert(format!("{method} app"), times);
    }
    traces
}

/// The same, as the oracle has it.
fn expected_traces(case: &Case, allowed: &[bool]) -> BTreeMap<String, usize> {
    let traced = DEEDS[..STATE].iter().enumerate();
    let traced = traced.filter(|(_, (_, verb, ..))| !matches!(*verb, "read" | "reveal"));
    traced
        .map(|(deed, (capability, verb, name, _))| {
            let made = case.calls.iter().zip(allowed);
            let times = made.filter(|((called, _), is)| *called == deed && **is).count();
            // A file is there or not, however often.
            let times = if *capability == "files" { times.min(1) } else { times };
            (format!("{verb} {name}"), times)
        })
        .collect()
}

async fn answers(case: &Case, home: &Home, access: Access) -> Vec<Answer> {
    let steps = calls(case);
    let work = match case.phase {
        Phase::Check => Work::Check,
        Phase::Plan => Work::Plan,
        Phase::Apply => Work::Apply(action(effects(case), Vec::new(), json!({ "steps": steps }))),
    };
    let mut scene = Scene::new(work, json!({ "steps": steps }));
    scene.invocation.target = Arc::clone(&home.assets[&"app-1".into()]);
    scene.invocation.access = access;
    // It may fail for an effect that was not declared, after all of its calls.
    let outcome = scene.play().await;
    let undeclared = matches!(&outcome, Outcome::Failed(failure) if failure.code == "undeclared-effect");
    assert!(undeclared || matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    scene.journal.answers()
}

async fn holds(case: Case) {
    let (_dir, dir) = scratch();
    world(&dir);
    let (url, asked) = origin().await;
    let (home, mut step) = home(&case, &dir, &url);
    let target = &home.assets[&"app-1".into()];
    let of = |step: &Step, case: &Case| access(step, &manifest(case), target, &home);
    step.grant = grants(&case);
    let (case, access, is_sound) = match of(&step, &case) {
        Ok(access) => (case.clone(), access, is_sound(&case)),
        Err(error) => {
            assert!(!is_sound(&case), "{error}, although all three keys allow it: {case:#?}");
            let case = corrected(&case);
            step.grant = grants(&case);
            let access = of(&step, &case).expect("all three keys allow what is left");
            (case, access, true)
        }
    };
    let allowed = allowed(&case);
    let answers = answers(&case, &home, access).await;
    assert_eq!(answers.len(), allowed.len(), "{case:#?}");
    for ((answer, allowed), (deed, _)) in answers.iter().zip(&allowed).zip(&case.calls) {
        let deed = DEEDS[*deed];
        match (answer, allowed) {
            (Answer::Ok(_), true) | (Answer::Denied(_), false) => {}
            (answer, true) => panic!("{deed:?} is allowed: {answer:?} in {case:#?}"),
            (answer, false) => panic!("{deed:?} is not allowed: {answer:?} in {case:#?}"),
        }
    }
    assert_eq!(traces(&dir, &asked), expected_traces(&case, &allowed), "{case:#?}");
    assert!(is_sound, "a grant that another key refuses was taken: {case:#?}");
}

#[test]
fn what_all_keys_allow_is_done_and_nothing_else_is() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config {
        cases: 128,
        failure_persistence: None,
        ..Config::default()
    });
    let (made, refused) = (Mutex::new(0), Mutex::new(0));
    runner
        .run(&case(), |case| {
            let allowed = allowed(&corrected(&case));
            *made.lock().unwrap() += allowed.iter().filter(|is| **is).count();
            *refused.lock().unwrap() += allowed.iter().filter(|is| !**is).count();
            runtime.block_on(holds(case));
            Ok(())
        })
        .unwrap();
    let (made, refused) = (made.into_inner().unwrap(), refused.into_inner().unwrap());
    assert!(
        made > 100 && refused > 100,
        "{made} calls made, {refused} refused: one side is hardly tried"
    );
}
