//! `evenkeel runs replay`: makes the calls of recorded runs again, offline.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use evenkeel_engine::recording::{Ending, Recording, Replayed, Side, Unrecorded, recordings};
use evenkeel_model::call::Call;
use evenkeel_model::home::SandboxLimits;
use evenkeel_model::invocation::{Key, Outcome};
use evenkeel_model::name::RunId;
use evenkeel_model::plugin::Installed;
use evenkeel_sandbox::{Ports, Sandbox, installed, scan};
use serde::Serialize;

use crate::args::RunsReplay;
use crate::desk::Desk;
use crate::render::{self, safe, story};
use crate::{archive, exit, home, key, wire};

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
    let home = home::locate(dir)?;
    let with = args.with.as_deref().map(component).transpose()?;
    let sandbox = sandbox(&home, with.as_ref())?;
    let mut lines = Vec::new();
    for run in &args.runs {
        let (summary, events) = desk.whole_story(*run).await?;
        ensure!(
            !summary.compacted,
            "run {run} can't be replayed: its calls are not kept any more (`keep_calls`)"
        );
        for (key, recording) in recordings(*run, &events) {
            if !concerns(with.as_ref(), &recording) {
                continue;
            }
            let result = again(&sandbox, recording, with.as_ref()).await;
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

/// One that is not installed, by a path from here.
fn component(file: &Path) -> Result<Installed> {
    let here = std::env::current_dir().context("this directory is gone")?;
    let file = here.join(file);
    let file = file.to_str().context("the component's path is not UTF-8")?;
    installed(&here, file).with_context(|| format!("`{file}` can't be replayed with"))
}

/// The plugins as they are installed, and those that were. An invocation's own bounds are the recorded ones.
fn sandbox(home: &Path, with: Option<&Installed>) -> Result<Sandbox> {
    let limits = SandboxLimits {
        concurrency: 1,
        memory_bytes: 4 << 30,
        ..SandboxLimits::default()
    };
    let data = home::data(home);
    let ports = Ports {
        seal: key::seal(&data)?,
        ..Ports::local(home, wire::attendant())
    };
    let sandbox = Sandbox::new(home, Some(&data), &limits, wire::compiler(), ports)?;
    let mut plugins = scan(home).installed;
    plugins.extend(archive::others(home, &plugins));
    plugins.extend(with.cloned());
    sandbox.install(&plugins);
    Ok(sandbox)
}

fn concerns(with: Option<&Installed>, recording: &Result<Recording, Unrecorded>) -> bool {
    match (with, recording) {
        (Some(with), Ok(recording)) => recording.plugin.name == with.manifest.name,
        (Some(_), Err(_)) => false,
        (None, _) => true,
    }
}

async fn again(sandbox: &Sandbox, recording: Result<Recording, Unrecorded>, with: Option<&Installed>) -> Told {
    let recording = match recording {
        Ok(recording) => recording,
        Err(why) => return Told::NotReplayed(why.to_string()),
    };
    let plugin = recording.plugin.clone();
    let digest = with.map_or(&plugin.digest, |with| &with.digest);
    match sandbox.replay(recording, digest).await {
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
            "{calls}, the same up to {}: a secret's value is sealed there with the key of another home",
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
