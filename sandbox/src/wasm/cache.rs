//! Compiled components on disk. What is loaded from there runs as native code, outside of every sandbox, so nothing is loaded
//! but what this gateway itself compiled and signed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use policies::Hash;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;
use wasmtime::Engine;
use wasmtime::component::Component;

/// Where compiled components are kept, and the key that marks them as ours.
pub(super) struct Cache {
    folder: PathBuf,
    key: hmac::Key,
}

/// Why the cache cannot be used.
#[derive(Debug, Error)]
pub(super) enum CacheError {
    /// Its folder or its key.
    #[error("`{path}` cannot be used")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key is not one, or others can read it.
    #[error("`{0}` must hold 32 bytes and be readable by its owner only")]
    Key(PathBuf),
}

const KEY: usize = 32;
const TAG: usize = 32;

/// A compiled component is some four times as large as its source; more than this is not one of ours.
const MAX_FILE: u64 = 512 << 20;

impl Cache {
    /// Opens a folder, making it and its key where they do not exist.
    pub(super) fn open(folder: &Path) -> Result<Self, CacheError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| CacheError::Io { path, source }
        };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
        let path = folder.join("cache.key");
        make_key(&path).map_err(at(&path))?;
        let key = read_key(&path).map_err(at(&path))?.ok_or(CacheError::Key(path))?;
        Ok(Self { folder: folder.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    /// A component, compiled; from the cache if it is there.
    ///
    /// # Errors
    /// Where the bytes are no component that the engine takes.
    pub(super) fn component(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        let digest = Hash::of(bytes);
        let path = self.folder.join(format!("{digest}.cwasm"));
        if let Some(component) = self.load(engine, &path, digest) {
            return Ok(component);
        }
        let component = Component::new(engine, bytes)?;
        if let Err(error) = self.store(&path, digest, &component.serialize()?) {
            tracing::warn!(path = %path.display(), %error, "a compiled component could not be kept");
        }
        Ok(component)
    }

    fn load(&self, engine: &Engine, path: &Path, digest: Hash) -> Option<Component> {
        let kept = match read(path) {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a compiled component could not be read");
                return None;
            }
        };
        let Some(compiled) = self.verified(&kept, digest) else {
            tracing::error!(path = %path.display(), "a compiled component is not one that this gateway made; it is not used");
            return None;
        };
        deserialize(engine, compiled)
            .inspect_err(|error| tracing::info!(path = %path.display(), %error, "compiled by another version"))
            .ok()
    }

    /// The compiled component in a file's bytes, if we made it, of this component.
    fn verified<'a>(&self, kept: &'a [u8], digest: Hash) -> Option<&'a [u8]> {
        let (tag, compiled) = kept.split_at_checked(TAG)?;
        hmac::verify(&self.key, &signed(digest, compiled), tag).ok().map(|()| compiled)
    }

    fn store(&self, path: &Path, digest: Hash, compiled: &[u8]) -> io::Result<()> {
        let mut random = [0; 8];
        SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
        let beside = path.with_extension(format!("{:016x}", u64::from_ne_bytes(random)));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        let tag = hmac::sign(&self.key, &signed(digest, compiled));
        let written = file.write_all(tag.as_ref()).and_then(|()| file.write_all(compiled));
        written.and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
            fs::remove_file(&beside).ok();
        })
    }
}

/// The digest is signed along: a compiled component must not stand in for another.
fn signed(digest: Hash, compiled: &[u8]) -> Vec<u8> {
    [b"portcullis compiled component\0".as_slice(), digest.to_string().as_bytes(), b"\0", compiled].concat()
}

#[expect(
    unsafe_code,
    reason = "the bytes that are loaded are the very bytes whose HMAC was verified, in memory that nobody else can write; `a_forged_compiled_component_is_not_loaded` holds it"
)]
fn deserialize(engine: &Engine, verified: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `Cache::verified` made sure that this gateway wrote these bytes, with `Component::serialize`. They are ours since
    // they were read: a file that is changed after the check changes nothing, which is why no file is mapped.
    unsafe { Component::deserialize(engine, verified) }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn make_key(path: &Path) -> io::Result<()> {
    let mut key = [0; KEY];
    SystemRandom::new().fill(&mut key).map_err(|_| io::Error::other("no randomness"))?;
    // Written beside and linked into place: who comes second finds the first one's whole key.
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no randomness"))?;
    if path.try_exists()? {
        return Ok(());
    }
    let beside = path.with_extension(format!("{:016x}", u64::from_ne_bytes(random)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let made = file.write_all(&key).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&beside, path));
    fs::remove_file(&beside)?;
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn read_key(path: &Path) -> io::Result<Option<[u8; KEY]>> {
    let file = File::open(path)?;
    if file.metadata()?.mode() & 0o077 != 0 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(KEY as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes.try_into().ok())
}
