//! evenkeel among real servers: what they send, not what we think that they send.

mod repair;
