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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;
    use crate::container::build::build_image;

    struct Signer(EcdsaKeyPair);

    impl Signer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let bytes = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, bytes.as_ref(), &random).unwrap())
        }

        fn key(&self) -> Key {
            let der = [&PREFIX[..], self.0.public_key().as_ref()].concat();
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der));
            Key::parse(&pem).unwrap()
        }

        fn sign(&self, payload: &[u8]) -> String {
            STANDARD.encode(self.0.sign(&SystemRandom::new(), payload).unwrap())
        }
    }

    /// An image, and what `cosign sign` and `cosign save` put beside it.
    struct Image {
        folder: TempDir,
        digest: Hash,
    }

    impl Image {
        fn new(content: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("tool"), content).unwrap();
            fs::write(folder.path().join("image.toml"), "[image]\nfiles = [\"tool\"]").unwrap();
            let digest = build_image(folder.path()).unwrap().digest;
            Self { folder, digest }
        }

        fn layout(&self) -> Layout {
            Layout::open_given(&self.path()).unwrap()
        }

        fn path(&self) -> std::path::PathBuf {
            self.folder.path().join("image")
        }

        /// Adds a signature whose layer is this payload.
        fn add(&self, payload: &str, signature: &str, media_type: &str) {
            let payload = blob(&self.path(), payload);
            let config = blob(&self.path(), "{}");
            let describe = |media_type: &str, (digest, size): (Hash, usize)| json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size});
            let mut layer = describe(media_type, payload);
            layer["annotations"] = json!({ SIGNATURE: signature });
            let config = describe("application/vnd.oci.image.config.v1+json", config);
            let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]}).to_string();
            let manifest = blob(&self.path(), &manifest);
            let mut entry = describe("application/vnd.oci.image.manifest.v1+json", manifest);
            entry["annotations"] = json!({"kind": "dev.cosignproject.cosign/sigs"});
            let file = self.path().join("index.json");
            let mut index: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            index["manifests"].as_array_mut().unwrap().push(entry);
            fs::write(file, index.to_string()).unwrap();
        }

        fn signed_by(self, signer: &Signer) -> Self {
            let payload = simple(self.digest);
            self.add(&payload, &signer.sign(payload.as_bytes()), PAYLOAD);
            self
        }

        fn accepted(&self, key: &Key) -> bool {
            match key.check(&self.layout(), self.digest) {
                Ok(()) => true,
                Err(ImageError::Unsigned) => false,
                Err(other) => panic!("{other}"),
            }
        }
    }

    fn blob(layout: &Path, text: &str) -> (Hash, usize) {
        let digest = Hash::of(text.as_bytes());
        fs::write(layout.join(crate::container::layout::blob(digest)), text).unwrap();
        (digest, text.len())
    }

    /// What cosign signs.
    fn simple(digest: Hash) -> String {
        json!({
            "critical": {
                "identity": {"docker-reference": "registry.test/tool"},
                "image": {"docker-manifest-digest": format!("sha256:{digest}")},
                "type": "cosign container image signature",
            },
            "optional": null,
        })
        .to_string()
    }

    #[test]
    fn an_image_signed_by_the_key_is_accepted_and_still_the_one_image_of_its_layout() {
        let signer = Signer::new();
        let image = Image::new("x").signed_by(&signer);
        assert!(image.accepted(&signer.key()));
        assert_eq!(image.layout().only().unwrap(), image.digest);
    }

    #[test]
    fn without_a_signature_or_by_another_key_it_is_refused() {
        let (signer, other) = (Signer::new(), Signer::new());
        assert!(!Image::new("x").accepted(&signer.key()));
        assert!(!Image::new("x").signed_by(&other).accepted(&signer.key()));
        // One good signature among others is enough.
        assert!(Image::new("x").signed_by(&other).signed_by(&signer).accepted(&signer.key()));
    }

    #[test]
    fn the_signature_of_another_image_says_nothing_of_this_one() {
        let signer = Signer::new();
        let (image, other) = (Image::new("x"), Image::new("y"));
        let payload = simple(other.digest);
        image.add(&payload, &signer.sign(payload.as_bytes()), PAYLOAD);
        assert!(!image.accepted(&signer.key()));
    }

    #[test]
    fn a_changed_manifest_is_not_the_one_that_was_signed() {
        let signer = Signer::new();
        let mut image = Image::new("x").signed_by(&signer);
        let file = image.path().join(crate::container::layout::blob(image.digest));
        let manifest = fs::read_to_string(&file).unwrap();
        // In place: the digest tells.
        fs::write(&file, manifest.replace('2', "3")).unwrap();
        assert!(matches!(image.layout().manifest(image.digest), Err(ImageError::Changed(_))));
        // Under its own digest: nobody signed that.
        image.digest = blob(&image.path(), &format!("{manifest} ")).0;
        assert!(!image.accepted(&signer.key()));
    }

    #[test]
    fn what_is_signed_must_be_the_payload_of_an_image_signature() {
        let signer = Signer::new();
        let image = Image::new("x");
        let payload = simple(image.digest);
        image.add(&payload, &signer.sign(payload.as_bytes()), "application/octet-stream");
        image.add(&payload, &signer.sign(b"something else"), PAYLOAD);
        image.add(&payload, "not base64!", PAYLOAD);
        let other = payload.replace("container image", "policy");
        image.add(&other, &signer.sign(other.as_bytes()), PAYLOAD);
        assert!(!image.accepted(&signer.key()));
    }

    #[test]
    fn a_key_is_a_whole_p256_key_or_none() {
        let der = [&PREFIX[..], Signer::new().0.public_key().as_ref()].concat();
        let pem =
            |der: &[u8]| format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(der));
        assert!(Key::parse(&pem(&der)).is_some());
        for cut in [0, 26, der.len() - 1] {
            assert!(Key::parse(&pem(&der[..cut])).is_none());
        }
        assert!(Key::parse("-----BEGIN PUBLIC KEY-----").is_none());
    }
}
