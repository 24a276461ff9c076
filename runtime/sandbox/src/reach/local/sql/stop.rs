//! The end of a statement on its server when nobody waits for it any more.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_engine::port::reach::SqlError;
use tokio::sync::watch;

/// For a statement to end once it was told to.
pub const GRACE: Duration = Duration::from_secs(2);

/// Counts the statements that are being ended.
#[derive(Clone, Debug)]
pub struct Stops {
    under_way: Arc<watch::Sender<usize>>,
}

impl Default for Stops {
    fn default() -> Self {
        Self {
            under_way: Arc::new(watch::Sender::new(0)),
        }
    }
}

impl Stops {
    /// Returns when each statement that was given up has been told to end, or after this long.
    pub async fn settled(&self, patience: Duration) {
        let mut under_way = self.under_way.subscribe();
        let _ = tokio::time::timeout(patience, under_way.wait_for(|count| *count == 0)).await;
    }

    /// Waits for the statement until its time is over; then, or when this future is dropped, `stop` tells the server.
    /// A statement that finishes all the same has finished; one of which nothing is heard any more is unanswered.
    pub async fn within<T>(
        &self,
        timeout: Duration,
        stop: impl Future<Output = ()> + Send + 'static,
        statement: impl Future<Output = Result<T, SqlError>>,
    ) -> Result<T, SqlError> {
        let mut guard = Guard {
            stop: Some(Box::pin(stop)),
            stops: self.clone(),
        };
        tokio::pin!(statement);
        if let Ok(answer) = tokio::time::timeout(timeout, &mut statement).await {
            guard.stop = None;
            return answer;
        }
        drop(guard);
        match tokio::time::timeout(GRACE, statement).await {
            Ok(Err(SqlError::Lost(_))) | Err(_) => Err(SqlError::Unanswered),
            Ok(Err(_)) => Err(SqlError::TimedOut),
            Ok(Ok(answer)) => Ok(answer),
        }
    }
}

struct Guard {
    stop: Option<std::pin::Pin<Box<dyn Future<Output = ()> + Send>>>,
    stops: Stops,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (Some(stop), Ok(runtime)) = (self.stop.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let count = Count::one(&self.stops);
        runtime.spawn(async move {
            let _count = count;
            let _ = tokio::time::timeout(GRACE, stop).await;
        });
    }
}

struct Count(Stops);

impl Count {
    fn one(stops: &Stops) -> Self {
        stops.under_way.send_modify(|count| *count += 1);
        Self(stops.clone())
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.under_way.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    const BOUND: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_statement_that_is_given_up_is_ended_and_waited_for() {
        let stops = Stops::default();
        let (told, was_told) = oneshot::channel();
        let stop = async move {
            let _ = told.send(());
        };
        let never = std::future::pending::<Result<(), SqlError>>();
        let given_up = tokio::time::timeout(Duration::ZERO, stops.within(BOUND, stop, never)).await;
        assert!(given_up.is_err());
        stops.settled(BOUND).await;
        assert_eq!(was_told.await, Ok(()));
    }

    #[tokio::test]
    async fn a_statement_in_time_is_not_ended() {
        let stops = Stops::default();
        let (told, was_told) = oneshot::channel();
        let stop = async move {
            let _ = told.send(());
        };
        assert_eq!(stops.within(BOUND, stop, async { Ok(7) }).await, Ok(7));
        assert!(was_told.await.is_err(), "dropped untold");
    }

    #[tokio::test]
    async fn one_that_finishes_while_it_is_told_to_end_has_finished() {
        let (told, was_told) = oneshot::channel::<()>();
        let stop = async move {
            let _ = told.send(());
        };
        let statement = async {
            let _ = was_told.await;
            Ok(7)
        };
        assert_eq!(Stops::default().within(Duration::ZERO, stop, statement).await, Ok(7));
    }
}
