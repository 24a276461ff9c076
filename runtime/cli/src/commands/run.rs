//! `evenkeel run`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Utc};
use evenkeel_alerting::intake::{Batch, Context};
use evenkeel_alerting::{v2, webhook};
use evenkeel_engine::decide::ToUndo;
use evenkeel_engine::run::Run as Fold;
use evenkeel_engine::{PersonRequest, UndoRequest};
use evenkeel_model::alert::{Alert, Labels};
use evenkeel_model::name::{AssetId, RunId, RunbookName};
use evenkeel_model::run::{Body, Event, Mode, Occurrence, State, Summary, Verdict};
use evenkeel_model::target;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::args::{Run, RunsResolve, RunsUndo};
use crate::desk::{Desk, Story as Recorded};
use crate::home::{self, Files};
use crate::render::{self, story::Story};
use crate::{exit, user};

/// How long an alert from a file fires if it doesn't say.
const RESOLVE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(300);

/// `[[after]]` begins as soon as the last run has ended; it is looked for during ten seconds.
const AFTER_LOOKS: u32 = 200;
const AFTER_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// How long a run above those that are followed has, to go on with what came of them.
const ABOVE: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Serialize)]
struct Told {
    summary: Summary,
    events: Vec<Event>,
    /// It is left, for nobody can say yes to it here.
    #[serde(skip)]
    waits: bool,
}

/// What this process has under way is left in order, however that went.
pub async fn at<T>(mut desk: Desk, work: impl AsyncFnOnce(&mut Desk) -> Result<T>) -> Result<T> {
    let done = work(&mut desk).await;
    desk.leave().await;
    done
}

/// Starts a round, and follows its runs one after the other.
pub async fn run(dir: &Path, args: &Run, now: DateTime<Utc>) -> Result<ExitCode> {
    let request = request(dir, args, now)?;
    let desk = match args.dry_run {
        true => Desk::to_try(dir).await?,
        false => Desk::to_run(dir).await?,
    };
    let told = at(desk, async |desk| {
        let runs = desk.start(request).await?;
        desk.cancel_when_interrupted(&runs)?;
        let mut told = Vec::new();
        for run in runs {
            told.push(follow(desk, run, 0, args.listing.json).await?);
        }
        told.extend(follow_after(desk, &told, args.listing.json).await?);
        Ok(told)
    });
    let told = told.await?;
    if args.listing.json {
        render::json(&told)?;
    }
    Ok(code(&told))
}

/// `evenkeel runs resolve`: says what a person found, and follows the run to its end.
pub async fn resolve(dir: &Path, args: &RunsResolve) -> Result<ExitCode> {
    let told = at(Desk::to_try(dir).await?, async |desk| {
        let (summary, known) = desk.whole_story(args.run).await?;
        // What was interrupted in the middle of an effect has not come to its end yet.
        let interrupted = summary.verdict.is_none() && Fold::fold(&known).doubt().is_some();
        if interrupted || summary.verdict == Some(Verdict::Unknown) {
            desk.resume().await?;
        }
        desk.cancel_when_interrupted(&[args.run])?;
        if interrupted {
            desk.ended(args.run).await?;
        }
        desk.resolve(args.run, args).await?;
        let after = known.last().map_or(0, |event| event.seq);
        follow(desk, args.run, after, false).await
    });
    Ok(code(&[told.await?]))
}

