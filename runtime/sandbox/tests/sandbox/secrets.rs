//! Rows 17, 18 and 35: secrets stay with the host.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use evenkeel_model::grant::Capability;
use evenkeel_model::invocation::Outcome;
use evenkeel_model::role::{Profile, Resource, Secret, SecretFrom};
use serde_json::{Value, json};

use crate::stage::{Scene, denied, scratch, shell};

const VALUE: &str = "SECtest/1+\"é\"";
const BASE64: &str = "U0VDdGVzdC8xKyLDqSI";
const HEX: &str = "534543746573742f312b22c3a922";

fn secret(dir: &Path) -> Secret {
    let path = dir.join("secret");
    fs::write(&path, VALUE).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    Secret {
        from: SecretFrom::File(path),
        allow: Vec::new(),
        origins: Vec::new(),
        exec: vec!["cat".into()],
        hmac: true,
    }
}

fn with(scene: Scene, verbs: &[&str], name: &str, secret: Secret) -> Scene {
    scene.grant(Capability::Secrets, verbs, name, Resource::Secret(secret))
}

/// Prints its input, and its input in other forms.
fn cat() -> Profile {
    shell("tee /dev/stderr | base64")
}

/// What the host wrote down and handed on.
fn left(scene: &Scene, outcome: &Outcome) -> String {
    format!("{:?} {outcome:?}", scene.journal.lines.lock().unwrap())
}

fn keeps(text: &str) {
    for form in [VALUE, BASE64, HEX, "SECtest", "534543746573742f", "SECtest%2F"] {
        assert!(!text.contains(form), "`{form}` is in {text}");
    }
}

#[tokio::test]
async fn a_reference_is_replaced_on_stdin_and_what_comes_back_is_stars() {
    let (_dir, path) = scratch();
    let steps = json!([{ "reference": { "name": "token" } }, { "exec": { "profile": "cat", "stdin": "<last>" } }]);
    let scene = with(
        Scene::check(steps).profile("cat", cat()),
        &["use"],
        "token",
        secret(&path),
    );
    let told = scene.told().await;
    let reference = told[0]["ok"].as_str().unwrap();
    assert!(reference.starts_with("evenkeel-secret-"), "{reference}");
    assert_eq!(told[1]["ok"]["stderr"], "*".repeat(VALUE.len()));
    assert!(
        told[1]["ok"]["stdout"].as_str().unwrap().starts_with("********"),
        "{told:?}"
    );
    let again = scene.told().await;
    assert_eq!(again[0], told[0], "it is the same in the whole step");
    keeps(&left(&scene, &scene.play().await));
}

#[tokio::test]
async fn a_reference_goes_nowhere_but_where_it_is_granted_for() {
    let (_dir, path) = scratch();
    let steps = json!([
        { "reference": { "name": "token" } },
        { "exec": { "profile": "other", "stdin": "<last>" } },
        { "exec": { "profile": "args", "args": ["<last>"] } },
        { "reveal": { "name": "token" } },
        { "log": { "message": "<last>" } },
    ]);
    let args = crate::stage::profile(&["echo"], &[".*"]);
    let scene = Scene::check(steps).profile("other", cat()).profile("args", args);
    let scene = with(scene, &["use"], "token", secret(&path));
    let told = scene.told().await;
    let words = denied(&told[1]);
    assert!(
        words.contains("may not go to `other`: its `exec` in evenkeel.toml do not list it"),
        "{words}"
    );
    assert!(denied(&told[2]).contains("a secret's reference is no argument"));
    assert!(denied(&told[3]).contains("`reveal token` is not granted"));
    assert!(
        scene.journal.logs()[0].starts_with("evenkeel-secret-"),
        "a word like any other"
    );
}

