//! `evenkeel outbox` and `notify`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use evenkeel_engine::port::outbox::{NoticeState, OutboxFilter, Posted, Try, TryOutcome};

use crate::args::{Notify, Outbox};
use crate::desk::Desk;
use crate::exit;
use crate::render::{self, safe, story};

pub async fn outbox(dir: &Path, args: &Outbox) -> Result<ExitCode> {
    let mut desk = Desk::to_read(dir).await?;
    let filter = OutboxFilter {
        state: args.state,
        notifier: args.notifier.clone(),
        before: args.before,
        limit: args.limit.into(),
    };
    let notices = desk.notices(filter).await?;
    if args.listing.json {
        render::json(&notices)?;
        return Ok(ExitCode::SUCCESS);
    }
    if notices.is_empty() {
        render::line("the outbox holds no such notice")?;
    }
    for posted in &notices {
        for line in told(posted) {
            render::line(&line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn notify(dir: &Path, command: &Notify) -> Result<ExitCode> {
    let Notify::Test { name, listing } = command;
    let tried = Desk::test_notifier(dir, name).await?;
    let delivered = tried.outcome == TryOutcome::Delivered;
    if listing.json {
        render::json(&tried)?;
    } else {
        let words = said(&tried.message);
        let line = match tried.outcome {
            TryOutcome::Delivered => format!("`{name}` took it after {} ms{words}", tried.took_ms),
            TryOutcome::Permanent => format!("`{name}` did not take it, and would not take it later{words}"),
            _ => format!("`{name}` did not take it this time{words}"),
        };
        render::line(&line)?;
        for call in &tried.calls {
            render::line(&format!("  {}", safe::text(call)))?;
        }
    }
    Ok(if delivered {
        ExitCode::SUCCESS
    } else {
        exit::ERROR.into()
    })
}

fn told(posted: &Posted) -> Vec<String> {
    let state = match posted.state {
        NoticeState::Waiting => format!("waiting, next try {}", story::clock(posted.next_at)),
        state => state.as_str().to_owned(),
    };
    let mut lines = vec![format!(
        "{} {} to `{}`, {}, {state}: {}",
        posted.number,
        story::clock(posted.queued_at),
        posted.notifier,
        posted.topic,
        safe::text(&posted.notice.title)
    )];
    lines.extend(posted.tries.iter().map(|tried| format!("  {}", a_try(tried))));
    let last = posted.tries.last().is_some_and(|tried| tried.message == posted.why);
    if posted.state == NoticeState::GivenUp && !last {
        lines.push(format!("  {}", safe::text(&posted.why)));
    }
    lines
}

fn a_try(tried: &Try) -> String {
    let outcome = tried.outcome.map_or("no end of it is recorded", TryOutcome::as_str);
    let words = said(&tried.message);
    format!(
        "try {} {}: {outcome} ({} ms){words}",
        tried.n,
        story::clock(tried.at),
        tried.took_ms
    )
}

fn said(message: &str) -> String {
    match message {
        "" => String::new(),
        message => format!(": {}", safe::text(message)),
    }
}
