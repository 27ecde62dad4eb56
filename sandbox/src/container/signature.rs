//! Cosign signatures that lie beside an image in its layout, checked by a key that was given.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policies::Hash;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::Deserialize;

use super::layout::{Descriptor, ImageError, Layout};

/// A public key for signatures: ECDSA over P-256, what `cosign generate-key-pair` makes.
#[derive(Clone)]
pub(crate) struct Key(Vec<u8>);

/// What comes before the point in every P-256 key in DER (RFC 5480): the algorithm, the curve, a bit string of 65 bytes.
const PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

impl Key {
    /// From PEM.
    pub(crate) fn parse(pem: &str) -> Option<Self> {
        let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?.strip_suffix("-----END PUBLIC KEY-----")?;
        let der = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
        let point = der.strip_prefix(&PREFIX)?;
        (point.len() == 65).then(|| Self(point.to_vec()))
    }

    /// Whether a layout holds a signature by this key for this manifest.
    pub(crate) fn check(&self, layout: &Layout, digest: Hash) -> Result<(), ImageError> {
        for other in layout.index()?.manifests.iter().filter(|other| other.digest != digest) {
            // What is no signature, or does not read as one, signs nothing.
            let Ok(manifest) = layout.manifest(other.digest) else { continue };
            if manifest.layers.iter().any(|layer| self.signed(layout, layer, digest)) {
                return Ok(());
            }
        }
        Err(ImageError::Unsigned)
    }

    fn signed(&self, layout: &Layout, layer: &Descriptor, digest: Hash) -> bool {
        let signature = layer.annotations.as_ref().and_then(|all| STANDARD.decode(all.get(SIGNATURE)?).ok());
        let (Some(signature), Ok(payload)) = (signature, layout.document(layer.digest)) else { return false };
        let valid = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0).verify(&payload, &signature).is_ok();
        layer.media_type == PAYLOAD && valid && names(&payload, digest)
    }
}

/// Whether a signed payload speaks of this image.
fn names(payload: &[u8], digest: Hash) -> bool {
    let Ok(payload) = serde_json::from_slice::<Payload>(payload) else { return false };
    payload.critical.r#type == "cosign container image signature"
        && payload.critical.image.digest == format!("sha256:{digest}")
}

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    r#type: String,
    image: Image,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}
