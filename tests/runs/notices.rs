//! People are told by a DingTalk robot and a webhook, with the real binary and the shipped plugins.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::ensure;
use evenkeel_tests::alerts::Alert;
use evenkeel_tests::evenkeel::{BOUND, Home};
use evenkeel_tests::receiver::{KEY, Receiver, TOKEN, digest};
use evenkeel_tests::wait::wait_until;
use serde_json::Value;

use crate::workshop::{ASSETS, HEALED, ON_ALERT_HEALED, ROLE, Repair, go, wait_for_fixes};

fn settings(address: &str, routes: &str) -> String {
    format!(
        r#"{ROLE}
[role.notify.origins.robot]
url = "http://{address}"
allow = ["POST"]

[role.notify.secrets.token]
file = "secrets/token"
allow = ["use"]
origins = ["robot"]

[role.notify.secrets.key]
file = "secrets/key"
allow = ["use"]
hmac = true

[notifier.duty-chat]
uses = "dingtalk@1"
role = "notify"
with = {{ origin = "robot", token = "token", sign = "key" }}
grant = {{ http = ["POST robot"], secrets = ["use token", "use key"] }}
rate = "20 in 1m"

[notifier.tickets]
uses = "webhook@1"
role = "notify"
with = {{ origin = "robot", path = "/tickets", sign = "key" }}
grant = {{ http = ["POST robot"], secrets = ["use key"] }}

{routes}
"#
    )
}

const ALL: &str = r#"
[[route]]
on = ["approval", "not-repaired", "unknown"]
notify = ["duty-chat", "tickets"]
"#;

const ESCALATIONS: &str = r#"
[[route]]
on = ["escalation"]
notify = ["duty-chat", "tickets"]
"#;

