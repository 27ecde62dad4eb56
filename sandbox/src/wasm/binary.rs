//! The bytes of a component, if they are those that were pinned.

use std::fs::File;
use std::io::Read as _;

use crate::config::{Component, WasmSource};

/// More than this is not compiled: an interpreter with a program in it is some 20 MB.
const MAX: u64 = 64 << 20;

/// Reads a component.
///
/// # Errors
/// With a sentence, where it is not the one that was pinned, or cannot be read.
pub(super) fn read(source: &WasmSource) -> Result<Vec<u8>, String> {
    let bytes = match &source.component {
        Component::Bundled(bytes) => bytes.to_vec(),
        Component::File(path) => {
            let mut bytes = Vec::new();
            let read = File::open(path).and_then(|file| file.take(MAX + 1).read_to_end(&mut bytes));
            read.map_err(|error| format!("its component cannot be read: {error}"))?;
            bytes
        }
    };
    if bytes.len() as u64 > MAX {
        return Err(format!("its component is larger than {} MiB", MAX >> 20));
    }
    Ok(bytes)
}
