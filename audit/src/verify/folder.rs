//! Checks an exported log: every entry, every tile and the checkpoint, with nothing but the public key.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use policies::{Hash, Value};

use super::{Broken, Trusted, Verified, VerifyError, What, below};
use crate::checkpoint::{Checkpoint, decimal};
use crate::export::PRUNED_FILE;
use crate::note::{Note, VerifierKey};
use crate::proof::Proof;
use crate::query::QueryError;
use crate::record::fields::Members;
use crate::record::{self, GENESIS};
use crate::tile::{self, Tile, WIDTH};
use crate::tree::Tree;

/// Checks the tiles in a folder. The trusted key must be the one that signed their checkpoint: a change of keys is in the
/// log, and an exported log holds commitments, not what its records say.
///
/// # Errors
/// [`VerifyError::Broken`] names the first entry, tile or note that is wrong.
pub fn verify_tiles(folder: &Path, key: &VerifierKey, trusted: &Trusted) -> Result<Verified, VerifyError> {
    let checkpoint = checkpoint(folder, key)?;
    let said = pruning(folder, checkpoint.size)?;
    let minimum = said.as_ref().map_or(0, |said| said.minimum);
    let mut walk = Walk {
        folder,
        tree: if minimum > 0 { gone(folder, minimum, checkpoint.size)? } else { Tree::default() },
        said,
        head: Hash::from_bytes(GENESIS),
        first: None,
        last: None,
        earlier: trusted.checkpoint.as_ref(),
        differs: None,
    };
    walk.reaches(minimum)?;
    while walk.tree.size() < checkpoint.size {
        walk.bundle(WIDTH.min(checkpoint.size - walk.tree.size()))?;
    }
    let growing: Vec<Tile> = walk.tree.growing().collect();
    growing.iter().try_for_each(|tile| walk.compare(tile))?;
    let Walk { head, first, last, .. } = walk.settle(&checkpoint)?;
    Ok(Verified {
        records: checkpoint.size,
        // Of what is gone nobody here has the chain's value.
        head: if minimum > 0 { Hash::from_bytes(GENESIS) } else { head },
        first,
        last,
        signed: Some((checkpoint, key.clone())),
        accepted: Vec::new(),
        restored: Vec::new(),
        continued: Vec::new(),
        erased: 0,
        asserted: 0,
        pruned: minimum,
    })
}

fn checkpoint(folder: &Path, key: &VerifierKey) -> Result<Checkpoint, VerifyError> {
    let broken = |what| VerifyError::from(Broken { seq: 0, what });
    let text = fs::read(folder.join("checkpoint")).map_err(|_| broken(What::NoCheckpoint))?;
    let text = String::from_utf8(text).map_err(|_| broken(What::Note(crate::note::BadNote::Form)))?;
    let note = Note::parse(&text).map_err(|bad| broken(What::Note(bad)))?;
    note.verify(key).map_err(|bad| broken(What::Note(bad)))?;
    let found = Checkpoint::of(&note).ok().filter(|found| found.origin == key.name());
    found.ok_or_else(|| broken(What::Origin(key.name().to_owned())))
}

/// What the record of a pruning says, as far as it is shown.
struct Said {
    minimum: u64,
    record: u64,
    leaf: Hash,
}

