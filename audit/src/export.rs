//! `export`: writes the log as C2SP's `tlog-tiles`: static files that anyone can check and no one must run.
//!
//! ```text
//! checkpoint   tile/LEVEL/INDEX[.p/WIDTH]   tile/entries/INDEX[.p/WIDTH]   pruned.tlog-proof
//! ```
//!
//! Of a log that was pruned, entries and level 0 begin after what is gone, and a proof of the record that says so is beside
//! them: its number, and what it says of the extent.
//!
//! Entries are canonical bytes: of version 2, commitments and no values.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use thiserror::Error;

use crate::checkpoint::{Checkpoint, newest, replace};
use crate::log::pen::signed;
use crate::log::pruned;
use crate::note::Note;
use crate::proof::{ProveError, prove};
use crate::query::{self, QueryError};
use crate::record;
use crate::tile::{self, Tile, WIDTH};
use crate::tree::Tree;

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How far the log goes, as its checkpoint says.
    pub checkpoint: Checkpoint,
    /// How many files were written.
    pub files: u64,
}

/// Why nothing whole was exported.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// Nothing is signed yet.
    #[error("the log has no checkpoint yet")]
    Unsigned,
    /// The records do not lead to the checkpoint.
    #[error("the records do not lead to the log's checkpoint: `portcullis log verify` says more")]
    Damaged,
    /// A record of version 1 that no entry bundle can hold.
    #[error("record {0} is longer than the 65535 bytes that an entry bundle can hold")]
    Long(u64),
    /// A file cannot be written.
    #[error("cannot write `{path}`")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing proves what was pruned.
    #[error("there is no proof of the record about what was pruned")]
    Unproved(#[from] ProveError),
    /// The log does not answer.
    #[error("cannot read the log")]
    Query(#[from] QueryError),
}

impl From<rusqlite::Error> for ExportError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Query(error.into())
    }
}

/// Writes the log in a state folder below `to`, up to its newest checkpoint.
///
/// # Errors
/// [`ExportError`]; the checkpoint in the folder is written last, so that it never says more than is there.
pub fn export(state: &Path, to: &Path) -> Result<Exported, ExportError> {
    let db = query::open(state)?;
    let db = db.unchecked_transaction()?;
    let (size, text) = newest(&db)?.ok_or(ExportError::Unsigned)?;
    let note = Note::parse(&text).map_err(|_| ExportError::Damaged)?;
    let checkpoint = Checkpoint::of(&note).map_err(|_| ExportError::Damaged)?;
    let mut folder = Folder { root: to.join("tile"), files: 1 };
    let pruned = pruned::load(&db)?;
    let mut tree = match &pruned {
        None => Tree::default(),
        // Until its record is signed, nothing proves that what is missing was pruned.
        Some(pruned) if pruned.record > size => return Err(ExportError::Unsigned),
        Some(pruned) => below(&db, pruned.minimum, &mut folder)?,
    };
    while tree.size() < size {
        let width = WIDTH.min(size - tree.size());
        let (leaves, bundle) = bundle(&db, tree.size(), width)?;
        folder.write(&tile::path("entries", tree.size() / WIDTH, width), &bundle)?;
        if width < WIDTH {
            let hashes = leaves.clone();
            folder.tile(&Tile { level: 0, index: tree.size() / WIDTH, hashes })?;
        }
        for leaf in leaves {
            let full = tree.push(leaf).into_iter().filter(|tile| tile.hashes.len() as u64 == WIDTH);
            full.into_iter().try_for_each(|tile| folder.tile(&tile))?;
        }
    }
    tree.growing().try_for_each(|tile| folder.tile(&tile))?;
    if tree.root() != checkpoint.root || checkpoint.size != size {
        return Err(ExportError::Damaged);
    }
    if let Some(pruned) = pruned {
        let proof = prove(state, pruned.record, Some(&PRUNED.map(str::to_owned)))?;
        folder.files += 1;
        file(&to.join(PRUNED_FILE), proof.to_string().as_bytes())?;
    }
    file(&to.join("checkpoint"), text.as_bytes())?;
    Ok(Exported { checkpoint, files: folder.files })
}

/// What is shown of the record of a pruning.
pub(crate) const PRUNED: [&str; 4] = ["kind", "detail.event", "detail.to", "detail.before"];

/// The file of its proof.
pub(crate) const PRUNED_FILE: &str = "pruned.tlog-proof";

/// The full tiles above level 0 of what is gone, and the tree that they lead to.
fn below(db: &Connection, minimum: u64, folder: &mut Folder) -> Result<Tree, ExportError> {
    let mut each = WIDTH;
    for level in 1_u8.. {
        for index in 0..minimum / each / WIDTH {
            let hashes = tile::load(db, level, index)?.ok_or(ExportError::Damaged)?;
            folder.tile(&Tile { level, index, hashes })?;
        }
        match each.checked_mul(WIDTH).filter(|each| *each <= minimum) {
            Some(next) => each = next,
            None => break,
        }
    }
    Ok(Tree::with_edge(minimum, tile::edge(db, minimum)?.ok_or(ExportError::Damaged)?))
}

/// The leaves of a bundle, and its bytes: each entry after its length in two bytes.
fn bundle(db: &Connection, after: u64, width: u64) -> Result<(Vec<policies::Hash>, Vec<u8>), ExportError> {
    let sql = "SELECT record, salt FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([signed(after), signed(width)])?;
    let (mut leaves, mut bytes) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (stored, seed): (Vec<u8>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
        let entry = record::canonical(&stored, seed.as_deref());
        let number = after + leaves.len() as u64 + 1;
        let length = u16::try_from(entry.len()).map_err(|_| ExportError::Long(number))?;
        leaves.push(record::leaf(&entry));
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry);
    }
    if leaves.len() as u64 == width { Ok((leaves, bytes)) } else { Err(ExportError::Damaged) }
}

struct Folder {
    root: PathBuf,
    files: u64,
}

impl Folder {
    fn tile(&mut self, tile: &Tile) -> Result<(), ExportError> {
        self.write(&tile.path(), &tile.bytes())
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), ExportError> {
        self.files += 1;
        file(&self.root.join(path), bytes)
    }
}

fn file(path: &Path, bytes: &[u8]) -> Result<(), ExportError> {
    let failed = |source| ExportError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    replace(path, bytes).map_err(failed)
}
