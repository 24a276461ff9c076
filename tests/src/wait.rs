//! Waiting for a condition, never for a time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How often a condition is looked at.
const EVERY: Duration = Duration::from_millis(50);

/// Looks until `condition` holds and gives what it found.
///
/// # Panics
/// When it doesn't hold within `bound`, with the last reason that it gave.
#[track_caller]
pub fn wait_until<T>(bound: Duration, what: &str, mut condition: impl FnMut() -> anyhow::Result<T>) -> T {
    let until = Instant::now() + bound;
    loop {
        match condition() {
            Ok(found) => return found,
            Err(reason) if Instant::now() >= until => {
                panic!("waited {bound:?} for this: {what}; but: {reason:#}")
            }
            Err(_) => thread::sleep(EVERY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_what_the_condition_found() {
        let mut looks = 0;
        let found = wait_until(Duration::from_secs(60), "the third look", || {
            looks += 1;
            anyhow::ensure!(looks == 3, "it is look {looks}");
            Ok(looks)
        });
        assert_eq!(found, 3);
    }

    #[test]
    #[should_panic(expected = "for this: rain; but: the sky is blue")]
    fn gives_up_with_the_last_reason() {
        wait_until(Duration::ZERO, "rain", || -> anyhow::Result<()> {
            anyhow::bail!("the sky is blue")
        });
    }
}
