//! `Call`: one request of an agent to one tool, named so that it can be decided, approved and found again.

mod id;
mod tool;

use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::canon::{Canonical, Value};

pub use id::{AgentId, CallId, HoldId, NameError, OperatorId, ServerName, SessionKey};
pub use tool::{Annotations, DefinitionError, Method, Standing, Tool};

/// One request of an agent to one tool.
#[derive(Debug)]
pub struct Call {
    id: CallId,
    agent: AgentId,
    session: SessionKey,
    tool: Arc<Tool>,
    arguments: Value,
    canonical: Canonical,
}

impl Call {
    /// A call as it was parsed; the canonical text is made here, once.
    #[must_use]
    pub fn new(id: CallId, agent: AgentId, session: SessionKey, tool: Arc<Tool>, arguments: Value) -> Self {
        let canonical = arguments.canonical();
        Self { id, agent, session, tool, arguments, canonical }
    }

    /// Which call.
    #[must_use]
    pub fn id(&self) -> &CallId {
        &self.id
    }

    /// Who calls.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The session it belongs to.
    #[must_use]
    pub fn session(&self) -> &SessionKey {
        &self.session
    }

    /// What is called.
    #[must_use]
    pub fn tool(&self) -> &Arc<Tool> {
        &self.tool
    }

    /// With what.
    #[must_use]
    pub fn arguments(&self) -> &Value {
        &self.arguments
    }

    /// The arguments' canonical text: the only form that is forwarded.
    #[must_use]
    pub fn canonical(&self) -> &Canonical {
        &self.canonical
    }
}

/// A SHA-256 digest, shown and stored as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hash([u8; 32]);

impl Hash {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(hash)
    }

    /// A digest that was computed elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        let mut hash = [0; 32];
        let digits = hex.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
        }
        Some(Self(hash))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        Self::from_hex(&hex).ok_or("a hash has 64 hexadecimal digits")
    }
}

#[cfg(test)]
mod tests;
