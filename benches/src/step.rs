//! One step through the sandbox beside its peers, which take turns with it: a bare wasmtime loop on the same component with
//! the same engine settings, and Extism's Rust SDK on a no-op plugin of its own. Each makes a new store and a new instance
//! a call. Then a step with ten capability calls, and 64 steps at once.

mod crowd;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use evenkeel_engine::port::Calls;
use evenkeel_model::home::SandboxLimits;

use crate::bare::Bare;
use crate::build;
use crate::extism::Extism;
use crate::figures::{Figures, ratio, say};
use crate::ours::Ours;
use crate::recorded::{Nowhere, Stored};

const WARM_UP: usize = 200;
/// Calls in a row, before it is the next one's turn.
const TURN: usize = 50;
const AT_ONCE: usize = 64;

pub const PLUGIN: &str = "plugins/noop-1.0.0.wasm";

pub fn run(short: bool) -> Result<()> {
    let rounds = if short { 500 } else { 20_000 };
    let home = tempfile::tempdir()?;
    build::plugin(&build::evenkeel()?, "benches/noop", &home.path().join("plugins"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let peers = runtime.block_on(Peers::load(home.path()))?;
    runtime.block_on(peers.nothing(rounds))?;
    runtime.block_on(peers.ten_calls(rounds / 2, home.path()))?;
    crowd::run(&runtime, peers, rounds)
}

struct Peers {
    ours: Arc<Ours>,
    bare: Arc<Bare>,
    extism: Extism,
}

impl Peers {
    async fn load(home: &Path) -> Result<Self> {
        let engine = evenkeel_sandbox::start_engine(&SandboxLimits::default())?;
        Ok(Self {
            ours: Arc::new(Ours::load(home, AT_ONCE).await?),
            bare: Arc::new(Bare::load(engine, &home.join(PLUGIN))?),
            extism: Extism::start()?,
        })
    }

    async fn nothing(&self, rounds: usize) -> Result<()> {
        let nowhere: Arc<dyn Calls> = Arc::new(Nowhere);
        let empty = "{}".to_owned();
        let (mut ours, mut bare) = (Figures::default(), Figures::default());
        for n in 0..WARM_UP + rounds {
            let took = (
                timed(self.ours.step(0, nowhere.clone())).await?,
                timed(self.bare.step(&empty, None)).await?,
            );
            if n >= WARM_UP {
                ours.add(took.0);
                bare.add(took.1);
            }
        }
        say(&ours.line("evenkeel: a no-op step, journal off"));
        say(&bare.line("bare wasmtime: a no-op call"));
        say(&format!(
            "evenkeel has {:.2} of the bare loop's rate",
            ratio(&ours, &bare)
        ));
        Ok(())
    }

    async fn ten_calls(&self, rounds: usize, home: &Path) -> Result<()> {
        let nowhere: Arc<dyn Calls> = Arc::new(Nowhere);
        let stored: Arc<dyn Calls> = Arc::new(Stored::open(home).await?);
        let ten = r#"{"calls":10}"#.to_owned();
        let [mut off, mut on, mut bare] = [(); 3].map(|()| Figures::default());
        for n in 0..WARM_UP + rounds {
            let took = (
                timed(self.ours.step(10, nowhere.clone())).await?,
                timed(self.ours.step(10, stored.clone())).await?,
                timed(self.bare.step(&ten, None)).await?,
            );
            if n >= WARM_UP {
                off.add(took.0);
                on.add(took.1);
                bare.add(took.2);
            }
        }
        say(&off.line("evenkeel: ten calls, journal off"));
        say(&on.line("evenkeel: ten calls, journaled in SQLite"));
        say(&bare.line("bare wasmtime: ten calls that do nothing"));
        say(&format!(
            "evenkeel has {:.2} of the bare loop's rate, {:.2} journaled",
            ratio(&off, &bare),
            ratio(&on, &bare)
        ));
        Ok(())
    }
}

async fn timed(work: impl Future<Output = Result<()>>) -> Result<Duration> {
    let start = Instant::now();
    work.await?;
    Ok(start.elapsed())
}
