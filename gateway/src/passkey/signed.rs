//! `Signed`: an assertion that came, with what it must be about.

use audit::Credential;
use audit::assertion::{Asked, Assertion, BadAssertion, Decision, Nonce};
use policies::Hash;
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

/// An assertion, not checked yet, with what it must be about.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The key that is said to have signed.
    pub credential: Credential,
    assertion: Assertion,
    challenge: Hash,
    origin: String,
    decided: Option<(Decision, Nonce)>,
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
        Ok(Signed { credential, assertion, challenge, origin, decided: None })
    }

    /// As one that must be over this decision.
    ///
    /// # Errors
    /// [`BadAssertion`] if its key cannot be one.
    pub fn over_decision(self, decision: Decision, nonce: Nonce, origin: String) -> Result<Signed, BadAssertion> {
        let signed = self.over(decision.challenge(&nonce), origin)?;
        Ok(Signed { decided: Some((decision, nonce)), ..signed })
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
        if let (Some((decision, nonce)), Some(members)) = (&self.decided, proof.as_object_mut()) {
            members.insert("act".to_owned(), json!(decision.act));
            members.insert("digest".to_owned(), json!(decision.digest));
            members.insert("terms".to_owned(), json!(decision.terms));
            members.insert("nonce".to_owned(), json!(nonce));
        }
        proof
    }
}
