//! `Read`: what stands at any path: a secret that is kept (kv v1 and v2), or one that is made for whoever reads it.

use std::collections::BTreeMap;

use rustify::endpoint::{Endpoint, Wrapper};
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use serde::Deserialize;
use serde_json::{Map, Value};
use vaultrs::client::{Client as _, VaultClient};

use super::client::quietly;
use super::fault::Fault;
use super::lease::Lease;
use crate::backend::Fetched;
use crate::secret::Secret;

/// Asks for what stands at a path.
struct Read<'a>(&'a str);

impl Endpoint for Read<'_> {
    type Response = Map<String, Value>;
    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        self.0.to_owned()
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::GET
    }
}

/// What an answer is wrapped in.
#[derive(Deserialize)]
struct Envelope {
    data: Option<Map<String, Value>>,
    #[serde(default)]
    lease_id: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

impl Wrapper for Envelope {
    type Value = Map<String, Value>;
}

/// Reads a path; where something was made for it, says what ends it.
pub(super) async fn read(client: &VaultClient, path: &str) -> Result<(Fetched, Option<Lease>), Fault> {
    let answer = quietly(async { Read(path).with_middleware(client.middle()).exec(client.http()).await }).await?;
    let envelope: Envelope = quietly(async { answer.wrap() }).await?;
    let data = envelope.data.ok_or(Fault::Missing)?;
    if envelope.lease_id.is_empty() {
        let (data, version) = kept(data)?;
        return Ok((Fetched { fields: fields(data), version, lease: None }, None));
    }
    let lease = Lease::new(envelope.lease_duration, envelope.renewable);
    // Its last part, which is random: a reviewer finds it in the backend's own log.
    let version = envelope.lease_id.rsplit('/').next().unwrap_or_default().to_owned();
    Ok((Fetched { fields: fields(data), version, lease: Some(envelope.lease_id) }, Some(lease)))
}

/// The fields of a secret that is kept, and its version: only kv v2 counts.
fn kept(mut data: Map<String, Value>) -> Result<(Map<String, Value>, String), Fault> {
    let version = data.get("metadata").and_then(|metadata| metadata.get("version")).and_then(Value::as_u64);
    let Some(version) = version.filter(|_| data.len() == 2) else {
        return Ok((data, "unversioned".to_owned()));
    };
    match data.remove("data") {
        Some(Value::Object(fields)) => Ok((fields, version.to_string())),
        // The newest version was deleted.
        Some(Value::Null) | None => Err(Fault::Missing),
        Some(_) => Err(Fault::Malformed("its answer has no fields".to_owned())),
    }
}

/// Texts, and numbers as they are written; nothing else is a secret.
fn fields(data: Map<String, Value>) -> BTreeMap<String, Secret> {
    let one = |(name, value)| match value {
        Value::String(text) => Some((name, Secret::new(text.into_bytes()))),
        Value::Number(number) => Some((name, Secret::new(number.to_string().into_bytes()))),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    data.into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(data: Value) -> Result<(Vec<(String, String)>, String), Fault> {
        let Value::Object(data) = data else { panic!("no object") };
        super::kept(data).map(|(data, version)| {
            let text = |(name, secret): (String, Secret)| (name, String::from_utf8(secret.expose().to_vec()).unwrap());
            (fields(data).into_iter().map(text).collect(), version)
        })
    }

    #[test]
    fn both_generations_of_kv_are_told_apart_by_their_answer() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let two = json!({ "data": { "token": "a", "pin": 1234, "on": true }, "metadata": { "version": 7 } });
        assert_eq!(kept(two), Ok((vec![pair("pin", "1234"), pair("token", "a")], "7".to_owned())));
        let one = json!({ "data": "a", "metadata": "b" });
        assert_eq!(kept(one), Ok((vec![pair("data", "a"), pair("metadata", "b")], "unversioned".to_owned())));
        let deleted = json!({ "data": null, "metadata": { "version": 7, "deletion_time": "…" } });
        assert_eq!(kept(deleted), Err(Fault::Missing));
    }
}
