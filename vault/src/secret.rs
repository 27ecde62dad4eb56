//! `Secret`: the bytes that only this crate can read.

use zeroize::Zeroizing;

/// A secret's bytes. No `Debug`, `Display`, `Clone`, `PartialEq`, `Serialize`; wiped when it is dropped.
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes: to be learned by the redactor, and to be placed.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}
