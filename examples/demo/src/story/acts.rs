//! What happens on the stage.

use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{checklist::Checklist, claims};
use crate::{
    daemon::{Cause, Recorded, Summary},
    patience::until,
    rule::{Alert, NAME, Window},
    stage::Stage,
    terminal::{command, quote, say, title},
};

/// How full the board is before the visitors come, so that each session is worth reading.
const TASKS: usize = 400;

/// Visitors before the first look; later half as many more as came before them, so that a fast
/// machine, where it takes many, does not look all the time.
const VISITORS: usize = 16;

/// How long a schedule's tick and the run that it starts may take: three ticks of the home.
const TICK: Duration = Duration::from_secs(60);

/// How long a run may take, on a machine that has other things to do.
const RUN: Duration = Duration::from_secs(120);

/// How long visitors may take to make the board slow; the second time must end within the home's
/// cool-down.
const FILL: Duration = Duration::from_secs(120);

/// The step that cleans the cache, if the probe finds the board slow.
const CLEAN: &str = "clean";

/// The gate that leaves a target alone after a repair.
const COOLDOWN: &str = "cooldown";

pub struct Acts<'a> {
    stage: &'a Stage,
    checklist: Checklist,
    /// The one that fires now.
    alert: Option<Alert>,
}

/// How far the story came.
pub enum Told {
    ToTheEnd,
    /// What happened is true to life, and another story: it has to begin anew.
    Otherwise(&'static str),
}

/// What is left when the curtain falls.
pub struct Ended {
    pub checklist: Checklist,
    pub alert: Option<Alert>,
    pub took: Duration,
}

/// The time, as a Prometheus sends it.
#[expect(
    clippy::disallowed_methods,
    reason = "the demo stands for a Prometheus, which has a clock of its own"
)]
pub fn now() -> DateTime<Utc> {
    let now = Utc::now();
    DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}

impl<'a> Acts<'a> {
    pub fn on(stage: &'a Stage) -> Self {
        Self {
            stage,
            checklist: Checklist::default(),
            alert: None,
        }
    }

    pub fn end(self, took: Duration) -> Ended {
        Ended {
            checklist: self.checklist,
            alert: self.alert,
            took,
        }
    }

    /// All acts.
    ///
    /// # Errors
    /// When something that has to happen doesn't; what was seen before stays written down.
    pub async fn play(&mut self) -> anyhow::Result<Told> {
        self.open().await?;
        self.all_is_well().await?;
        let slow = self.visitors_come().await?;
        if self.changed().await?.is_some() {
            return Ok(Told::Otherwise(
                "The schedule repaired the board before the alert was sent.",
            ));
        }
        let Some(winner) = self.alert_arrives(&slow).await? else {
            return Ok(Told::Otherwise(
                "This machine was busy, and not the board: it is quicker than it seemed.",
            ));
        };
        self.board_is_quick(&slow).await?;
        self.other_trigger_finds_it_too(&winner).await?;
        let first = self.alert_is_sent_again().await?;
        let second = self.slow_within_the_cooldown().await?;
        self.look_back(first, second).await?;
        Ok(Told::ToTheEnd)
    }

    async fn open(&self) -> anyhow::Result<()> {
        title("A task board, and evenkeel beside it");
        say(&format!("task board  {}", self.stage.board_url));
        say(&format!("evenkeel    {}", self.stage.daemon.url));
        say(&format!("its home    {}", self.stage.cli().home.display()));
        self.show(&["check"]).await?;
        self.stage.traffic.write_tasks(TASKS).await
    }

    async fn all_is_well(&mut self) -> anyhow::Result<()> {
        title("The schedule looks, and all is well");
        let look = self.wait_for(TICK, "a look of the schedule that finds all well", |run| {
            run.occurrence == Cause::Tick {} && run.is_finished("healthy")
        });
        let look = look.await?;
        let recorded = self.stage.cli().recorded(look.run).await?;
        say(&format!("run {}, by {}: healthy", look.run, look.started_by()));
        quote(&recorded.findings().join("\n"));
        self.checklist.note(
            "a look of the schedule found the board well, and changed nothing",
            claims::unchanged(&look),
        );
        Ok(())
    }

    async fn visitors_come(&mut self) -> anyhow::Result<Window> {
        title("Visitors come; the board keeps a file for each, and reads them all");
        let slow = self.fill().await?;
        say(&format!(
            "{NAME} fires: {} of the last {} requests took more than 100 ms.",
            slow.slow, slow.requests
        ));
        Ok(slow)
    }

