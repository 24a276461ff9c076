//! Processes, seen and signalled.

use std::process::{Child, Command, Stdio};

use evenkeel_model::action::Risk;
use evenkeel_model::grant::Capability;
use evenkeel_model::role::{Processes, Resource};
use serde_json::{Value, json};

use crate::stage::{Scene, denied, effect, eventually};

/// Ends with the test.
struct Sleeper(Child);

impl Sleeper {
    /// `tag` tells it from those of other tests.
    fn start(tag: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the process that is looked at")]
        let mut command = Command::new("sh");
        let script = format!("while :; do sleep 0.1; done; : {tag}");
        let child = command.args(["-c", &script]).stdout(Stdio::null()).spawn();
        Self(child.expect("a shell"))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("it is ours").is_some()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn profile(tag: &str) -> Resource {
    Resource::Processes(Processes {
        name: Some("sh".into()),
        command: Some(format!("sh -c .*{tag}")),
        user: Some(nix_user()),
        allow: Vec::new(),
        risk: Risk::Low,
    })
}

fn nix_user() -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc(5)");
    let line = status.lines().find(|line| line.starts_with("Uid:")).expect("a user");
    line.split_whitespace().nth(2).expect("the effective one").to_owned()
}

fn grants(scene: Scene, tag: &str, verbs: &[&str]) -> Scene {
    scene.grant(Capability::Process, verbs, "app", profile(tag))
}

async fn seen(tag: &str) -> Vec<Value> {
    let told = grants(Scene::check(json!([{ "select": {} }])), tag, &["see"])
        .told()
        .await;
    told[0]["ok"]
        .as_array()
        .unwrap_or_else(|| panic!("{}", told[0]))
        .clone()
}

fn signal(pid: &Value, started: &Value) -> Value {
    json!([{ "signal": { "pid": pid, "started": started, "signal": "TERM" } }])
}

#[tokio::test]
async fn a_profile_shows_what_it_selects_and_nothing_else() {
    let sleeper = Sleeper::start("first-of-two");
    let _other = Sleeper::start("second-of-two");
    let all = seen("first-of-two").await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["pid"], sleeper.pid());
    assert_eq!(all[0]["name"], "sh");
    assert!(
        all[0]["threads"] == 1 && all[0]["resident"].as_u64() > Some(0),
        "{}",
        all[0]
    );
    let again = seen("first-of-two").await;
    assert_eq!(again[0]["started"], all[0]["started"], "it does not wobble");
    assert_eq!(seen("none-of-two").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_signal_reaches_the_process_that_was_seen_and_no_other() {
    let mut sleeper = Sleeper::start("signalled");
    let other = Sleeper::start("a-stranger");
    let info = seen("signalled").await.remove(0);
    let terminate = |steps: Value| {
        grants(
            Scene::apply(vec![effect("process", "send", "TERM app")], steps),
            "signalled",
            &["TERM"],
        )
    };

    // Its number went to another process meanwhile; it is another process; it is nobody's.
    let reused = terminate(signal(&info["pid"], &json!(info["started"].as_u64().unwrap() - 10)))
        .told()
        .await;
    assert!(reused[0]["err"].as_str().unwrap().contains("Missing"), "{}", reused[0]);
    let stranger = terminate(signal(&json!(other.pid()), &seen("a-stranger").await[0]["started"]))
        .told()
        .await;
    assert!(
        denied(&stranger[0]).contains("does not select process"),
        "{}",
        stranger[0]
    );
    for pid in [0, 1, u32::MAX] {
        let nobody = terminate(signal(&json!(pid), &info["started"])).told().await;
        assert!(nobody[0].get("err").is_some(), "{pid}");
    }
    assert!(!sleeper.has_ended());
    let ours = terminate(signal(&json!(std::process::id()), &info["started"]))
        .told()
        .await;
    assert!(denied(&ours[0]).contains("evenkeel itself"), "{}", ours[0]);
    let parent = terminate(signal(&json!(std::os::unix::process::parent_id()), &info["started"]))
        .told()
        .await;
    assert!(denied(&parent[0]).contains("what started it"), "{}", parent[0]);

    let scene = terminate(signal(&info["pid"], &info["started"]));
    assert_eq!(scene.told().await, [json!({ "ok": null })]);
    assert_eq!(scene.journal.intents().len(), 1, "its intent came first");
    assert!(!scene.journal.intents()[0].repeatable);
    eventually(|| sleeper.has_ended()).await;
    let gone = terminate(signal(&info["pid"], &info["started"])).told().await;
    assert!(gone[0]["err"].as_str().unwrap().contains("Missing"), "{}", gone[0]);
}

#[tokio::test]
async fn only_granted_signals_and_only_where_changes_are_made() {
    let mut sleeper = Sleeper::start("protected");
    let info = seen("protected").await.remove(0);
    let steps = signal(&info["pid"], &info["started"]);
    let check = grants(Scene::check(steps.clone()), "protected", &["see", "TERM"])
        .told()
        .await;
    assert!(denied(&check[0]).contains("a check never does"), "{}", check[0]);
    let ungranted = Scene::apply(vec![effect("process", "send", "TERM app")], steps.clone());
    let ungranted = grants(ungranted, "protected", &["see", "KILL"]).told().await;
    assert!(
        denied(&ungranted[0]).contains("`TERM app` is not granted"),
        "{}",
        ungranted[0]
    );
    let undeclared = grants(Scene::apply(Vec::new(), steps), "protected", &["TERM"])
        .undeclared()
        .await;
    assert!(
        denied(&undeclared[0]).contains("is not among the effects"),
        "{}",
        undeclared[0]
    );
    let unseen = grants(Scene::check(json!([{ "select": {} }])), "protected", &["TERM"])
        .told()
        .await;
    assert!(denied(&unseen[0]).contains("`see app` is not granted"), "{}", unseen[0]);
    assert!(!sleeper.has_ended());
}
