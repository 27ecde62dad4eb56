//! No netfilter log message, whose payload a tool wrote, makes its reader panic or see more than was there.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| sandbox::fuzz::dropped(bytes));
