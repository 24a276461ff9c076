//! Takes what waits in the outbox to the notifiers: each its own in order, several notifiers at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_model::home::Home;
use evenkeel_model::invocation::{Key, Notice, Outcome, Phase, Severity, Stop};
use evenkeel_model::name::RunId;
use evenkeel_model::notify::Notifier;
use evenkeel_model::run::Mode;
use evenkeel_model::tape::Seed;
use rand::Rng as _;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tracing::{error, info, warn};

use super::calls::TryCalls;
use super::{digest, pace};
use crate::drive::sleep_until;
use crate::engine::Engine;
use crate::port::outbox::{Next, Posted, Tried, TryOutcome};
use crate::port::{Calls, Invocation, JournalError, Work};
use crate::serve::stopped;

/// Notifiers that are called at once.
const AT_ONCE: usize = 8;
/// How often the outbox is looked into when nobody says that something is there.
const LOOK_EVERY: TimeDelta = TimeDelta::seconds(5);
/// After the outbox refused something.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// So often what came of a try is written before it is left to be tried again.
const WRITES: u32 = 30;
/// Beyond a notifier's own timeout, the sandbox is waited for so long.
const BEYOND: Duration = Duration::from_secs(10);
/// Tries under way may go on for so long when the daemon stops; then they are made again by the next.
const LEAVE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    #[error("there is no `[notifier.{name}]` in evenkeel.toml{known}")]
    Unknown { name: String, known: String },
}

/// Notifiers that are being called.
#[derive(Default)]
struct Lanes {
    tasks: JoinSet<()>,
    names: BTreeMap<Id, String>,
    busy: BTreeSet<String>,
}

impl Lanes {
    fn start(&mut self, notifier: String, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.busy.insert(notifier.clone());
        self.names.insert(id, notifier);
    }

    /// Ends when one of them has ended; never, if there is none.
    async fn next(&mut self) {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(broken)) => broken.id(),
            None => return std::future::pending().await,
        };
        if let Some(name) = self.names.remove(&id) {
            self.busy.remove(&name);
        }
    }
}

impl Engine {
    /// Delivers until `shutdown` is true.
    pub(crate) async fn deliver(self: &Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        let mut lanes = Lanes::default();
        let mut homes = self.watch_home();
        loop {
            let now = self.ports.clock.now();
            let wake = self.send_due(&mut lanes, now).await.unwrap_or_else(|cause| {
                error!(%cause, "people can't be told for the moment");
                now + LOOK_EVERY
            });
            tokio::select! {
                () = lanes.next() => {}
                () = self.post.arrived.notified() => {}
                changed = homes.changed() => if changed.is_err() { break },
                () = sleep_until(&*self.ports.clock, wake) => {}
                () = stopped(&mut shutdown) => break,
            }
        }
        let _ = tokio::time::timeout(LEAVE, async { while lanes.tasks.join_next().await.is_some() {} }).await;
    }

    /// Begins what is due; answers when to look again.
    async fn send_due(self: &Arc<Self>, lanes: &mut Lanes, now: DateTime<Utc>) -> Result<DateTime<Utc>, JournalError> {
        let home = self.home();
        let mut wake = now + LOOK_EVERY;
        for head in self.ports.outbox.heads().await? {
            if lanes.busy.contains(&head.notifier) {
                continue;
            }
            if pace::is_stale(head.queued_at, now) {
                self.give_up(&head, now).await?;
                wake = now;
                continue;
            }
            // It may come back into the home.
            let Some(notifier) = home.routing.notifiers.get(&head.notifier) else {
                continue;
            };
            let due = self.due(&head, notifier, now).await?;
            if due > now {
                wake = wake.min(due);
            } else if lanes.busy.len() < AT_ONCE {
                let (engine, home, notifier) = (Arc::clone(self), Arc::clone(&home), Arc::clone(notifier));
                lanes.start(head.notifier.clone(), async move {
                    engine.attempt(&home, &notifier, head).await
                });
            }
        }
        Ok(wake)
    }

    async fn due(&self, head: &Posted, notifier: &Notifier, now: DateTime<Utc>) -> Result<DateTime<Utc>, JournalError> {
        let Some(rate) = notifier.rate else {
            return Ok(head.next_at);
        };
        let within = TimeDelta::from_std(rate.within).unwrap_or(pace::PATIENCE);
        let recent = self.ports.outbox.tries_since(&head.notifier, now - within).await?;
        Ok(head.next_at.max(pace::free_at(&recent, rate, now)))
    }

    async fn give_up(&self, head: &Posted, now: DateTime<Utc>) -> Result<(), JournalError> {
        let known = self.home().routing.notifiers.contains_key(&head.notifier);
        let last = match (known, head.why.as_str()) {
            (false, _) => format!("there is no `[notifier.{}]` any more", head.notifier),
            (true, "") => "it was never its turn".to_owned(),
            (true, why) => why.to_owned(),
        };
        let why = format!("not delivered within a day: {last}");
        error!(
            notice = head.notice.id,
            notifier = head.notifier,
            why,
            "a notice was given up"
        );
        self.ports.outbox.give_up(head.number, &why, now).await
    }

