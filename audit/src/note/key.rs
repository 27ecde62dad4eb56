//! `VerifierKey` and `Signer`: who signs notes, and how that is checked.

use std::fmt;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Note, Signature};
use crate::log::files::{open_to_others, private};

/// What a signature by a key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// Of a log: Ed25519 over the text.
    Log,
    /// Of a witness: Ed25519 over the time and the text (`cosignature/v1`).
    Witness,
}

impl KeyType {
    fn code(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Witness => 0x04,
        }
    }

    fn of(code: u8) -> Option<Self> {
        [Self::Log, Self::Witness].into_iter().find(|kind| kind.code() == code)
    }
}

/// A public key with its name: `NAME+ID+BASE64`, a *vkey*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyType,
    public: [u8; 32],
}

/// Why a key cannot be read, made or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BadKey {
    /// Not `NAME+ID+BASE64`.
    #[error("it is not a key of the form `NAME+ID+BASE64`")]
    Form,
    /// The name is empty, or holds a space or `+`.
    #[error("a key's name has no spaces and no `+`")]
    Name,
    /// The key file cannot be read or made.
    #[error("cannot read or make the key file")]
    File(#[from] io::Error),
    /// Others may read it.
    #[error("the key file is open to others: `chmod 600` it, and consider its key known")]
    Exposed,
    /// The system has no randomness.
    #[error("the system gives no random bytes")]
    Random,
}

/// Signs checkpoints. A file is one place for the key; a vault's transit or a token that never gives it away is another.
pub trait Signer: Send {
    /// The public half.
    fn verifier(&self) -> &VerifierKey;

    /// The Ed25519 signature of these bytes.
    ///
    /// # Errors
    /// Whatever keeps the key from signing.
    fn sign(&self, message: &[u8]) -> io::Result<[u8; 64]>;
}

impl<T: Signer + Sync + ?Sized> Signer for Arc<T> {
    fn verifier(&self) -> &VerifierKey {
        (**self).verifier()
    }

    fn sign(&self, message: &[u8]) -> io::Result<[u8; 64]> {
        (**self).sign(message)
    }
}

impl VerifierKey {
    /// Of a log whose private key is kept elsewhere.
    ///
    /// # Errors
    /// [`BadKey::Name`].
    pub fn log(name: &str, public: [u8; 32]) -> Result<Self, BadKey> {
        Self::new(name, KeyType::Log, public)
    }

    fn new(name: &str, kind: KeyType, public: [u8; 32]) -> Result<Self, BadKey> {
        if is_name(name) { Ok(Self { name: name.to_owned(), kind, public }) } else { Err(BadKey::Name) }
    }

    /// The key's name: for a log, its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    #[must_use]
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// The first four bytes of SHA-256(name ‖ line feed ‖ type ‖ public key).
    #[must_use]
    pub(crate) fn id(&self) -> [u8; 4] {
        let whole = [self.name.as_bytes(), b"\n", &[self.kind.code()], &self.public].concat();
        let mut id = [0; 4];
        id.iter_mut().zip(digest(&SHA256, &whole).as_ref()).for_each(|(id, byte)| *id = *byte);
        id
    }

    /// Whether these bytes sign the text: `None` if not, and the time of a cosignature if so.
    #[expect(clippy::option_option, reason = "only a cosignature has a time")]
    pub(super) fn check(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        let (time, message, signature) = match self.kind {
            KeyType::Log => (None, text.to_owned(), signature),
            KeyType::Witness => {
                let (time, signature) = signature.split_first_chunk::<8>()?;
                let time = u64::from_be_bytes(*time);
                (Some(time), cosigned(time, text), signature)
            }
        };
        let key = UnparsedPublicKey::new(&ED25519, self.public);
        key.verify(message.as_bytes(), signature).ok().map(|()| time)
    }
}

/// What a witness signs.
fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, BASE64.encode([&[self.kind.code()], self.public.as_slice()].concat()))
    }
}

