//! One no-op step through the sandbox, journal off, beside a bare wasmtime loop on the same component with the same
//! engine settings: a new store and a new instance a call.

mod bare;
mod ours;

use std::time::Instant;

use anyhow::Result;

use crate::build;
use crate::figures::{Figures, ratio, say};

const WARM_UP: usize = 200;

pub fn run(short: bool) -> Result<()> {
    let rounds = if short { 500 } else { 20_000 };
    let home = tempfile::tempdir()?;
    build::plugin(&build::evenkeel()?, "benches/noop", &home.path().join("plugins"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ours = ours::Ours::load(home.path()).await?;
        let bare = bare::Bare::load(&home.path().join("plugins/noop-1.0.0.wasm"))?;
        let (mut ours_took, mut bare_took) = (Figures::default(), Figures::default());
        for n in 0..WARM_UP + rounds {
            let start = Instant::now();
            ours.once().await?;
            let between = Instant::now();
            bare.once().await?;
            let end = Instant::now();
            if n >= WARM_UP {
                ours_took.add(between - start);
                bare_took.add(end - between);
            }
        }
        say(&ours_took.line("evenkeel: one no-op step, journal off"));
        say(&bare_took.line("bare wasmtime: one no-op call"));
        say(&format!(
            "evenkeel has {:.2} of the bare loop's rate",
            ratio(&ours_took, &bare_took)
        ));
        Ok(())
    })
}
