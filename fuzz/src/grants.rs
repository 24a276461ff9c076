//! The text of a grant.

use evenkeel_model::grant::{Capability, Grant};

/// A text is one grant or none, and what is read of it is all that stands there.
pub fn try_one(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for capability in Capability::ALL {
        let Ok(grant) = Grant::parse(capability, &text) else {
            continue;
        };
        assert_eq!(grant.to_string(), *text);
        assert!(capability.is_granted(), "{text}");
        assert!(capability.has_verb(&grant.verb), "{text}");
        assert!(!text.contains(['{', '}', '\n', '\0', '\\']), "{text}");
        assert!(!grant.name.trim_matches('.').is_empty(), "{text}");
        let passed = grant.passed_name();
        assert_eq!(text.strip_prefix(&grant.verb), Some(&*format!(" {passed}")));
        match passed.split_once('/') {
            Some((asset, name)) => {
                assert_eq!(grant.asset.as_ref().map(|asset| asset.as_str()), Some(asset));
                assert_eq!(grant.name, name);
                assert!(!name.contains('/'), "{text}");
            }
            None => assert!(grant.asset.is_none() && grant.name == passed),
        }
    }
}
