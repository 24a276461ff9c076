//! One step through the sandbox beside its peers: a bare wasmtime loop on the same component with the same engine
//! settings, and Extism's Rust SDK on a plugin of its own that does the same. Each makes a new store and a new instance a
//! step. A no-op step, one with ten capability calls, and 64 at once: each makes a
//! call that lets the others go first, so that all of them are under way.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use evenkeel_engine::port::Calls;
use evenkeel_model::home::SandboxLimits;
use tokio::runtime::Runtime;

use crate::Setting;
use crate::bare::{Bare, InCall};
use crate::build;
use crate::extism::Extism;
use crate::ours::Ours;
use crate::race::{Contender, at_once, in_a_row, race};
use crate::recorded::{Nowhere, Stored, Yields};

const AT_ONCE: usize = 64;
/// Of the crowd, in one turn: so many of its own turns.
const CROWDED: usize = 20;

pub fn run(setting: &Setting) -> Result<()> {
    let home = tempfile::tempdir()?;
    build::plugin(&setting.evenkeel()?, "benches/noop", &home.path().join("plugins"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut peers = Peers::load(&runtime, setting, home.path())?;
    let (steps, turn) = (setting.scale.steps, setting.scale.turn);
    race("a no-op step", peers.in_a_row(&runtime, 0), steps / turn, turn)?;
    race(
        "a step with ten calls",
        peers.in_a_row(&runtime, 10),
        steps / turn / 2,
        turn,
    )?;
    let crowd = peers.at_once(&runtime);
    race(
        "64 at once, each with a call that yields",
        crowd,
        setting.scale.crowds,
        turn * CROWDED,
    )
}

struct Peers {
    ours: Arc<Ours>,
    nowhere: Arc<dyn Calls>,
    stored: Arc<dyn Calls>,
    bare: Arc<Bare>,
    extism: Option<Extism>,
}

impl Peers {
    fn load(runtime: &Runtime, setting: &Setting, home: &Path) -> Result<Self> {
        let limits = SandboxLimits {
            concurrency: AT_ONCE,
            ..SandboxLimits::default()
        };
        let component = home.join(build::NOOP);
        let bare = Bare::load(evenkeel_sandbox::start_engine(&limits)?, &component)?;
        Ok(Self {
            ours: Arc::new(runtime.block_on(Ours::load(home, AT_ONCE))?),
            nowhere: Arc::new(Nowhere),
            stored: Arc::new(runtime.block_on(Stored::open(home))?),
            bare: Arc::new(bare),
            extism: setting.extism()?,
        })
    }

    /// Steps with so many calls each; of none nothing is journaled.
    fn in_a_row<'p>(&'p mut self, runtime: &'p Runtime, calls: u32) -> Vec<Contender<'p>> {
        let (ours, bare) = (&self.ours, &self.bare);
        let (nowhere, stored) = (&self.nowhere, &self.stored);
        let mut contenders = vec![
            Contender::new("evenkeel, journal off", move |steps| {
                in_a_row(runtime, steps, || ours.step(calls, Arc::clone(nowhere)))
            }),
            Contender::new("bare wasmtime", move |steps| {
                in_a_row(runtime, steps, || bare.step(calls, InCall::Nothing))
            }),
        ];
        if calls > 0 {
            contenders.push(Contender::new("evenkeel, journaled in SQLite", move |steps| {
                in_a_row(runtime, steps, || ours.step(calls, Arc::clone(stored)))
            }));
        }
        contenders.extend(
            self.extism
                .as_mut()
                .map(|extism| Contender::new("Extism, a fresh plugin a step", move |steps| extism.steps(steps, calls))),
        );
        contenders
    }

    /// Without the call, a task that nothing interrupts would make all of its steps before the next begins.
    fn at_once<'p>(&'p mut self, runtime: &'p Runtime) -> Vec<Contender<'p>> {
        let (ours, bare) = (&self.ours, &self.bare);
        let yields: Arc<dyn Calls> = Arc::new(Yields);
        let mut contenders = vec![
            Contender::new("evenkeel, 64 tasks", move |steps| {
                let (ours, yields) = (Arc::clone(ours), Arc::clone(&yields));
                at_once(runtime, AT_ONCE, steps, move || {
                    let (ours, yields) = (Arc::clone(&ours), Arc::clone(&yields));
                    async move { ours.step(1, yields).await }
                })
            }),
            Contender::new("bare wasmtime, 64 tasks", move |steps| {
                let bare = Arc::clone(bare);
                at_once(runtime, AT_ONCE, steps, move || {
                    let bare = Arc::clone(&bare);
                    async move { bare.step(1, InCall::Yields).await }
                })
            }),
        ];
        contenders.extend(
            self.extism
                .as_mut()
                .map(|extism| Contender::new("Extism, 64 threads", move |steps| extism.crowd(AT_ONCE, steps))),
        );
        contenders
    }
}
