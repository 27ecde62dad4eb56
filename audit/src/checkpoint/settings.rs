//! `Settings`: what a config says of the log's checkpoints: the table `[audit]`.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use crate::note::{KeyType, VerifierKey};

/// `[audit]`: where the newest checkpoint is kept, and who else signs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The file that keeps the newest checkpoint; on another disk it does not go back with the state folder.
    #[serde(default)]
    pub checkpoint: Option<PathBuf>,
    /// The witnesses that are asked for their signature.
    #[serde(default)]
    pub witness: Vec<WitnessAddress>,
}

/// A witness: `{ url = "https://…", key = "NAME+ID+BASE64" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessAddress {
    /// What `/add-checkpoint` is appended to.
    pub url: String,
    /// Its public key.
    #[serde(deserialize_with = "witness_key")]
    pub key: VerifierKey,
}

fn witness_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VerifierKey, D::Error> {
    let text = String::deserialize(deserializer)?;
    let key: VerifierKey = text.parse().map_err(serde::de::Error::custom)?;
    if key.kind() == KeyType::Witness { Ok(key) } else { Err(serde::de::Error::custom("it is not a witness's key")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_an_address_and_the_key_of_a_witness() {
        let log = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let read = |key: &str| {
            let value = serde_json::json!({ "checkpoint": "/mnt/other/checkpoint", "witness": [{ "url": "http://w", "key": key }] });
            serde_json::from_value::<Settings>(value)
        };
        assert!(read(log).unwrap_err().to_string().contains("not a witness's key"));
        assert!(read("nothing").is_err());
        let folder = tempfile::tempdir().unwrap();
        let key = crate::FileKey::make(&folder.path().join("key"), "w", KeyType::Witness).unwrap();
        let key = crate::Signer::verifier(&key).clone();
        assert_eq!(read(&key.to_string()).unwrap().witness[0].key, key);
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
        assert!(serde_json::from_str::<Settings>(r#"{"witnes":[]}"#).is_err());
    }
}
