//! Records with their leaves, from one on: what whoever passes the log on needs to name each and to prove it.

use policies::Hash;
use rusqlite::OptionalExtension as _;
use serde::Serialize;

use super::{Found, QueryError, Reader, read};
use crate::checkpoint::{Checkpoint, newest};
use crate::log::pen::signed;
use crate::note::Note;
use crate::record;

/// A record and its place in the tree. Shown as JSON it is the record with its leaf before it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leaf {
    /// The hash that stands in the tree at `seq - 1`.
    #[serde(rename = "leaf")]
    pub hash: Hash,
    /// The leaf of the record before; `None` for the first record.
    #[serde(skip)]
    pub before: Option<Hash>,
    /// The record.
    #[serde(flatten)]
    pub found: Found,
}

const AFTER: &str = "SELECT seq, record, body, salt FROM entry WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const STORED: &str = "SELECT record, salt FROM entry WHERE seq = ?1";

impl Reader {
    /// The records after this number, the oldest first: at most so many, and no more once they are so many bytes together.
    /// After 0 come those that pruning left.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer, or the record after this number is not there though later ones are.
    pub fn leaves(&self, after: u64, limit: usize, bytes: usize) -> Result<Vec<Leaf>, QueryError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let gone = self.pruned()?.map_or(0, |pruned| pruned.minimum);
        let after = if after == 0 { gone } else { after };
        let mut statement = self.db.prepare_cached(AFTER)?;
        let mut rows = statement.query([signed(after), limit])?;
        let (mut leaves, mut size): (Vec<Leaf>, usize) = (Vec::new(), 0);
        while size < bytes
            && let Some(row) = rows.next()?
        {
            let found = read(row)?;
            let before = match leaves.last() {
                Some(leaf) => Some(leaf.hash),
                None => self.leaf(after)?,
            };
            let expected = leaves.last().map_or(after, |leaf| leaf.found.record.seq) + 1;
            if found.record.seq != expected {
                return Err(QueryError::Gap(expected));
            }
            let stored = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let body = row.get_ref(2)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            let seed = row.get_ref(3)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            size += stored.len() + body.map_or(0, <[u8]>::len);
            leaves.push(Leaf { hash: record::leaf(&record::canonical(stored, seed)), before, found });
        }
        Ok(leaves)
    }

    /// The leaf of this record; `None` where there is no such record.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn leaf(&self, seq: u64) -> Result<Option<Hash>, QueryError> {
        let mut statement = self.db.prepare_cached(STORED)?;
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<Vec<u8>>>(1)?));
        let stored = statement.query_row([signed(seq)], row).optional()?;
        Ok(stored.map(|(stored, seed)| record::leaf(&record::canonical(&stored, seed.as_deref()))))
    }

    /// A record that was found, with its leaf.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer, or does not have it any more.
    pub fn with_leaf(&self, found: Found) -> Result<Leaf, QueryError> {
        let seq = found.record.seq;
        let hash = self.leaf(seq)?.ok_or(QueryError::Gap(seq))?;
        Ok(Leaf { hash, before: self.leaf(seq.saturating_sub(1))?, found })
    }

    /// The log's newest checkpoint, whose signatures are not checked; `None` where nothing is signed yet.
    ///
    /// # Errors
    /// [`QueryError`] if the log does not answer.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, QueryError> {
        let newest = newest(&self.db)?;
        Ok(newest.and_then(|(_, text)| Checkpoint::of(&Note::parse(&text).ok()?).ok()))
    }
}
