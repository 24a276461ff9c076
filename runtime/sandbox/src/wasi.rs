//! WASI 0.2, linked so that the standard libraries of guest languages work. It gives nothing:
//! no files, no sockets, no environment, no arguments.
//!
//! *Invariant:* a plugin's only inputs besides its arguments and the capabilities are the clocks
//! and the random numbers made here.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

use crate::log::{Log, Printed, Stream};

/// More in one call ends the plugin: the host would have to hold it.
pub const RANDOM_BYTES: u64 = 64 << 10;

/// A fresh context for one invocation.
pub fn nothing(log: &Arc<Log>) -> WasiCtx {
    let mut seed = [0; 32];
    rand::rng().fill_bytes(&mut seed);
    let mut random = StdRng::from_seed(seed);
    let insecure = StdRng::from_rng(&mut random);
    let insecure_seed = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
    let senses = Senses::new();
    WasiCtx::builder()
        .stdout(Printed {
            log: Arc::clone(log),
            stream: Stream::Stdout,
        })
        .stderr(Printed {
            log: Arc::clone(log),
            stream: Stream::Stderr,
        })
        .wall_clock(senses.clone())
        .monotonic_clock(senses)
        .secure_random(random)
        .insecure_random(insecure)
        .insecure_random_seed(insecure_seed)
        .max_random_size(RANDOM_BYTES)
        .build()
}

/// The clocks of one invocation.
#[derive(Clone)]
struct Senses {
    /// Monotonic time begins with the invocation, so it tells nothing of the host.
    started: Instant,
}

impl Senses {
    fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl HostWallClock for Senses {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }
    fn now(&self) -> Duration {
        #[expect(
            clippy::disallowed_methods,
            reason = "a plugin's clock is read here and nowhere else"
        )]
        let now = SystemTime::now();
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

impl HostMonotonicClock for Senses {
    fn resolution(&self) -> u64 {
        1_000
    }
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
