//! What the robot answered: HTTP 200 even if it did not take the message.

use evenkeel_sdk::http::Response;
use evenkeel_sdk::serde::Deserialize;
use evenkeel_sdk::serde_json::from_slice;
use evenkeel_sdk::{Class, Error, Result};

/// Characters of an answer that are told.
const EXCERPT: usize = 200;

#[derive(Deserialize)]
#[serde(crate = "evenkeel_sdk::serde")]
struct Answer {
    errcode: i64,
    #[serde(default)]
    errmsg: String,
}

pub fn read(response: &Response) -> Result<Option<String>> {
    if !response.is_success() {
        let class = match response.status {
            408 | 429 | 500..=599 => Class::Transient,
            _ => Class::Permanent,
        };
        let message = format!(
            "DingTalk answered HTTP {}: {}",
            response.status,
            excerpt(&response.text())
        );
        return Err(Error::new(class, "http-status", message));
    }
    let Ok(answer) = from_slice::<Answer>(&response.body) else {
        let message = format!("this is no answer of a robot: {}", excerpt(&response.text()));
        return Err(Error::permanent(
            "no-robot",
            message + "; is the origin `https://oapi.dingtalk.com`?",
        ));
    };
    if answer.errcode == 0 {
        return Ok(Some(
            format!("errcode 0 {}", excerpt(&answer.errmsg)).trim_end().to_owned(),
        ));
    }
    let (class, code, fix) = judge(&answer);
    let said = format!("DingTalk says {} ({})", excerpt(&answer.errmsg), answer.errcode);
    Err(Error::new(
        class,
        code,
        if fix.is_empty() { said } else { format!("{said}: {fix}") },
    ))
}

/// The class, the code, and what to do.
fn judge(answer: &Answer) -> (Class, &'static str, &'static str) {
    let said = |word: &str| answer.errmsg.to_lowercase().contains(word);
    match answer.errcode {
        -1 => (Class::Transient, "busy", ""),
        // It takes 20 messages a minute, and none for ten minutes after more than that.
        130_101 | 410_100 | 90_030 | 90_018 => (
            Class::Transient,
            "too-fast",
            "it takes 20 messages a minute; `rate = \"20 in 1m\"` of the notifier keeps to that",
        ),
        310_000 if said("sign") => (
            Class::Permanent,
            "sign",
            "`sign` must name the secret that the robot's security settings show, which begins with SEC",
        ),
        310_000 if said("timestamp") => (
            Class::Permanent,
            "timestamp",
            "the clock of this computer is more than an hour off",
        ),
        310_000 if said("keyword") => (
            Class::Permanent,
            "keyword",
            "set `keyword` to one of those in the robot's security settings",
        ),
        310_000 if said("ip") => (
            Class::Permanent,
            "address",
            "add this computer's address to the robot's security settings",
        ),
        310_000 => (
            Class::Permanent,
            "security",
            "one of the robot's security settings (keyword, signature, addresses) refused it",
        ),
        300_001 | 300_005 | 400_101 | 40_014 => (
            Class::Permanent,
            "token",
            "`token` must name a secret with what follows `access_token=` in the robot's webhook",
        ),
        400_102 => (
            Class::Permanent,
            "stopped",
            "the robot is stopped: start it in the group's settings",
        ),
        400_013 => (Class::Permanent, "no-group", "the group is dissolved"),
        _ => (Class::Permanent, "refused", ""),
    }
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}
