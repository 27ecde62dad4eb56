//! `Evidence`: what a log signed, and a witness did not.
//!
//! ```text
//! ORIGIN.SIZE-TEXT.conflict   of one size with two roots, both signed by the log: proof of two histories
//! ORIGIN.SIZE-TEXT.doubt      came with a proof that does not hold, which anybody can send with a checkpoint that is public
//! ```
//!
//! INVARIANT: nothing is overwritten, and what is there stays when the bound is reached: else whoever can reach the witness
//! could have evidence removed by sending more. A text has one file, whatever lines were added to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use policies::Hash;
use tracing::{error, warn};

use crate::checkpoint::{Checkpoint, replace};
use crate::note::Note;

/// The most files of each kind for one log. Two of one size are proof; the log alone can make more. Doubts take a checkpoint
/// each that the log signed and the witness did not sign first.
const KEPT: usize = 256;

const CONFLICT: &str = "conflict";
const DOUBT: &str = "doubt";

/// What is kept of one log.
pub(super) struct Evidence<'a> {
    /// The file of the newest checkpoint that was signed.
    path: &'a Path,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        Self { path }
    }

    /// The log signed another root at the same size.
    pub(super) fn conflict(&self, found: &Checkpoint, note: &Note) {
        error!(origin = %found.origin, size = found.size, "a log signed two histories");
        told(self.keep_signed().and_then(|()| self.keep(found, note, CONFLICT)));
    }

    /// Whether the log signed two histories, or somebody sent a proof that is none, nobody knows yet.
    pub(super) fn doubt(&self, found: &Checkpoint, note: &Note) {
        warn!(origin = %found.origin, size = found.size,
            "a checkpoint came with a proof that does not hold: the log has two histories, or somebody made the proof up");
        told(self.keep(found, note, DOUBT));
    }

    /// The log led to this checkpoint: a doubt about it is over, and one about another root of this size is proof.
    pub(super) fn settle(&self, signed: &Checkpoint) {
        let settled = self.of(DOUBT).and_then(|doubts| {
            let begin = self.begin(signed.size);
            doubts.iter().filter(|name| name.starts_with(&begin)).try_for_each(|name| self.settle_one(signed, name))
        });
        told(settled);
    }

    fn settle_one(&self, signed: &Checkpoint, name: &str) -> io::Result<()> {
        let path = self.path.with_file_name(name);
        let found = Note::parse(&fs::read_to_string(&path)?).ok().and_then(|note| Checkpoint::of(&note).ok());
        if found.is_none_or(|found| found.root == signed.root) {
            return fs::remove_file(&path);
        }
        error!(origin = %signed.origin, size = signed.size, "a log signed two histories");
        self.keep_signed()?;
        fs::rename(&path, path.with_extension(CONFLICT))
    }

    /// Beside a conflict, what the witness signed itself: its file will be of a later size.
    fn keep_signed(&self) -> io::Result<()> {
        let note = Note::parse(&fs::read_to_string(self.path)?).ok();
        match note.and_then(|note| Some((Checkpoint::of(&note).ok()?, note))) {
            Some((signed, note)) => self.keep(&signed, &note, CONFLICT),
            None => Ok(()),
        }
    }

    fn keep(&self, found: &Checkpoint, note: &Note, kind: &str) -> io::Result<()> {
        let text: String = Hash::of(note.text().as_bytes()).to_string().chars().take(32).collect();
        let path = self.path.with_file_name(format!("{}{text}.{kind}", self.begin(found.size)));
        if path.exists() {
            return Ok(());
        }
        if self.of(kind)?.len() >= KEPT {
            warn!(origin = %found.origin, "no more of what the log signed is kept: look at what is");
            return Ok(());
        }
        replace(&path, note.to_string().as_bytes())?;
        fs::File::open(self.folder())?.sync_all()
    }

    /// The names of the files of this kind.
    fn of(&self, kind: &str) -> io::Result<Vec<String>> {
        let (begin, end) = (format!("{}.", self.name()), format!(".{kind}"));
        let names = fs::read_dir(self.folder())?.map(|entry| entry.map(|entry| entry.file_name()));
        let names = names.map(|name| name.map(|name| name.to_string_lossy().into_owned()));
        names
            .filter(|name| !name.as_ref().is_ok_and(|name| !(name.starts_with(&begin) && name.ends_with(&end))))
            .collect()
    }

    fn begin(&self, size: u64) -> String {
        format!("{}.{size}-", self.name())
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn folder(&self) -> PathBuf {
        self.path.parent().map(Path::to_owned).unwrap_or_default()
    }
}

/// What cannot be kept changes no answer.
fn told(kept: io::Result<()>) {
    if let Err(error) = kept {
        error!(%error, "cannot keep what the log signed");
    }
}
