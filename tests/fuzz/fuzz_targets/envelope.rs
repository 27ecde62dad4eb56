//! No bytes make the envelope's reader panic, and what it accepts is one JSON-RPC message to others too.
#![no_main]

use gateway::agent::envelope::Message;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::parse(bytes) else { return };
    // Numbers beyond a double are JSON, and this reader of it cannot hold them.
    let Ok(other) = serde_json::from_slice::<Value>(bytes) else { return };
    assert_eq!(other["jsonrpc"], "2.0");
    match message {
        Message::Request(request) => {
            assert_eq!(other["method"], request.method.as_str());
            assert!(other["id"].is_string() || other["id"].is_number());
            assert_eq!(other["params"].as_object().map_or(0, serde_json::Map::len), request.params.len());
        }
        Message::Notification { method, params } => {
            assert_eq!(other["method"], method.as_str());
            assert!(other.get("id").is_none(), "a request was taken for a notification");
            assert_eq!(other["params"].as_object().map_or(0, serde_json::Map::len), params.len());
        }
        Message::Answer { .. } => {
            assert!(other.get("method").is_none(), "a request was taken for an answer");
        }
    }
});
