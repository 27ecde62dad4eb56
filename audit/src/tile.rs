//! `Tile`: up to 256 hashes of one level, where they are stored, and what they are called outside.

use std::collections::HashMap;

use policies::Hash;
use rusqlite::{Connection, OptionalExtension, params};

use crate::log::pen::signed;
use crate::record;
use crate::tree::Nodes;

/// How many hashes a full tile has.
pub(crate) const WIDTH: u64 = 256;

/// Hashes of one level that stand side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) level: u8,
    pub(crate) index: u64,
    pub(crate) hashes: Vec<Hash>,
}

impl Tile {
    /// The hashes one after another.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
    }

    /// Its path below `tile/`.
    pub(crate) fn path(&self) -> String {
        path(&self.level.to_string(), self.index, self.hashes.len() as u64)
    }

    /// The number of the last record under it.
    pub(crate) fn last(&self) -> u64 {
        let each = WIDTH.saturating_pow(u32::from(self.level));
        self.index.saturating_mul(WIDTH).saturating_add(self.hashes.len() as u64).saturating_mul(each)
    }

    /// Stores it in place of a narrower one.
    pub(crate) fn save(&self, db: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO tile (level, place, hashes) VALUES (?1, ?2, ?3)";
        db.prepare_cached(sql)?.execute(params![self.level, signed(self.index), self.bytes()])?;
        Ok(())
    }
}

/// The path of a tile or bundle below `tile/`: level, then the index in groups of three digits, then the width unless full.
pub(crate) fn path(level: &str, index: u64, width: u64) -> String {
    let mut groups = vec![format!("{:03}", index % 1_000)];
    let mut rest = index / 1_000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1_000));
        rest /= 1_000;
    }
    groups.reverse();
    let partial = if width == WIDTH { String::new() } else { format!(".p/{width}") };
    format!("{level}/{}{partial}", groups.join("/"))
}

/// The hashes that these bytes are.
pub(crate) fn hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (chunks, rest) = bytes.as_chunks::<32>();
    rest.is_empty().then(|| chunks.iter().map(|chunk| Hash::from_bytes(*chunk)).collect())
}

/// The tile stored at this place.
pub(crate) fn load(db: &Connection, level: u8, index: u64) -> rusqlite::Result<Option<Vec<Hash>>> {
    let sql = "SELECT hashes FROM tile WHERE level = ?1 AND place = ?2";
    let bytes: Option<Vec<u8>> =
        db.prepare_cached(sql)?.query_row(params![level, signed(index)], |row| row.get(0)).optional()?;
    Ok(bytes.and_then(|bytes| hashes(&bytes)))
}

/// The last hashes of each level of the tree of the first `size` records, a multiple of 256; `None` if a tile lacks some.
pub(crate) fn edge(db: &Connection, size: u64) -> rusqlite::Result<Option<Vec<Vec<Hash>>>> {
    let (mut edge, mut each) = (Vec::new(), 1_u64);
    for level in 0_u8.. {
        let width = size / each % WIDTH;
        let mut hashes =
            if width == 0 { Vec::new() } else { load(db, level, size / each / WIDTH)?.unwrap_or_default() };
        hashes.truncate(usize::try_from(width).unwrap_or(usize::MAX));
        if hashes.len() as u64 != width {
            return Ok(None);
        }
        edge.push(hashes);
        match each.checked_mul(WIDTH).filter(|each| *each <= size) {
            Some(next) => each = next,
            None => break,
        }
    }
    Ok(Some(edge))
}

/// The leaves of so many records after number `after`, as far as they are there, made of the records themselves.
pub(crate) fn leaves(db: &Connection, after: u64, limit: u64) -> rusqlite::Result<Vec<Hash>> {
    let sql = "SELECT record, salt FROM entry WHERE seq > ?1 AND seq <= ?2 ORDER BY seq";
    let mut statement = db.prepare_cached(sql)?;
    let leaves = statement.query_map([signed(after), signed(after.saturating_add(limit))], |row| {
        let (stored, seed): (Vec<u8>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
        Ok(record::leaf(&record::canonical(&stored, seed.as_deref())))
    })?;
    leaves.collect()
}

/// The tiles of a database.
pub(crate) struct Stored<'a> {
    db: &'a Connection,
    known: HashMap<(u8, u64), Vec<Hash>>,
}

impl<'a> Stored<'a> {
    pub(crate) fn new(db: &'a Connection) -> Self {
        Self { db, known: HashMap::new() }
    }

    fn tile(&mut self, level: u8, index: u64) -> rusqlite::Result<&[Hash]> {
        if !self.known.contains_key(&(level, index)) {
            let hashes = match load(self.db, level, index)? {
                Some(hashes) => hashes,
                // The last tile of level 0 is stored when it is full; until then its records stand for it.
                None if level == 0 => leaves(self.db, index.saturating_mul(WIDTH), WIDTH)?,
                None => Vec::new(),
            };
            self.known.insert((level, index), hashes);
        }
        Ok(self.known.get(&(level, index)).map_or(&[], Vec::as_slice))
    }
}

impl Nodes for Stored<'_> {
    type Error = rusqlite::Error;

    fn hash(&mut self, level: u8, index: u64) -> rusqlite::Result<Hash> {
        let place = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        self.tile(level, index / WIDTH)?.get(place).copied().ok_or(rusqlite::Error::QueryReturnedNoRows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        assert_eq!(path("0", 1_234_067, 256), "0/x001/x234/067");
        assert_eq!(path("entries", 0, 17), "entries/000.p/17");
        assert_eq!(path("2", 1_000, 256), "2/x001/000");
    }
}