    /// Lets visitors come until the rule fires.
    async fn fill(&self) -> anyhow::Result<Window> {
        let started = Instant::now();
        let mut sessions = self.stage.sessions()?.len();
        loop {
            self.stage.traffic.visit(VISITORS + sessions / 2).await?;
            sessions = self.stage.sessions()?.len();
            let window = self.stage.traffic.look().await?;
            let mean = window.mean_ms();
            say(&format!("{sessions:>5} sessions  {mean:>4.0} ms a request"));
            if window.is_slow() {
                return Ok(window);
            }
            ensure!(
                started.elapsed() < FILL,
                "the board does not become slow: {mean:.0} ms after {FILL:?}"
            );
        }
    }

    /// The alert is pushed, and one run repairs the board. Gives that run; none: its probe found
    /// nothing to repair.
    async fn alert_arrives(&mut self, slow: &Window) -> anyhow::Result<Option<Summary>> {
        title("The alert arrives, as Prometheus sends it");
        let (sessions, tasks) = (self.stage.sessions()?, self.stage.tasks()?);
        let starts_at = now();
        let alert = Alert::new(self.stage.instance(), starts_at, slow);
        let body = alert.firing(starts_at);
        say(&format!("POST {}/api/v2/alerts", self.stage.daemon.url));
        quote(&format!("[{}]", serde_json::to_string_pretty(&body)?));
        self.stage.daemon.push(&[body]).await?;
        self.alert = Some(alert);

        title("A run repairs the board");
        let by_alert = Cause::Alert { starts_at };
        let run = self.wait_for(RUN, "a run that repairs the board", |run| {
            run.state == "finished" && (run.changed || run.occurrence == by_alert)
        });
        let run = run.await?;
        self.show(&["runs", "show", &run.run.to_string()]).await?;
        let recorded = self.stage.cli().recorded(run.run).await?;
        if recorded.has_skipped(CLEAN) {
            return Ok(None);
        }
        self.check_repair(&run, &recorded, &sessions, &tasks)?;
        Ok(Some(run))
    }

    fn check_repair(
        &mut self,
        run: &Summary,
        recorded: &Recorded,
        sessions: &[String],
        tasks: &str,
    ) -> anyhow::Result<()> {
        let list = &mut self.checklist;
        list.note("a run ended as `repaired`", claims::verdict(run, "repaired"));
        list.note(
            "its plan was on record before its first effect",
            claims::planned_first(recorded),
        );
        let left = self.stage.sessions()?;
        list.note(
            "it removed the files of its plan, and no other",
            claims::only_planned(recorded, sessions, &left),
        );
        let same = self.stage.tasks()? == tasks;
        list.note(
            "the board's tasks are as they were",
            claims::that(same, "tasks.json is another"),
        );
        Ok(())
    }

    async fn board_is_quick(&mut self, slow: &Window) -> anyhow::Result<()> {
        let quick = until(TICK, "the board is quick again", async || {
            let window = self.stage.traffic.look().await?;
            let quick = window.slow == 0.0 && window.mean_ms() < slow.mean_ms() / 2.0;
            ensure!(quick, "a request takes {:.0} ms", window.mean_ms());
            Ok(window)
        });
        let quick = quick.await?;
        say(&format!(
            "A request took {:.0} ms before, and takes {:.1} ms now.",
            slow.mean_ms(),
            quick.mean_ms()
        ));
        self.checklist
            .note("the board itself says that it is quick again", Ok(()));
        Ok(())
    }

    /// Whichever of schedule and alert came second meets the cool-down.
    async fn other_trigger_finds_it_too(&mut self, winner: &Summary) -> anyhow::Result<()> {
        let by_alert = matches!(winner.occurrence, Cause::Alert { .. });
        title(if by_alert {
            "The schedule comes too"
        } else {
            "The schedule was quicker; the alert came too"
        });
        let other = until(
            TICK,
            "the other trigger's run is stopped by the cool-down",
            async || {
                let runs = self.stage.cli().runs().await?;
                let mut others = runs.iter().filter(|run| match run.occurrence {
                    Cause::Tick {} => by_alert && run.requested_at > winner.requested_at && run.is_finished("rejected"),
                    Cause::Alert { .. } => !by_alert,
                    Cause::Person {} => false,
                });
                let other = others.next_back().context("there is no such run")?;
                self.stopped_by_cooldown(other.run).await?;
                Ok(other.run)
            },
        );
        let other = other.await?;
        self.show(&["runs", "show", &other.to_string()]).await?;
        self.checklist.note(
            "the other trigger found it too, and was stopped by the cool-down",
            Ok(()),
        );
        Ok(())
    }

