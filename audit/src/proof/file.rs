//! `Proof`: a `c2sp.org/tlog-proof@v1` file, whole in itself: it is checked without the log and without a network.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use policies::Hash;
use serde::Serialize;
use thiserror::Error;

use super::{Disclosed, Shown, included};
use crate::checkpoint::{Checkpoint, decimal};
use crate::note::{BadNote, Note, VerifierKey};

const BEGIN: &str = "c2sp.org/tlog-proof@v1";

/// More than any proof of ours: a record and its body, in base64.
const LONGEST: usize = 4 << 20;

/// That one record is in a log, and as much of the record as its owner shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub(super) shown: Shown,
    pub(super) index: u64,
    pub(super) path: Vec<Hash>,
    pub(super) note: Note,
}

/// What a proof proves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proven {
    /// The log's name.
    pub origin: String,
    /// How many records the log had, as its checkpoint says.
    pub size: u64,
    /// The record.
    pub record: Disclosed,
    /// The witnesses that signed the checkpoint, and when, in seconds.
    pub witnesses: Vec<(String, u64)>,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadProof {
    /// Not a file of this kind.
    #[error("it is not a `{BEGIN}` file with a record")]
    Form,
    /// The checkpoint is not signed by the wanted key, or no checkpoint.
    #[error("its checkpoint does not hold")]
    Note(#[from] BadNote),
    /// The signed text is no checkpoint of the key's log.
    #[error("what is signed is not a checkpoint of the log `{0}`")]
    Origin(String),
    /// The canonical bytes are no record.
    #[error("it shows no record")]
    Entry,
    /// The record is not at its place in the log.
    #[error("the record is not in the log that the checkpoint signs")]
    Path,
    /// A shown field is not what was recorded.
    #[error("the field `{0}` is not what was recorded")]
    Field(String),
}

impl Proof {
    /// Reads a file.
    ///
    /// # Errors
    /// [`BadProof::Form`].
    pub fn parse(text: &str) -> Result<Self, BadProof> {
        Self::read(text).ok_or(BadProof::Form)
    }

    /// What it shows, with the leaf that must be in the log.
    pub(crate) fn says(&self) -> Result<(Hash, Disclosed), BadProof> {
        Ok((self.shown.leaf(), self.shown.read()?))
    }

    fn read(text: &str) -> Option<Self> {
        let (head, note) = text.split_once("\n\n").filter(|_| text.len() <= LONGEST)?;
        let mut lines = head.split('\n');
        let extra = (lines.next()? == BEGIN).then(|| lines.next()?.strip_prefix("extra "))??;
        let shown = serde_json::from_slice(&BASE64.decode(extra).ok()?).ok()?;
        let index = decimal(lines.next()?.strip_prefix("index ")?)?;
        let path = lines.map(hash).collect::<Option<Vec<_>>>()?;
        Some(Self { shown, index, path, note: Note::parse(note).ok()? })
    }

    /// Whether it shows that a body was kept, and not the body: it was erased since.
    #[must_use]
    pub fn lacks_body(&self) -> bool {
        self.shown.lacks_body()
    }

    /// Checks it with the log's public key. Witnesses whose keys are given are named if they signed.
    ///
    /// # Errors
    /// [`BadProof`] says what does not hold.
    pub fn check(&self, key: &VerifierKey, witnesses: &[VerifierKey]) -> Result<Proven, BadProof> {
        self.note.verify(key)?;
        let checkpoint = Checkpoint::of(&self.note).ok().filter(|checkpoint| checkpoint.origin == key.name());
        let checkpoint = checkpoint.ok_or_else(|| BadProof::Origin(key.name().to_owned()))?;
        if !included(&self.shown.leaf(), self.index, checkpoint.size, &checkpoint.root, &self.path) {
            return Err(BadProof::Path);
        }
        let record = self.shown.read()?;
        // A record says its own number; a leaf elsewhere is another record's place.
        if record.seq != self.index + 1 {
            return Err(BadProof::Path);
        }
        let mut signed = Vec::new();
        for witness in witnesses {
            match self.note.verify(witness) {
                Ok(time) => signed.push((witness.name().to_owned(), time.unwrap_or_default())),
                Err(BadNote::Unsigned(_)) => {}
                Err(bad) => return Err(bad.into()),
            }
        }
        Ok(Proven { origin: checkpoint.origin, size: checkpoint.size, record, witnesses: signed })
    }
}

/// A hash as C2SP's files spell it.
pub(crate) fn hash(line: &str) -> Option<Hash> {
    BASE64.decode(line).ok()?.try_into().ok().map(Hash::from_bytes)
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extra = serde_json::to_vec(&self.shown).map_err(|_| fmt::Error)?;
        writeln!(f, "{BEGIN}\nextra {}\nindex {}", BASE64.encode(extra), self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", BASE64.encode(hash.as_bytes())))?;
        write!(f, "\n{}", self.note)
    }
}
