//! No bytes make the reader of a TLS beginning panic or take more than there is.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| sandbox::fuzz::hello(bytes));
