//! Components written out by hand: what no compiler would make.

use std::time::Duration;

use audit::FailureKind;
use sandbox::Listing;

use super::guests::Packed;
use crate::world::{World, failure, server};

/// A component of the world whose `call` does `call`; `more` stands in its module.
pub(super) fn world(more: &str, call: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
          (core module $m
            (memory (export "memory") 1)
            (global $next (mut i32) (i32.const 4096))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
              global.get $next global.get $next local.get 3 i32.add global.set $next)
            (data (i32.const 16) "{{\"tools\":[]}}")
            {more}
            (func (export "describe") (result i32)
              (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 12)) (i32.const 0))
            (func (export "call") (param i32 i32 i32 i32) (result i32) {call}))
          (core instance $i (instantiate $m))
          (type $error' (variant (case "invalid-arguments" string) (case "failed" string)))
          (export $error "tool-error" (type $error'))
          (func (export "describe") (result string) (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
          (func (export "call") (param "name" string) (param "arguments" string) (result (result string (error $error)))
            (canon lift (core func $i "call") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
    );
    ::wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn the_template_in_text_form_is_a_tool() {
    let component = ::wat::parse_str(include_str!("../../../../docs/templates/wasm-wat/tool.wat")).unwrap();
    let world = start(&component);
    let listed = world.sandbox.list(&server(), Listing::Tools, Duration::from_secs(20)).await.unwrap();
    assert_eq!(listed[0].get("name").and_then(policies::Value::as_str), Some("ping"));
    assert_eq!(world.text("ping", "{}").await, "pong");
}

#[test]
fn the_template_in_rust_has_the_world_as_it_is() {
    let here = include_str!("../../../wit/tool.wit");
    assert_eq!(here, include_str!("../../../../docs/templates/wasm-rust/wit/tool.wit"));
}

fn start(component: &[u8]) -> World {
    Packed::new(component, "", "").start("")
}

#[tokio::test]
async fn tables_have_an_end() {
    let grow = "(drop (table.grow $t (ref.null func) (i32.const 10000000))) unreachable";
    let world = start(&world("(table $t 1 funcref)", grow));
    assert_eq!(failure(&world.call("x", "{}").await), FailureKind::OutOfMemory);
}

#[tokio::test]
async fn a_memory_that_begins_too_large_is_refused() {
    let text =
        ::wat::parse_str(r"(component (core module $m (memory 2000)) (core instance (instantiate $m)))").unwrap();
    let why = start(&text).down().await;
    assert_eq!(why, "it is no component that can be run here");
}

#[tokio::test]
async fn pointers_out_of_memory_are_a_crash_of_the_guest() {
    let wild = "(i32.store (i32.const 8) (i32.const 0)) (i32.store (i32.const 12) (i32.const 0x7fffffff)) (i32.store (i32.const 16) (i32.const 0x7fffffff)) (i32.const 8)";
    assert_eq!(failure(&start(&world("", wild)).call("x", "{}").await), FailureKind::Crashed);
    let outside = "(i32.const 0x7ffffff0)";
    assert_eq!(failure(&start(&world("", outside)).call("x", "{}").await), FailureKind::Crashed);
    let divided = "(drop (i32.div_u (i32.const 1) (i32.const 0))) (i32.const 8)";
    assert_eq!(failure(&start(&world("", divided)).call("x", "{}").await), FailureKind::Crashed);
}

#[tokio::test]
async fn a_component_that_never_describes_itself_is_down() {
    let loops = r"(func $start (loop (br 0))) (start $start)";
    let world = start(&world(loops, "unreachable"));
    let why = tokio::time::timeout(Duration::from_mins(1), world.down()).await.unwrap();
    assert!(why.contains("did not describe itself"), "{why}");
}

#[tokio::test]
async fn what_the_host_does_not_offer_is_not_there() {
    let text = r#"(component (import "portcullis:tool/host@0.1.0" (instance (export "run" (func (param "command" string))))))"#;
    assert_eq!(
        start(&::wat::parse_str(text).unwrap()).down().await,
        "it asks for an interface that does not exist here"
    );
    let text = r#"(component (import "wasi:nn/graph@0.2.0" (instance (export "load" (func)))))"#;
    assert_eq!(
        start(&::wat::parse_str(text).unwrap()).down().await,
        "it asks for an interface that does not exist here"
    );
    for bytes in [b"".as_slice(), b"\0asm\x01\0\0\0", b"\x7fELF not a component"] {
        assert_eq!(start(bytes).down().await, "it is no component that can be run here");
    }
    let text = ::wat::parse_str("(component)").unwrap();
    assert!(start(&text).down().await.contains("does not export `describe`"));
}
