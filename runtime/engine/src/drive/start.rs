//! An invocation begins, or goes on.

use std::sync::Arc;

use evenkeel_model::tape::{Given, Seed};

use crate::recording::Recording;

/// How an invocation starts.
pub(super) enum Start {
    New(Seed),
    Resumed(Arc<Recording>),
}

impl Start {
    pub(super) fn recording(&self) -> Option<Arc<Recording>> {
        match self {
            Self::New(_) => None,
            Self::Resumed(recording) => Some(Arc::clone(recording)),
        }
    }

    /// What it was given when it began.
    pub(super) fn given(&self) -> Option<&Given> {
        match self {
            Self::New(_) => None,
            Self::Resumed(recording) => Some(&recording.given),
        }
    }

    pub(super) fn seed(&self) -> Seed {
        match self {
            Self::New(seed) => *seed,
            Self::Resumed(recording) => recording.given.seed,
        }
    }

    /// Lines of its log that are recorded.
    pub(super) fn logged(&self) -> u64 {
        match self {
            Self::New(_) => 0,
            Self::Resumed(recording) => recording.logged,
        }
    }
}
