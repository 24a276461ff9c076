//! A notice as a message of the robot.

use evenkeel_sdk::serde_json::{Value, json};
use evenkeel_sdk::{Notice, Severity};

use crate::DingTalk;

/// Characters of a title.
const TITLE: usize = 100;
/// Bytes of a text: the robot takes 20,000 of a whole message, and JSON needs some for itself.
const TEXT: usize = 12_000;
/// What stands where a text was cut.
const CUT: &str = "\n\n… (cut)";

pub fn of(params: &DingTalk, notice: &Notice) -> Value {
    let title = title(params, notice);
    let text = text(params, notice, &title);
    let link = notice.link.as_ref().or(params.link.as_ref());
    let mentions = params.at_all || !params.at.is_empty();
    match link.filter(|_| !mentions) {
        Some(link) => json!({
            "msgtype": "actionCard",
            "actionCard": {
                "title": title,
                "text": text,
                "singleTitle": params.button,
                "singleURL": link,
                "btnOrientation": "0",
            },
        }),
        None => json!({
            "msgtype": "markdown",
            "markdown": { "title": title, "text": text },
            "at": { "atMobiles": params.at, "isAtAll": params.at_all },
        }),
    }
}

fn title(params: &DingTalk, notice: &Notice) -> String {
    let word = match notice.severity {
        Severity::Ok => "OK",
        Severity::Info => "Info",
        Severity::Warning => "Warning",
        Severity::Critical => "Critical",
    };
    let keyword = params
        .keyword
        .iter()
        .map(|keyword| format!("{keyword} "))
        .collect::<String>();
    let whole = format!("{keyword}[{word}] {}", plain(&notice.title));
    match whole.char_indices().nth(TITLE) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

/// Each line a paragraph of its own, for markdown joins lines.
fn text(params: &DingTalk, notice: &Notice, title: &str) -> String {
    let mut end = format!("\n\n`{}`", notice.id);
    if let Some(link) = notice.link.as_ref().filter(|_| params.at_all || !params.at.is_empty()) {
        end.push_str(&format!("\n\n[{}]({link})", params.button));
    }
    for mobile in &params.at {
        end.push_str(&format!(" @{mobile}"));
    }
    let said = plain(&notice.text).replace('\n', "\n\n");
    let text = format!("### {title}\n\n{said}");
    let room = TEXT.saturating_sub(end.len());
    if text.len() <= room {
        return text + &end;
    }
    let kept = &text[..text.floor_char_boundary(room.saturating_sub(CUT.len()))];
    format!("{kept}{CUT}{end}")
}

/// Text of alerts and plugins makes no links and no pictures.
fn plain(text: &str) -> String {
    text.replace("](", "] (").replace('<', "＜")
}
