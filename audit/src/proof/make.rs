//! Makes proofs from a database, beside a running gateway or without one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};
use thiserror::Error;

use super::{Proof, Shown};
use crate::checkpoint::{COSIGNED, Checkpoint, newest};
use crate::log::pen::signed;
use crate::log::retention::is_erased;
use crate::note::Note;
use crate::prune::Missing;
use crate::query::{self, QueryError};
use crate::tile::Stored;
use crate::tree;

/// Why there is no proof.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProveError {
    /// There is no such record.
    #[error("there is no record {0}")]
    Unknown(u64),
    /// It was pruned.
    #[error("record {seq} was pruned on {}, as all up to {}: record {} says why", .missing.at, .missing.minimum, .missing.record)]
    Pruned {
        /// Which.
        seq: u64,
        /// What is gone.
        missing: Missing,
    },
    /// The record has no such fields.
    #[error("the record has no field {}", list(.0))]
    Fields(BTreeSet<String>),
    /// No checkpoint covers it yet.
    #[error("no checkpoint covers record {0} yet: a running gateway signs a few times a second")]
    Unsigned(u64),
    /// The stored checkpoint or tree is not sound; `portcullis log verify` says more.
    #[error("the log's checkpoint does not hold: `portcullis log verify` says more")]
    Damaged,
    /// The log does not answer.
    #[error("cannot read the log")]
    Query(#[from] QueryError),
}

impl From<rusqlite::Error> for ProveError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Query(error.into())
    }
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The proof that a record is in the log in this state folder, showing these of its fields, or all of them and its body.
///
/// # Errors
/// [`ProveError`].
pub fn prove(state: &Path, seq: u64, fields: Option<&[String]>) -> Result<Proof, ProveError> {
    let cosigned = cosigned(state);
    let db = query::open(state)?;
    // One snapshot: record, tiles and checkpoint fit each other.
    let db = db.unchecked_transaction()?;
    if let Some(missing) = Missing::of(&db)?.filter(|missing| (1..=missing.minimum).contains(&seq)) {
        return Err(ProveError::Pruned { seq, missing });
    }
    let sql = "SELECT record, salt, body FROM entry WHERE seq = ?1";
    let row = db.query_row(sql, [signed(seq)], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?, row.get::<_, Option<Vec<u8>>>(2)?))
    });
    let (stored, seed, body) = row.optional()?.ok_or(ProveError::Unknown(seq))?;
    let body = body.filter(|body| !is_erased(Some(body.as_slice())));
    let shown = Shown::of(&stored, seed.as_deref(), body.as_deref(), fields).map_err(ProveError::Fields)?;
    let (checkpoint, note) = checkpoint(&db, seq, cosigned)?;
    let index = seq - 1;
    let path = tree::inclusion(&mut Stored::new(&db), index, checkpoint.size)?;
    let proof = Proof { shown, index, path, note };
    // What we hand out holds: a tile that was changed makes no proof.
    let sound = super::included(&proof.shown.leaf(), index, checkpoint.size, &checkpoint.root, &proof.path);
    if sound { Ok(proof) } else { Err(ProveError::Damaged) }
}

/// The checkpoint that witnesses have signed, if it covers the record and is of this log; else the newest.
fn checkpoint(db: &Connection, seq: u64, cosigned: Option<Note>) -> Result<(Checkpoint, Note), ProveError> {
    let read = |note: Note| Checkpoint::of(&note).ok().map(|checkpoint| (checkpoint, note));
    let (size, text) = newest(db)?.ok_or(ProveError::Unsigned(seq))?;
    let newest = Note::parse(&text).ok().and_then(read).filter(|(checkpoint, _)| checkpoint.size == size);
    let newest = newest.ok_or(ProveError::Damaged)?;
    if let Some((checkpoint, note)) = cosigned.and_then(read)
        && (seq..=size).contains(&checkpoint.size)
        && checkpoint.origin == newest.0.origin
        && tree::root(&mut Stored::new(db), checkpoint.size)? == checkpoint.root
    {
        return Ok((checkpoint, note));
    }
    if size >= seq { Ok(newest) } else { Err(ProveError::Unsigned(seq)) }
}

/// The newest checkpoint with signatures of witnesses.
pub(crate) fn cosigned(state: &Path) -> Option<Note> {
    Note::parse(&fs::read_to_string(state.join(COSIGNED)).ok()?).ok()
}
