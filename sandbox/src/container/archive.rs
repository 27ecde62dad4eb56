//! An image layout as the archive that engines load, checked on the way: the part without which nothing is loaded comes last.

use std::io::{self, Read, Write};

use bytes::Bytes;
use policies::Hash;
use serde_json::json;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;

use super::layout::{ImageError, Layout, Manifest};

/// How many pieces may wait for the engine.
const PIECES: usize = 16;

/// How large a piece is.
const PIECE: usize = 256 << 10;

/// What the engine knows the image by, among people.
pub(crate) fn tag(digest: Hash) -> String {
    format!("portcullis/image:{digest}")
}

/// Writes the archive of an image. An image that is not what its digests say ends in an error, before the archive's list of
/// contents: an engine has nothing to load then.
pub(crate) fn write(
    layout: &Layout,
    digest: Hash,
    manifest: &Manifest,
    to: mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), ImageError> {
    let mut pieces = Pieces { to, piece: Vec::with_capacity(PIECE) };
    let written = entries(layout, digest, manifest, &mut pieces);
    match written {
        Ok(()) => Ok(()),
        Err(error) => {
            // Whoever reads must learn that this is not all; one who has gone need not.
            pieces.to.blocking_send(Err(io::Error::other(error.to_string()))).ok();
            Err(error)
        }
    }
}

fn entries(layout: &Layout, digest: Hash, manifest: &Manifest, pieces: &mut Pieces) -> Result<(), ImageError> {
    let mut archive = Builder::new(pieces);
    let config = layout.document(manifest.config.digest)?;
    let config_name = format!("{}.json", manifest.config.digest);
    put(&mut archive, &config_name, config.len() as u64, config.as_slice())?;
    let mut layers = Vec::new();
    for layer in &manifest.layers {
        if layer.media_type.ends_with("zstd") {
            return Err(ImageError::Unusable("its layers are compressed with zstd; engines load gzip, or none"));
        }
        let name = format!("{}/layer.tar", layer.digest);
        if !layers.contains(&name) {
            let mut blob = layout.blob(layer)?;
            put(&mut archive, &name, layer.size, &mut blob)?;
            blob.finish()?;
        }
        layers.push(name);
    }
    let list = json!([{"Config": config_name, "RepoTags": [tag(digest)], "Layers": layers}]).to_string();
    put(&mut archive, "manifest.json", list.len() as u64, list.as_bytes())?;
    archive.into_inner().and_then(Write::flush).map_err(torn)
}

fn put(archive: &mut Builder<&mut Pieces>, name: &str, size: u64, data: impl Read) -> Result<(), ImageError> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    archive.append_data(&mut header, name, data).map_err(torn)
}

fn torn(source: io::Error) -> ImageError {
    ImageError::Read { path: "blobs".to_owned(), source }
}

/// A writer whose pieces are read elsewhere.
struct Pieces {
    to: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.to.blocking_send(Ok(piece.into())).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// A stream of the archive's pieces, as an upload takes it.
pub(crate) fn pieces() -> (mpsc::Sender<io::Result<Bytes>>, mpsc::Receiver<io::Result<Bytes>>) {
    mpsc::channel(PIECES)
}
