//! Passkeys: keys of operators that browsers sign with, at the console alone.
//!
//! ```text
//! register   begin ─► options, kept state ─► the browser makes a key ─► finish: `webauthn-rs` ─► record
//! sign in    name ─► nonce ─► the browser signs ─┐
//! decide     decision ─► nonce ─► it signs ──────┤
//! ask        request ─► nonce ─► it signs ───────┴─► nonce open ─► `audit::assertion` ─► count recorded ─► nonce answered ─► proof
//! ```
//!
//! A passkey is bound to a host's name, so there are none where the console is reached by an address.

mod nonces;
mod registration;
mod signed;
mod site;

use audit::Audit;
use audit::assertion::{Nonce, sign_in_challenge};
use policies::{Hash, OperatorId};
use serde::Serialize;

use crate::clock;

use nonces::Nonces;
use registration::Registrations;
pub use registration::{Made, NotMade, Options};
pub use signed::{Given, Signed, Subject};
pub use site::Site;

/// What waits for a browser's answer.
#[derive(Default)]
pub struct Passkeys {
    /// Of whoever wants to sign in: anybody can ask for these.
    strangers: Nonces,
    /// Of decisions and requests in sessions.
    inside: Nonces,
    /// Keys that are being made.
    pub registrations: Registrations,
}

/// What a page needs to have a passkey sign.
#[derive(Clone, Debug, Serialize)]
pub struct Question {
    /// Comes back with the answer, which it is good for once.
    pub nonce: String,
    /// What is signed, in base64url.
    pub challenge: String,
    /// The site that the key was made for.
    pub site: String,
    /// The keys that may sign, in base64url; none is named to who is not signed in.
    pub credentials: Vec<String>,
}

impl Passkeys {
    /// A question for whoever says that they are this operator. It names no key, so that it says nothing of whether there is one, or of
    /// whether anybody has that name: the authenticator knows which keys it keeps for the site.
    #[must_use]
    pub fn ask_to_sign_in(&self, typed: &str, site: &Site) -> Question {
        let nonce = self.strangers.make(stranger(typed), clock::now());
        question(nonce, &to_sign_in(typed, &nonce), site, Vec::new())
    }

    /// Whether this nonce was given to whoever typed this name, not long ago, and was not answered.
    #[must_use]
    pub fn is_open_to_sign_in(&self, nonce: &Nonce, typed: &str) -> bool {
        self.strangers.is_open(nonce, stranger(typed), clock::now())
    }

    /// It was answered rightly: once.
    #[must_use]
    pub fn answer_to_sign_in(&self, nonce: &Nonce, typed: &str) -> bool {
        self.strangers.answer(nonce, stranger(typed), clock::now())
    }

    /// A question about a decision, or another request, in this session.
    #[must_use]
    pub fn ask(&self, audit: &Audit, subject: &Subject, session: Hash, site: &Site) -> Question {
        let nonce = self.inside.make(session, clock::now());
        question(nonce, &subject.challenge(&nonce), site, known(audit, subject.operator(), site))
    }

    /// Whether this nonce was given to this session, not long ago, and was not answered.
    #[must_use]
    pub fn is_open(&self, nonce: &Nonce, session: Hash) -> bool {
        self.inside.is_open(nonce, session, clock::now())
    }

    /// It was answered rightly: once.
    #[must_use]
    pub fn answer(&self, nonce: &Nonce, session: Hash) -> bool {
        self.inside.answer(nonce, session, clock::now())
    }
}

/// The keys of an operator for this site.
fn known(audit: &Audit, name: &OperatorId, site: &Site) -> Vec<String> {
    let theirs = audit.passkeys(name).into_iter().filter(|passkey| passkey.site == site.name());
    theirs.map(|passkey| passkey.credential.to_string()).collect()
}

fn question(nonce: Nonce, challenge: &Hash, site: &Site, credentials: Vec<String>) -> Question {
    use base64::Engine as _;
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(challenge.as_bytes());
    Question { nonce: nonce.to_string(), challenge, site: site.name().to_owned(), credentials }
}

/// What a passkey signs to sign in whoever typed this name. Over the name in small letters, known or not: over the operator's own
/// spelling it would say whether there is one.
#[must_use]
pub fn to_sign_in(typed: &str, nonce: &Nonce) -> Hash {
    sign_in_challenge(&OperatorId::authenticated(&typed.to_ascii_lowercase()), nonce)
}

fn stranger(typed: &str) -> Hash {
    Hash::of(typed.to_ascii_lowercase().as_bytes())
}