/// `evenkeel runs undo`: shows what it would roll back, or does it and follows the run to its end.
pub async fn undo(dir: &Path, args: &RunsUndo) -> Result<ExitCode> {
    let asked = UndoRequest {
        who: user::name(),
        why: match (&args.override_freeze, args.why.as_str()) {
            (Some(why), "") => why.clone(),
            (_, why) => why.to_owned(),
        },
        override_freeze: args.override_freeze.clone(),
        despite_later: args.despite_later,
    };
    let told = at(Desk::to_try(dir).await?, async |desk| {
        let known = desk.whole_story(args.run).await?.1;
        let actions = desk.undo(args.run, asked.clone(), true).await?;
        if args.dry_run {
            tell_undo(args, &actions)?;
            return Ok(None);
        }
        desk.resume().await?;
        desk.undo(args.run, asked, false).await?;
        desk.cancel_when_interrupted(&[args.run])?;
        let after = known.last().map_or(0, |event| event.seq);
        follow(desk, args.run, after, args.listing.json).await.map(Some)
    });
    let Some(told) = told.await? else {
        return Ok(ExitCode::SUCCESS);
    };
    if args.listing.json {
        render::json(&[&told])?;
    }
    Ok(code(&[told]))
}

fn tell_undo(args: &RunsUndo, actions: &[ToUndo]) -> Result<()> {
    if args.listing.json {
        return Ok(render::json(&actions)?);
    }
    render::line(&format!("run {}: it would roll back, in this order:", args.run))?;
    for action in actions {
        let (line, effects) = match action {
            ToUndo::Action { step, action, plugin } => {
                let words = action.undo.as_deref().unwrap_or_default();
                let line = format!("  {step} `{}`: {words}, by {plugin}", action.id);
                (line, render::plan::undoing(action, "`--json`"))
            }
            ToUndo::Run { step, run } => (format!("  {step} run {run}, with all that it changed"), Vec::new()),
        };
        render::line(&render::safe::text(&line))?;
        effects.iter().try_for_each(|effect| render::line(effect))?;
    }
    Ok(())
}

/// Tells runs of this process from their beginning to their end.
pub async fn follow_all(desk: &mut Desk, runs: &[RunId]) -> Result<ExitCode> {
    desk.cancel_when_interrupted(runs)?;
    let mut told = Vec::new();
    let mut above = BTreeSet::new();
    for run in runs {
        let one = follow(desk, *run, 0, false).await?;
        if let Occurrence::Step { above: all, .. } = &one.summary.occurrence {
            above.extend(all.iter().copied());
        }
        told.push(one);
    }
    // What had them run goes on with what came of them. It may wait for something else, and a daemon has the time for that.
    for run in above.into_iter().rev() {
        let _ = tokio::time::timeout(ABOVE, follow(desk, run, 0, true)).await;
    }
    Ok(code(&told))
}

/// Tells what looks at the runs of a round once all of them have ended.
async fn follow_after(desk: &mut Desk, told: &[Told], silent: bool) -> Result<Vec<Told>> {
    let Some(round) = told.first().map(|told| told.summary.round) else {
        return Ok(Vec::new());
    };
    if told.iter().any(|told| told.summary.finished_at.is_none()) {
        return Ok(Vec::new());
    }
    let mut after = desk.after(round).await?;
    for _ in 0..AFTER_LOOKS {
        // Without the daemon nothing is opened; its next start does that.
        if !after.pending || desk.only_reads() {
            break;
        }
        tokio::time::sleep(AFTER_PAUSE).await;
        after = desk.after(round).await?;
    }
    let mut told = Vec::new();
    for run in after.runs {
        told.push(follow(desk, run, 0, silent).await?);
    }
    Ok(told)
}

/// Of the worst of these runs.
fn code(told: &[Told]) -> ExitCode {
    let worst = told
        .iter()
        .map(|told| match (told.summary.verdict, told.waits) {
            (Some(verdict), _) => exit::code(verdict),
            (None, true) => exit::WAITING,
            (None, false) => exit::ERROR,
        })
        .max();
    worst.unwrap_or(exit::ERROR).into()
}

