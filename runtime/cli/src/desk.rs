//! Where questions about a home are answered: by its daemon, or from its files when none runs.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use evenkeel_engine::decide::ToUndo;
use evenkeel_engine::port::outbox::{Outbox as _, OutboxFilter, Posted, Tried};
use evenkeel_engine::port::{After, Journal as _, RunFilter};
use evenkeel_engine::run::Run;
use evenkeel_engine::{Decision, Pending, PersonRequest, Resolution, UndoRequest, by_rounds};
use evenkeel_model::name::{RoundId, RunId};
use evenkeel_model::run::{Event, Summary};
use evenkeel_store::Store;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::RunsResolve;
use crate::args::Whose;
use crate::client::Client;
use crate::wire::{self, House};
use crate::{exit, home, render, signals, user};

mod circuits;
mod url;

pub use self::url::encode;
use self::url::query;

/// Events that are read at once.
const PAGE: usize = 1_000;

/// How long runs besides the one that was asked for may go on.
const LEAVE: Duration = Duration::from_secs(30);

pub enum Desk {
    Daemon(Client),
    /// Only reads.
    Files(Store),
    /// Runs runbooks in this process.
    House(Box<House>),
}

/// A run and those of its events that were asked for.
#[derive(Deserialize)]
pub struct Story {
    pub summary: Summary,
    pub events: Vec<Event>,
    /// There are later events already.
    pub more: bool,
}

#[derive(Deserialize)]
struct Started {
    runs: Vec<RunId>,
}

#[derive(Deserialize)]
struct Undoing {
    actions: Vec<ToUndo>,
}

impl Desk {
    /// To read what was recorded.
    pub async fn to_read(dir: &Path) -> Result<Self> {
        let home = home::locate(dir)?;
        match Client::connect(&home).await? {
            Some(client) => Ok(Self::Daemon(client)),
            None => Ok(Self::Files(wire::open_store(&home)?)),
        }
    }

    /// To run runbooks.
    pub async fn to_run(dir: &Path) -> Result<Self> {
        let desk = Self::to_try(dir).await?;
        desk.resume().await?;
        Ok(desk)
    }

    /// To see first what would be done. Without a daemon, nothing goes on that was left.
    pub async fn to_try(dir: &Path) -> Result<Self> {
        let home = home::locate(dir)?;
        match Client::connect(&home).await? {
            Some(client) => Ok(Self::Daemon(client)),
            None => Ok(Self::House(Box::new(House::open(&home).await?))),
        }
    }

    /// Without a daemon, what was left unfinished goes on beside what is done here: nothing new may work on its targets.
    pub async fn resume(&self) -> Result<()> {
        let Self::House(house) = self else { return Ok(()) };
        if house.engine.resume().await? > 0 {
            render::note("what was left unfinished goes on beside this; `evenkeel runs list` shows it");
        }
        Ok(())
    }

    /// Ends what this process has under way as a daemon does that is told to stop.
    pub async fn leave(self) {
        if let Self::House(house) = self {
            house.engine.drain(LEAVE).await;
        }
    }

    /// Nothing more happens while it is looked at.
    pub fn only_reads(&self) -> bool {
        matches!(self, Self::Files(_))
    }

