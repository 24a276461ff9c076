//! Who asks.

use nix::unistd::{Uid, User};

/// The name of the user that this process belongs to, or `uid N`.
pub fn name() -> String {
    let uid = Uid::current();
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    }
}
