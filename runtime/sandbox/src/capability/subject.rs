//! The names that effects go by, as `cap.wit` gives them, and the one form of a path. `subject.rs`
//! of the SDK writes the same; `fuzz` includes this file and holds the two against each other.

use serde_json::json;

/// `PROFILE ["arg","arg"]`
pub fn exec(profile: &str, args: &[String]) -> String {
    format!("{profile} {}", json!(args))
}

/// `ROOT:PATH`
pub fn files(root: &str, path: &str) -> String {
    format!("{root}:{path}")
}

/// `METHOD ORIGIN:PATH`
pub fn http(method: &str, origin: &str, path: &str) -> String {
    format!("{method} {origin}:{path}")
}

/// One way to write each path, so that a subject is compared byte for byte: names with single
/// slashes between them, and neither `.` nor `..`.
pub fn plain(path: &str) -> Result<(), String> {
    let plain = path.split('/').all(|name| !matches!(name, "" | "." | "..")) && !path.contains('\0');
    if plain {
        return Ok(());
    }
    let path = path.escape_debug();
    Err(format!(
        "`{path}` is not a plain path within the root: no `..`, `.`, empty name, or slash at an end"
    ))
}
