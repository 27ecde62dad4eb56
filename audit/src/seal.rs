//! `Seal`: keeps the bytes of held calls unreadable to whoever has only the database.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use policies::{Call, CallId, HoldId, Limits, Object, Value};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::log::files::{open_to_others, private};

/// Why the state folder's key cannot be used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("cannot read or make the key file")]
    File(#[from] io::Error),
    /// It is not 32 bytes.
    #[error("the key file does not hold 32 bytes")]
    Length,
    /// Others may read it.
    #[error("the key file is open to others: `chmod 600` it, and consider its key known")]
    Exposed,
    /// The system has no randomness.
    #[error("the system gives no random bytes")]
    Random,
}

/// Why a held call's bytes cannot be had.
#[derive(Debug, Error)]
pub enum SealError {
    /// The hold has ended, or there never was one of this id.
    #[error("the hold has no sealed call")]
    Missing,
    /// The bytes were changed, are another hold's, or were sealed with another key.
    #[error("the sealed call does not open")]
    Broken,
    /// The database does not answer.
    #[error("cannot read the sealed call")]
    Read(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A call as it was when it was held: enough to make it again after a restart. The tool's definition is not in it: the
/// call is decided again with the definition of then, and the approval's binding tells whether that is the same.
#[derive(Debug)]
pub struct HeldCall {
    /// Its id.
    pub call: CallId,
    /// The agent's name.
    pub agent: String,
    /// The session.
    pub session: String,
    /// The tool's server.
    pub server: String,
    /// The MCP request.
    pub method: String,
    /// The tool's name at its server.
    pub tool: String,
    /// The arguments, unredacted.
    pub arguments: Value,
}

/// Seals and opens. The key lies outside the database, in `seal.key`.
pub(crate) struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Seal {
    pub(crate) fn load(state: &Path) -> Result<Self, KeyError> {
        let root = load(state)?;
        let key = derive(&root, b"portcullis held calls 1");
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| KeyError::Length)?;
        Ok(Self { key: LessSafeKey::new(key), random: SystemRandom::new() })
    }

    /// Nonce, then ciphertext and tag. A hold is sealed once, under a random nonce: at 2^32 holds the chance that two share
    /// one is 2^-33.
    pub(crate) fn seal(&self, hold: &HoldId, call: &Call) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| SealError::Broken)?;
        let mut bytes = text(call);
        let aad = Aad::from(hold.as_str().as_bytes());
        self.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes)
            .map_err(|_| SealError::Broken)?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut bytes);
        Ok(sealed)
    }

    pub(crate) fn open(&self, hold: &HoldId, sealed: &[u8]) -> Result<HeldCall, SealError> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Broken)?;
        let aad = Aad::from(hold.as_str().as_bytes());
        let mut bytes = Zeroizing::new(rest.to_vec());
        let opened = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut bytes);
        let value = Value::parse(opened.map_err(|_| SealError::Broken)?, &Limits::ANSWER);
        held_call(&value.map_err(|_| SealError::Broken)?).ok_or(SealError::Broken)
    }
}

/// The key that secrets' fingerprints are made with: the same for one state folder, unknown to whoever has only the log.
///
/// # Errors
/// [`KeyError`] if the state folder's key file cannot be read or made.
pub fn fingerprint_key(state: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let root = load(state)?;
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(derive(&root, b"portcullis fingerprints 1").as_ref());
    Ok(key)
}

/// One key for each use, so that no use helps against another.
fn derive(key: &[u8; 32], purpose: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), purpose)
}

fn text(call: &Call) -> Vec<u8> {
    let tool = call.tool();
    let members = [
        ("call", Value::from(call.id().as_str())),
        ("agent", call.agent().as_str().into()),
        ("session", call.session().as_str().into()),
        ("server", tool.server().as_str().into()),
        ("method", tool.method().as_str().into()),
        ("tool", tool.name().into()),
        ("arguments", call.arguments().clone()),
    ];
    Value::from(members.into_iter().collect::<Object>()).to_bytes()
}

fn held_call(value: &Value) -> Option<HeldCall> {
    let text = |name| Some(value.get(name)?.as_str()?.to_owned());
    Some(HeldCall {
        call: CallId::parse(&text("call")?).ok()?,
        agent: text("agent")?,
        session: text("session")?,
        server: text("server")?,
        method: text("method")?,
        tool: text("tool")?,
        arguments: value.get("arguments")?.clone(),
    })
}

/// The name of the key file in the state folder.
pub(crate) const KEY_FILE: &str = "seal.key";

/// Reads the key, or makes it if there is none.
fn load(state: &Path) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let path = state.join(KEY_FILE);
    if !path.exists() {
        make(state, &path)?;
    }
    let mut file = fs::File::open(&path)?;
    if open_to_others(&file.metadata()?) {
        return Err(KeyError::Exposed);
    }
    let mut key = Zeroizing::new([0; 32]);
    file.read_exact(key.as_mut_slice()).map_err(|_| KeyError::Length)?;
    if file.read(&mut [0])? == 0 { Ok(key) } else { Err(KeyError::Length) }
}

/// Written under another name, synced, and linked in place: a crash leaves a whole key or none, and two starts at once
/// agree on one.
fn make(state: &Path, path: &Path) -> Result<(), KeyError> {
    let mut key = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(key.as_mut_slice()).map_err(|_| KeyError::Random)?;
    let fresh = state.join(format!("{KEY_FILE}.{}", std::process::id()));
    let mut file = private(&fresh)?;
    file.set_len(0)?;
    file.write_all(key.as_slice())?;
    file.sync_all()?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh)?;
    fs::File::open(state)?.sync_all()?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
