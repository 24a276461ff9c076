//! What the documentation tells people to do works as it stands there.

mod coverage;
mod markdown;
mod pages;
mod shell;