/// Tells what comes after event `seq`.
async fn follow(desk: &mut Desk, run: RunId, seq: u64, silent: bool) -> Result<Told> {
    let mut story = Story::new(run);
    let mut all: Vec<Event> = Vec::new();
    loop {
        let after = all.last().map_or(seq, |event| event.seq);
        let Recorded { summary, events, more } = desk.story(run, after).await?;
        for line in events.iter().flat_map(|event| story.lines(event)) {
            if !silent {
                render::line(&line)?;
            }
        }
        all.extend(events);
        if let Some(summary) = ended(&summary, all.last()) {
            return Ok(Told {
                summary,
                events: all,
                waits: false,
            });
        }
        if let Some(waiting) = desk.waits_for_people(run).await?.filter(|_| !more) {
            let how = format!("`evenkeel approve {waiting}` goes on with it, here or beside a daemon");
            render::note(&format!("run {waiting} waits for a person, and is left so; {how}"));
            return Ok(Told {
                summary,
                events: all,
                waits: true,
            });
        }
        if summary.finished_at.is_some() && !more {
            return Ok(Told {
                summary,
                events: all,
                waits: false,
            });
        }
        if desk.only_reads() && !more {
            bail!("the daemon stopped before run {run} had ended; its next start goes on with it");
        }
    }
}

/// The summary of a run whose end has been told. The one that came with it may have been read
/// before, and a daemon that stops doesn't wait for another question.
fn ended(summary: &Summary, last: Option<&Event>) -> Option<Summary> {
    let Event { at, body, .. } = last?;
    let Body::Finished { verdict, why, changed } = body else {
        return None;
    };
    Some(Summary {
        state: State::Finished,
        verdict: Some(*verdict),
        changed: *changed,
        why: why.clone(),
        finished_at: Some(*at),
        ..summary.clone()
    })
}

fn request(dir: &Path, args: &Run, now: DateTime<Utc>) -> Result<PersonRequest> {
    let input: Map<_, _> = args
        .set
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    if input.len() < args.set.len() {
        bail!("an input is set twice");
    }
    Ok(PersonRequest {
        runbook: RunbookName::new(&args.runbook),
        target: args.target.as_deref().map(AssetId::from),
        all: args.all_targets,
        mode: if args.dry_run { Mode::DryRun } else { Mode::Live },
        alert: args
            .alert
            .as_deref()
            .map(|path| read_alert(dir, path, now))
            .transpose()?,
        input,
        override_freeze: args.override_freeze.clone(),
        who: user::name(),
        request: format!(
            "{}-{}",
            std::process::id(),
            now.timestamp_nanos_opt().unwrap_or_default()
        ),
    })
}

/// One alert, in either of the forms that are pushed, or as it stands in the array of the first.
pub fn read_alert(dir: &Path, path: &Path, now: DateTime<Utc>) -> Result<Alert> {
    let bytes = std::fs::read(path).with_context(|| format!("can't read `{}`", path.display()))?;
    let place = || format!("`{}` holds no alert", path.display());
    let bytes = match serde_json::from_slice::<Value>(&bytes).with_context(place)? {
        one @ Value::Object(_) if one.get("labels").is_some() => serde_json::to_vec(&[one])?,
        _ => bytes,
    };
    let home = Files::read(&home::locate(dir)?)?.check()?.home;
    let customer = |labels: &Labels| target::owner(labels, &home);
    let context = Context {
        source: "file",
        customer: &customer,
        now,
        resolve_timeout: RESOLVE_TIMEOUT,
    };
    let array = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let batch = if array {
        v2::parse(&bytes, &context).with_context(place)?
    } else {
        webhook::parse(&bytes, &context).with_context(place)?.batch
    };
    single(batch).with_context(place)
}

fn single(batch: Batch) -> Result<Alert> {
    if let Some(rejected) = batch.rejected.first() {
        bail!("alert {} is refused: {}", rejected.index, rejected.why);
    }
    let count = batch.alerts.len();
    let mut alerts = batch.alerts.into_iter();
    match (alerts.next(), count) {
        (Some(alert), 1) => Ok(alert),
        _ => bail!("a run sees one alert, and there are {count}"),
    }
}
