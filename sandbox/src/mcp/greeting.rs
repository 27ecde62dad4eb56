//! What a server says when it is greeted.

use std::collections::BTreeSet;

use policies::{Object, Value};

use crate::line::Era;
use crate::server::Greeting;

/// What the answer to `server/discover` says about a server.
#[derive(Debug)]
pub(crate) enum Probe {
    /// It speaks 2026-07-28.
    Modern(Greeting),
    /// Whatever it said, it was not that: greet it with `initialize`.
    Legacy,
}

/// Reads the answer to `server/discover`. Legacy servers answer it with any error they like, so no code is singled out.
pub(crate) fn probe(outcome: Result<Value, Value>) -> Probe {
    outcome.ok().and_then(greeting_of_discover).map_or(Probe::Legacy, Probe::Modern)
}

/// The greeting in a result of `server/discover`, if it speaks 2026-07-28.
pub(crate) fn greeting_of_discover(result: Value) -> Option<Greeting> {
    let versions = result.get("supportedVersions")?.as_array()?;
    if !versions.iter().any(|version| version.as_str() == Some(Era::MODERN)) {
        return None;
    }
    let info = result.pointer("/_meta/io.modelcontextprotocol~1serverInfo").cloned();
    Some(greeting(Era::Modern, result, info))
}

/// The greeting in a result of `initialize`.
///
/// # Errors
/// With a sentence, where the server wants a version that we do not speak.
pub(crate) fn greeting_of_initialize(mut result: Value) -> Result<Greeting, &'static str> {
    let version = result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
    match Era::of(version) {
        Some(era @ Era::Legacy(_)) => {
            let info = result.as_object_mut().and_then(|result| result.remove("serverInfo"));
            Ok(greeting(era, result, info))
        }
        Some(Era::Modern) | None => Err("it answered `initialize` with a protocol version that is not spoken here"),
    }
}

impl Greeting {
    /// What to ask a modern server to tell us about; `None` if there is nothing.
    pub(crate) fn listen(&self, uris: &BTreeSet<String>) -> Option<Object> {
        let declared = |capability: &str| self.capabilities.get(capability)?.get("listChanged")?.as_bool();
        let mut wanted = Object::new();
        for (capability, filter) in LISTS {
            if declared(capability) == Some(true) {
                wanted.insert(filter, true);
            }
        }
        if !uris.is_empty() {
            let uris: Vec<Value> = uris.iter().map(|uri| uri.as_str().into()).collect();
            wanted.insert("resourceSubscriptions", uris);
        }
        (!wanted.is_empty()).then(|| [("notifications", wanted)].into_iter().collect())
    }
}

/// Capabilities whose lists may change, and what asks to hear of it.
const LISTS: [(&str, &str); 3] =
    [("tools", "toolsListChanged"), ("prompts", "promptsListChanged"), ("resources", "resourcesListChanged")];

fn greeting(era: Era, mut result: Value, info: Option<Value>) -> Greeting {
    let mut take = |name| result.as_object_mut().and_then(|result| result.remove(name)).unwrap_or_default();
    let capabilities = take("capabilities");
    let instructions = if let Value::String(text) = take("instructions") { Some(text) } else { None };
    Greeting { era, capabilities, info: info.unwrap_or_default(), instructions }
}

#[cfg(test)]
mod tests {
    use policies::Limits;

    use super::*;

    fn json(text: &str) -> Value {
        Value::parse(text.as_bytes(), &Limits::ANSWER).unwrap()
    }

    #[test]
    fn a_modern_server_is_known_by_its_versions_alone() {
        let modern = json(
            r#"{"supportedVersions":["x","2026-07-28"],"capabilities":{"tools":{}},"instructions":"i","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"n"}}}"#,
        );
        let Probe::Modern(greeting) = probe(Ok(modern)) else { panic!() };
        assert!(greeting.offers("tools") && !greeting.offers("prompts"));
        assert_eq!(greeting.info, json(r#"{"name":"n"}"#));
        for other in ["{}", r#"{"supportedVersions":"2026-07-28"}"#, r#"{"supportedVersions":["2099-01-01"]}"#] {
            assert!(matches!(probe(Ok(json(other))), Probe::Legacy), "{other}");
        }
        assert!(matches!(probe(Err(json(r#"{"code":-32022,"message":""}"#))), Probe::Legacy));
    }

    #[test]
    fn an_older_version_is_taken_and_an_unknown_one_is_not() {
        let greeting = greeting_of_initialize(json(r#"{"protocolVersion":"2024-11-05","serverInfo":{"name":"n"}}"#));
        assert_eq!(greeting.unwrap().era, Era::Legacy("2024-11-05"));
        for bad in ["{}", r#"{"protocolVersion":"2026-07-28"}"#, r#"{"protocolVersion":"1"}"#] {
            assert!(greeting_of_initialize(json(bad)).is_err(), "{bad}");
        }
    }
}
