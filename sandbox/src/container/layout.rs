//! `Layout`: an image as a folder of blobs, each of which is what its digest says or is not used.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use policies::Hash;
use ring::digest::{Context, SHA256};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, open, openat2};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An OCI image layout.
pub(crate) struct Layout {
    folder: OwnedFd,
}

/// Why an image cannot be used.
#[derive(Debug, Error)]
pub(crate) enum ImageError {
    #[error("the image's `{path}` cannot be read")]
    Read { path: String, source: io::Error },
    #[error("the image's `{path}` is not what it should be: {source}")]
    Json { path: String, source: serde_json::Error },
    #[error("the image's blob {0} is not what its digest says")]
    Changed(Hash),
    #[error("the image is not usable: {0}")]
    Unusable(&'static str),
    #[error("the image bears no signature by the configured key")]
    Unsigned,
}

/// One blob, by content.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    #[serde(with = "digest")]
    pub(crate) digest: Hash,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<std::collections::BTreeMap<String, String>>,
}

/// The list of what a layout holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    pub(crate) schema_version: u32,
    pub(crate) manifests: Vec<Descriptor>,
}

/// What an image consists of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    pub(crate) media_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

/// The longest JSON document of an image.
const DOCUMENT: u64 = 4 << 20;
/// The largest layer.
const LAYER: u64 = 8 << 30;
/// The most layers.
const LAYERS: usize = 256;

impl Layout {
    /// Opens a layout folder. No link is followed: whoever owns the folder may not make us read anything else.
    pub(crate) fn open(folder: &Path) -> Result<Self, ImageError> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let opened =
            openat2(CWD, folder, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS);
        let unreadable = |error: rustix::io::Errno| ImageError::Read { path: ".".to_owned(), source: error.into() };
        Ok(Self { folder: opened.map_err(unreadable)? })
    }

    /// Opens the layout that a person names.
    pub(crate) fn open_given(folder: &Path) -> Result<Self, ImageError> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let unreadable =
            |error: rustix::io::Errno| ImageError::Read { path: folder.display().to_string(), source: error.into() };
        Ok(Self { folder: open(folder, flags, Mode::empty()).map_err(unreadable)? })
    }

    /// The list of what it holds. Nothing vouches for it.
    pub(crate) fn index(&self) -> Result<Index, ImageError> {
        let mut bytes = Vec::new();
        let read = self.file("index.json").and_then(|file| file.take(DOCUMENT).read_to_end(&mut bytes));
        read.map_err(|source| ImageError::Read { path: "index.json".to_owned(), source })?;
        parse("index.json", &bytes)
    }

    /// The digest of the one image that it holds.
    pub(crate) fn only(&self) -> Result<Hash, ImageError> {
        let images: Vec<Hash> =
            self.index()?.manifests.iter().filter(|found| is_image(found)).map(|found| found.digest).collect();
        match images.as_slice() {
            [one] => Ok(*one),
            [] => Err(ImageError::Unusable("it holds no image manifest")),
            [_, _, ..] => {
                Err(ImageError::Unusable("it holds more than one image; only one for one platform can be pinned"))
            }
        }
    }

    /// The manifest with this digest.
    pub(crate) fn manifest(&self, digest: Hash) -> Result<Manifest, ImageError> {
        let manifest: Manifest = parse("manifest", &self.document(digest)?)?;
        if manifest.layers.len() > LAYERS || manifest.layers.iter().any(|layer| layer.size > LAYER) {
            return Err(ImageError::Unusable("it has too many layers, or too large ones"));
        }
        Ok(manifest)
    }

    /// A small blob, checked.
    pub(crate) fn document(&self, digest: Hash) -> Result<Vec<u8>, ImageError> {
        let path = blob(digest);
        let mut bytes = Vec::new();
        let read = self.file(&path).and_then(|file| file.take(DOCUMENT).read_to_end(&mut bytes));
        read.map_err(|source| ImageError::Read { path, source })?;
        if Hash::of(&bytes) == digest { Ok(bytes) } else { Err(ImageError::Changed(digest)) }
    }

    /// A blob of any size. Who reads it asks [`Checked::finish`] whether it was what it should be.
    pub(crate) fn blob(&self, descriptor: &Descriptor) -> Result<Checked, ImageError> {
        let path = blob(descriptor.digest);
        let file = self.file(&path).map_err(|source| ImageError::Read { path, source })?;
        Ok(Checked { inner: file.take(descriptor.size), hash: Context::new(&SHA256), digest: descriptor.digest })
    }

    fn file(&self, path: &str) -> io::Result<File> {
        // A pipe in place of a file must not make us wait.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let file = File::from(openat2(&self.folder, path, flags, Mode::empty(), resolve)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
    }
}

/// A blob that is hashed as it is read.
pub(crate) struct Checked {
    inner: io::Take<File>,
    hash: Context,
    digest: Hash,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

impl Checked {
    /// Whether everything that was read is what the digest says.
    pub(crate) fn finish(self) -> Result<(), ImageError> {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.hash.finish().as_ref());
        let whole = self.inner.limit() == 0 && Hash::from_bytes(hash) == self.digest;
        if whole { Ok(()) } else { Err(ImageError::Changed(self.digest)) }
    }
}

/// Where a blob lies.
pub(crate) fn blob(digest: Hash) -> String {
    format!("blobs/sha256/{digest}")
}

/// The digest of the image that a package's layout folder holds.
///
/// # Errors
/// With a sentence, where there is none, or several.
pub(crate) fn digest_of(folder: &Path) -> Result<Hash, ImageError> {
    let layout = Layout::open_given(folder)?;
    let digest = layout.only()?;
    layout.manifest(digest).map(|_| digest)
}

fn is_image(descriptor: &Descriptor) -> bool {
    let manifest =
        ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
    let signature =
        descriptor.annotations.as_ref().is_some_and(|all| all.get("kind").is_some_and(|kind| kind.ends_with("/sigs")));
    manifest.contains(&descriptor.media_type.as_str()) && !signature
}

fn parse<T: for<'de> Deserialize<'de>>(path: &str, bytes: &[u8]) -> Result<T, ImageError> {
    serde_json::from_slice(bytes).map_err(|source| ImageError::Json { path: path.to_owned(), source })
}

/// `sha256:` and 64 digits.
mod digest {
    use policies::Hash;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("sha256:{hash}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hash = text.strip_prefix("sha256:").and_then(Hash::from_hex);
        hash.ok_or_else(|| de::Error::custom("wanted `sha256:` and 64 hexadecimal digits"))
    }
}
