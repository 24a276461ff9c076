//! The host's subjects and the SDK's, byte for byte: an approved effect is found by them.

use evenkeel_model::action::hex;
use evenkeel_sdk::subject as plugin;
use sha2::{Digest as _, Sha256};

use crate::bytes::Bytes;
use crate::subject as host;

pub fn try_one(bytes: &[u8]) {
    let mut texts = Bytes(bytes);
    let (name, what) = (texts.text(), texts.text());
    let mut args = Vec::new();
    while !texts.is_over() {
        args.push(texts.text());
    }
    let command = host::exec(&name, &args);
    assert_eq!(command, plugin::exec(&name, &args));
    assert_eq!(host::files(&name, &what), plugin::files(&name, &what));
    let first = args.first().map_or("", String::as_str);
    assert_eq!(host::http(&name, &what, first), plugin::http(&name, &what, first));
    assert_eq!(hex(&Sha256::digest(bytes)), plugin::content(bytes));
    if evenkeel_model::name::is_name(&name) {
        tell_one_call(&name, &what, &args, &command);
    }
}

/// From a subject with a name of the operator's, what it names can be read back: no two calls share one.
fn tell_one_call(name: &str, what: &str, args: &[String], command: &str) {
    let json = command.strip_prefix(name).expect("the profile comes first");
    let read: Vec<String> = serde_json::from_str(json).expect("arguments as JSON");
    assert_eq!(read, args);
    assert!(!command.contains('\n'), "{command}");
    assert_eq!(host::files(name, what).split_once(':'), Some((name, what)));
}
