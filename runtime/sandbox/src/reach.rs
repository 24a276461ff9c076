//! Ways to act on an asset. `local` is the machine that evenkeel runs on; ssh and agents come
//! behind the same port.

pub mod local;
pub mod prometheus;
pub mod scrape;