    /// Returns when this process does nothing more for a run.
    pub async fn ended(&self, run: RunId) -> Result<()> {
        let Self::House(house) = self else { return Ok(()) };
        let mut ended = std::pin::pin!(house.engine.wait(run));
        loop {
            tokio::select! {
                summary = &mut ended => return Ok(summary.map(drop)?),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if let Some(waiting) = house.engine.waits_for_people(run).await? {
                anyhow::bail!("run {run} goes on with run {waiting}, which waits for a person: see to that first");
            }
        }
    }

    /// Nobody can say yes to a run of this process while it waits here.
    pub async fn waits_for_people(&self, run: RunId) -> Result<Option<RunId>> {
        match self {
            Self::House(house) => Ok(house.engine.waits_for_people(run).await?),
            Self::Daemon(_) | Self::Files(_) => Ok(None),
        }
    }

    pub async fn runs(&mut self, filter: RunFilter) -> Result<Vec<Summary>> {
        match self {
            Self::Daemon(client) => client.get(&format!("/api/v1/runs?{}", query(&filter))).await,
            Self::Files(store) => Ok(store.runs(filter).await?),
            Self::House(house) => Ok(house.store.runs(filter).await?),
        }
    }

    /// The events after number `after`; waits a while for one if there is none yet. What a daemon
    /// had recorded before it stopped is read from the files.
    pub async fn story(&mut self, run: RunId, after: u64) -> Result<Story> {
        if let Self::Daemon(client) = self {
            let path = format!("/api/v1/runs/{run}?after={after}&wait=10");
            match client.get(&path).await {
                Err(_) if client.is_closed() => *self = Self::Files(wire::open_store(client.home())?),
                said => return said,
            }
        }
        match self {
            Self::Daemon(_) => unreachable!("it has answered"),
            Self::Files(store) => read(store, run, after).await,
            Self::House(house) => follow(house, run, after).await,
        }
    }

    /// All that was recorded until now.
    pub async fn whole_story(&mut self, run: RunId) -> Result<(Summary, Vec<Event>)> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event.seq);
            let story: Story = match self {
                Self::Daemon(client) => client.get(&format!("/api/v1/runs/{run}?after={after}")).await?,
                Self::Files(store) => read(store, run, after).await?,
                Self::House(house) => read(&house.store, run, after).await?,
            };
            events.extend(story.events);
            if !story.more {
                return Ok((story.summary, events));
            }
        }
    }

    /// Opens a round.
    pub async fn start(&mut self, request: PersonRequest) -> Result<Vec<RunId>> {
        match self {
            Self::Daemon(client) => {
                let body = json!({
                    "runbook": request.runbook,
                    "target": request.target,
                    "all": request.all,
                    "mode": request.mode,
                    "alert": request.alert,
                    "input": request.input,
                    "override_freeze": request.override_freeze,
                    "request": request.request,
                });
                Ok(client.post::<Started>("/api/v1/rounds", &body).await?.runs)
            }
            Self::House(house) => Ok(house.engine.request(request).await?.runs),
            Self::Files(_) => unreachable!("a desk to read starts nothing"),
        }
    }

    /// What looks, or is going to look, at the runs of a round.
    pub async fn after(&mut self, round: RoundId) -> Result<After> {
        if let Self::Daemon(client) = self {
            match client.get(&format!("/api/v1/rounds/{round}/after")).await {
                Err(_) if client.is_closed() => *self = Self::Files(wire::open_store(client.home())?),
                said => return said,
            }
        }
        let after = match self {
            Self::Daemon(_) => unreachable!("it has answered"),
            Self::Files(store) => store.after(round).await?,
            Self::House(house) => house.store.after(round).await?,
        };
        Ok(after.unwrap_or_default())
    }

    /// Ctrl-C, or SIGTERM, asks runs of this process to stop where that is safe; a second one ends
    /// the process at once. What a daemon runs goes on there.
    pub fn cancel_when_interrupted(&self, runs: &[RunId]) -> Result<()> {
        let Self::House(house) = self else { return Ok(()) };
        let (engine, runs) = (house.engine.clone(), runs.to_vec());
        let mut asked = signals::Stop::listen()?;
        tokio::spawn(async move {
            asked.wait().await;
            render::note("interrupted: it stops at the next point where that is safe");
            for run in runs {
                // It may have finished.
                let _ = engine.cancel(run, &format!("interrupted by {}", user::name())).await;
            }
            asked.wait().await;
            // Asked twice, a person means at once.
            std::process::exit(exit::ERROR.into());
        });
        Ok(())
    }

    /// What waits for people. Without a daemon it is read from the runs that were left.
    pub async fn pending(dir: &Path) -> Result<Vec<Pending>> {
        let place = home::locate(dir)?;
        if let Some(mut client) = Client::connect(&place).await? {
            return client.get("/api/v1/approvals").await;
        }
        let (store, home) = (wire::open_store(&place)?, home::Files::read(&place)?.check()?.home);
        let mut pending = Vec::new();
        for left in store.unfinished().await? {
            let events = store.events(left.run).await?.unwrap_or_default();
            pending.extend(Pending::of(left.run, &Run::fold(&events), &home));
        }
        Ok(by_rounds(pending))
    }

    /// Says yes or no to what waits; answers for which runs.
    pub async fn decide(&mut self, whose: &Whose, plan: Option<&str>, said: &Decision) -> Result<Vec<RunId>> {
        match (self, whose) {
            (Self::Daemon(client), whose) => {
                let body = json!({ "approve": said.approve, "plan": plan, "why": said.why });
                let path = match whose {
                    Whose::Run(run) => format!("/api/v1/runs/{run}/approval"),
                    Whose::Round(round) => format!("/api/v1/rounds/{round}/approval"),
                };
                Ok(client.post::<Started>(&path, &body).await?.runs)
            }
            (Self::House(house), Whose::Run(run)) => {
                house.engine.decide(*run, plan, said).await?;
                Ok(vec![*run])
            }
            (Self::House(house), Whose::Round(round)) => Ok(house.engine.decide_round(*round, plan, said).await?),
            (Self::Files(_), _) => unreachable!("a desk to read decides nothing"),
        }
    }

    /// Says whether what nobody knew of was done.
    pub async fn resolve(&mut self, run: RunId, args: &RunsResolve) -> Result<()> {
        match self {
            Self::Daemon(client) => {
                let said = json!({ "done": args.done, "why": args.why, "of": args.of });
                let path = format!("/api/v1/runs/{run}/resolve");
                client.post::<Value>(&path, &said).await.map(drop)
            }
            Self::House(house) => {
                let said = Resolution {
                    done: args.done,
                    who: user::name(),
                    why: args.why.clone(),
                    of: args.of.clone(),
                };
                Ok(house.engine.resolve(run, said).await?)
            }
            Self::Files(_) => unreachable!("a desk to read resolves nothing"),
        }
    }

    /// Has a run rolled back; answers what that is about. `dry`: it is only answered.
    pub async fn undo(&mut self, run: RunId, asked: UndoRequest, dry: bool) -> Result<Vec<ToUndo>> {
        match self {
            Self::Daemon(client) => {
                let body = json!({
                    "why": asked.why,
                    "override_freeze": asked.override_freeze,
                    "despite_later": asked.despite_later,
                    "dry_run": dry,
                });
                let path = format!("/api/v1/runs/{run}/undo");
                Ok(client.post::<Undoing>(&path, &body).await?.actions)
            }
            Self::House(house) => {
                let actions = house.engine.undoable(run, &asked).await?;
                if !dry {
                    house.engine.undo(run, asked).await?;
                }
                Ok(actions)
            }
            Self::Files(_) => unreachable!("a desk to read undoes nothing"),
        }
    }

    /// What people were told, and are to be told.
    pub async fn notices(&mut self, filter: OutboxFilter) -> Result<Vec<Posted>> {
        match self {
            Self::Daemon(client) => {
                let state = filter.state.map(|state| ("state", state.as_str().to_owned()));
                let limit = Some(("limit", filter.limit.to_string()));
                let before = filter.before.map(|number| ("before", number.to_string()));
                let notifier = filter.notifier.map(|name| ("notifier", encode(&name)));
                let pairs = [state, limit, before, notifier].into_iter().flatten();
                let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
                client.get(&format!("/api/v1/outbox?{}", pairs.join("&"))).await
            }
            Self::Files(store) => Ok(store.notices(filter).await?),
            Self::House(house) => Ok(house.store.notices(filter).await?),
        }
    }

    /// Sends a test notice. Without a daemon this process sends it.
    pub async fn test_notifier(dir: &Path, name: &str) -> Result<Tried> {
        let home = home::locate(dir)?;
        if let Some(mut client) = Client::connect(&home).await? {
            let path = format!("/api/v1/notifiers/{}/test", encode(name));
            return client.post(&path, &Value::Null).await;
        }
        let house = House::open(&home).await?;
        Ok(house.engine.test_notifier(name, &user::name()).await?)
    }

    pub async fn kill(&mut self, run: RunId, why: &str) -> Result<()> {
        match self {
            Self::Daemon(client) => {
                let path = format!("/api/v1/runs/{run}/kill");
                client.post::<Value>(&path, &json!({ "why": why })).await.map(drop)
            }
            _ => anyhow::bail!("no daemon serves this home, so no run is under way"),
        }
    }

    pub async fn cancel(&mut self, run: RunId) -> Result<()> {
        match self {
            Self::Daemon(client) => {
                client
                    .post::<Value>(&format!("/api/v1/runs/{run}/cancel"), &Value::Null)
                    .await?;
                Ok(())
            }
            _ => anyhow::bail!("no daemon serves this home, so no run is under way"),
        }
    }
}

