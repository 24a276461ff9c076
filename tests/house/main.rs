//! The rules of the house, read from the house itself.

mod arrows;
mod dependencies;
mod names;
