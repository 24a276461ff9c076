//! Places among the runs that go at once.
//!
//! *Invariant*: while there are two customers and two places, no customer has them all. So a customer whose runs all take
//! until their deadlines delays nobody but itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use evenkeel_model::name::CustomerId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Waiting runs have no place.
pub(crate) struct Capacity {
    all: Arc<Semaphore>,
    /// Of one customer, at most.
    share: usize,
    shares: Mutex<BTreeMap<CustomerId, Arc<Semaphore>>>,
}

/// One of them, until it is dropped.
pub(crate) struct Place {
    _of_the_customer: Option<OwnedSemaphorePermit>,
    _of_all: OwnedSemaphorePermit,
}

impl Capacity {
    /// A quarter of the places, and at least one, is out of a single customer's reach.
    pub(crate) fn new(runs: usize) -> Self {
        let runs = runs.clamp(1, Semaphore::MAX_PERMITS);
        let reserved = (runs / 4).max(1);
        Self {
            all: Arc::new(Semaphore::new(runs)),
            share: runs.saturating_sub(reserved).max(1),
            shares: Mutex::default(),
        }
    }

    /// One that is free now.
    pub(crate) fn try_take(&self, customer: Option<&CustomerId>) -> Option<Place> {
        let of_the_customer = match customer {
            Some(customer) => Some(self.share_of(customer).try_acquire_owned().ok()?),
            None => None,
        };
        Some(Place {
            _of_the_customer: of_the_customer,
            _of_all: Arc::clone(&self.all).try_acquire_owned().ok()?,
        })
    }

    /// The next one, in the order of asking. None: there will be none any more.
    pub(crate) async fn take(&self, customer: Option<&CustomerId>) -> Option<Place> {
        let of_the_customer = match customer {
            Some(customer) => Some(self.share_of(customer).acquire_owned().await.ok()?),
            None => None,
        };
        Some(Place {
            _of_the_customer: of_the_customer,
            _of_all: Arc::clone(&self.all).acquire_owned().await.ok()?,
        })
    }

    fn share_of(&self, customer: &CustomerId) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.entry(customer.clone());
        Arc::clone(share.or_insert_with(|| Arc::new(Semaphore::new(self.share))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_customer_has_all_places() {
        let (steel, oak) = (CustomerId::new("steel"), CustomerId::new("oak"));
        for (runs, share) in [(2, 1), (3, 2), (4, 3), (16, 12)] {
            let capacity = Capacity::new(runs);
            let taken: Vec<Place> = (0..runs).map_while(|_| capacity.try_take(Some(&steel))).collect();
            assert_eq!(taken.len(), share, "of {runs}");
            assert!(capacity.try_take(Some(&oak)).is_some(), "of {runs}");
        }
    }

    #[test]
    fn a_place_that_is_given_back_is_the_customer_s_again() {
        let steel = CustomerId::new("steel");
        let capacity = Capacity::new(1);
        let place = capacity.try_take(Some(&steel));
        assert!(place.is_some() && capacity.try_take(Some(&steel)).is_none());
        drop(place);
        assert!(capacity.try_take(Some(&steel)).is_some());
    }

    #[test]
    fn who_has_no_customer_to_share_with_has_them_all() {
        let capacity = Capacity::new(4);
        let taken: Vec<Place> = (0..9).map_while(|_| capacity.try_take(None)).collect();
        assert_eq!(taken.len(), 4);
    }
}
