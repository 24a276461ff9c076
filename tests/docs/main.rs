//! What the documentation tells people to do works as it stands there.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start programs and look at the clock, as their users do"
)]

mod coverage;
mod languages;
mod markdown;
mod pages;
mod shell;