async fn read(store: &Store, run: RunId, after: u64) -> Result<Story> {
    let unknown = || format!("there is no run {run}; `evenkeel runs list` shows what there is");
    // The summary first: one that says that the run is finished is followed by all of its events.
    let summary = store.run(run).await?.with_context(unknown)?;
    let events = store.events_after(run, after, PAGE).await?;
    let more = events.len() == PAGE;
    Ok(Story { summary, events, more })
}

/// Whether a run of this process waits for people is looked at this often.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(100);

/// Waits for news of a run of this process, or until this process does nothing more for it.
async fn follow(house: &House, run: RunId, after: u64) -> Result<Story> {
    let mut news = house.store.appended();
    loop {
        let story = read(&house.store, run, after).await?;
        let is_told = story.events.is_empty() && story.summary.finished_at.is_none();
        // What a run below asks adds nothing to this one.
        if !is_told || house.engine.waits_for_people(run).await?.is_some() {
            return Ok(story);
        }
        tokio::select! {
            // Lagging behind is news too; the sender lives as long as the store.
            _ = news.recv() => {}
            // That a run waits for people is no news.
            () = tokio::time::sleep(LOOK_EVERY) => {}
            left = house.engine.wait(run) => {
                anyhow::ensure!(left?.finished_at.is_some(), "run {run} could not go on; the next start finds it");
            }
        }
    }
}
