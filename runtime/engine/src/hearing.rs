//! Alerts that waiting runs want to hear of again: one look for all of them, however many wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evenkeel_model::alert::Identity;
use tokio::sync::watch;
use tracing::warn;

use crate::engine::Engine;

/// They are looked for this often. It is not told by an edge: one that is heard again before it was
/// found to have expired makes none.
const EVERY: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(crate) struct Hearing {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    alerts: BTreeMap<Identity, watch::Sender<()>>,
    looking: bool,
}

impl Engine {
    /// Ends when the alert fires again.
    pub(crate) async fn heard(self: &Arc<Self>, identity: &Identity) {
        let mut news = {
            let mut waiting = self.hearing.waiting();
            let news = waiting.alerts.entry(identity.clone()).or_default().subscribe();
            if !std::mem::replace(&mut waiting.looking, true) {
                tokio::spawn(look(Arc::clone(self)));
            }
            news
        };
        if news.changed().await.is_err() {
            // Its sender stays while anybody listens.
            std::future::pending::<()>().await;
        }
    }
}

impl Hearing {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: nobody waits any more, and nobody looks.
    fn wanted(&self) -> Option<Vec<Identity>> {
        let mut waiting = self.waiting();
        waiting.alerts.retain(|_, news| news.receiver_count() > 0);
        waiting.looking = !waiting.alerts.is_empty();
        waiting.looking.then(|| waiting.alerts.keys().cloned().collect())
    }
}

async fn look(engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(wanted) = engine.hearing.wanted() else {
            return;
        };
        let now = engine.ports.clock.now();
        match engine.ports.alerts.firing_among(wanted, now).await {
            Ok(firing) => {
                let waiting = engine.hearing.waiting();
                for news in firing.iter().filter_map(|identity| waiting.alerts.get(identity)) {
                    news.send_replace(());
                }
            }
            Err(cause) => warn!(%cause, "alerts that runs wait for can't be looked for at the moment"),
        }
    }
}
