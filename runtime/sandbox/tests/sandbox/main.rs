//! The sandbox from outside, with a real component that does what its parameters say.

mod bounds;
mod effects;
mod exec;
mod files;
mod http;
mod kinds;
mod load;
mod stage;
