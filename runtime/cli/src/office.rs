//! Where runs are held back and let go: at the home's daemon, or in its files when none runs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use evenkeel_engine::holds;
use evenkeel_engine::port::gates::Ledger as _;
use evenkeel_engine::why::simulate::Simulated;
use evenkeel_engine::why::{self, Question, Told};
use evenkeel_model::alert::Alert;
use evenkeel_model::hold::{Hold, Wish};
use evenkeel_model::home::Home;
use evenkeel_model::name::{AssetId, RunbookName};
use evenkeel_store::Store;
use serde_json::{Value, json};

use crate::client::Client;
use crate::desk::encode;
use crate::home::{self, Files};
use crate::lock::HomeLock;
use crate::wire::{self, House};

pub enum Office {
    Daemon(Client),
    Files(PathBuf),
}

/// The files of a home that no daemon may serve meanwhile.
struct Held {
    home: Home,
    store: Store,
    _lock: HomeLock,
}

impl Office {
    pub async fn of(dir: &Path) -> Result<Self> {
        let home = home::locate(dir)?;
        match Client::connect(&home).await? {
            Some(client) => Ok(Self::Daemon(client)),
            None => Ok(Self::Files(home)),
        }
    }

    pub async fn hold(&mut self, wish: Wish, now: DateTime<Utc>) -> Result<Hold> {
        match self {
            Self::Daemon(client) => {
                let body = json!({ "what": wish.what, "why": wish.why, "until": wish.until });
                client.post("/api/v1/holds", &body).await
            }
            Self::Files(dir) => {
                let held = Held::open(dir)?;
                holds::check(&wish, &held.home, now)?;
                let standing = held.store.holds(now).await?;
                anyhow::ensure!(standing.len() < holds::MOST, holds::HoldError::TooMany);
                Ok(held.store.hold(wish, now).await?)
            }
        }
    }

    /// Those in force.
    pub async fn holds(&mut self, now: DateTime<Utc>) -> Result<Vec<Hold>> {
        match self {
            Self::Daemon(client) => client.get("/api/v1/holds").await,
            Self::Files(dir) => Ok(wire::open_store(dir)?.holds(now).await?),
        }
    }

    /// None: it was not in force.
    pub async fn release(&mut self, hold: u64, who: &str, now: DateTime<Utc>) -> Result<Option<Hold>> {
        match self {
            Self::Daemon(client) => {
                let path = format!("/api/v1/holds/{hold}/end");
                client.post(&path, &Value::Null).await.map(Some)
            }
            Self::Files(dir) => {
                let held = Held::open(dir)?;
                let released = held.store.release(vec![hold], who.to_owned(), now).await?;
                Ok(released.into_iter().next())
            }
        }
    }

    pub async fn clear_strikes(&mut self, runbook: &str, target: &str, who: &str, now: DateTime<Utc>) -> Result<()> {
        match self {
            Self::Daemon(client) => {
                let body = json!({ "runbook": runbook, "target": target });
                client.post::<Value>("/api/v1/strikes/clear", &body).await.map(drop)
            }
            Self::Files(dir) => {
                let held = Held::open(dir)?;
                let (runbook, target) = (RunbookName::from(runbook), AssetId::from(target));
                anyhow::ensure!(
                    held.home.runbooks.contains_key(&runbook),
                    "there is no runbook `{runbook}`"
                );
                anyhow::ensure!(held.home.assets.contains_key(&target), "there is no asset `{target}`");
                Ok(held.store.clear_strikes(&runbook, &target, who, now).await?)
            }
        }
    }

    pub async fn why(&mut self, question: &Question) -> Result<Told> {
        match self {
            Self::Daemon(client) => client.get(&format!("/api/v1/why?{}", query(question))).await,
            Self::Files(dir) => {
                let home = Files::read(dir)?.check()?.home;
                let store = wire::open_store(dir)?;
                Ok(why::tell(&store, &store, &home, question).await?)
            }
        }
    }

    pub async fn simulate(&mut self, alert: Asked) -> Result<Simulated> {
        match self {
            Self::Daemon(client) => {
                let body = match alert {
                    Asked::Alert(alert) => json!({ "alert": alert }),
                    Asked::Stored(name) => json!({ "stored": name }),
                };
                client.post("/api/v1/simulate", &body).await
            }
            Self::Files(dir) => {
                let house = House::open(dir).await?;
                let alert = match alert {
                    Asked::Alert(alert) => *alert,
                    Asked::Stored(name) => house.engine.stored_alert(&name).await?,
                };
                Ok(house.engine.simulate(alert).await?)
            }
        }
    }
}

/// Which alert is tried.
pub enum Asked {
    Alert(Box<Alert>),
    /// By its fingerprint.
    Stored(String),
}

impl Held {
    fn open(dir: &Path) -> Result<Self> {
        let lock = HomeLock::take(&home::data(dir))?;
        let home = Files::read(dir)?.check()?.home;
        let store = wire::open_store(dir).context("the journal can't be opened")?;
        Ok(Self {
            home,
            store,
            _lock: lock,
        })
    }
}

fn query(question: &Question) -> String {
    let pairs = [
        ("runbook", question.runbook.as_ref().map(ToString::to_string)),
        ("asset", question.asset.as_ref().map(ToString::to_string)),
        ("alert", question.alert.clone()),
        ("from", Some(question.from.to_rfc3339())),
        ("to", Some(question.to.to_rfc3339())),
        ("limit", Some(question.limit.to_string())),
    ];
    let pairs = pairs
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encode(&value?))));
    pairs.collect::<Vec<_>>().join("&")
}