    /// Gives when the first alert began.
    async fn alert_is_sent_again(&mut self) -> anyhow::Result<DateTime<Utc>> {
        title("The alert is sent again, as long as it fires; then its end");
        let alert = self.alert.take().context("the first alert fires")?;
        for _ in 0..2 {
            self.stage.daemon.push(&[alert.firing(now())]).await?;
        }
        self.stage.daemon.push(&[alert.resolved(now())]).await?;
        say("Nothing comes of it: its run was there.");
        Ok(alert.starts_at)
    }

    /// Gives when the second alert began.
    async fn slow_within_the_cooldown(&mut self) -> anyhow::Result<DateTime<Utc>> {
        title("The fault is still in the board: it grows slow again");
        let slow = self.fill().await?;
        let starts_at = now();
        let alert = Alert::new(self.stage.instance(), starts_at, &slow);
        let before = self.stage.sessions()?.len();
        self.stage.daemon.push(&[alert.firing(starts_at)]).await?;
        self.alert = Some(alert);
        say("A new alert is sent.");
        let waiting = until(RUN, "the second alert's run is stopped by the cool-down", async || {
            let runs = self.stage.cli().runs().await?;
            let by_alert = Cause::Alert { starts_at };
            let run = runs
                .iter()
                .find(|run| run.occurrence == by_alert)
                .context("there is no such run")?;
            self.stopped_by_cooldown(run.run).await?;
            Ok(run.run)
        });
        let waiting = waiting.await?;
        self.show(&["runs", "show", &waiting.to_string()]).await?;
        let list = &mut self.checklist;
        list.note(
            "a second alert within the cool-down waits, and its record says why",
            Ok(()),
        );
        let after = self.stage.sessions()?.len();
        list.note(
            "nothing was cleaned meanwhile",
            claims::that(before == after, "there are other sessions than before"),
        );
        Ok(starts_at)
    }

    /// Counts what all triggers together have started.
    async fn look_back(&mut self, first: DateTime<Utc>, second: DateTime<Utc>) -> anyhow::Result<()> {
        title("All runs");
        self.show(&["runs", "list"]).await?;
        let runs = self.stage.cli().runs().await?;
        let changed: Vec<_> = runs.iter().filter(|run| run.changed).map(|run| run.run).collect();
        let one = claims::that(changed.len() == 1, &format!("runs {changed:?} changed something"));
        self.checklist.note("one run in all changed something", one);
        let by_alert = |from| {
            runs.iter()
                .filter(|run| run.occurrence == Cause::Alert { starts_at: from })
                .count()
        };
        let all = runs
            .iter()
            .filter(|run| matches!(run.occurrence, Cause::Alert { .. }))
            .count();
        let counts = (by_alert(first), by_alert(second), all);
        let one_each = claims::that(counts == (1, 1, 2), &format!("they started {counts:?} runs"));
        self.checklist
            .note("each alert started one run, however often it was sent", one_each);
        Ok(())
    }

    async fn show(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let said = self.stage.cli().say(arguments).await?;
        command(arguments, &said);
        Ok(())
    }

    async fn changed(&self) -> anyhow::Result<Option<Summary>> {
        let runs = self.stage.cli().runs().await?;
        Ok(runs.into_iter().find(|run| run.changed))
    }

    async fn wait_for(
        &self,
        bound: Duration,
        what: &str,
        wanted: impl Fn(&Summary) -> bool,
    ) -> anyhow::Result<Summary> {
        until(bound, what, async || {
            let mut runs = self.stage.cli().runs().await?;
            // A run that changed something goes before one that didn't.
            runs.sort_by_key(|run| !run.changed);
            runs.into_iter().find(&wanted).context("there is no such run")
        })
        .await
    }

    async fn stopped_by_cooldown(&self, run: u64) -> anyhow::Result<()> {
        let recorded = self.stage.cli().recorded(run).await?;
        let why = recorded
            .stopped_by(COOLDOWN)
            .with_context(|| format!("run {run} was not stopped by it"))?;
        ensure!(why.contains("cool-down"), "run {run} does not say why: {why}");
        Ok(())
    }
}
