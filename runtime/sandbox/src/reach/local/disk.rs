//! Work on threads of its own, for file systems block; and its end when nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use evenkeel_engine::port::reach::FilesError;
use tokio::sync::watch;

/// A thread can't be ended from outside. Work whose caller is gone is told so, and asks before
/// each thing that it changes.
#[derive(Debug)]
pub struct Disk {
    /// Threads at work that nobody waits for.
    abandoned: Arc<watch::Sender<usize>>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            abandoned: Arc::new(watch::Sender::new(0)),
        }
    }
}

impl Disk {
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Asked) -> Result<T, FilesError> + Send + 'static,
    ) -> Result<T, FilesError> {
        let asked = Asked::default();
        let _caller = Caller {
            asked: asked.clone(),
            abandoned: Arc::clone(&self.abandoned),
        };
        let thread = Thread {
            asked,
            abandoned: Arc::clone(&self.abandoned),
        };
        let work = tokio::task::spawn_blocking(move || {
            thread.asked.still()?;
            work(&thread.asked)
        });
        work.await
            .unwrap_or_else(|error| Err(FilesError::Io(error.to_string())))
    }

    /// Returns when no work that was given up is under way any more, or when that takes too long,
    /// as on a file system that hangs.
    pub async fn settled(&self, patience: Duration) {
        let mut abandoned = self.abandoned.subscribe();
        let _ = tokio::time::timeout(patience, abandoned.wait_for(|abandoned| *abandoned == 0)).await;
    }
}

/// Whether somebody still waits for what a thread does.
#[derive(Clone, Debug, Default)]
pub struct Asked(Arc<AtomicU8>);

const WAITED_FOR: u8 = 0;
const ABANDONED: u8 = 1;
const OVER: u8 = 2;

impl Asked {
    /// To be asked right before something is changed.
    pub fn still(&self) -> Result<(), FilesError> {
        if self.0.load(Ordering::SeqCst) == ABANDONED {
            return Err(FilesError::Io("it was stopped".into()));
        }
        Ok(())
    }

    /// Whether the work was still under way.
    pub fn abandon(&self) -> bool {
        let state = &self.0;
        state
            .compare_exchange(WAITED_FOR, ABANDONED, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Whether it had been abandoned.
    fn end(&self) -> bool {
        self.0.swap(OVER, Ordering::SeqCst) == ABANDONED
    }
}

/// Held by who waits; dropped with the future.
struct Caller {
    asked: Asked,
    abandoned: Arc<watch::Sender<usize>>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        // Counted first: the thread may see it at once, and count itself out.
        self.abandoned.send_modify(|abandoned| *abandoned += 1);
        if !self.asked.abandon() {
            self.abandoned.send_modify(|abandoned| *abandoned -= 1);
        }
    }
}

/// Held by the thread, also if it panics.
struct Thread {
    asked: Asked,
    abandoned: Arc<watch::Sender<usize>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        if self.asked.end() {
            self.abandoned.send_modify(|abandoned| *abandoned -= 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    /// Longer than anything here takes.
    const BOUND: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_told_before_its_next_change() {
        let disk = Disk::default();
        let (begun, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (tell, told) = oneshot::channel();
        let work = disk.work(move |asked| {
            begun.send(asked.still()).unwrap();
            may_go_on.recv().unwrap();
            tell.send(asked.still()).unwrap();
            Ok(())
        });
        tokio::select! {
            done = work => panic!("it waits: {done:?}"),
            begun = has_begun => assert_eq!(begun.unwrap(), Ok(())),
        }
        assert_eq!(*disk.abandoned.borrow(), 1);
        disk.settled(Duration::ZERO).await;
        assert_eq!(*disk.abandoned.borrow(), 1, "the wait is bounded");
        go_on.send(()).unwrap();
        assert_eq!(told.await.unwrap(), Err(FilesError::Io("it was stopped".into())));
        disk.settled(BOUND).await;
        assert_eq!(*disk.abandoned.borrow(), 0, "its end was waited for");
    }

    #[tokio::test]
    async fn work_that_is_waited_for_leaves_nothing_behind() {
        let disk = Disk::default();
        for n in 0..100 {
            assert_eq!(disk.work(move |asked| asked.still().map(|()| n)).await, Ok(n));
        }
        let panicked = disk.work::<()>(|_| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(FilesError::Io(_))), "{panicked:?}");
        assert_eq!(*disk.abandoned.borrow(), 0);
    }
}
