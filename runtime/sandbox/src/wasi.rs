//! WASI 0.2, linked so that the standard libraries of guest languages work. It gives nothing:
//! no files, no sockets, no environment, no arguments.
//!
//! *Invariant:* a plugin's only inputs besides its arguments and the capabilities are the clocks
//! and the random numbers made here.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use evenkeel_model::tape::Seed;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::clocks::WasiClocksView as _;
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi_io::bindings::wasi::io::poll;

use crate::log::{Log, Printed, Stream};
use crate::state::State;
use crate::tape::Sense;

/// More in one call ends the plugin: the host would have to hold it.
pub const RANDOM_BYTES: u64 = 64 << 10;
/// Of the monotonic clock, in nanoseconds.
const MICROSECOND: u64 = 1_000;

/// All of WASI 0.2, with clocks and polls of our own, which are recorded.
pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    wall_clock::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    monotonic_clock::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    poll::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// A fresh context for one invocation. The same seed gives the same random numbers in every
/// version: a test holds their first bytes.
pub fn nothing(log: &Arc<Log>, seed: Seed) -> WasiCtx {
    let mut random = StdRng::from_seed(seed.0);
    let insecure = StdRng::from_rng(&mut random);
    let insecure_seed = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
    WasiCtx::builder()
        .stdout(Printed {
            log: Arc::clone(log),
            stream: Stream::Stdout,
        })
        .stderr(Printed {
            log: Arc::clone(log),
            stream: Stream::Stderr,
        })
        .secure_random(random)
        .insecure_random(insecure)
        .insecure_random_seed(insecure_seed)
        .max_random_size(RANDOM_BYTES)
        .build()
}

impl wall_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        let ms = self.sense(Sense::WallClock, |_| milliseconds())?;
        Ok(wall_clock::Datetime {
            seconds: ms / 1_000,
            nanoseconds: u32::try_from(ms % 1_000).unwrap_or_default() * 1_000_000,
        })
    }

    fn resolution(&mut self) -> wasmtime::Result<wall_clock::Datetime> {
        Ok(wall_clock::Datetime {
            seconds: 0,
            nanoseconds: 1_000_000,
        })
    }
}

/// Monotonic time begins with the invocation, so it tells nothing of the host.
impl monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        let us = self.sense(Sense::MonotonicClock, |state| microseconds(state.elapsed()))?;
        Ok(us.saturating_mul(MICROSECOND))
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(MICROSECOND)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let now = microseconds(self.elapsed()).saturating_mul(MICROSECOND);
        self.subscribe_duration(when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.clocks().subscribe_duration(duration)
    }
}

/// A replay looks at nothing and waits for nothing: what was ready then is ready.
impl poll::Host for State {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        let of = pollables.len();
        self.is_live();
        if let Some(replay) = self.replay.as_mut().filter(|_| of > 0) {
            let (ready, bytes) = replay.poll(of)?;
            self.charge(bytes)?;
            return Ok(ready);
        }
        let ready = poll::Host::poll(&mut self.table, pollables).await?;
        self.polled(of, &ready)?;
        Ok(ready)
    }
}

impl poll::HostPollable for State {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        let mut ready = false;
        if self.is_live() {
            ready = poll::HostPollable::ready(&mut self.table, pollable).await?;
        }
        let ready = self.sense(Sense::Ready, |_| u64::from(ready))?;
        Ok(ready != 0)
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        if self.is_live() {
            poll::HostPollable::block(&mut self.table, pollable).await?;
        }
        self.sense(Sense::Woken, |_| 0)?;
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(&mut self.table, pollable)
    }
}

fn milliseconds() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "a plugin's clock is read here and nowhere else"
    )]
    let now = SystemTime::now();
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use wasmtime_wasi::p2::bindings::random::insecure_seed::Host as _;
    use wasmtime_wasi::p2::bindings::random::random::Host as _;

    use super::*;
    use crate::describe::Unheard;
    use crate::redact::Redactor;

    #[test]
    fn a_seed_gives_the_same_random_numbers_for_good() {
        let log = Arc::new(Log::new(Arc::new(Unheard), Redactor::default(), 1, 1));
        let mut ctx = nothing(&log, Seed([7; 32]));
        let random = ctx.random();
        assert_eq!(random.get_random_bytes(4).unwrap(), [80, 177, 141, 29]);
        let next = (random.get_random_u64().unwrap(), random.insecure_seed().unwrap());
        assert_eq!(
            next,
            (
                9_243_384_730_865_283_982,
                (15_826_216_818_678_488_480, 2_374_751_194_967_541_889)
            )
        );
    }
}
