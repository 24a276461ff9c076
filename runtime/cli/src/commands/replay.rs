//! `evenkeel runs replay`: makes the calls of recorded runs again, offline.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use evenkeel_engine::recording::{Ending, Recording, Replayed, Side, Unrecorded, recordings};
use evenkeel_model::call::Call;
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Key, Outcome};
use evenkeel_model::name::RunId;
use evenkeel_sandbox::{Ports, Sandbox, scan};
use serde::Serialize;

use crate::args::RunsReplay;
use crate::desk::Desk;
use crate::render::{self, safe, story};
use crate::{exit, home, wire};

/// What is shown of a request or a result.
const WIDTH: usize = 400;

/// One invocation, and what came of it.
#[derive(Serialize)]
struct Line {
    run: RunId,
    key: Key,
    #[serde(flatten)]
    result: Told,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Told {
    Replayed(Replayed),
    /// Why it could not be replayed.
    NotReplayed(String),
}

/// Succeeds only if every invocation comes out as it was recorded.
pub async fn replay(dir: &Path, desk: &mut Desk, args: &RunsReplay) -> Result<ExitCode> {
    let sandbox = sandbox(&home::locate(dir)?)?;
    let mut lines = Vec::new();
    for run in &args.runs {
        let (_, events) = desk.whole_story(*run).await?;
        for (key, recording) in recordings(*run, &events) {
            let result = again(&sandbox, recording).await;
            let line = Line { run: *run, key, result };
            if !args.listing.json {
                tell(&line)?;
            }
            lines.push(line);
        }
    }
    let same = lines.iter().filter(|line| line.is_same()).count();
    if args.listing.json {
        render::json(&lines)?;
    } else {
        render::line(&format!("{} invocations, {same} the same", lines.len()))?;
    }
    Ok(if same == lines.len() {
        ExitCode::SUCCESS
    } else {
        exit::ERROR.into()
    })
}

/// The plugins as they are installed. An invocation's own bounds are the recorded ones.
fn sandbox(home: &Path) -> Result<Sandbox> {
    let limits = SandboxLimits {
        concurrency: 1,
        memory_bytes: 4 << 30,
        ..SandboxLimits::default()
    };
    let data = home::data(home);
    let sandbox = Sandbox::new(home, Some(&data), &limits, wire::compiler(), Ports::local(home))?;
    sandbox.install(&scan(home).installed);
    Ok(sandbox)
}

async fn again(sandbox: &Sandbox, recording: Result<Recording, Unrecorded>) -> Told {
    let recording = match recording {
        Ok(recording) => recording,
        Err(why) => return Told::NotReplayed(why.to_string()),
    };
    let plugin = recording.plugin.clone();
    match sandbox.replay(recording, &plugin.digest).await {
        Ok(replayed) => Told::Replayed(replayed),
        Err(error) => Told::NotReplayed(format!("`{plugin}`: {error}")),
    }
}

impl Line {
    fn is_same(&self) -> bool {
        matches!(&self.result, Told::Replayed(replayed) if replayed.ending == Ending::Same)
    }
}

fn tell(line: &Line) -> Result<()> {
    let Key {
        step,
        phase,
        action,
        attempt,
    } = &line.key;
    let action = action
        .as_ref()
        .map_or(String::new(), |id| format!(" `{}`", safe::text(id)));
    let attempt = if *attempt > 1 {
        format!(" (attempt {attempt})")
    } else {
        String::new()
    };
    let told = match &line.result {
        Told::NotReplayed(why) => vec![format!("not replayed: {}", safe::text(why))],
        Told::Replayed(replayed) => came_to(replayed),
    };
    let mut told = told.into_iter();
    let first = told.next().unwrap_or_default();
    render::line(&format!("run {}  {step} {phase}{action}{attempt}: {first}", line.run))?;
    for more in told {
        render::line(&format!("    {more}"))?;
    }
    Ok(())
}

fn came_to(replayed: &Replayed) -> Vec<String> {
    let calls = match replayed.calls {
        1 => "1 call".to_owned(),
        calls => format!("{calls} calls"),
    };
    match &replayed.ending {
        Ending::Same => vec![format!("{calls}, the same")],
        Ending::Open { .. } => vec![format!("{calls}, the same up to here: the record has no end")],
        Ending::Withheld { call, .. } => vec![format!(
            "{calls}, the same up to {}: a secret's value is not recorded",
            story::call_name(call)
        )],
        Ending::Differs(difference) => vec![
            format!("{calls}, and then it differs"),
            format!("recorded  {}", side(&difference.recorded)),
            format!("replayed  {}", side(&difference.replayed)),
        ],
    }
}

fn side(side: &Side) -> String {
    match side {
        Side::Called(call) => format!("{} {}", story::call_name(call), request(call)),
        Side::Sensed(words) => safe::short(words, WIDTH),
        Side::Ended(outcome) => format!("ended: {}", outcome_text(outcome)),
        Side::Unreadable(why) => format!("can't be read: {}", safe::short(why, WIDTH)),
    }
}

fn request(call: &Call) -> String {
    safe::short(&call.request.to_string(), WIDTH)
}

fn outcome_text(outcome: &Outcome) -> String {
    let text = serde_json::to_string(outcome).unwrap_or_default();
    safe::short(&text, WIDTH)
}
