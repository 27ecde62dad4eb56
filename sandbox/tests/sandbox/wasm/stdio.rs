//! MCP servers that are `wasi:cli` commands.

use std::time::Duration;

use audit::FailureKind;
use sandbox::{Era, Listing};

use super::guests::{Packed, component};
use crate::world::{World, failure, server};

fn start(manifest: &str) -> World {
    Packed::new(&component("hostile-stdio"), "stdio = true", manifest).start("")
}

#[tokio::test]
async fn a_server_over_standard_streams_is_greeted_and_called_afresh_each_time() {
    let world = start("");
    assert_eq!(world.ready().await.era, Era::Legacy("2025-06-18"));
    let listed = world.sandbox.list(&server(), Listing::Tools, Duration::from_secs(20)).await.unwrap();
    assert_eq!(listed[0].get("name").and_then(policies::Value::as_str), Some("echo"));
    assert_eq!(world.text("echo", r#"{"a":1}"#).await, r#"{"a":1}"#);
    for _ in 0..2 {
        assert_eq!(world.text("count", "{}").await, "1");
    }
    assert_eq!(world.text("environment", "{}").await, "[]");
    assert!(world.text("read", r#"{"path":"/etc/passwd"}"#).await.starts_with("refused"));
}

#[tokio::test]
async fn a_server_that_ends_floods_or_lies_fails_its_own_call_only() {
    let world = start("[limits]\ntime = '10s'\noutput = '64 KiB'\nmemory = '32 MiB'");
    assert_eq!(failure(&world.call("exit", "{}").await), FailureKind::Crashed);
    assert_eq!(failure(&world.call("flood", "{}").await), FailureKind::TooLarge);
    assert_eq!(failure(&world.call("huge", "{}").await), FailureKind::OutOfMemory);
    assert_eq!(failure(&world.call("twice", "{}").await), FailureKind::Malformed);
    assert_eq!(failure(&world.call("spin", "{}").await), FailureKind::OutOfTime);
    assert_eq!(world.text("count", "{}").await, "1");
}
