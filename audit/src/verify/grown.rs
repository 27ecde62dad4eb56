//! The tree as the records lead to it, against the stored tiles and checkpoint.

use policies::Hash;
use rusqlite::Connection;

use super::succession::Succession;
use super::{Broken, QueryError, VerifyError, What, below};
use crate::checkpoint::{self, Checkpoint};
use crate::note::{Note, VerifierKey};
use crate::tile::{self, Stored, Tile};
use crate::tree::{self, Tree};

/// The tree of the records so far.
pub(super) struct Grown<'a> {
    db: &'a Connection,
    tree: Tree,
    /// A log of the layout before it has no tiles and no checkpoint.
    treeless: bool,
    /// The stored checkpoint.
    stored: Option<(u64, String)>,
    /// The root at the stored checkpoint's size.
    signed: Option<Hash>,
    /// What was signed earlier, kept elsewhere.
    earlier: Option<&'a Checkpoint>,
    tiles: u64,
}

impl<'a> Grown<'a> {
    /// `done` and `minimum`: up to where rows are gone, and where the records begin that count.
    pub(super) fn new(
        db: &'a Connection,
        treeless: bool,
        earlier: Option<&'a Checkpoint>,
        (done, minimum): (u64, u64),
    ) -> Result<Self, VerifyError> {
        let stored = if treeless { None } else { checkpoint::newest(db).map_err(QueryError::from)? };
        let mut load = |level, index| Ok(tile::load(db, level, index).map_err(QueryError::from)?);
        let (tree, tiles) = if minimum > 0 { below::tree(done, minimum, &mut load)? } else { (Tree::default(), 0) };
        let mut grown = Self { db, tree, treeless, stored, signed: None, earlier, tiles };
        grown.note_root();
        grown.reaches(minimum)?;
        Ok(grown)
    }

    /// What was signed before the records began that count: some of its roots can still be computed.
    fn reaches(&self, minimum: u64) -> Result<(), VerifyError> {
        let Some(earlier) = self.earlier.filter(|earlier| (1..=minimum).contains(&earlier.size)) else { return Ok(()) };
        let size = earlier.size;
        let what = match tree::root(&mut Stored::new(self.db), size) {
            Ok(root) if root == earlier.root => return Ok(()),
            Ok(_) => What::SplitView(size),
            Err(rusqlite::Error::QueryReturnedNoRows) => What::Unreachable(minimum),
            Err(error) => return Err(QueryError::from(error).into()),
        };
        Err(Broken { seq: size, what }.into())
    }

    fn note_root(&mut self) {
        if self.stored.as_ref().is_some_and(|(size, _)| *size == self.tree.size()) {
            self.signed = Some(self.tree.root());
        }
    }

    /// Adds a record's leaf; what that completes must be stored.
    pub(super) fn push(&mut self, leaf: Hash) -> Result<(), VerifyError> {
        let kept = self.tree.push(leaf);
        let full = kept.iter().filter(|tile| tile.hashes.len() as u64 == tile::WIDTH);
        full.into_iter().try_for_each(|tile| self.compare(tile))?;
        self.note_root();
        let size = self.tree.size();
        if let Some(earlier) = self.earlier.filter(|earlier| earlier.size == size)
            && earlier.root != self.tree.root()
        {
            return Err(Broken { seq: size, what: What::SplitView(size) }.into());
        }
        Ok(())
    }

    fn compare(&mut self, tile: &Tile) -> Result<(), VerifyError> {
        self.tiles += 1;
        let stored = tile::load(self.db, tile.level, tile.index).map_err(QueryError::from);
        if self.treeless || stored.is_ok_and(|stored| stored.as_ref() == Some(&tile.hashes)) {
            return Ok(());
        }
        Err(Broken { seq: tile.last(), what: What::Tile(tile.path()) }.into())
    }

    /// Checks what is left at the end: tiles that grow, tiles too many, the checkpoint.
    pub(super) fn finish(mut self, keys: &Succession) -> Result<Option<(Checkpoint, VerifierKey)>, VerifyError> {
        let size = self.tree.size();
        if let Some(earlier) = self.earlier.filter(|earlier| earlier.size > size) {
            return Err(Broken { seq: size, what: What::RolledBack(earlier.size) }.into());
        }
        if self.treeless {
            return Ok(None);
        }
        let growing: Vec<Tile> = self.tree.growing().collect();
        growing.iter().try_for_each(|tile| self.compare(tile))?;
        self.no_more_tiles()?;
        match self.stored.take() {
            Some((size, text)) => self.checkpoint(size, &text, keys).map(Some),
            None if size == 0 => Ok(None),
            None => Err(Broken { seq: size, what: What::NoCheckpoint }.into()),
        }
    }

    fn no_more_tiles(&self) -> Result<(), VerifyError> {
        let sql = "SELECT count(*) FROM tile";
        let stored: i64 = self.db.query_row(sql, [], |row| row.get(0)).map_err(QueryError::from)?;
        if u64::try_from(stored) == Ok(self.tiles) {
            return Ok(());
        }
        let what = What::Tile(format!("… ({stored} tiles, {} belong there)", self.tiles));
        Err(Broken { seq: self.tree.size(), what }.into())
    }

    fn checkpoint(&self, size: u64, text: &str, keys: &Succession) -> Result<(Checkpoint, VerifierKey), VerifyError> {
        let broken = |what| VerifyError::from(Broken { seq: size, what });
        let rows: i64 =
            self.db.query_row("SELECT count(*) FROM checkpoint", [], |row| row.get(0)).map_err(QueryError::from)?;
        let key = keys.at(size).filter(|_| rows == 1).ok_or_else(|| broken(What::NoCheckpoint))?;
        let note = Note::parse(text).map_err(|bad| broken(What::Note(bad)))?;
        note.verify(key).map_err(|bad| broken(What::Note(bad)))?;
        let origin = || broken(What::Origin(key.name().to_owned()));
        let found = Checkpoint::of(&note).map_err(|_| origin())?;
        if found.origin != key.name() || found.size != size {
            return Err(origin());
        }
        // Past the end there is no root: the checkpoint says more than there is.
        match self.signed {
            Some(root) if root == found.root => Ok((found, key.clone())),
            Some(_) => Err(broken(What::Root)),
            None => Err(Broken { seq: self.tree.size(), what: What::RolledBack(size) }.into()),
        }
    }
}
