//! `Notary`: signs how far the log goes, a few times a second, and keeps the newest checkpoint outside the database.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tracing::error;

use crate::checkpoint::{self, Anchor, Checkpoint};
use crate::note::{Note, Signer};
use crate::tree::Tree;

/// How often a busy log is signed: a signature a group would cost a lone caller a tenth of its time.
const INTERVAL: Duration = Duration::from_millis(200);

/// Holds the log's key.
pub(crate) struct Notary {
    signer: Box<dyn Signer>,
    keeper: Option<Keeper>,
    /// The newest checkpoint, while the keeper is busy with another.
    waits: Option<Note>,
    /// The size that is signed.
    size: u64,
    /// When it was signed.
    at: Option<Instant>,
    /// Whether the last try failed: it is said once.
    failing: bool,
    /// Whether the next transaction is signed or does not happen.
    insists: bool,
}

impl Notary {
    /// `size` is what a checkpoint covers already.
    pub(crate) fn new(signer: Box<dyn Signer>, anchor: Anchor, size: u64) -> Self {
        let keeper = Some(Keeper::start(anchor));
        Self { signer, keeper, waits: None, size, at: None, failing: false, insists: false }
    }

    /// The next transaction is signed or does not happen: what it says is to count only by its signature. Asks the key first,
    /// with what is there already, so that nothing is tried that cannot be signed.
    pub(crate) fn insist(mut self, tree: &Tree) -> io::Result<Self> {
        self.checkpoint(tree).sign(self.signer.as_ref())?;
        self.insists = true;
        Ok(self)
    }

    /// How many records are signed.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The next commit is signed.
    pub(crate) fn hurry(&mut self) {
        self.at = None;
    }

    /// Whether there is something to sign, and it is time.
    pub(crate) fn is_due(&self, tree: &Tree) -> bool {
        tree.size() > self.size && self.at.is_none_or(|at| at.elapsed() >= INTERVAL)
    }

    /// Signs the tree and stores that in the running transaction, if it is due. A key that does not sign leaves records
    /// without a signature for a while, not calls without records.
    pub(crate) fn sign(&mut self, db: &Connection, tree: &Tree) -> rusqlite::Result<Option<Note>> {
        if !self.is_due(tree) {
            return Ok(None);
        }
        let checkpoint = self.checkpoint(tree);
        match checkpoint.sign(self.signer.as_ref()) {
            Ok(note) => {
                checkpoint::save(db, checkpoint.size, &note)?;
                Ok(Some(note))
            }
            Err(error) if self.insists => Err(rusqlite::Error::ToSqlConversionFailure(Box::new(error))),
            Err(error) => {
                self.at = Some(Instant::now());
                self.complain(&error, "the log's key does not sign: its newest records have no checkpoint");
                Ok(None)
            }
        }
    }

    fn checkpoint(&self, tree: &Tree) -> Checkpoint {
        Checkpoint { origin: self.signer.verifier().name().to_owned(), size: tree.size(), root: tree.root() }
    }

    /// The checkpoint is on the disk. INVARIANT: the file outside never says more than the database holds, so that a crash
    /// between the two does not look like a roll-back.
    pub(crate) fn signed(&mut self, size: u64, note: Note) {
        (self.size, self.at, self.failing, self.insists) = (size, Some(Instant::now()), false, false);
        self.waits = Some(note);
        self.keep();
    }

    /// Hands the newest checkpoint to the keeper, if it is free.
    pub(crate) fn keep(&mut self) {
        if let (Some(keeper), Some(note)) = (&self.keeper, self.waits.take())
            && let Err(TrySendError::Full(note)) = keeper.notes.try_send(note)
        {
            self.waits = Some(note);
        }
    }

    fn complain(&mut self, error: &io::Error, what: &str) {
        if !self.failing {
            error!(%error, "{what}");
        }
        self.failing = true;
    }
}

impl Drop for Notary {
    /// The last checkpoint is outside before the log is given up.
    fn drop(&mut self) {
        let Some(Keeper { notes, thread }) = self.keeper.take() else { return };
        if let Some(note) = self.waits.take() {
            // It ends only when this end is closed.
            drop(notes.send(note));
        }
        drop(notes);
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

/// Writes the file outside on a thread of its own: its disk may be slow, and nobody's call waits for it.
struct Keeper {
    notes: SyncSender<Note>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    fn start(anchor: Anchor) -> Self {
        let (notes, queue) = sync_channel(1);
        let keep = thread::Builder::new().name("checkpoint".to_owned()).spawn(move || keep(&anchor, &queue));
        let thread = keep.inspect_err(|error| error!(%error, "no checkpoint is kept outside the database")).ok();
        Self { notes, thread }
    }
}

fn keep(anchor: &Anchor, queue: &Receiver<Note>) {
    let mut failing = false;
    for note in queue {
        let kept = anchor.write(&note);
        if let (Err(error), false) = (&kept, failing) {
            error!(%error, path = %anchor.path().display(), "cannot keep the newest checkpoint outside the database");
        }
        failing = kept.is_err();
    }
}
