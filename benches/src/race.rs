//! Contenders that take turns, so that what disturbs the machine disturbs each of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::figures::{Figures, table};

/// How long several steps took in all, and each of them.
pub type Turn = (Duration, Vec<Duration>);

/// One way to do the work that is measured.
pub struct Contender<'a> {
    name: &'static str,
    /// Makes so many steps.
    steps: Box<dyn FnMut(usize) -> Result<Turn> + 'a>,
}

impl<'a> Contender<'a> {
    pub fn new(name: &'static str, steps: impl FnMut(usize) -> Result<Turn> + 'a) -> Self {
        Self {
            name,
            steps: Box::new(steps),
        }
    }
}

/// So many turns of each, after one that doesn't count; prints what came of it.
pub fn race(title: &str, mut contenders: Vec<Contender<'_>>, turns: usize, steps: usize) -> Result<()> {
    let mut figures: Vec<_> = contenders.iter().map(|_| Figures::default()).collect();
    for turn in 0..=turns {
        for (contender, figures) in contenders.iter_mut().zip(&mut figures) {
            let (all, each) = (contender.steps)(steps)?;
            if turn > 0 {
                figures.turn(all, each);
            }
        }
    }
    let names = contenders.iter().map(|contender| contender.name);
    table(title, &names.zip(&figures).collect::<Vec<_>>());
    Ok(())
}

/// One step after the other.
pub fn in_a_row<F>(runtime: &Runtime, steps: usize, step: impl Fn() -> F) -> Result<Turn>
where
    F: Future<Output = Result<()>>,
{
    runtime.block_on(async {
        let mut each = Vec::with_capacity(steps);
        let start = Instant::now();
        for _ in 0..steps {
            each.push(timed(step()).await?);
        }
        Ok((start.elapsed(), each))
    })
}

/// So many steps, and `tasks` of them at any time.
pub fn at_once<F, S>(runtime: &Runtime, tasks: usize, steps: usize, step: S) -> Result<Turn>
where
    F: Future<Output = Result<()>> + Send + 'static,
    S: Fn() -> F + Clone + Send + 'static,
{
    let (begun, took) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let start = Instant::now();
    runtime.block_on(async {
        let mut all = JoinSet::new();
        for _ in 0..tasks {
            let (begun, took, step) = (Arc::clone(&begun), Arc::clone(&took), step.clone());
            all.spawn(async move {
                while begun.fetch_add(1, Ordering::Relaxed) < steps {
                    let one = timed(step()).await?;
                    took.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = all.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    })?;
    let all = start.elapsed();
    let took = std::mem::take(&mut *took.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((all, took))
}

async fn timed(work: impl Future<Output = Result<()>>) -> Result<Duration> {
    let start = Instant::now();
    work.await?;
    Ok(start.elapsed())
}
