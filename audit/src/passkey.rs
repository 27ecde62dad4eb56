//! `Passkey`: a key of an operator's own, as the log keeps it. Its private half never leaves the authenticator.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use policies::{Hash, OperatorId};
use serde::{Serialize, Serializer};

use crate::assertion::PublicKey;

/// A key that signs for one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// What its authenticator calls it.
    pub credential: Credential,
    /// Whose it is.
    pub operator: OperatorId,
    /// What they call it.
    pub label: String,
    /// The site that it was made for: `localhost`, or the console's name. It signs for no other.
    pub site: String,
    /// What its assertions are checked with.
    pub key: PublicKey,
    /// The highest count that its authenticator has shown; 0 for one that does not count.
    pub counter: u32,
    /// When it was added.
    pub added: Timestamp,
    /// When it signed last.
    pub used: Option<Timestamp>,
}

/// What an authenticator calls a key. Browsers are given it; records have a hash of it, which is enough to tell keys apart:
/// some authenticators keep the key itself in it, encrypted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Credential(Vec<u8>);

/// The most that one operator has: more are nobody's.
pub const MOST_PASSKEYS: usize = 10;

/// What `WebAuthn` allows.
const LONGEST: usize = 1023;

impl Credential {
    /// The bytes that an authenticator gave; `None` where they are none or too many.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty() && bytes.len() <= LONGEST).then_some(Self(bytes))
    }

    /// The text that browsers write it as.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok().and_then(Self::new)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What records, people and the command line know it by.
    #[must_use]
    pub fn id(&self) -> Hash {
        Hash::of(&self.0)
    }
}

/// As browsers write it.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({})", self.id())
    }
}

impl Serialize for Credential {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.id())
    }
}
