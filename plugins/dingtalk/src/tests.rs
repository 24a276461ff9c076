use evenkeel_sdk::http::{HttpError, Response};
use evenkeel_sdk::serde_json::{Value, from_value, json};
use evenkeel_sdk::{Class, MockHost, Severity};

use super::*;

fn params(more: Value) -> DingTalk {
    let mut params = json!({ "origin": "robot", "token": "token" });
    let object = params.as_object_mut().expect("an object");
    object.extend(more.as_object().expect("an object").clone());
    from_value(params).expect("parameters")
}

fn notice() -> Notice {
    Notice::new(
        "run-7-3-duty",
        Severity::Critical,
        "disk needs a person",
        "What: it\nWhy: so",
    )
}

fn host() -> MockHost {
    MockHost::new()
        .with_secret("token", "abc")
        .with_secret("key", "SECtest")
}

fn answered(answer: Value) -> Result<Option<String>> {
    answer::read(&Response::status(200).with_body(answer.to_string()))
}

#[test]
fn the_query_holds_references_and_the_signature() {
    let host = host();
    assert_eq!(
        path(&params(json!({})), &host),
        Ok("/robot/send?access_token={{secret:token}}".into())
    );
    let signed = path(&params(json!({ "sign": "key" })), &host).expect("a path");
    let timestamp = host.now_ms();
    let start = format!("/robot/send?access_token={{{{secret:token}}}}&timestamp={timestamp}&sign=");
    let signature = signed.strip_prefix(&start).unwrap_or_else(|| panic!("{signed}"));
    let digest = host
        .secrets()
        .hmac_sha256("SECtest", &format!("{timestamp}\nSECtest"))
        .expect("a digest");
    assert_eq!(signature, percent(&digest));
    assert!(!signed.contains("SECtest"));
}

/// Computed with another implementation.
#[test]
fn the_signature_is_the_robots() {
    let digest = host()
        .secrets()
        .hmac_sha256("SECtest", "1600000000000\nSECtest")
        .expect("a digest");
    assert_eq!(percent(&digest), "J1ROuI0lRhdAs5lXpASksT0u9NwWl4DNkvcHISJRBoY%3D");
}

#[test]
fn it_is_posted_to_the_robot() {
    let host = host().with_http(
        "POST",
        "robot",
        "/robot/send?access_token={{secret:token}}",
        Response::status(200).with_body(r#"{"errcode":0,"errmsg":"ok"}"#),
    );
    host.allow_effects();
    let sent = dingtalk(params(json!({})), notice(), &host);
    assert_eq!(sent, Ok(Some("errcode 0 ok".into())));
}

#[test]
fn without_a_link_it_is_markdown_and_with_one_a_card() {
    let markdown = message::of(&params(json!({ "keyword": "ops", "at": ["138"] })), &notice());
    assert_eq!(markdown["msgtype"], "markdown");
    assert_eq!(markdown["markdown"]["title"], "ops [Critical] disk needs a person");
    assert_eq!(
        markdown["markdown"]["text"],
        "### ops [Critical] disk needs a person\n\nWhat: it\n\nWhy: so\n\n`run-7-3-duty` @138"
    );
    assert_eq!(markdown["at"], json!({ "atMobiles": ["138"], "isAtAll": false }));
    let card = message::of(
        &params(json!({ "link": "https://wiki/x", "button": "Look" })),
        &notice(),
    );
    assert_eq!(card["msgtype"], "actionCard");
    assert_eq!(card["actionCard"]["singleTitle"], "Look");
    assert_eq!(card["actionCard"]["singleURL"], "https://wiki/x");
    let own = Notice {
        link: Some("https://prometheus/graph".into()),
        ..notice()
    };
    let card = message::of(&params(json!({ "link": "https://wiki/x" })), &own);
    assert_eq!(card["actionCard"]["singleURL"], "https://prometheus/graph");
}

#[test]
fn what_is_too_long_is_cut_with_a_mark() {
    let long = Notice {
        text: "ü\n".repeat(50_000),
        title: "t".repeat(500),
        ..notice()
    };
    let message = message::of(&params(json!({})), &long);
    assert!(message.to_string().len() <= 20_000, "{}", message.to_string().len());
    let text = message["markdown"]["text"].as_str().expect("a text");
    assert!(text.ends_with("\n\n… (cut)\n\n`run-7-3-duty`"));
    let title = message["markdown"]["title"].as_str().expect("a title");
    assert!(title.ends_with("t…") && title.chars().count() == 101);
}

#[test]
fn an_alerts_text_makes_no_link() {
    let sly = Notice {
        text: "[click](http://evil) <b>".into(),
        ..notice()
    };
    let message = message::of(&params(json!({})), &sly);
    let text = message["markdown"]["text"].as_str().expect("a text");
    assert!(text.contains("[click] (http://evil) ＜b>"), "{text}");
}

#[test]
fn each_error_code_says_what_to_do() {
    let cases = [
        (
            json!({ "errcode": 310_000, "errmsg": "sign not match" }),
            Class::Permanent,
            "sign",
        ),
        (
            json!({ "errcode": 310_000, "errmsg": "invalid timestamp" }),
            Class::Permanent,
            "timestamp",
        ),
        (
            json!({ "errcode": 310_000, "errmsg": "keywords not in content" }),
            Class::Permanent,
            "keyword",
        ),
        (
            json!({ "errcode": 310_000, "errmsg": "ip 1.2.3.4 not in whitelist" }),
            Class::Permanent,
            "address",
        ),
        (
            json!({ "errcode": 300_001, "errmsg": "token is not exist" }),
            Class::Permanent,
            "token",
        ),
        (
            json!({ "errcode": 130_101, "errmsg": "send too fast" }),
            Class::Transient,
            "too-fast",
        ),
        (
            json!({ "errcode": 90_030, "errmsg": "over the limit" }),
            Class::Transient,
            "too-fast",
        ),
        (
            json!({ "errcode": -1, "errmsg": "system busy" }),
            Class::Transient,
            "busy",
        ),
        (
            json!({ "errcode": 999, "errmsg": "something new" }),
            Class::Permanent,
            "refused",
        ),
    ];
    for (answer, class, code) in cases {
        let error = answered(answer.clone()).expect_err("it was not taken");
        assert_eq!((error.class(), error.code()), (class, code), "{answer}");
        assert!(error.message().contains(answer["errmsg"].as_str().expect("words")));
    }
}

#[test]
fn what_is_no_answer_of_a_robot_is_told() {
    let page = answer::read(&Response::status(200).with_body("<html>")).expect_err("no JSON");
    assert_eq!((page.class(), page.code()), (Class::Permanent, "no-robot"));
    let down = answer::read(&Response::status(502)).expect_err("down");
    assert_eq!(down.class(), Class::Transient);
    let host = host().with_http(
        "POST",
        "robot",
        "/robot/send?access_token={{secret:token}}",
        Err::<Response, _>(HttpError::Connect),
    );
    host.allow_effects();
    let error = dingtalk(params(json!({})), notice(), &host).expect_err("unreachable");
    assert_eq!(error.class(), Class::Transient);
}
