//! `PublicKey`: what an assertion is checked with, of the kinds that passkeys have.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::{Serialize, Serializer};
use thiserror::Error;

/// A passkey's public half. Its text is `ES256:POINT`, `Ed25519:KEY` or `RS256:MODULUS.EXPONENT`, in base64url; the point is
/// not compressed.
#[derive(Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// ECDSA on P-256 with SHA-256: what nearly every passkey is.
    Es256([u8; 65]),
    /// Ed25519.
    Ed25519([u8; 32]),
    /// RSASSA-PKCS1-v1_5 with SHA-256, as some laptops' chips have it.
    Rs256 {
        /// The modulus, the highest byte first.
        modulus: Vec<u8>,
        /// The public exponent.
        exponent: Vec<u8>,
    },
}

/// A text that is no public key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("it is no public key of a kind that is taken: ES256, Ed25519 or RS256")]
pub struct BadPublicKey;

/// An RSA modulus of 8192 bits.
const LONGEST: usize = 1024;

impl PublicKey {
    /// The point of P-256 with these coordinates.
    ///
    /// # Errors
    /// [`BadPublicKey`] if they are not 32 bytes each.
    pub fn es256(x: &[u8], y: &[u8]) -> Result<Self, BadPublicKey> {
        let point = [&[4], x, y].concat();
        if x.len() != 32 {
            return Err(BadPublicKey);
        }
        point.try_into().map(Self::Es256).map_err(|_| BadPublicKey)
    }

    /// Its kind's name.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::Ed25519(_) => "Ed25519",
            Self::Rs256 { .. } => "RS256",
        }
    }

    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Es256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(signed, signature),
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature),
            Self::Rs256 { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                signed,
                signature,
            ),
        };
        verified.is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        write!(f, "{}:", self.algorithm())?;
        match self {
            Self::Es256(point) => f.write_str(&text(point)),
            Self::Ed25519(key) => f.write_str(&text(key)),
            Self::Rs256 { modulus, exponent } => write!(f, "{}.{}", text(modulus), text(exponent)),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for PublicKey {
    type Err = BadPublicKey;

    fn from_str(text: &str) -> Result<Self, BadPublicKey> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| BadPublicKey);
        match text.split_once(':').ok_or(BadPublicKey)? {
            ("ES256", point) => match bytes(point)?.split_first_chunk::<33>() {
                Some((head, y)) if head.first() == Some(&4) => Self::es256(head.get(1..).unwrap_or_default(), y),
                Some(_) | None => Err(BadPublicKey),
            },
            ("Ed25519", key) => bytes(key)?.try_into().map(Self::Ed25519).map_err(|_| BadPublicKey),
            ("RS256", parts) => {
                let (modulus, exponent) = parts.split_once('.').ok_or(BadPublicKey)?;
                let (modulus, exponent) = (bytes(modulus)?, bytes(exponent)?);
                let fits = !exponent.is_empty() && exponent.len() <= 8 && modulus.len() <= LONGEST;
                if fits { Ok(Self::Rs256 { modulus, exponent }) } else { Err(BadPublicKey) }
            }
            (_, _) => Err(BadPublicKey),
        }
    }
}
