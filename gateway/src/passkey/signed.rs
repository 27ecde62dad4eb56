//! `Signed`: an assertion that came, with what it must be about.

use audit::Credential;
use audit::assertion::{Asked, Assertion, BadAssertion, Decision, Nonce, Request};
use policies::{Hash, OperatorId};
use serde::Deserialize;
use serde_json::json;

/// What a page sends of a signature.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The question's.
    pub nonce: String,
    /// The key that signed, in base64url.
    pub credential: String,
    /// As the authenticator says it.
    pub authenticator_data: String,
    /// As the browser says it.
    pub client_data: String,
    /// Over both.
    pub signature: String,
}

/// What a passkey signs in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An answer to a hold.
    Decision(Decision),
    /// Something else that the PIN alone is not enough for.
    Request(Request),
}

impl Subject {
    /// Who is to sign.
    #[must_use]
    pub fn operator(&self) -> &OperatorId {
        match self {
            Self::Decision(decision) => &decision.operator,
            Self::Request(request) => &request.operator,
        }
    }

    /// What the passkey signs.
    #[must_use]
    pub fn challenge(&self, nonce: &Nonce) -> Hash {
        match self {
            Self::Decision(decision) => decision.challenge(nonce),
            Self::Request(request) => request.challenge(nonce),
        }
    }
}

/// An assertion, not checked yet, with what it must be about.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The key that is said to have signed.
    pub credential: Credential,
    assertion: Assertion,
    challenge: Hash,
    origin: String,
    asked: Option<(Subject, Nonce)>,
}

impl Given {
    /// The nonce, if it is one.
    #[must_use]
    pub fn nonce(&self) -> Option<Nonce> {
        Nonce::parse(&self.nonce)
    }

    /// As one that must be over this challenge, by a page of this origin.
    ///
    /// # Errors
    /// [`BadAssertion`] if its key cannot be one.
    pub fn over(self, challenge: Hash, origin: String) -> Result<Signed, BadAssertion> {
        let credential = Credential::parse(&self.credential).ok_or(BadAssertion::Form("credential"))?;
        let Self { authenticator_data, client_data, signature, .. } = self;
        let assertion = Assertion { authenticator_data, client_data, signature };
        Ok(Signed { credential, assertion, challenge, origin, asked: None })
    }

    /// As one that must be over this.
    ///
    /// # Errors
    /// [`BadAssertion`] if its key cannot be one.
    pub fn over_subject(self, subject: Subject, nonce: Nonce, origin: String) -> Result<Signed, BadAssertion> {
        let signed = self.over(subject.challenge(&nonce), origin)?;
        Ok(Signed { asked: Some((subject, nonce)), ..signed })
    }
}

impl Signed {
    /// Whether this key of its operator's signed it; answers the authenticator's count.
    ///
    /// # Errors
    /// [`BadAssertion`] names what is not so.
    pub fn check(&self, passkey: &audit::Passkey) -> Result<u32, BadAssertion> {
        let asked = Asked { challenge: self.challenge, site: &passkey.site, origin: Some(&self.origin) };
        let counter = self.assertion.check(&passkey.key, &asked)?;
        audit::assertion::counted(passkey.counter, counter)?;
        Ok(counter)
    }

    /// What is kept with the decision: all that whoever checks it later needs beside its own record and the key's.
    #[must_use]
    pub fn proof(&self) -> serde_json::Value {
        let Assertion { authenticator_data, client_data, signature } = &self.assertion;
        let mut proof = json!({ "by": "passkey", "credential": self.credential.id(), "client_data": client_data,
            "authenticator_data": authenticator_data, "signature": signature });
        if let (Some((subject, nonce)), Some(members)) = (&self.asked, proof.as_object_mut()) {
            members.insert("nonce".to_owned(), json!(nonce));
            if let Subject::Decision(decision) = subject {
                members.insert("act".to_owned(), json!(decision.act));
                members.insert("digest".to_owned(), json!(decision.digest));
                members.insert("terms".to_owned(), json!(decision.terms));
            }
        }
        proof
    }
}
