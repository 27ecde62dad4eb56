//! `Listing`: what a backup holds, to the byte; written last, so that a backup without one is none.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use policies::Hash;
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::{KEYS, PACKAGES};
use crate::log::files::DATABASE;

/// The listing's file.
pub(super) const FILE: &str = "backup.json";

/// The form that this code writes and reads.
const VERSION: u32 = 1;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    version: u32,
    /// When it was made.
    pub made: Timestamp,
    /// How many records it has.
    pub records: u64,
    /// The log's newest checkpoint in it, as the log signed it.
    pub checkpoint: Option<String>,
    /// Whether it holds keys and secrets.
    pub keys: bool,
    /// Its files.
    pub files: Vec<Listed>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Below the backup's folder.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub sha256: Hash,
}

impl Listing {
    pub(super) fn new(made: Timestamp, records: u64, checkpoint: Option<String>, files: Vec<Listed>) -> Self {
        let keys = files.iter().any(|file| KEYS.iter().any(|key| file.path == Path::new(key)));
        Self { version: VERSION, made, records, checkpoint, keys, files }
    }

    /// Reads the listing in a backup's folder.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let bytes = fs::read(folder.join(FILE)).map_err(|error| format!("`{FILE}`: {error}"))?;
        let listing: Self = serde_json::from_slice(&bytes).map_err(|error| format!("`{FILE}`: {error}"))?;
        if listing.version != VERSION {
            return Err(format!("its form is {}, and this program knows {VERSION}", listing.version));
        }
        // Whoever wrote it may be anyone: nothing else may get into a state folder this way.
        if let Some(odd) = listing.files.iter().find(|file| !belongs(&file.path)) {
            return Err(format!("`{}` does not belong in one", odd.path.display()));
        }
        let databases = listing.files.iter().filter(|file| file.path == Path::new(DATABASE)).count();
        if databases == 1 { Ok(listing) } else { Err(format!("`{DATABASE}` is not listed")) }
    }
}

impl Listed {
    /// A file below a folder, as it is now.
    pub(super) fn of(folder: &Path, path: PathBuf) -> io::Result<Self> {
        let (bytes, sha256) = hash(&folder.join(&path))?;
        Ok(Self { path, bytes, sha256 })
    }
}

/// Size and hash of a file.
pub(super) fn hash(path: &Path) -> io::Result<(u64, Hash)> {
    let mut file = File::open(path)?;
    let (mut context, mut bytes, mut buffer) = (Context::new(&SHA256), 0, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        context.update(chunk);
        bytes += read as u64;
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    Ok((bytes, Hash::from_bytes(hash)))
}

/// Whether a backup may hold a file of this path.
fn belongs(path: &Path) -> bool {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let known = path == Path::new(DATABASE) || KEYS.iter().any(|key| path == Path::new(key));
    plain && (known || path.starts_with(PACKAGES) && path != Path::new(PACKAGES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_what_a_backup_holds_gets_into_a_state_folder() {
        for path in ["portcullis.db", "log.key", "packages/notes/package.toml"] {
            assert!(belongs(Path::new(path)), "{path}");
        }
        for path in ["../x", "/etc/passwd", "packages/../log.key.next", "packages", "request.key", "checkpoint", ""] {
            assert!(!belongs(Path::new(path)), "{path}");
        }
    }
}
