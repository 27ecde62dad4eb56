//! JSON as the gateway reads it: once, strictly, and nothing lost.
//!
//! Two readers of one text that disagree are an attack: a classifier that takes the first of two equal keys and a tool
//! that takes the last see different calls. So equal keys, lone surrogates and invalid UTF-8 are refused at every
//! depth, number tokens are kept as they were written, and what is classified, shown, approved and forwarded is one
//! canonical text made here: the key order and strings of RFC 8785, with numbers as written.

mod parse;
mod value;
mod write;

use std::fmt;
use std::sync::Arc;

pub use parse::{Limits, ParseError};
pub use value::{Number, Object, Value};

/// Canonical JSON text: what is classified, digested, shown, approved and forwarded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Canonical(Arc<str>);

impl Canonical {
    /// The text as bytes, always UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never true of a canonical text: even `0` has one byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value {
    /// This value in RFC 8785's key order (UTF-16 code units) and strings, with number tokens as they were written.
    #[must_use]
    pub fn canonical(&self) -> Canonical {
        let mut out = String::with_capacity(128);
        write::canonical(self, &mut out);
        Canonical(out.into())
    }
}

impl fmt::Debug for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
