//! What an invocation is recorded with besides its calls, so that it can be replayed.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::home::SandboxLimits;

/// What was decided for one invocation when it began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Given {
    pub seed: Seed,
    /// Wall time, host calls included.
    pub timeout: Duration,
    pub limits: SandboxLimits,
}

/// All random numbers of an invocation come from it. It tells what they are, so it isn't shown.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

/// What a plugin sensed, in order: clocks, polls, what it asked of its run. Only the sandbox knows
/// the form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tape(pub Vec<u8>);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(***)")
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = decoded(deserializer)?;
        let seed = bytes.try_into().map_err(|_| D::Error::custom("a seed has 32 bytes"))?;
        Ok(Self(seed))
    }
}

impl Serialize for Tape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Tape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decoded(deserializer).map(Self)
    }
}

fn decoded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_read_back_as_it_was_and_the_seed_is_not_told() {
        let given = Given {
            seed: Seed([7; 32]),
            timeout: Duration::from_millis(1_500),
            limits: SandboxLimits::default(),
        };
        let text = serde_json::to_string(&given).unwrap();
        assert_eq!(serde_json::from_str::<Given>(&text).unwrap(), given);
        assert!(format!("{given:?}").contains("Seed(***)"));
        assert!(serde_json::from_str::<Seed>("\"AAAA\"").is_err(), "too short");
    }

    #[test]
    fn limits_that_an_older_version_did_not_know_are_the_defaults() {
        let limits: SandboxLimits = serde_json::from_str(r#"{"calls":7}"#).unwrap();
        assert_eq!(
            limits,
            SandboxLimits {
                calls: 7,
                ..SandboxLimits::default()
            }
        );
    }
}
