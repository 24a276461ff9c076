//! Bounds of what mostly ends at once.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::task::unconstrained;

/// What `work` comes to; or what `end` does, if it is there first.
///
/// `end` is made when `work` has to wait for the first time: what never waits needs no timer. It
/// doesn't depend on how much else the task does, so that nobody computes past it.
pub async fn unless<T, E: Future>(work: impl Future<Output = T>, end: impl FnOnce() -> E) -> Result<T, E::Output> {
    let mut work = pin!(work);
    let (mut end, mut ending) = (Some(end), None);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        if let Some(end) = end.take() {
            ending = Some(Box::pin(unconstrained(end())));
        }
        let ending = ending.as_mut().expect("it was made just now, or before");
        ending.as_mut().poll(cx).map(Err)
    })
    .await
}

/// None: it was not done within the time that `time` says, counted from when it first has to wait.
pub async fn within<T>(work: impl Future<Output = T>, time: impl FnOnce() -> Duration) -> Option<T> {
    unless(work, || tokio::time::sleep(time())).await.ok()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_ends_at_once_makes_no_end() {
        let done = unless(ready(7), || -> std::future::Ready<()> { panic!("it did not wait") });
        assert_eq!(done.await, Ok(7));
    }

    #[tokio::test]
    async fn what_waits_too_long_is_given_up() {
        assert_eq!(within(pending::<()>(), || Duration::ZERO).await, None);
        assert_eq!(unless(pending::<()>(), || ready("over")).await, Err("over"));
        assert_eq!(within(tokio::task::yield_now(), || Duration::MAX).await, Some(()));
    }

    /// Its budget of the scheduler is used up each time: the end comes all the same.
    #[tokio::test]
    async fn what_never_lets_go_of_its_task_is_ended() {
        let greedy = async {
            loop {
                tokio::task::consume_budget().await;
            }
        };
        assert_eq!(within(greedy, || Duration::from_millis(1)).await, None::<()>);
    }
}
