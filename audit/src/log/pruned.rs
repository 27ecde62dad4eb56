//! `Pruned`: which records are gone for good, as one of those that stay says, and how the rest of them goes.
//!
//! ```text
//! record, row `pruned` and signature, one transaction ─► outside ─► rows and tiles of level 0, a batch at a time
//!                                                          └── a start goes on where a crash left it ──┘
//! ```
//!
//! INVARIANT: the record is in the tree that is signed. One that is not was written by nobody who has the key: nothing goes
//! because of it, no start makes it true by signing it, and what went already is missing, not pruned.
//!
//! INVARIANT: `done` ≤ `minimum`, both multiples of 256; the records that are there begin right after `done`, and
//! `chain` is the chain's value after it. What is left of what is to go still leads to the chain's value after `minimum`,
//! which the record binds, so nobody can slip something in meanwhile.

use std::path::Path;

use policies::{Hash, Value};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::pen::signed;
use super::recover::{Unusable, hash, number};
use crate::checkpoint::{Anchor, Checkpoint, newest};
use crate::index;
use crate::note::Note;
use crate::proof::included;
use crate::record::{self, Kind, Record};
use crate::tile::{self, Stored, WIDTH};
use crate::tree;

/// Records of one transaction: some 5 MB of ordinary ones, and a multiple of 256.
const BATCH: u64 = 8 * WIDTH;

/// What the database says of records that are gone.
#[derive(Clone, Debug)]
pub(crate) struct Pruned {
    /// The last of them: C2SP's minimum index, as the first record has the index 0.
    pub(crate) minimum: u64,
    /// The record that says so.
    pub(crate) record: u64,
    /// What they led to, as JSON; the record has its hash.
    pub(crate) state: String,
    /// The last one whose row is gone.
    pub(crate) done: u64,
    /// The chain's value after that one.
    pub(crate) chain: Hash,
}

/// What is pruned; `None` where nothing ever was.
pub(crate) fn load(db: &Connection) -> rusqlite::Result<Option<Pruned>> {
    one(db, "SELECT minimum, record, state, done, chain FROM pruned", |row| {
        Ok(Pruned {
            minimum: number(row, 0)?,
            record: number(row, 1)?,
            state: row.get(2)?,
            done: number(row, 3)?,
            chain: hash(row, 4)?,
        })
    })
}

/// The last record that is gone, and the record that says so. What they led to may be long: it is not read.
pub(crate) fn extent(db: &Connection) -> rusqlite::Result<Option<(u64, u64)>> {
    one(db, "SELECT minimum, record FROM pruned", |row| Ok((number(row, 0)?, number(row, 1)?)))
}

/// Up to which record rows are gone, and the chain's value there: where all that is read begins.
pub(crate) fn base(db: &Connection) -> rusqlite::Result<(u64, Hash)> {
    let found = one(db, "SELECT done, chain FROM pruned", |row| Ok((number(row, 0)?, hash(row, 1)?)))?;
    Ok(found.unwrap_or_else(|| (0, Hash::from_bytes(record::GENESIS))))
}

fn one<T>(
    db: &Connection,
    sql: &str,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    // A log that an older version wrote has no such table.
    if !db.prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = 'pruned'")?.exists([])? {
        return Ok(None);
    }
    db.query_row(sql, [], read).optional()
}

/// Whether its record says what the row says: nothing is removed because of a row alone.
fn is_said(db: &Connection, pruned: &Pruned) -> rusqlite::Result<bool> {
    let sql = "SELECT record FROM entry WHERE seq = ?1";
    let bytes: Option<Vec<u8>> = db.query_row(sql, [signed(pruned.record)], |row| row.get(0)).optional()?;
    let Some(record) = bytes.and_then(|bytes| Record::parse(&bytes).ok()) else { return Ok(false) };
    let text = |name: &str| record.detail.get(name).and_then(Value::as_str);
    let state = Hash::of(pruned.state.as_bytes()).to_string();
    Ok(record.kind == Kind::Event
        && record.seq > pruned.minimum
        && text("event") == Some("records-pruned")
        && text("state") == Some(state.as_str())
        && record.detail.get("to").and_then(Value::as_u64) == Some(pruned.minimum))
}

/// The newest checkpoint, if the record is in the tree that it signs. That it is the log's own, whoever opened the log knows.
fn covering(db: &Connection, record: u64) -> rusqlite::Result<Option<Note>> {
    let Some(note) = newest(db)?.and_then(|(_, text)| Note::parse(&text).ok()) else { return Ok(None) };
    let found = Checkpoint::of(&note).ok().filter(|found| (1..=found.size).contains(&record));
    let Some(found) = found else { return Ok(None) };
    let leaf = tile::leaves(db, record - 1, 1)?;
    let path = match tree::inclusion(&mut Stored::new(db), record - 1, found.size) {
        Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(None),
        path => path?,
    };
    let stands = leaf.iter().any(|leaf| included(leaf, record - 1, found.size, &found.root, &path));
    Ok(stands.then_some(note))
}

/// Removes what its record says is gone, and is there. Whatever interrupts it, the next start goes on. Also where nothing is
/// left to remove, the record must be there and signed.
pub(crate) fn finish(state: &Path, db: &Connection, anchor: &Anchor) -> Result<(), Unusable> {
    let Some(pruned) = load(db)? else { return Ok(()) };
    let Pruned { minimum, record, mut done, .. } = pruned;
    let broken = |what| Unusable::Broken { seq: record, what };
    if !is_said(db, &pruned)? {
        return Err(broken("it is not about what is pruned"));
    }
    let note = covering(db, record)?.ok_or(broken("it says that records were pruned, and nobody signed it"))?;
    if done >= minimum {
        return Ok(());
    }
    // A checkpoint outside that is older than the records that are left could not be compared with them any more.
    let outside = anchor.read().ok().flatten().and_then(|text| Checkpoint::of(&Note::parse(&text).ok()?).ok());
    if outside.is_none_or(|outside| outside.size < record) {
        anchor.write(&note).map_err(failed)?;
    }
    // It has words of what goes.
    index::forget(state).map_err(failed)?;
    while done < minimum {
        done = minimum.min(done + BATCH);
        let batch = Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
        let sql = "SELECT chain FROM entry WHERE seq = ?1";
        let chain = batch.prepare_cached(sql)?.query_row([signed(done)], |row| hash(row, 0))?;
        batch.prepare_cached("DELETE FROM entry WHERE seq <= ?1")?.execute([signed(done)])?;
        let tiles = "DELETE FROM tile WHERE level = 0 AND place < ?1";
        batch.prepare_cached(tiles)?.execute([signed(done / WIDTH)])?;
        let sql = "UPDATE pruned SET done = ?1, chain = ?2";
        batch.prepare_cached(sql)?.execute(params![signed(done), chain.as_bytes()])?;
        batch.commit()?;
    }
    // What was overwritten in the database is in the write-ahead log as it was before.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn failed(error: std::io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}
