//! Resources of WASI, which std gives back by itself.

#[allow(unsafe_code, clippy::pedantic, reason = "generated")]
mod wasi {
    wit_bindgen::generate!({
        inline: "
            package evenkeel:hostile;
            world hostile {
                import wasi:clocks/monotonic-clock@0.2.0;
                import wasi:random/random@0.2.0;
            }
            package wasi:io@0.2.0 {
                interface poll {
                    resource pollable { ready: func() -> bool; block: func(); }
                    poll: func(in: list<borrow<pollable>>) -> list<u32>;
                }
            }
            package wasi:clocks@0.2.0 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.0.{pollable};
                    type instant = u64;
                    type duration = u64;
                    now: func() -> instant;
                    resolution: func() -> duration;
                    subscribe-instant: func(when: instant) -> pollable;
                    subscribe-duration: func(when: duration) -> pollable;
                }
            }
            package wasi:random@0.2.0 {
                interface random {
                    get-random-bytes: func(len: u64) -> list<u8>;
                    get-random-u64: func() -> u64;
                }
            }
        ",
        world: "evenkeel:hostile/hostile",
        generate_all,
    });
}

use wasi::wasi::clocks::monotonic_clock::subscribe_duration;
use wasi::wasi::random::random::get_random_bytes;

/// Takes so many, and gives none back.
pub fn leak(many: u64) {
    for _ in 0..many {
        std::mem::forget(subscribe_duration(1));
    }
}

pub fn random(bytes: u64) {
    std::hint::black_box(get_random_bytes(bytes));
}
