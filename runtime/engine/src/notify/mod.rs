//! People are told: notices are written with the events that cause them, and tried until they are out.
//!
//! *Invariant:* no notice is sent before it is on disk, and none is tried without that being there too.

mod calls;
mod deliver;
mod digest;
mod notice;
pub mod pace;

use std::sync::Arc;

use evenkeel_model::home::Home;
use evenkeel_model::name::RunId;
use evenkeel_model::run::Event;
use tokio::sync::{Notify, watch};

use crate::port::outbox::NewNotice;
use crate::run::Run;

pub use self::deliver::NotifyError;
pub use self::notice::notices;

/// Where recorders put what people are to be told.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) home: watch::Receiver<Arc<Home>>,
    /// Something new is in the outbox.
    pub(crate) arrived: Arc<Notify>,
}

impl Post {
    /// What an event that was just folded has people told.
    pub(crate) fn notices(&self, id: RunId, run: &Run, event: &Event) -> Vec<NewNotice> {
        notices(id, run, event, &self.home.borrow())
    }
}
