//! One home whose daemon is killed again and again.

use std::{collections::BTreeMap, thread, time::Duration};

use anyhow::{Context as _, ensure};
use evenkeel_tests::dice::Dice;
use evenkeel_tests::{
    evenkeel::{BOUND, Home},
    wait::wait_until,
};
use serde_json::{Value, json};

use crate::{
    desk::Desk,
    oracle, scene,
    sink::Sink,
    story::Story,
    tally::{Life, Tally},
    traces::{self, Traces},
};

/// So many kills, and then everything is brought to its end and looked at.
const ACT: u64 = 25;

pub struct Lane {
    pub home: Home,
    pub sink: Sink,
    pub dice: Dice,
    pub tally: Tally,
    stories: BTreeMap<u64, Story>,
    /// Alerts that were pushed, and those of which the daemon said that they are on disk.
    alerts: u64,
    accepted: u64,
    /// How long it takes to be ready, in ms.
    start: u64,
}

impl Lane {
    pub fn new(seed: u64) -> anyhow::Result<Self> {
        let sink = Sink::start()?;
        let home = scene::home(&sink)?;
        let mut lane = Self {
            home,
            sink,
            dice: Dice::new(seed),
            tally: Tally::default(),
            stories: BTreeMap::new(),
            alerts: 0,
            accepted: 0,
            start: 500,
        };
        // The first call compiles.
        lane.settle().context("before the first kill")?;
        Ok(lane)
    }

    pub fn torture(&mut self, kills: u64) -> anyhow::Result<()> {
        for kill in 1..=kills {
            self.live().with_context(|| format!("life {kill}"))?;
            Traces::of(self.home.path(), &self.sink)?.nothing_twice()?;
            if kill % ACT == 0 || kill == kills {
                self.settle().with_context(|| format!("after kill {kill}"))?;
            }
        }
        Ok(())
    }

    /// A daemon's life, which ends early.
    fn live(&mut self) -> anyhow::Result<()> {
        let mut desk = Desk::start(&self.home, |_| ())?;
        let born = desk.born;
        let ready = !self.dice.percent(25);
        if ready {
            desk.ready()?;
            let took = (chrono::Utc::now() - born).num_milliseconds().unsigned_abs();
            self.start = (self.start * 3 + took) / 4;
            // A daemon that is in the middle of something is worth more than one that has just begun.
            for _ in 0..self.dice.below(3) {
                self.push(&desk)?;
                self.pause(60);
            }
            if self.dice.percent(30) {
                self.decide(&desk)?;
            }
            self.pause(400);
        } else {
            self.pause(self.start * 5 / 4);
        }
        self.kill(desk, ready)
    }

    pub fn kill(&mut self, desk: Desk, ready: bool) -> anyhow::Result<()> {
        let born = desk.born;
        let killed = desk.kill()?;
        self.tally.lives.push(Life { born, killed, ready });
        Ok(())
    }

    pub fn pause(&mut self, most: u64) {
        thread::sleep(Duration::from_millis(self.dice.below(most)));
    }

    /// The daemon has to take it in.
    pub fn push(&mut self, desk: &Desk) -> anyhow::Result<()> {
        let status = self.try_to_push(desk)?;
        ensure!(status == 200, "an alert was answered {status}");
        Ok(())
    }

    pub fn try_to_push(&mut self, desk: &Desk) -> anyhow::Result<u16> {
        self.alerts += 1;
        self.tally.alerts += 1;
        let alert = scene::alert(&mut self.dice, self.alerts);
        let status = desk.post("/api/v2/alerts", &json!([alert]))?;
        self.accepted += u64::from(status == 200);
        Ok(status)
    }

    /// A person approves what waits, and says of what is unknown what they see.
    fn decide(&mut self, desk: &Desk) -> anyhow::Result<()> {
        self.tally.approved += desk.approve()?;
        let unknown = desk.get("/api/v1/runs?verdict=unknown&limit=200")?;
        for run in unknown.as_array().into_iter().flatten() {
            let run = run["run"].as_u64().context("a run has no number")?;
            let story = Story::of(&desk.events(run)?).with_context(|| format!("run {run}"))?;
            let (of, token) = story
                .doubtful()
                .with_context(|| format!("run {run} is unknown, and nothing in it"))?;
            traces::wait_for_commands(token)?;
            let done = Traces::of(self.home.path(), &self.sink)?.times(token) > 0;
            let said = json!({ "done": done, "why": "it was looked at", "of": of });
            let status = desk.post(&format!("/api/v1/runs/{run}/resolve"), &said)?;
            ensure!(status < 300, "run {run} could not be resolved: {status}");
            self.tally.resolved += 1;
        }
        Ok(())
    }

    /// Lets everything come to its end, and holds the journal against what is there.
    pub fn settle(&mut self) -> anyhow::Result<()> {
        let mut desk = Desk::start(&self.home, |_| ())?;
        desk.ready()?;
        self.finish(&desk)?;
        // It may be in the middle of the next tick.
        desk.kill()?;
        Ok(())
    }

    /// The same with this daemon.
    pub fn finish(&mut self, desk: &Desk) -> anyhow::Result<()> {
        self.push(desk)?;
        let last = wait_until(BOUND, "each alert has a run", || {
            let mut runs = desk.runs(0)?;
            runs.retain(|run| !run["occurrence"]["alert"].is_null() && is_first(run));
            ensure!(
                runs.len() as u64 >= self.accepted,
                "{} of {}",
                runs.len(),
                self.accepted
            );
            runs.iter().filter_map(number).max().context("there is none")
        });
        let runs = wait_until(BOUND * 3, "every run has ended", || {
            self.decide(desk)?;
            let mut runs = desk.runs(0)?;
            runs.retain(|run| number(run) <= Some(last));
            // What did not repair is tried again after a minute at the earliest, as long as its alert fires: that is
            // judged when it has ended, and not waited for.
            let open: Vec<_> = runs.iter().filter(|run| !is_over(run) && is_first(run)).collect();
            ensure!(open.is_empty(), "{open:#?}");
            runs.retain(is_over);
            Ok(runs)
        });
        self.judge(desk, &runs)?;
        let log = desk.log();
        ensure!(!log.contains("panicked"), "{log}");
        Ok(())
    }

    fn judge(&mut self, desk: &Desk, runs: &[Value]) -> anyhow::Result<()> {
        let traces = Traces::of(self.home.path(), &self.sink)?;
        for run in runs {
            let run = number(run).context("a run has no number")?;
            if self.stories.contains_key(&run) {
                continue;
            }
            let events = desk.events(run)?;
            let told = || {
                format!(
                    "run {run}: {}",
                    serde_json::to_string_pretty(&events).unwrap_or_default()
                )
            };
            let story = Story::of(&events).with_context(told)?;
            oracle::judge(&story, &traces, &mut self.tally).with_context(told)?;
            self.stories.insert(run, story);
        }
        oracle::whole(&self.stories, &traces)?;
        oracle::occurrences(runs, self.accepted..=self.alerts)
    }
}

fn number(run: &Value) -> Option<u64> {
    run["run"].as_u64()
}

fn is_first(run: &Value) -> bool {
    run["occurrence"]["alert"]["attempt"].is_null()
}

fn is_over(run: &Value) -> bool {
    run["state"] == "finished" && run["verdict"] != "unknown"
}