impl FromStr for VerifierKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let (name, rest) = text.split_once('+').ok_or(BadKey::Form)?;
        let (_, coded) = rest.split_once('+').ok_or(BadKey::Form)?;
        let bytes = BASE64.decode(coded).map_err(|_| BadKey::Form)?;
        let (kind, public) = bytes.split_first().ok_or(BadKey::Form)?;
        let kind = KeyType::of(*kind).ok_or(BadKey::Form)?;
        let key = Self::new(name, kind, public.try_into().map_err(|_| BadKey::Form)?)?;
        // A typing error anywhere shows in the id.
        if key.to_string() == text { Ok(key) } else { Err(BadKey::Form) }
    }
}

/// Notes' key names: not empty, no spaces, no plus.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 256 && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// A key in a file, in the form of Go's `note` package: `PRIVATE+KEY+NAME+ID+BASE64(0x01 ‖ seed)`.
pub struct FileKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl FileKey {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn read(path: &Path, kind: KeyType) -> Result<Self, BadKey> {
        let mut file = fs::File::open(path)?;
        if open_to_others(&file.metadata()?) {
            return Err(BadKey::Exposed);
        }
        let mut text = Zeroizing::new(String::new());
        (&mut file).take(4_096).read_to_string(&mut text)?;
        let rest = text.trim_end_matches('\n').strip_prefix("PRIVATE+KEY+").ok_or(BadKey::Form)?;
        let (name, rest) = rest.split_once('+').ok_or(BadKey::Form)?;
        let (id, coded) = rest.split_once('+').ok_or(BadKey::Form)?;
        let bytes = Zeroizing::new(BASE64.decode(coded).map_err(|_| BadKey::Form)?);
        let (code, seed) = bytes.split_first().ok_or(BadKey::Form)?;
        let key = Self::from_seed(name, kind, seed)?;
        // The file's id is always that of a plain signing key.
        let plain = VerifierKey { kind: KeyType::Log, ..key.verifier.clone() };
        let same = *code == KeyType::Log.code() && id == format!("{:08x}", u32::from_be_bytes(plain.id()));
        if same { Ok(key) } else { Err(BadKey::Form) }
    }

    /// Makes a key file of this name, for its owner alone; there must be none.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn make(path: &Path, name: &str, kind: KeyType) -> Result<Self, BadKey> {
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(seed.as_mut_slice()).map_err(|_| BadKey::Random)?;
        let key = Self::from_seed(name, kind, seed.as_slice())?;
        let plain = VerifierKey { kind: KeyType::Log, ..key.verifier.clone() };
        let coded = Zeroizing::new(BASE64.encode([&[KeyType::Log.code()], seed.as_slice()].concat()));
        let id = u32::from_be_bytes(plain.id());
        let text = Zeroizing::new(format!("PRIVATE+KEY+{name}+{id:08x}+{}\n", coded.as_str()));
        // Linked in place when it is whole: a crash leaves a key or none, and nothing is overwritten.
        let fresh = path.with_extension(format!("new.{}", std::process::id()));
        let mut file = private(&fresh)?;
        file.set_len(0)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let linked = fs::hard_link(&fresh, path);
        fs::remove_file(&fresh)?;
        linked?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(key)
    }

    fn from_seed(name: &str, kind: KeyType, seed: &[u8]) -> Result<Self, BadKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BadKey::Form)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| BadKey::Form)?;
        Ok(Self { pair, verifier: VerifierKey::new(name, kind, public)? })
    }
}

impl Signer for FileKey {
    fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> io::Result<[u8; 64]> {
        let signature = self.pair.sign(message);
        signature.as_ref().try_into().map_err(|_| io::Error::other("not an Ed25519 signature"))
    }
}

impl Note {
    /// Adds a log's signature.
    pub(crate) fn sign(mut self, signer: &dyn Signer) -> io::Result<Self> {
        let bytes = signer.sign(self.text().as_bytes())?.to_vec();
        self.add(Signature { name: signer.verifier().name.clone(), id: signer.verifier().id(), bytes });
        Ok(self)
    }

    /// The signature of a witness that has seen this text at this time, in seconds.
    pub(crate) fn cosign(&self, signer: &dyn Signer, time: u64) -> io::Result<Signature> {
        let signature = signer.sign(cosigned(time, self.text()).as_bytes())?;
        let bytes = [time.to_be_bytes().as_slice(), &signature].concat();
        Ok(Signature { name: signer.verifier().name.clone(), id: signer.verifier().id(), bytes })
    }
}