    /// One try, from its beginning on disk to what came of it on disk.
    async fn attempt(&self, home: &Home, notifier: &Notifier, head: Posted) {
        let n = u32::try_from(head.tries.len()).unwrap_or(u32::MAX).saturating_add(1);
        let pause = pace::pause(n, rand::random());
        let began = self.ports.clock.now();
        let then = began + TimeDelta::from_std(pause).unwrap_or(pace::PATIENCE);
        let begun = match self.with_alike(&head).await {
            Ok((notice, to)) => {
                let begun = self.ports.outbox.begin(head.number, to, began, then).await;
                begun.map(|()| notice)
            }
            Err(cause) => Err(cause),
        };
        let notice = match begun {
            Ok(notice) => notice,
            Err(cause) => {
                error!(%cause, notifier = notifier.name, "nobody is told while that can't be written or read");
                return tokio::time::sleep(TRY_AGAIN).await;
            }
        };
        let tried = self.send(home, notifier, head.run, n, notice).await;
        let now = self.ports.clock.now();
        let next = pace::next(tried.outcome, head.queued_at, now, pause);
        let (notice, why) = (&head.notice.id, &tried.message);
        match next {
            Next::Delivered => info!(notice, notifier = notifier.name, tries = n, "a notice is out"),
            Next::Again(at) => warn!(notice, notifier = notifier.name, tries = n, why, %at, "a notice is tried again"),
            Next::GivenUp => error!(
                notice,
                notifier = notifier.name,
                tries = n,
                why,
                "a notice was given up"
            ),
        }
        for _ in 0..WRITES {
            match self.ports.outbox.end(head.number, tried.clone(), next, now).await {
                Ok(()) => return,
                Err(cause) => error!(%cause, notice, "what came of a try can't be written for the moment"),
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// The notice, and the number up to which what tells the same is told with it; 0: it is told alone.
    async fn with_alike(&self, head: &Posted) -> Result<(Notice, u64), JournalError> {
        // Versions that told each by itself did not say so.
        let first = head.tries.is_empty();
        let to = head.told_to.unwrap_or(if first { u64::MAX } else { 0 });
        if to == 0 || !digest::may_be_told_together(head.topic) {
            return Ok((head.notice.clone(), 0));
        }
        let alike = self.ports.outbox.alike(head.number, to, digest::LISTED).await?;
        Ok(digest::together(head, &alike))
    }

    /// Tells a notifier that it works. It stands for itself: neither the outbox nor the rate knows of it.
    ///
    /// # Errors
    /// There is no such notifier.
    pub async fn test_notifier(&self, name: &str, who: &str) -> Result<Tried, NotifyError> {
        let home = self.home();
        let Some(notifier) = home.routing.notifiers.get(name) else {
            let names = home.routing.notifiers.keys().map(String::as_str);
            let known = crate::words::closest(name, names).map(|near| format!("; did you mean `{near}`?"));
            return Err(NotifyError::Unknown {
                name: name.to_owned(),
                known: known.unwrap_or_default(),
            });
        };
        let now = self.ports.clock.now();
        let notice = Notice {
            id: format!("test-{name}-{}", now.timestamp_micros()),
            severity: Severity::Info,
            title: format!("a test of notifier `{name}`"),
            text: format!(
                "{who} asked for it at {}. Nothing is wrong, and nothing is to be done.",
                crate::words::time(now)
            ),
            labels: [("topic".to_owned(), "test".to_owned())].into(),
            link: None,
            details: None,
        };
        Ok(self.send(&home, notifier, RunId(0), 1, notice).await)
    }

    async fn send(&self, home: &Home, notifier: &Notifier, run: RunId, attempt: u32, notice: Notice) -> Tried {
        let began = tokio::time::Instant::now();
        let calls = Arc::new(TryCalls::default());
        let (outcome, message) = match self.invocation(home, notifier, run, attempt, notice) {
            Ok(invocation) => {
                let bound = notifier.timeout.saturating_add(BEYOND);
                let called = self
                    .ports
                    .plugins
                    .invoke(invocation, Arc::clone(&calls) as Arc<dyn Calls>);
                let outcome = tokio::time::timeout(bound, called)
                    .await
                    .unwrap_or_else(|_| Outcome::Stopped {
                        stop: Stop::Deadline,
                        message: "the sandbox did not come back from it".into(),
                    });
                pace::judge(&outcome)
            }
            Err(why) => (TryOutcome::Permanent, why),
        };
        Tried {
            outcome,
            message,
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            calls: calls.take(),
        }
    }

    fn invocation(
        &self,
        home: &Home,
        notifier: &Notifier,
        run: RunId,
        attempt: u32,
        notice: Notice,
    ) -> Result<Invocation, String> {
        let plugin = &notifier.plugin;
        let installed = home.plugins.iter().find(|installed| installed.digest == plugin.digest);
        let installed = installed.ok_or_else(|| format!("plugin {plugin} is not installed any more"))?;
        let target = notifier.target(home).ok_or("the home has no asset `local`")?;
        let access = notifier.access(&installed.manifest, &target, home);
        let mut seed = Seed::default();
        rand::rng().fill_bytes(&mut seed.0);
        Ok(Invocation {
            run,
            runbook: "notifier".into(),
            mode: Mode::Live,
            key: Key {
                step: notifier.name.as_str().into(),
                phase: Phase::Send,
                action: None,
                attempt,
            },
            plugin: plugin.clone(),
            work: Work::Send(notice),
            spent: Vec::new(),
            resume: None,
            params: notifier.with.clone(),
            input: BTreeMap::new(),
            target,
            access: access.map_err(|error| error.to_string())?,
            timeout: notifier.timeout,
            limits: home.settings.sandbox.clone(),
            seed,
            cancelled: self.never.subscribe(),
        })
    }
}
