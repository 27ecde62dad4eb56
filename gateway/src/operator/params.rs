//! What the methods are asked with. A member that no method knows is refused.

use policies::approval::Leeway;
use policies::{Hash, Role, ServerName};
use serde::Deserialize;

use super::method::Asked;
use super::refused::Refused;

/// The longest reason: the agent is told, and it is kept in the log.
const REASON: usize = 2000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// One of whatever a method is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    pub(super) id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approved {
    pub(super) id: String,
    /// What was seen: a hold of another deed is not approved.
    #[serde(default)]
    pub(super) digest: Option<Hash>,
    #[serde(default)]
    pub(super) reason: Option<String>,
    /// How far it goes beyond this call.
    #[serde(default)]
    pub(super) pass: Option<Leeway>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Adding {
    pub(super) name: String,
    pub(super) role: Role,
    #[serde(default, deserialize_with = "uid")]
    pub(super) uid: Option<u32>,
    pub(super) new_pin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pinning {
    pub(super) name: String,
    pub(super) new_pin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Denied {
    pub(super) id: String,
    pub(super) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fresh {
    pub(super) new_pin: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Joining {
    pub(super) name: String,
    #[serde(default)]
    pub(super) expires: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accepted {
    pub(super) name: String,
    /// The definition that the operator saw; another one is not accepted.
    #[serde(default)]
    pub(super) hash: Option<Hash>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Packed {
    pub(super) path: std::path::PathBuf,
    #[serde(default)]
    pub(super) name: Option<ServerName>,
    pub(super) digest: Hash,
}

/// A number, or the same as text: the command line's parameters are all text.
fn uid<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let uid = value.as_u64().and_then(|uid| u32::try_from(uid).ok());
    let uid = uid.or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    uid.map(Some).ok_or_else(|| serde::de::Error::custom("a uid is a number"))
}

pub(super) fn reason(reason: &str) -> Asked<String> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Refused::Params("the reason is empty: whoever reads it can do better with one".into()));
    }
    if reason.len() > REASON {
        return Err(Refused::Params(format!("the reason is longer than {REASON} bytes")));
    }
    Ok(reason.to_owned())
}
