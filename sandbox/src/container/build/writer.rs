//! `Writer`: a layout that is being written.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use policies::Hash;
use tar::{Builder, EntryType, Header};

use super::tree::{Entry, Tree};
use super::{Base, BuildError, Built, MANIFEST, at};
use crate::container::layout::{Descriptor, Index, Manifest, blob};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A layout that is being written.
pub(super) struct Writer {
    folder: PathBuf,
    bytes: u64,
}

impl Writer {
    pub(super) fn create(folder: &Path) -> Result<Self, BuildError> {
        if folder.exists() && !folder.join("oci-layout").exists() {
            let why = "it exists and is no image layout; it is not overwritten".to_owned();
            return Err(BuildError::Recipe { path: folder.to_owned(), why });
        }
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(at(folder))?;
        }
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(at(&blobs))?;
        Ok(Self { folder: folder.to_owned(), bytes: 0 })
    }

    pub(super) fn put(&mut self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, BuildError> {
        let digest = Hash::of(bytes);
        self.write(&blob(digest), bytes)?;
        Ok(Descriptor { media_type: media_type.to_owned(), digest, size: bytes.len() as u64, annotations: None })
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), BuildError> {
        let path = self.folder.join(name);
        self.bytes += bytes.len() as u64;
        fs::write(&path, bytes).map_err(at(&path))
    }

    pub(super) fn copy(&mut self, base: &Base, layer: &Descriptor) -> Result<(), BuildError> {
        let Some(layout) = &base.layout else { return Ok(()) };
        let path = self.folder.join(blob(layer.digest));
        let mut from = layout.blob(layer)?;
        let mut to = fs::File::create(&path).map_err(at(&path))?;
        self.bytes += io::copy(&mut from, &mut to).map_err(at(&path))?;
        Ok(from.finish()?)
    }

    /// Writes the layer; yields it and the digest of its content, which are one: it is not compressed.
    pub(super) fn layer(&mut self, tree: &Tree) -> Result<(Descriptor, Hash), BuildError> {
        let path = self.folder.join("layer.tmp");
        let mut hashed = Hashed {
            to: io::BufWriter::new(fs::File::create(&path).map_err(at(&path))?),
            hash: ring::digest::Context::new(&ring::digest::SHA256),
            size: 0,
        };
        archive(tree, &mut hashed)?;
        hashed.flush().map_err(at(&path))?;
        let mut digest = [0; 32];
        digest.copy_from_slice(hashed.hash.finish().as_ref());
        let (digest, size) = (Hash::from_bytes(digest), hashed.size);
        self.bytes += size;
        let place = self.folder.join(blob(digest));
        fs::rename(&path, &place).map_err(at(&place))?;
        Ok((Descriptor { media_type: LAYER.to_owned(), digest, size, annotations: None }, digest))
    }

    pub(super) fn finish(mut self, manifest: &Manifest) -> Result<Built, BuildError> {
        let text = serde_json::to_vec(manifest).map_err(|error| BuildError::Base(error.to_string()))?;
        let manifest = self.put(MANIFEST, &text)?;
        let digest = manifest.digest;
        let index = serde_json::to_vec(&Index { schema_version: 2, manifests: vec![manifest] });
        self.write("index.json", &index.map_err(|error| BuildError::Base(error.to_string()))?)?;
        self.write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Built { folder: self.folder, digest, bytes: self.bytes })
    }
}

fn archive(tree: &Tree, to: &mut Hashed) -> Result<(), BuildError> {
    let mut archive = Builder::new(to);
    for (path, entry) in tree {
        let mut header = Header::new_gnu();
        // Neither owner nor time: they are those of whoever builds.
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        let written = match entry {
            Entry::Folder(mode) => {
                header.set_entry_type(EntryType::Directory);
                header.set_mode(*mode);
                archive.append_data(&mut header, path, io::empty())
            }
            Entry::Link(to) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_mode(0o777);
                archive.append_link(&mut header, path, to)
            }
            Entry::File(from, mode) => {
                let file = fs::File::open(from).map_err(at(from))?;
                header.set_entry_type(EntryType::Regular);
                header.set_mode(*mode);
                header.set_size(file.metadata().map_err(at(from))?.len());
                archive.append_data(&mut header, path, file)
            }
        };
        written.map_err(at(path))?;
    }
    archive.finish().map_err(at(Path::new("layer")))
}

struct Hashed {
    to: io::BufWriter<fs::File>,
    hash: ring::digest::Context,
    size: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write_all(bytes)?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
