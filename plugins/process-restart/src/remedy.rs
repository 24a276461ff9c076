//! The remedy: ends what is not well, and starts it again.

use evenkeel_sdk::process::{Process, Signal};
use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::{Action, Applied, Body, Duration, Effect, Host, Params, Remedy, Result, Risk, bail, ensure};

use crate::check::{one, one_second};
use crate::end::End;
use crate::seen::{Key, Rule, Seen, Stuck, is_alive, key};
use crate::start::Start;
use crate::{MIB, age, counted, named};

/// Which processes to restart, and how.
#[derive(Params)]
pub struct ProcessRestart {
    /// The process profile.
    pub profile: String,
    /// Which of them are ended: those that are not well (all, if too many run), or all of them however they are.
    #[serde(default)]
    pub which: Which,
    /// How many have to run: if fewer do, `start` is run.
    #[serde(default = "one")]
    pub least: u32,
    /// How many may run.
    pub most: Option<u32>,
    /// States in which a process is stuck, if three looks in a row see it in one.
    #[serde(default = "Stuck::all")]
    pub stuck: Vec<Stuck>,
    /// MiB of memory above which a process is not well.
    #[schemars(range(min = 1))]
    pub memory: Option<u64>,
    /// How long a process may run before it is not well.
    pub age: Option<Duration>,
    /// The pause between two looks.
    #[serde(default = "one_second")]
    pub every: Duration,
    /// How long after TERM what still runs gets KILL; without it, nothing ever does.
    pub kill_after: Option<Duration>,
    /// How long they may take to end in all.
    #[serde(default = "half_a_minute")]
    pub end_within: Duration,
    /// What starts them again; leave it out if a supervisor does.
    pub start: Option<Start>,
    /// How much a restart hurts.
    #[serde(default = "medium")]
    pub risk: Risk,
}

/// What to end.
#[derive(Params, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    #[default]
    Faulty,
    All,
}

pub fn half_a_minute() -> Duration {
    Duration::seconds(30)
}

fn medium() -> Risk {
    Risk::Medium
}

/// What `apply` may end, as it was when it was planned.
#[derive(Body)]
struct Planned {
    end: Vec<Key>,
}

#[evenkeel_sdk::remedy]
impl Remedy for ProcessRestart {
    fn plan(&self, host: &Host) -> Result<Vec<Action>> {
        self.validate()?;
        let seen = self.rule().confirmed(host)?;
        let chosen = self.chosen(&seen, host.now_ms());
        if chosen.is_empty() && !seen.missing {
            return self.nothing(&seen);
        }
        ensure!(
            !chosen.is_empty() || self.start.is_some(),
            permanent,
            "no-start",
            "{} of `{}`, at least {} wanted, and there is no `start`",
            counted(seen.running().len()),
            self.profile,
            self.least
        );
        let end = chosen.iter().map(|process| key(process)).collect();
        let action = Action::new("restart", self.words(&chosen))
            .risk(self.risk)
            .effects(self.effects(host, chosen.len())?)
            .body(&Planned { end })?;
        Ok(vec![action])
    }

    fn apply(&self, host: &Host, action: &Action) -> Result<Applied> {
        let planned: Planned = action.body_as()?;
        let ended = End {
            profile: &self.profile,
            planned: &planned.end,
            kill_after: self.kill_after,
            within: self.end_within,
        }
        .run(host)?;
        let running = host
            .process(&self.profile)
            .select()?
            .iter()
            .filter(|p| is_alive(p))
            .count();
        let enough = running >= usize::try_from(self.least)?;
        let mut words = ended.words(&self.profile);
        let mut output = json!({ "ended": ended.pids, "killed": ended.killed });
        match &self.start {
            Some(start) if !enough => {
                let started = start.run(host, &self.profile, self.least)?;
                words.push_str(&format!("; {}", started.words));
                output["started"] = started.pids.into();
            }
            _ if ended.pids.is_empty() => {
                return Ok(Applied::unchanged(format!("{words}; {} by now", counted(running))).output(output));
            }
            Some(_) => words.push_str(&format!("; {} by now, so nothing was started", counted(running))),
            None => {}
        }
        Ok(Applied::changed(words).output(output))
    }
}

impl ProcessRestart {
    fn validate(&self) -> Result<()> {
        self.rule().validate()?;
        if let Some(kill_after) = self.kill_after {
            ensure!(
                kill_after < self.end_within,
                invalid,
                "levels",
                "`kill_after` ({kill_after}) is not below `end_within` ({})",
                self.end_within
            );
        }
        Ok(())
    }

    fn rule(&self) -> Rule<'_> {
        Rule {
            profile: &self.profile,
            least: self.least,
            most: self.most,
            stuck: &self.stuck,
            every: self.every,
        }
    }

    /// A zombie has ended already: no signal does more to it.
    fn chosen<'s>(&self, seen: &'s Seen, now_ms: u64) -> Vec<&'s Process> {
        let mut chosen = seen.running();
        if self.which == Which::Faulty && !seen.surplus {
            let stuck: Vec<Key> = seen.stuck().into_iter().map(key).collect();
            chosen.retain(|process| {
                let large = self
                    .memory
                    .is_some_and(|mib| process.resident_bytes > mib.saturating_mul(MIB));
                let old = self.age.is_some_and(|level| age(process, now_ms) > level);
                large || old || stuck.contains(&key(process))
            });
        }
        chosen
    }

    /// There is nothing to end or to start; only zombies may be left.
    fn nothing(&self, seen: &Seen) -> Result<Vec<Action>> {
        let zombies = seen.stuck();
        if !zombies.is_empty() {
            bail!(
                permanent,
                "only-zombies",
                "of `{}` only zombies are stuck, which their parent alone can take away: {}",
                self.profile,
                named(&zombies)
            );
        }
        Ok(Vec::new())
    }

    fn effects(&self, host: &Host, count: usize) -> Result<Vec<Effect>> {
        let mut effects = Vec::new();
        let count = u32::try_from(count)?;
        if count > 0 {
            effects.push(Effect::signal(Signal::Terminate, &self.profile).at_most(count));
            if self.kill_after.is_some() {
                effects.push(Effect::signal(Signal::Kill, &self.profile).at_most(count));
            }
        }
        effects.extend(self.start.as_ref().map(|start| start.command(host).effect()));
        Ok(effects)
    }

    /// "ends 4711 (puma, stopped) of `app` with TERM, after 10s with KILL, then runs `start-app`"
    fn words(&self, chosen: &[&Process]) -> String {
        let mut words = Vec::new();
        if !chosen.is_empty() {
            words.push(format!("ends {} of `{}` with TERM", named(chosen), self.profile));
            words.extend(self.kill_after.map(|after| format!("after {after} with KILL")));
        }
        if let Some(start) = &self.start {
            let then = if chosen.is_empty() { "" } else { "then " };
            words.push(format!(
                "{then}runs `{}` if fewer than {} of `{}` run, and waits up to {} for them",
                start.line(),
                self.least,
                self.profile,
                start.within
            ));
        }
        words.join(", ")
    }
}
