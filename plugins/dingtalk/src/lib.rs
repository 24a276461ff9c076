//! Tells a DingTalk group through its custom robot.
//!
//! The protocol is that of <https://open.dingtalk.com/document/robots/custom-robot-access>.

mod answer;
mod message;

use evenkeel_sdk::http::Origin;
use evenkeel_sdk::{Context, Host, Notice, Params, Result};

const PATH: &str = "/robot/send";

/// Which robot, and how it speaks.
#[derive(Params)]
pub struct DingTalk {
    /// The origin of the robot: `https://oapi.dingtalk.com`.
    pub origin: String,
    /// The secret that holds the robot's access token.
    pub token: String,
    /// The secret that the robot's messages are signed with (it begins with SEC); its `hmac` must be true.
    pub sign: Option<String>,
    /// A keyword that the robot wants in every message.
    pub keyword: Option<String>,
    /// Where the button leads if the notice has no link of its own.
    pub link: Option<String>,
    /// What is on the button.
    #[serde(default = "button")]
    pub button: String,
    /// Telephone numbers of members to be mentioned. A card can't mention anybody, so it is never one then.
    #[serde(default)]
    pub at: Vec<String>,
    /// Mentions everybody.
    #[serde(default)]
    pub at_all: bool,
}

fn button() -> String {
    "Details".into()
}

#[evenkeel_sdk::notifier]
fn dingtalk(params: DingTalk, notice: Notice, host: &Host) -> Result<Option<String>> {
    let origin = host.http(&params.origin);
    post(&params, &notice, host, origin)
}

fn post(params: &DingTalk, notice: &Notice, host: &Host, origin: Origin<'_>) -> Result<Option<String>> {
    let path = path(params, host)?;
    let request = origin.post(path).json(&message::of(params, notice))?;
    answer::read(&request.send()?)
}

/// The query names the robot, and proves that whoever sends knows its secret: the digest of the time and the
/// secret, with the secret as the key.
fn path(params: &DingTalk, host: &Host) -> Result<String> {
    let token = host.secrets().reference(&params.token)?;
    let mut path = format!("{PATH}?access_token={token}");
    if let Some(secret) = &params.sign {
        let secret = host.secrets().reference(secret)?;
        let timestamp = host.now_ms();
        let signature = host
            .secrets()
            .hmac_sha256(&secret, &format!("{timestamp}\n{secret}"))
            .context("signing the message")?;
        path.push_str(&format!("&timestamp={timestamp}&sign={}", percent(&signature)));
    }
    Ok(path)
}

/// Base64 has three characters that mean something in a query.
fn percent(base64: &str) -> String {
    base64.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[cfg(test)]
mod tests;