#[tokio::test]
async fn another_assets_secret_and_one_that_does_not_exist_are_denied_in_the_same_words() {
    let (_dir, path) = scratch();
    let steps = json!([{ "reference": { "name": "db-1/token" } }, { "reference": { "name": "nothing" } }]);
    let scene = with(Scene::check(steps), &["use"], "token", secret(&path));
    let told = scene.told().await;
    let words = |told: &Value, name: &str| denied(told).replace(name, "NAME");
    assert_eq!(words(&told[0], "db-1/token"), words(&told[1], "nothing"));
}

#[tokio::test]
async fn a_reference_of_one_asset_does_not_go_to_the_same_name_of_another() {
    let (_dir, path) = scratch();
    let steps = json!([{ "reference": { "name": "token" } }, { "exec": { "profile": "db-1/cat", "stdin": "<last>" } }]);
    let scene = with(
        Scene::check(steps).profile("db-1/cat", cat()),
        &["use"],
        "token",
        secret(&path),
    );
    assert!(denied(&scene.told().await[1]).contains("may not go to `db-1/cat`"));
}

#[tokio::test]
async fn what_is_revealed_leaves_in_no_form() {
    let (_dir, path) = scratch();
    let leaks = json!([
        { "reveal": { "name": "token" } },
        { "log": { "message": "it is <last>" } },
        { "log": { "message": BASE64 } },
        { "log": { "message": HEX.to_uppercase() } },
        { "log": { "message": "SECt%65st%2F1%2b%22%C3%A9%22" } },
        { "log": { "message": "it begins SECtes" } },
        { "log": { "message": "t/1+\"é\" and ends" } },
        { "print": { "stdout": "out <last>", "stderr": "err U0VDdGVzdC8x" } },
        { "print": { "stdout": " out\n", "stderr": "KyLDqSI\n" } },
        { "exec": { "profile": "no<last>", "stdin": "<last>" } },
        { "panic": { "message": "it is <last>" } },
    ]);
    for steps in [json!(leaks.as_array().unwrap()[..10]), leaks] {
        let scene = with(Scene::check(steps), &["reveal"], "token", secret(&path));
        let outcome = scene.play().await;
        let left = left(&scene, &outcome);
        keeps(&left);
        assert!(
            left.contains("it begins ***") && left.contains("*** and ends"),
            "{left}"
        );
        assert!(left.contains("sealed"), "a replay can open it: {left}");
    }
}

#[tokio::test]
async fn chat_robots_signatures_are_made_of_references() {
    let (_dir, path) = scratch();
    let steps = json!([
        { "reference": { "name": "token" } },
        { "hmac": { "key": "<last>", "message": "1600000000000\n<last>" } },
        { "hmac": { "key": "plain", "message": "text" } },
    ]);
    let mut secret = secret(&path);
    fs::write(path.join("secret"), "SECtest\n").unwrap();
    let told = with(Scene::check(steps.clone()), &["use"], "token", secret.clone())
        .told()
        .await;
    assert_eq!(told[1]["ok"], "J1ROuI0lRhdAs5lXpASksT0u9NwWl4DNkvcHISJRBoY=");
    assert!(denied(&told[2]).contains("neither the key nor the message"));
    secret.hmac = false;
    let told = with(Scene::check(steps), &["use"], "token", secret).told().await;
    assert!(denied(&told[1]).contains("it has no `hmac = true`"));
}

#[tokio::test]
async fn what_can_not_be_fetched_is_said_without_a_value() {
    let (_dir, path) = scratch();
    let short = secret(&path);
    fs::write(path.join("secret"), "abc").unwrap();
    let missing = Secret {
        from: SecretFrom::File(path.join("none")),
        ..short.clone()
    };
    let steps = json!([{ "reference": { "name": "short" } }, { "reference": { "name": "missing" } }]);
    let scene = with(
        with(Scene::check(steps), &["use"], "short", short),
        &["use"],
        "missing",
        missing,
    );
    let told = scene.told().await;
    assert!(denied(&told[0]).contains("has 3 bytes") && !denied(&told[0]).contains("abc"));
    assert_eq!(told[1]["err"], "SecretError::Missing");
}
