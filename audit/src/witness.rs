//! `Witness`: signs what a log signs, on another machine, as long as the log only grows (C2SP's `tlog-witness`).
//!
//! Of each log it keeps the newest checkpoint that it signed. A log that shows someone else another history, or an older
//! one, gets no signature for it here; what it signed is kept as evidence.

mod evidence;
mod submit;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use policies::Hash;
use thiserror::Error;

use crate::checkpoint::{Checkpoint, decimal, replace};
use crate::log::files::{Lock, prepare};
use crate::note::{FileKey, Note, Signer as _, VerifierKey};
use crate::proof::{consistent, hash};

use evidence::Evidence;

pub use submit::{Submission, SubmitError};

/// A witness with its key and its store.
pub struct Witness {
    key: FileKey,
    /// The keys of the logs that it knows; several may sign for one origin.
    logs: Vec<VerifierKey>,
    folder: PathBuf,
    /// Compare and keep are one step.
    keep: Mutex<()>,
    _lock: Lock,
}

/// Why a witness cannot be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// Its folder cannot be used.
    #[error("cannot use the witness's folder")]
    Folder(#[from] io::Error),
    /// Another process uses it.
    #[error("another witness uses the folder")]
    Locked,
}

/// What a witness answers over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body's type.
    pub kind: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    fn text(status: u16, body: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: format!("{body}\n") }
    }

    fn size(size: u64) -> Self {
        Self { status: 409, kind: "text/x.tlog.size", body: format!("{size}\n") }
    }
}

/// The most hashes that a proof needs.
const LONGEST_PROOF: usize = 63;

/// A request that is taken apart.
struct Request {
    old: u64,
    path: Vec<Hash>,
    note: Note,
    checkpoint: Checkpoint,
}

impl Witness {
    /// The largest body that is worth reading: a proof and a checkpoint with many signatures.
    pub const LONGEST: usize = 128 << 10;

    /// A witness of these logs, with its store in this folder.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn open(folder: &Path, key: FileKey, logs: Vec<VerifierKey>) -> Result<Self, WitnessError> {
        fs::create_dir_all(folder)?;
        let store = folder.join("logs");
        prepare(&store)?;
        let lock = Lock::take(&store)?.ok_or(WitnessError::Locked)?;
        Ok(Self { key, logs, folder: store, keep: Mutex::new(()), _lock: lock })
    }

    /// The public key that its signatures are checked with.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// Answers `add-checkpoint`.
    #[must_use]
    pub fn add_checkpoint(&self, body: &[u8], now: Timestamp) -> Answer {
        let Some(request) = std::str::from_utf8(body).ok().and_then(parse) else {
            return Answer::text(400, "not a request as of c2sp.org/tlog-witness");
        };
        let origin = &request.checkpoint.origin;
        let mut keys = self.logs.iter().filter(|key| key.name() == origin).peekable();
        if keys.peek().is_none() {
            return Answer::text(404, "this witness does not know that log");
        }
        let Some(key) = keys.find(|key| request.note.verify(key).is_ok()) else {
            return Answer::text(403, "the checkpoint is not signed by a key of that log");
        };
        if request.old > request.checkpoint.size {
            return Answer::text(400, "the old size is beyond the checkpoint");
        }
        self.take(&request, key, now).unwrap_or_else(|error| {
            tracing::error!(%error, %origin, "the witness cannot use its store");
            Answer::text(500, "the witness cannot use its store")
        })
    }

    fn take(&self, request: &Request, key: &VerifierKey, now: Timestamp) -> io::Result<Answer> {
        let _one = self.keep.lock().unwrap_or_else(PoisonError::into_inner);
        let (path, new) = (self.path(&request.checkpoint.origin), &request.checkpoint);
        let known = stored(&path)?;
        let (size, root) = known.as_ref().map_or((0, crate::tree::empty()), |known| (known.size, known.root));
        if request.old != size {
            return Ok(Answer::size(size));
        }
        let evidence = Evidence::new(&path);
        if size == new.size && root != new.root {
            evidence.conflict(new, &request.note.by(key));
            return Ok(Answer::size(size));
        }
        if !consistent((size, &root), (new.size, &new.root), &request.path) {
            evidence.doubt(new, &request.note.by(key));
            return Ok(Answer::text(422, "the log did not only grow: the proof does not hold"));
        }
        let signature = request.note.cosign(&self.key, u64::try_from(now.as_second()).unwrap_or(0))?;
        // On the disk before it is out: after a crash, what was signed is known.
        replace(&path, request.note.to_string().as_bytes())?;
        fs::File::open(&self.folder)?.sync_all()?;
        evidence.settle(new);
        Ok(Answer { status: 200, kind: "text/plain; charset=utf-8", body: format!("{signature}\n") })
    }

    /// An origin is anything: its hash is a file's name.
    fn path(&self, origin: &str) -> PathBuf {
        self.folder.join(Hash::of(origin.as_bytes()).to_string())
    }
}

fn stored(path: &Path) -> io::Result<Option<Checkpoint>> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let known = Note::parse(&text).ok().and_then(|note| Checkpoint::of(&note).ok());
            known.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a damaged checkpoint"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(body: &str) -> Option<Request> {
    let (head, note) = body.split_once("\n\n")?;
    let mut lines = head.split('\n');
    let old = decimal(lines.next()?.strip_prefix("old ")?)?;
    let path = lines.map(hash).collect::<Option<Vec<_>>>()?;
    let note = Note::parse(note).ok()?;
    let checkpoint = Checkpoint::of(&note).ok()?;
    (path.len() <= LONGEST_PROOF).then_some(Request { old, path, note, checkpoint })
}
