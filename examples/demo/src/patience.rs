//! Waiting for a condition, never for a time.

use std::time::Duration;

use anyhow::Context;
use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const EVERY: Duration = Duration::from_millis(100);

/// Looks until `condition` holds, and gives what it found; an error is a "not yet", with its reason.
///
/// # Errors
/// When it doesn't hold within `bound`, with the last reason.
pub async fn until<T>(
    bound: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let end = Instant::now() + bound;
    loop {
        match condition().await {
            Ok(found) => return Ok(found),
            Err(reason) if Instant::now() >= end => {
                return Err(reason).with_context(|| format!("waited {bound:?} in vain for this: {what}"));
            }
            Err(_) => sleep(EVERY).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_what_the_condition_found() {
        let mut looks = 0;
        let found = until(Duration::from_secs(60), "the third look", async || {
            looks += 1;
            anyhow::ensure!(looks == 3, "it is look {looks}");
            Ok(looks)
        });
        assert_eq!(found.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn gives_up_with_the_last_reason() {
        let rain = until(Duration::ZERO, "rain", async || -> anyhow::Result<()> {
            anyhow::bail!("the sky is blue")
        });
        let said = format!("{:#}", rain.await.unwrap_err());
        assert!(said.ends_with("for this: rain: the sky is blue"), "{said}");
    }
}
