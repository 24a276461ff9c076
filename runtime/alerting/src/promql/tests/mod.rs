mod checks;
mod functions;
mod operators;
mod properties;
mod selectors;
mod store;

pub(super) use super::Memory;
pub(super) use store::{Fill, show, show_range};