fn home(address: &str, routes: &str, repair: &Repair) -> anyhow::Result<Home> {
    let home = Home::ready(&[
        ("evenkeel.toml", &settings(address, routes)),
        ("secrets/token", TOKEN),
        ("secrets/key", KEY),
        ("assets.toml", ASSETS),
        ("app/broken", ""),
        ("runbooks/repair.toml", &repair.text()),
    ])?;
    // What everybody may read is no secret.
    for name in ["token", "key"] {
        let path = home.path().join("secrets").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(home)
}

fn push(daemon: &evenkeel_tests::evenkeel::Daemon) -> anyhow::Result<()> {
    daemon.push(&[Alert::new("Broken").label("asset", "one").firing()])
}

fn outbox(home: &Home, state: &str) -> anyhow::Result<Vec<Value>> {
    Ok(serde_json::from_str(
        &home.done(&["outbox", "--json", "--state", state])?.stdout,
    )?)
}

fn wait_for_delivered(home: &Home, count: usize) -> Vec<Value> {
    wait_until(BOUND, "the notices are delivered", || {
        let delivered = outbox(home, "delivered")?;
        ensure!(delivered.len() == count, "{}", home.done(&["outbox"])?.stdout);
        Ok(delivered)
    })
}

#[test]
fn a_repair_in_vain_reaches_the_robot_and_the_webhook() -> anyhow::Result<()> {
    let receiver = Receiver::start()?;
    let repair = Repair::new("repair", "in-vain").and(ON_ALERT_HEALED);
    let home = home(&receiver.address.to_string(), ALL, &repair)?;
    let daemon = home.serve()?;
    push(&daemon)?;
    // It is tried again in a minute; this is of the first time.
    assert_eq!(home.wait_for_state(1, "finished")["verdict"], "not-repaired");
    wait_for_delivered(&home, 2);
    let taken = receiver.taken();
    assert_eq!((taken.len(), receiver.received().len()), (2, 2), "{taken:#?}");
    let robot = taken.iter().find(|received| received.path.starts_with("/robot/send"));
    let message = robot.map(|received| received.body().to_string()).unwrap_or_default();
    assert!(message.contains("evenkeel runs show 1"), "{message}");
    let ticket = taken.iter().find(|received| received.path == "/tickets");
    let Some(ticket) = ticket else {
        anyhow::bail!("no ticket: {taken:#?}")
    };
    assert_eq!(ticket.body()["labels"]["topic"], "not-repaired");
    assert_eq!(ticket.headers["idempotency-key"], ticket.body()["id"]);
    let authorization = &ticket.headers["authorization"];
    let proof = authorization
        .strip_prefix("HMAC-SHA256 timestamp=")
        .and_then(|proof| proof.split_once(", signature="));
    let Some((timestamp, signature)) = proof else {
        anyhow::bail!("{authorization}")
    };
    assert_eq!(signature, digest(KEY, &format!("{timestamp}.{}", ticket.text)));
    assert_eq!(daemon.metric("evenkeel_notices_delivered_total", &[])?, 2.0);
    let told = home.done(&["outbox"])?.stdout;
    assert!(
        told.contains("errcode 0 ok") && !told.contains(KEY) && !told.contains(TOKEN),
        "{told}"
    );
    Ok(())
}

#[test]
fn an_approval_is_asked_for_in_the_chat() -> anyhow::Result<()> {
    let receiver = Receiver::start()?;
    let repair = Repair::new("repair", "fix")
        .step("ask_from = \"low\"")
        .and(ON_ALERT_HEALED);
    let home = home(&receiver.address.to_string(), ALL, &repair)?;
    let daemon = home.serve()?;
    push(&daemon)?;
    wait_for_delivered(&home, 2);
    for received in receiver.taken() {
        assert!(
            received.text.contains("evenkeel approve 1 --plan "),
            "{}",
            received.text
        );
    }
    Ok(())
}

#[test]
fn a_receiver_that_was_down_gets_each_notice_once_although_the_daemon_is_killed() -> anyhow::Result<()> {
    // Nobody listens there for now.
    let address = Receiver::start()?.address.to_string();
    let repair = Repair::new("repair", "slow").and(ON_ALERT_HEALED);
    let home = home(&address, &format!("{ALL}{ESCALATIONS}"), &repair)?;
    let daemon = home.serve()?;
    push(&daemon)?;
    wait_for_fixes(&home, 1);
    daemon.kill()?;
    let daemon = home.serve()?;
    assert_eq!(home.finished(1)[0]["verdict"], "unknown");
    wait_until(BOUND, "it was tried in vain", || {
        let waiting = outbox(&home, "waiting")?;
        ensure!(
            waiting.len() == 4 && waiting.iter().any(|notice| notice["why"] != ""),
            "{waiting:#?}"
        );
        Ok(())
    });
    daemon.kill()?;
    let receiver = Receiver::at(&address)?;
    let _daemon = home.serve()?;
    wait_for_delivered(&home, 4);
    let taken = receiver.taken();
    assert_eq!(taken.len(), 4, "{taken:#?}");
    let topics: Vec<Value> = taken
        .iter()
        .filter(|received| received.path == "/tickets")
        .map(|received| received.body()["labels"]["topic"].clone())
        .collect();
    assert_eq!(topics, ["escalation", "unknown"], "in their order");
    go(&home)?;
    Ok(())
}

#[test]
fn a_wrong_key_is_given_up_at_once_and_a_test_says_why() -> anyhow::Result<()> {
    let receiver = Receiver::start()?;
    let repair = Repair::new("repair", "in-vain").and(HEALED);
    let home = home(&receiver.address.to_string(), ESCALATIONS, &repair)?;
    let said = home.run(&["notify", "test", "duty-chat"])?;
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.stdout.contains("`duty-chat` took it"), "{said:#?}");
    home.write("secrets/key", "SECother")?;
    let said = home.run(&["notify", "test", "duty-chat"])?;
    assert_eq!(said.code, 1, "{said:#?}");
    assert!(
        said.stdout
            .contains("sign not match (310000): `sign` must name the secret"),
        "{said:#?}"
    );
    let unknown = home.run(&["notify", "test", "duty-chta"])?;
    assert!(unknown.stderr.contains("did you mean `duty-chat`?"), "{unknown:#?}");
    let _daemon = home.serve()?;
    home.done(&["run", "repair", "--target", "one"]).err();
    let given_up = wait_until(BOUND, "it is given up", || {
        let given_up = outbox(&home, "given-up")?;
        ensure!(!given_up.is_empty());
        Ok(given_up)
    });
    assert_eq!(given_up[0]["tries"].as_array().map(Vec::len), Some(1), "{given_up:#?}");
    Ok(())
}