/// What is gone, by the proof that lies beside the tiles. That its record is in the log, the walk tells.
fn pruning(folder: &Path, size: u64) -> Result<Option<Said>, VerifyError> {
    let text = match fs::read_to_string(folder.join(PRUNED_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(QueryError::Database(Box::new(error)).into()),
    };
    let said = Proof::parse(&text).ok().and_then(|proof| {
        let (leaf, shown) = proof.says().ok()?;
        let minimum = shown.fields.get("detail.to").and_then(Value::as_u64)?;
        let text = |name: &str| shown.fields.get(name).and_then(Value::as_str);
        // Exports of before did not show the kind; no record of another kind has such a member.
        let is_event = text("kind").is_none_or(|kind| kind == "event");
        let is_one = is_event && text("detail.event") == Some("records-pruned");
        let fits = is_one && minimum.is_multiple_of(WIDTH) && (minimum + 1..=size).contains(&shown.seq);
        fits.then_some(Said { minimum, record: shown.seq, leaf })
    });
    said.map(Some).ok_or_else(|| Broken { seq: 0, what: What::Pruned }.into())
}

/// The tree of what is gone, by the tiles above level 0.
fn gone(folder: &Path, minimum: u64, size: u64) -> Result<Tree, VerifyError> {
    let mut load = |level: u8, index: u64| {
        let each = WIDTH.saturating_pow(u32::from(level));
        let width = WIDTH.min((size / each).saturating_sub(index * WIDTH));
        let path = tile::path(&level.to_string(), index, width);
        match fs::read(folder.join("tile").join(path)) {
            Ok(bytes) => Ok(tile::hashes(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(QueryError::Database(Box::new(error)).into()),
        }
    };
    Ok(below::tree(minimum, minimum, &mut load)?.0)
}

struct Walk<'a> {
    folder: &'a Path,
    /// What is gone.
    said: Option<Said>,
    tree: Tree,
    head: Hash,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    earlier: Option<&'a Checkpoint>,
    /// The first place where entries and tiles differ. Which of the two is wrong, the signed root tells at the end.
    differs: Option<Differs>,
}

struct Differs {
    seq: u64,
    tile: String,
    /// Of a level above the entries' own.
    above: bool,
}

impl Walk<'_> {
    /// A checkpoint that was kept before the entries begin is compared no more, unless they begin there.
    fn reaches(&self, minimum: u64) -> Result<(), VerifyError> {
        let Some(earlier) = self.earlier.filter(|earlier| (1..=minimum).contains(&earlier.size)) else { return Ok(()) };
        let what = if earlier.size < minimum {
            What::Unreachable(minimum)
        } else if self.tree.root() == earlier.root {
            return Ok(());
        } else {
            What::SplitView(minimum)
        };
        Err(Broken { seq: earlier.size, what }.into())
    }

    /// Reads so many entries, and the tiles that they fill.
    fn bundle(&mut self, width: u64) -> Result<(), VerifyError> {
        let index = self.tree.size() / WIDTH;
        let (path, tile) = (tile::path("entries", index, width), tile::path("0", index, width));
        let (bytes, stored) = (self.read(&path)?, self.read(&tile)?);
        let stored = tile::hashes(&stored).filter(|stored| stored.len() as u64 == width);
        let stored = stored.ok_or_else(|| self.broken(What::File(tile.clone())))?;
        let mut rest = bytes.as_slice();
        for wanted in stored {
            let entry = entry(&mut rest).ok_or_else(|| self.broken(What::File(path.clone())))?;
            self.entry(entry, &wanted, &tile)?;
        }
        if rest.is_empty() { Ok(()) } else { Err(self.broken(What::File(path))) }
    }

    fn entry(&mut self, entry: &[u8], wanted: &Hash, tile: &str) -> Result<(), VerifyError> {
        let (seq, leaf) = (self.tree.size() + 1, record::leaf(entry));
        match numbered(entry, seq) {
            _ if leaf != *wanted => self.differ(seq, tile.to_owned(), false),
            Some(at) => {
                self.first = self.first.or(Some(at));
                self.last = Some(at);
            }
            None => return Err(Broken { seq, what: What::Column("seq") }.into()),
        }
        if self.said.as_ref().is_some_and(|said| said.record == seq && said.leaf != leaf) {
            return Err(Broken { seq, what: What::Pruned }.into());
        }
        self.head = record::chain(&self.head, &leaf);
        let filled =
            self.tree.push(leaf).into_iter().filter(|tile| tile.level > 0 && tile.hashes.len() as u64 == WIDTH);
        filled.collect::<Vec<_>>().iter().try_for_each(|tile| self.compare(tile))?;
        let earlier = self.earlier.filter(|earlier| earlier.size == seq && earlier.root != self.tree.root());
        // Where tiles differ, the entries may have been changed since they were signed.
        match earlier.filter(|_| self.differs.is_none()) {
            Some(_) => Err(Broken { seq, what: What::SplitView(seq) }.into()),
            None => Ok(()),
        }
    }

    fn compare(&mut self, tile: &Tile) -> Result<(), VerifyError> {
        if self.read(&tile.path())? != tile.bytes() {
            self.differ(tile.last(), tile.path(), true);
        }
        Ok(())
    }

    fn differ(&mut self, seq: u64, tile: String, above: bool) {
        self.differs.get_or_insert(Differs { seq, tile, above });
    }

    fn settle(self, checkpoint: &Checkpoint) -> Result<Self, VerifyError> {
        let size = checkpoint.size;
        let sound = self.tree.root() == checkpoint.root;
        let broken = match &self.differs {
            Some(Differs { seq, above: false, .. }) if !sound => Broken { seq: *seq, what: What::Chain },
            Some(Differs { seq, tile, .. }) => Broken { seq: *seq, what: What::Tile(tile.clone()) },
            None if !sound => Broken { seq: size, what: What::Root },
            None => match self.earlier.filter(|earlier| earlier.size > size) {
                Some(earlier) => Broken { seq: size, what: What::RolledBack(earlier.size) },
                None => return Ok(self),
            },
        };
        Err(broken.into())
    }

    fn broken(&self, what: What) -> VerifyError {
        Broken { seq: self.tree.size() + 1, what }.into()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, VerifyError> {
        match fs::read(self.folder.join("tile").join(path)) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Broken { seq: self.tree.size(), what: What::File(path.to_owned()) }.into())
            }
            Err(error) => Err(QueryError::Database(Box::new(error)).into()),
        }
    }
}

/// The next entry of a bundle.
fn entry<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    Some(entry)
}

/// When the entry of this number was made; `None` if it says another number.
fn numbered(entry: &[u8], seq: u64) -> Option<Timestamp> {
    let members = serde_json::from_slice::<Members<'_>>(entry).ok()?.0;
    let of = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let at: String = serde_json::from_str(of("at")?).ok()?;
    (decimal(of("seq")?)? == seq).then(|| at.parse().ok())?
}
