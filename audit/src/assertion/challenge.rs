//! What a passkey is asked to sign: a hash over all of a decision, so that a signature for one is good for no other.
//!
//! ```text
//! challenge = SHA-256(purpose ‖ 0x00 ‖ length(field) ‖ field ‖ …)      lengths are 4 bytes, the highest first
//! decision    "portcullis passkey decision v1": hold id, digest, act, terms, operator, nonce
//! request     "portcullis passkey request v1": method, terms, operator, nonce
//! sign-in     "portcullis passkey sign-in v1": the operator's name in small letters, nonce
//! ```
//!
//! Digest and terms are the 32 bytes of a hash, the nonce is 32 bytes that nobody can foretell, all else is UTF-8.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use policies::approval::Within;
use policies::{Hash, HoldId, OperatorId, Value};
use ring::digest::{Context, SHA256};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DECISION: &str = "portcullis passkey decision v1";
const REQUEST: &str = "portcullis passkey request v1";
const SIGN_IN: &str = "portcullis passkey sign-in v1";

/// What a person does to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Lets the call run.
    Approve,
    /// Lets it run, and calls like it.
    ApproveWithPass,
    /// Lets it run without the others who were to be asked.
    BreakGlass,
}

impl Act {
    /// The name in challenges and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::ApproveWithPass => "approve-with-pass",
            Self::BreakGlass => "break-glass",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Approve, Self::ApproveWithPass, Self::BreakGlass].into_iter().find(|act| act.as_str() == name)
    }
}

/// All that a signature over a decision binds, but for the nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The hold.
    pub hold: HoldId,
    /// The deed that the hold is for: what an approval is bound to.
    pub digest: Hash,
    /// What is done.
    pub act: Act,
    /// SHA-256 of the canonical JSON of the rest of the answer: reasons, and how far a pass goes.
    pub terms: Hash,
    /// Who decides.
    pub operator: OperatorId,
}

impl Decision {
    /// What the passkey signs.
    #[must_use]
    pub fn challenge(&self, nonce: &Nonce) -> Hash {
        let fields: [&[u8]; 6] = [
            self.hold.as_str().as_bytes(),
            self.digest.as_bytes(),
            self.act.as_str().as_bytes(),
            self.terms.as_bytes(),
            self.operator.as_str().as_bytes(),
            &nonce.0,
        ];
        hashed(DECISION, &fields)
    }
}

/// All that a signature over a request binds that is about no hold, but for the nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method of the operators' API.
    pub method: String,
    /// SHA-256 of the canonical JSON of its parameters.
    pub terms: Hash,
    /// Who asks.
    pub operator: OperatorId,
}

impl Request {
    /// To lend one's right to approve. Its terms are made of what the record keeps, so that they can be made again of it: of the
    /// reason, which is kept redacted, the hash.
    #[must_use]
    pub fn lending(by: OperatorId, to: &str, within: &Within, lasts: SignedDuration, reason: Hash) -> Self {
        let terms = serde_json::json!({ "for": within, "lasts": lasts.as_secs(), "reason": reason, "to": to });
        let terms = Hash::of(Value::from(terms).canonical().as_str().as_bytes());
        Self { method: "delegations_add".to_owned(), terms, operator: by }
    }

    /// What the passkey signs.
    #[must_use]
    pub fn challenge(&self, nonce: &Nonce) -> Hash {
        let Self { method, terms, operator } = self;
        hashed(REQUEST, &[method.as_bytes(), terms.as_bytes(), operator.as_str().as_bytes(), &nonce.0])
    }
}

/// What a passkey signs to sign its operator in.
#[must_use]
pub fn sign_in_challenge(operator: &OperatorId, nonce: &Nonce) -> Hash {
    hashed(SIGN_IN, &[operator.as_str().as_bytes(), &nonce.0])
}

fn hashed(purpose: &str, fields: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(purpose.as_bytes());
    context.update(&[0]);
    for field in fields {
        // A field is an id, a name or a hash: far shorter.
        context.update(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        context.update(field);
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    Hash::from_bytes(bytes)
}

/// What makes each challenge a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce([u8; 32]);

impl Nonce {
    /// One of these bytes, which nobody can have foretold.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The text of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

/// As it travels and is kept: base64url.
impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("it is no nonce"))
    }
}

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
