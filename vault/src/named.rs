//! What a log is called whose key is kept elsewhere.

use audit::{BadKey, VerifierKey};
use policies::Hash;

/// A log that is named after its key: nobody has to think of a name, and two logs of one key are one.
pub(crate) fn log_named_after(public: [u8; 32]) -> Result<VerifierKey, BadKey> {
    let id: String = Hash::of(&public).to_string().chars().take(16).collect();
    VerifierKey::log(&format!("portcullis/{id}"), public)
}
