//! The peers that are measured in portions: Extism, whose process is asked for so many steps in a row, and 64 at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::{AT_ONCE, Peers, TURN, timed};
use crate::figures::{Figures, ratio, say};
use crate::recorded::Nowhere;

/// How often each has its turn with 64 at once; the median counts.
const PORTIONS: usize = 7;

pub fn run(runtime: &Runtime, mut peers: Peers, rounds: usize) -> Result<()> {
    beside_extism(runtime, &mut peers, rounds)?;
    let [mut ours, mut bare, mut extism] = [(); 3].map(|()| Portions::default());
    for _ in 0..PORTIONS {
        let sandbox = Arc::clone(&peers.ours);
        ours.add(runtime.block_on(crowd(rounds, move || {
            let sandbox = Arc::clone(&sandbox);
            async move { sandbox.step(0, Arc::new(Nowhere)).await }
        }))?);
        let loop_ = Arc::clone(&peers.bare);
        bare.add(runtime.block_on(crowd(rounds, move || {
            let loop_ = Arc::clone(&loop_);
            async move { loop_.step(&"{}".to_owned(), None).await }
        }))?);
        extism.add(peers.extism.crowd(AT_ONCE, rounds / 4)?);
    }
    ours.say("evenkeel: 64 no-op steps at once");
    bare.say("bare wasmtime: 64 at once");
    extism.say("Extism: 64 threads");
    let rate = ours.rate();
    say(&format!(
        "evenkeel has {:.2} of the bare loop's rate, {:.1} times Extism's",
        rate / bare.rate(),
        rate / extism.rate()
    ));
    Ok(())
}

fn beside_extism(runtime: &Runtime, peers: &mut Peers, rounds: usize) -> Result<()> {
    let (mut ours, mut extism) = (Figures::default(), Figures::default());
    peers.extism.steps(TURN)?;
    for _ in 0..(rounds / TURN / 2).max(2) {
        runtime.block_on(async {
            for _ in 0..TURN {
                ours.add(timed(peers.ours.step(0, Arc::new(Nowhere))).await?);
            }
            anyhow::Ok(())
        })?;
        peers.extism.steps(TURN)?.into_iter().for_each(|took| extism.add(took));
    }
    say(&ours.line("evenkeel: a no-op step"));
    say(&extism.line("Extism: a fresh plugin and a no-op call"));
    say(&format!("evenkeel is {:.1} times as fast", ratio(&ours, &extism)));
    Ok(())
}

/// So many steps, 64 of them at any time.
async fn crowd<F, S>(steps: usize, step: S) -> Result<(Duration, Vec<Duration>)>
where
    F: Future<Output = Result<()>> + Send + 'static,
    S: Fn() -> F + Clone + Send + 'static,
{
    let (begun, took) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    for _ in 0..AT_ONCE {
        let (begun, took, step) = (Arc::clone(&begun), Arc::clone(&took), step.clone());
        tasks.spawn(async move {
            while begun.fetch_add(1, Ordering::Relaxed) < steps {
                let one = timed(step()).await?;
                took.lock().unwrap_or_else(PoisonError::into_inner).push(one);
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let took = std::mem::take(&mut *took.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((start.elapsed(), took))
}

#[derive(Default)]
struct Portions {
    rates: Vec<f64>,
    each: Figures,
}

impl Portions {
    fn add(&mut self, (all, each): (Duration, Vec<Duration>)) {
        self.rates.push(each.len() as f64 / all.as_secs_f64());
        each.into_iter().for_each(|took| self.each.add(took));
    }

    /// Steps a second: the median of the portions.
    fn rate(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_unstable_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    }

    fn say(&self, name: &str) {
        say(&format!("{}  {:>8.0}/s", self.each.line(name), self.rate()));
    }
}
