//! `KeySource`: what opens the file of secrets.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use age::secrecy::{ExposeSecret as _, SecretString};
use age::x25519::Identity;
use linux_keyutils::{KeyRing, KeyRingIdentifier};
use thiserror::Error;
use zeroize::Zeroizing;

use super::disk;

/// What opens the file of secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// A file with an `age` identity, made where it is missing.
    File(PathBuf),
    /// A passphrase that a person types. It opens this file, which holds the identity.
    Passphrase(PathBuf),
    /// A passphrase that is read from this file descriptor. It opens this file, which holds the identity.
    Descriptor(PathBuf, u32),
    /// A key of this description in the kernel's keyring of the user or the session: an `age` identity.
    Keyring(String),
}

/// Asks a person for a passphrase; twice where it is a new one.
pub type Passphrase = Arc<dyn Fn(bool) -> io::Result<Zeroizing<String>> + Send + Sync>;

/// Why the file of secrets cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The disk.
    #[error("cannot use `{path}`")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("another process uses `{0}`")]
    Locked(PathBuf),
    /// Others may read it.
    #[error("`{0}` must have mode 0600: others can read it")]
    Exposed(PathBuf),
    /// No key opens it, or it was changed.
    #[error("the key does not open it, or it was changed")]
    Sealed(#[source] Box<age::DecryptError>),
    /// It cannot be encrypted.
    #[error("it cannot be encrypted")]
    Unsealed(#[source] Box<age::EncryptError>),
    /// What stands in it makes no sense.
    #[error("what stands in it makes no sense")]
    Malformed,
    /// A later version wrote it.
    #[error("it has format {0}, which this program does not know")]
    Format(u8),
    /// There is no such key.
    #[error("there is no key at {0}: without it the secrets cannot be read")]
    NoKey(String),
    /// The key is none.
    #[error("{0} holds no `age` identity (AGE-SECRET-KEY-1…)")]
    BadKey(String),
    /// Nobody is there who could type it.
    #[error("the passphrase cannot be asked for here")]
    NoPassphrase(#[source] io::Error),
}

impl FileError {
    pub(super) fn sealed(error: age::DecryptError) -> Self {
        Self::Sealed(Box::new(error))
    }

    pub(super) fn unsealed(error: age::EncryptError) -> Self {
        Self::Unsealed(Box::new(error))
    }
}

impl KeySource {
    /// The identity that opens what is there.
    pub(super) fn find(&self, ask: Option<&Passphrase>) -> Result<Identity, FileError> {
        match self {
            Self::File(path) => {
                let text = disk::read(path)?.ok_or_else(|| FileError::NoKey(shown(path)))?;
                identity(text, &shown(path))
            }
            Self::Passphrase(path) | Self::Descriptor(path, _) => {
                let sealed = disk::read(path)?.ok_or_else(|| FileError::NoKey(shown(path)))?;
                let opener = age::scrypt::Identity::new(self.passphrase(ask, false)?);
                identity(age::decrypt(&opener, &sealed).map_err(FileError::sealed)?, &shown(path))
            }
            Self::Keyring(name) => identity(
                keyring(name).ok_or_else(|| FileError::NoKey(format!("`{name}` in the kernel's keyring")))?,
                name,
            ),
        }
    }

    /// The same; where there is none yet, it is made, but in the keyring, which forgets at the next boot.
    pub(super) fn find_or_make(&self, ask: Option<&Passphrase>) -> Result<Identity, FileError> {
        match self {
            Self::File(path) | Self::Passphrase(path) | Self::Descriptor(path, _) if !path.exists() => {
                self.make(path, ask)
            }
            Self::File(_) | Self::Passphrase(_) | Self::Descriptor(..) | Self::Keyring(_) => self.find(ask),
        }
    }

    fn make(&self, path: &Path, ask: Option<&Passphrase>) -> Result<Identity, FileError> {
        let identity = Identity::generate();
        let text = identity.to_string();
        let line = Zeroizing::new(format!("{}\n", text.expose_secret()));
        match self {
            Self::File(_) | Self::Keyring(_) => disk::create(path, line.as_bytes())?,
            Self::Passphrase(_) | Self::Descriptor(..) => {
                let recipient = age::scrypt::Recipient::new(self.passphrase(ask, true)?);
                let sealed = age::encrypt(&recipient, line.as_bytes()).map_err(FileError::unsealed)?;
                disk::create(path, &sealed)?;
            }
        }
        Ok(identity)
    }

    fn passphrase(&self, ask: Option<&Passphrase>, fresh: bool) -> Result<SecretString, FileError> {
        let typed = match (self, ask) {
            (Self::Descriptor(_, number), _) => from_descriptor(*number),
            (_, Some(ask)) => ask(fresh),
            (_, None) => Err(io::Error::other("there is no terminal")),
        };
        let typed = typed.map_err(FileError::NoPassphrase)?;
        Ok(SecretString::from(typed.as_str().to_owned()))
    }
}

/// Its first line. Whoever started the gateway handed the descriptor over.
fn from_descriptor(number: u32) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(format!("/proc/self/fd/{number}"))?.take(LONGEST).read_to_string(&mut text)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

/// What the kernel keeps for this user or this session under a name.
fn keyring(name: &str) -> Option<Vec<u8>> {
    [KeyRingIdentifier::User, KeyRingIdentifier::Session]
        .into_iter()
        .filter_map(|ring| KeyRing::from_special_id(ring, false).ok())
        .find_map(|ring| ring.search(name).ok()?.read_to_vec().ok())
}

/// The first line that is one: `age-keygen` writes comments before it.
fn identity(text: Vec<u8>, place: &str) -> Result<Identity, FileError> {
    let text = Zeroizing::new(text);
    let lines = std::str::from_utf8(&text).unwrap_or_default().lines().map(str::trim);
    let mut found = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let bad = || FileError::BadKey(place.to_owned());
    found.next().and_then(|line| line.parse().ok()).ok_or_else(bad)
}

fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}

/// A passphrase is a line.
const LONGEST: u64 = 4_096;
