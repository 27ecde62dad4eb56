//! No question to the resolver makes it panic, or answer anything else.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| sandbox::fuzz::question(bytes));
