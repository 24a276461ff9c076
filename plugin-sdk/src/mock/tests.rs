use super::*;
use crate::files::FilesError;
use crate::process::Signal;
use crate::{Class, Effect, Error};

#[test]
fn a_walk_pages_through_everything_in_name_order() {
    let mut host = MockHost::new();
    for n in 0..9_345 {
        host = host.with_file("cache", &format!("d/{n:05}"), "x");
    }
    host = host.with_file("cache", "d.txt", "x").with_file("cache", "e", "x");
    let walked: Result<Vec<_>, _> = host
        .files("cache")
        .walk("")
        .map(|entry| entry.map(|entry| entry.path))
        .collect();
    assert_eq!(walked, Ok(host.paths("cache")));
    assert_eq!(host.files("cache").walk("d").count(), 9_345);
}

#[test]
fn a_walk_ends_at_its_first_error() {
    let host = MockHost::new().with_file("cache", "a", "x");
    let walked: Vec<_> = host.files("cache").walk("gone").collect();
    assert_eq!(walked.len(), 1);
    assert_eq!(
        walked[0].as_ref().map_err(|error| &error.cause),
        Err(&FilesError::Missing)
    );
}

#[test]
fn a_large_file_is_read_whole_and_no_further_than_allowed() {
    let content = vec![7; 3 << 20];
    let host = MockHost::new().with_file("data", "big", &content);
    assert_eq!(host.files("data").read("big", 3 << 20), Ok(content));
    let error: Error = host.files("data").read("big", 1_000).expect_err("too large").into();
    assert_eq!(error.code(), "file-too-large");
}

#[test]
fn an_action_is_held_to_what_it_declares() {
    let host = MockHost::new()
        .with_file("cache", "a", "x")
        .with_file("cache", "b", "x");
    let action = Action::new("clean", "removes a").effect(Effect::remove("cache", "a"));
    host.allow(&action);
    assert!(host.files("cache").remove(&["a".into()]).is_ok());
    let again: Error = host
        .files("cache")
        .remove(&["a".into()])
        .expect_err("at most once")
        .into();
    assert_eq!(again.class(), Class::Denied);
    assert!(host.files("cache").remove(&["b".into()]).is_err());
    assert_eq!(host.made(), ["files.remove cache:a"]);
    assert_eq!(host.paths("cache"), ["b"]);
}

#[test]
fn an_effect_is_held_to_its_content() {
    let host = MockHost::new()
        .with_file("etc", "motd", "")
        .with_exec("load", Output::exit(0));
    let load = host.exec("load").arg("-").stdin("rows");
    let action = Action::new("write", "writes")
        .effect(Effect::write("etc", "motd", b"hello"))
        .effect(load.effect());
    host.allow(&action);
    assert!(host.files("etc").write("motd", b"other").is_err());
    assert!(host.files("etc").write("motd", b"hello").is_ok());
    assert!(host.exec("load").arg("-").stdin("other").run().is_err());
    assert!(load.run().is_ok());
}

#[test]
fn a_reused_pid_is_missing() {
    let process = |started_ms| Process {
        pid: 7,
        name: "web".into(),
        command: "web".into(),
        user: "web".into(),
        state: "running".into(),
        started_ms,
        cpu_ms: 0,
        resident_bytes: 0,
        threads: 1,
    };
    let host = MockHost::new().with_process("web", process(1));
    host.allow_effects();
    assert!(host.process("web").signal(&process(1), Signal::Terminate).is_ok());
    assert!(host.process("web").signal(&process(2), Signal::Terminate).is_err());
}

#[test]
fn state_is_put_over_the_expected_version_alone() {
    let host = MockHost::new();
    let state = host.state();
    assert_eq!(state.put_over(0, "seen", b"1"), Ok(1));
    assert!(state.put_over(0, "seen", b"2").is_err());
    assert_eq!(state.put_over(1, "seen", b"2"), Ok(2));
    assert_eq!(state.keys("se"), Ok(vec!["seen".to_owned()]));
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    let host = MockHost::new().with_secret("key", "Jefe");
    let key = host.secrets().reference("key").expect("it is there");
    let digest = host.secrets().hmac_sha256(&key, "what do ya want for nothing?");
    assert_eq!(digest.as_deref(), Ok("W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="));
}

#[test]
fn answers_come_one_after_the_other_and_the_last_stays() {
    let host = MockHost::new()
        .with_http("GET", "app", "/", HttpError::Connect)
        .with_http("GET", "app", "/", Response::status(503))
        .with_http("GET", "app", "/", Response::status(200));
    let statuses: Vec<_> = (0..4)
        .map(|_| host.http("app").get("/").send().map(|answer| answer.status).ok())
        .collect();
    assert_eq!(statuses, [None, Some(503), Some(200), Some(200)]);
}

#[test]
fn time_stands_still_but_for_sleep() {
    let host = MockHost::new();
    let before = host.now_ms();
    host.sleep(std::time::Duration::from_secs(90));
    assert_eq!(host.now_ms() - before, 90_000);
    assert_eq!(host.monotonic().as_secs(), 90);
}
