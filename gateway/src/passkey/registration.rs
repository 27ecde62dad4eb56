//! `Registrations`: keys that are being made. What an authenticator sends of a new key is `webauthn-rs`' to read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use audit::assertion::PublicKey;
use audit::{Credential, Operator, Passkey};
use jiff::{SignedDuration, Timestamp};
use policies::Hash;
use serde_json::Value;
use thiserror::Error;
use webauthn_rs::prelude::{
    COSEAlgorithm, COSEKey, COSEKeyType, Credential as Registered, PasskeyRegistration, RegisterPublicKeyCredential,
    Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

use super::Site;

/// What the browser is to make a key by: `publicKey` of `navigator.credentials.create`, as JSON.
pub type Options = Value;

/// One a session, so that they are as bounded as sessions are.
#[derive(Default)]
pub struct Registrations(Mutex<HashMap<Hash, Open>>);

struct Open {
    operator: Operator,
    site: Site,
    state: PasskeyRegistration,
    /// The operator had none: a PIN was enough to begin it.
    first: bool,
    made: Timestamp,
}

/// A key that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What its authenticator calls it.
    pub credential: Credential,
    /// What checks its signatures.
    pub key: PublicKey,
    /// What its authenticator has counted.
    pub counter: u32,
}

/// Why no key was made.
#[derive(Debug, Error)]
pub enum NotMade {
    /// No key was being made in this session, or for too long.
    #[error("no passkey is being made in this session any more")]
    Late,
    /// It is not one that the library takes.
    #[error("the new passkey was not accepted")]
    Refused(#[from] WebauthnError),
    /// It is a key of a kind that decisions cannot be checked with later.
    #[error("the new passkey is of a kind that is not taken: ES256 or RS256 are")]
    Kind,
}

/// As long as a browser waits for a person.
const LASTS: SignedDuration = SignedDuration::from_mins(5);

/// ES256 and RS256, by COSE's numbers: what the library knows of the kinds that `PublicKey` is of.
const KINDS: [i64; 2] = [-7, -257];

impl Registrations {
    /// Begins a key for an operator in a session; another that was begun there is forgotten.
    ///
    /// # Errors
    /// [`NotMade::Refused`] if the site cannot have keys.
    pub fn begin(
        &self,
        session: Hash,
        operator: Operator,
        site: Site,
        known: &[Passkey],
        now: Timestamp,
    ) -> Result<Options, NotMade> {
        let first = known.is_empty();
        let known = known.iter().map(|passkey| passkey.credential.as_bytes().to_vec()).collect();
        let name = operator.name.as_str();
        let (mut options, state) =
            authority(&site)?.start_passkey_registration(user(&operator), name, name, Some(known))?;
        options.public_key.pub_key_cred_params.retain(|kind| KINDS.contains(&kind.alg));
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, open| now.duration_since(open.made) < LASTS);
        open.insert(session, Open { operator, site, state, first, made: now });
        let mut options = serde_json::to_value(options.public_key).unwrap_or_default();
        // One that its authenticator finds by itself: the sign-in names none, or it would say who has one.
        if let Some(wanted) = options.get_mut("authenticatorSelection").and_then(Value::as_object_mut) {
            wanted.extend([
                ("residentKey".to_owned(), "required".into()),
                ("requireResidentKey".to_owned(), true.into()),
            ]);
        }
        Ok(options)
    }

    /// The key that was begun in this session, once. Whoever has been added anew since under the same name is another, and a
    /// key that was to be their first is none where `known` are theirs by now.
    ///
    /// # Errors
    /// [`NotMade`].
    pub fn finish(
        &self,
        session: Hash,
        operator: &Operator,
        site: &Site,
        response: &RegisterPublicKeyCredential,
        known: &[Passkey],
        now: Timestamp,
    ) -> Result<Made, NotMade> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&session).ok_or(NotMade::Late)?;
        let same = open.operator.name == operator.name && open.operator.added == operator.added && open.site == *site;
        if !same || (open.first && !known.is_empty()) || now.duration_since(open.made) >= LASTS {
            return Err(NotMade::Late);
        }
        let made = Registered::from(authority(site)?.finish_passkey_registration(response, &open.state)?);
        let credential = Credential::new(made.cred_id).ok_or(NotMade::Kind)?;
        Ok(Made { credential, key: public(&made.cred).ok_or(NotMade::Kind)?, counter: made.counter })
    }
}

fn authority(site: &Site) -> Result<Webauthn, WebauthnError> {
    WebauthnBuilder::new(site.name(), site.origin())?.rp_name("Portcullis").build()
}

/// The same for the same person, so that an authenticator keeps one entry of theirs, and says nothing of them.
fn user(operator: &Operator) -> Uuid {
    let of = format!("portcullis operator {} since {}", operator.name, operator.added);
    let hash = Hash::of(of.as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.as_bytes()).for_each(|(byte, from)| *byte = *from);
    Uuid::from_bytes(bytes)
}

fn public(key: &COSEKey) -> Option<PublicKey> {
    match (key.type_, &key.key) {
        (COSEAlgorithm::ES256, COSEKeyType::EC_EC2(point)) => PublicKey::es256(&point.x, &point.y).ok(),
        (COSEAlgorithm::EDDSA, COSEKeyType::EC_OKP(key)) => key.x.as_slice().try_into().ok().map(PublicKey::Ed25519),
        (COSEAlgorithm::RS256, COSEKeyType::RSA(key)) => {
            Some(PublicKey::Rs256 { modulus: key.n.clone(), exponent: key.e.to_vec() })
        }
        (_, COSEKeyType::EC_EC2(_) | COSEKeyType::EC_OKP(_) | COSEKeyType::RSA(_)) => None,
    }
}
