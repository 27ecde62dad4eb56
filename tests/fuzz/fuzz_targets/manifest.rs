//! No text makes the reader of manifests panic, and what it accepts means one thing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| sandbox::fuzz::manifest(text));
