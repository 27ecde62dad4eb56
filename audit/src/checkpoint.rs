//! `Checkpoint`: how far a log goes and what it leads to, as C2SP's `tlog-checkpoint` has it; signed, it is a note.
//!
//! ```text
//! origin
//! size
//! BASE64(root)
//! ```

mod anchor;
mod settings;

use std::fmt;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use policies::Hash;
use rusqlite::{Connection, OptionalExtension as _, params};
use thiserror::Error;

use crate::log::pen::signed;
use crate::note::{Note, Signer};
use crate::tree::empty;

pub use settings::{Settings, WitnessAddress};

pub(crate) use anchor::{Anchor, COSIGNED, replace};

/// What a log is at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many records it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

/// A text that is not a checkpoint's.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("it is not a checkpoint: origin, size and root, each on a line")]
pub struct BadCheckpoint;

impl Checkpoint {
    /// Reads a note's text. Lines that follow the first three are signed, and say nothing of the tree.
    ///
    /// # Errors
    /// [`BadCheckpoint`].
    pub fn parse(text: &str) -> Result<Self, BadCheckpoint> {
        let mut lines = text.strip_suffix('\n').ok_or(BadCheckpoint)?.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(BadCheckpoint);
        let (origin, size, root) = (line()?, line()?, line()?);
        let root = BASE64.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or(BadCheckpoint)?;
        let found =
            Self { origin: origin.to_owned(), size: decimal(size).ok_or(BadCheckpoint)?, root: Hash::from_bytes(root) };
        let sound = lines.all(|line| !line.is_empty()) && (found.size > 0 || found.root == empty());
        if sound { Ok(found) } else { Err(BadCheckpoint) }
    }

    /// Reads a note that is a checkpoint; its signatures are not checked.
    ///
    /// # Errors
    /// [`BadCheckpoint`].
    pub fn of(note: &Note) -> Result<Self, BadCheckpoint> {
        Self::parse(note.text())
    }

    /// This checkpoint as a note, signed by its log.
    pub(crate) fn sign(&self, signer: &dyn Signer) -> io::Result<Note> {
        Note::new(self.to_string()).sign(signer)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64.encode(self.root.as_bytes()))
    }
}

/// Digits without a sign or leading zeros: one number has one spelling.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The newest checkpoint in a database, as it is stored.
pub(crate) fn newest(db: &Connection) -> rusqlite::Result<Option<(u64, String)>> {
    let sql = "SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1";
    db.query_row(sql, [], |row| Ok((crate::log::recover::number(row, 0)?, row.get(1)?))).optional()
}

/// Stores a checkpoint in place of the one before: every proof that needs the older one can be made for the newer.
pub(crate) fn save(db: &Connection, size: u64, note: &Note) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM checkpoint")?.execute([])?;
    let sql = "INSERT INTO checkpoint (size, note) VALUES (?1, ?2)";
    db.prepare_cached(sql)?.execute(params![signed(size), note.to_string()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_reads_back_and_nothing_else_is_one() {
        let text = "example.com/log\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let read = Checkpoint::parse(text).unwrap();
        assert_eq!((read.size, read.to_string().as_str()), (20_852_163, text));
        for (change, with) in
            [("example.com/log", ""), ("208", "0208"), ("208", "+208"), ("I=", "I"), ("I=", "="), ("I=\n", "I=\n\n")]
        {
            assert_eq!(Checkpoint::parse(&text.replacen(change, with, 1)), Err(BadCheckpoint), "{change}");
        }
        assert_eq!(Checkpoint::parse("a\n0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"), Err(BadCheckpoint));
    }
}
