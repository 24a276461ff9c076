mod checks;
mod functions;
mod operators;
mod properties;
mod selectors;
mod store;

pub(super) use store::{Fake, show, show_range};
