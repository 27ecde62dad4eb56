//! Whatever parses is JSON to others too, is written as it was read, and has one canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use policies::{Limits, Value};
use serde::de::IgnoredAny;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = Value::parse(bytes, &Limits::REQUEST) else { return };
    serde_json::from_slice::<IgnoredAny>(bytes).expect("what is accepted here is JSON elsewhere");

    let written = value.to_bytes();
    let again = Value::parse(&written, &Limits::REQUEST).expect("what is written can be read");
    assert_eq!(again, value, "writing changed the value");
    assert_eq!(again.to_bytes(), written, "writing is not stable");

    let canonical = value.canonical();
    let reread = Value::parse(canonical.as_bytes(), &Limits::REQUEST).expect("the canonical form can be read");
    assert_eq!(reread.canonical().as_bytes(), canonical.as_bytes(), "the canonical form has another canonical form");
    if let Some(serde) = value.to_serde() {
        assert_eq!(Value::from(serde).canonical().len() > 0, !canonical.is_empty());
    }
    let mut seen = 0_usize;
    value.walk(&mut |pointer, inner| {
        seen += 1;
        assert_eq!(value.pointer(pointer), Some(inner), "a pointer leads elsewhere");
    });
    assert!(seen > 0, "a value has at least itself");
});
