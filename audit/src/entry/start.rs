//! The start of the log: the lock, the file, what a crash left.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use policies::approval::Hold;
use policies::{CallId, Hash};
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::Connection;
use serde_json::json;
use thiserror::Error;
use tracing::warn;

use super::Audit;
use crate::backup::{MARK, RESTORING};
use crate::checkpoint::Anchor;
use crate::event::Event;
use crate::index::Feeder;
use crate::log::files::{DATABASE, Lock, Reserve, prepare, private};
use crate::log::keys::{self, NotOurs};
use crate::log::notary::Notary;
use crate::log::pen::Head;
use crate::log::pruned;
use crate::log::recover::{self, Unusable};
use crate::log::work::Work;
use crate::log::{Clock, Log, Opened, PATIENCE, QUEUE, Shared, Writer, tables};
use crate::note::{Signer, VerifierKey};
use crate::query;
use crate::record::{Draft, Kind};
use crate::redact::Redactor;
use crate::seal::{KeyError, Seal};
use crate::tree::Tree;

/// Where the log lies and how it behaves.
#[derive(Clone)]
pub struct Config {
    state: PathBuf,
    clock: Clock,
    reserve: u64,
    patience: Duration,
    checkpoint: Option<PathBuf>,
    signer: Option<Arc<dyn Signer + Sync>>,
    bodies: Option<SignedDuration>,
}

impl Config {
    /// A log in this folder, by this clock.
    pub fn new(state: impl Into<PathBuf>, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        // 4 MB: a thousand outcomes of ordinary size.
        let (state, clock) = (state.into(), Arc::new(clock));
        Self { state, clock, reserve: 4 << 20, patience: PATIENCE, checkpoint: None, signer: None, bodies: None }
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn anchor(&self) -> Anchor {
        Anchor::new(&self.state, self.checkpoint.as_deref())
    }

    /// How many bytes are set apart for a full disk.
    #[must_use]
    pub fn reserve(self, bytes: u64) -> Self {
        Self { reserve: bytes, ..self }
    }

    /// How long a caller waits for the disk before it is refused.
    #[must_use]
    pub fn wait(self, wait: Duration) -> Self {
        Self { patience: wait, ..self }
    }

    /// The file that keeps the newest checkpoint: on another disk than the state folder, it does not go back with it.
    #[must_use]
    pub fn checkpoint(self, file: Option<PathBuf>) -> Self {
        Self { checkpoint: file, ..self }
    }

    /// How long arguments, results and messages are kept beside their records; for ever where nothing is said.
    #[must_use]
    pub fn bodies(self, keep: Option<SignedDuration>) -> Self {
        Self { bodies: keep, ..self }
    }

    /// Who signs, where it is not a key in the state folder. A log that another key signed is refused until
    /// [`rotate_key`](crate::rotate_key) hands it over.
    #[must_use]
    pub fn signer(self, signer: Option<Arc<dyn Signer + Sync>>) -> Self {
        Self { signer, ..self }
    }
}

/// What a start found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The calls that were running when the gateway stopped. Their records now say `interrupted`; they are never retried.
    pub interrupted: Vec<CallId>,
    /// The holds that are still open.
    pub holds: Vec<Hold>,
    /// The holds that were denied and whose time is not over: the denial stands until it is.
    pub denied: Vec<Hold>,
}

/// Why the log cannot be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The state folder cannot be made or used.
    #[error("cannot use the state folder `{path}`")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another gateway writes there.
    #[error("another gateway uses the state folder `{0}`")]
    Locked(PathBuf),
    /// The key of held calls.
    #[error("cannot use the key in the state folder")]
    Key(#[source] KeyError),
    /// A later version made it.
    #[error("the log has layout {found}; this program knows {known}")]
    Layout {
        /// What is there.
        found: i64,
        /// What is known.
        known: i64,
    },
    /// Its last records are not what was written. `portcullis log verify` says more.
    #[error("the log was changed: record {seq}: {what}")]
    Broken {
        /// The first bad record.
        seq: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// It is a copy that `portcullis backup` made: approvals in it may have been used since.
    #[error("the database is a backup: `portcullis restore` makes a log of it, and records that")]
    Backup,
    /// A restore stopped midway.
    #[error("a restore into `{0}` was not finished: run `portcullis restore --force` again")]
    Restoring(PathBuf),
    /// It is not the log that was signed last.
    #[error("the log is not the one that was signed last; `portcullis log accept` takes it as it is, and records that")]
    NotOurs(#[from] NotOurs),
    /// The key does not sign what only counts once it is signed; nothing was changed.
    #[error("the log's key does not sign, so nothing was changed")]
    NoSignature(#[source] io::Error),
    /// `SQLite` cannot open, read or write it.
    #[error("cannot open the log")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The writer's thread cannot be started.
    #[error("cannot start the log's thread")]
    Thread(#[source] io::Error),
}

impl From<Unusable> for StartError {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Broken { seq, what } => Self::Broken { seq, what },
            Unusable::Database(error) => error.into(),
        }
    }
}

impl From<rusqlite::Error> for StartError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Box::new(error))
    }
}

impl Audit {
    /// Opens the log in a state folder, making what is not there, and closes what a crash left open.
    ///
    /// # Errors
    /// [`StartError`]; then nothing was written, but for the folder, the lock and the key.
    pub fn start(config: Config, redactor: Arc<Redactor>) -> Result<(Self, Recovered), StartError> {
        let ready = Ready::open(config)?;
        let notary = ready.notary()?;
        let first = ready.first(&notary);
        // What a record says is gone and a crash left.
        pruned::finish(ready.state(), &ready.db, &ready.anchor())?;
        let Ready { state, db, head, tree, lock, reserve, clock, patience, bodies, .. } = ready;
        let folder = |source| StartError::Folder { path: state.clone(), source };
        let seal = Seal::load(&state).map_err(StartError::Key)?;
        let debts = recover::running(&db)?;
        let views = recover::views(&db)?;
        if let Err(error) = reserve.fill() {
            warn!(%error, "too little disk space to set some apart for the log");
        }
        let recovered = Recovered {
            interrupted: recover::calls(&debts),
            holds: views.holds.values().cloned().collect(),
            denied: recover::denied(&db, clock())?,
        };
        let shared = Arc::new(Shared::new(state.clone(), patience, views));
        for debt in debts {
            shared.owed.add(debt);
        }
        let opened = Opened { db, head, tree, notary: notary.0, lock, reserve, clock, patience, bodies };
        let mut writer = Writer::new(opened, Arc::clone(&shared)).map_err(folder)?;
        writer.begin(first).map_err(|error| StartError::Database(Box::new(error)))?;
        let feeder = Feeder::start(state).map_err(StartError::Thread)?;
        let (queue, work) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || writer.run(&work, feeder))
            .map_err(StartError::Thread)?;
        let log = Log::new(queue, shared, patience);
        Ok((Self { log, redactor, seal: Arc::new(seal), author: None }, recovered))
    }
}

/// A log that is opened and sound, before anything is written to it.
pub(crate) struct Ready {
    state: PathBuf,
    checkpoint: Option<PathBuf>,
    /// Who signs, where it is not a key in the state folder.
    pub(crate) signer: Option<Arc<dyn Signer + Sync>>,
    /// Whether there ever was a log in the folder.
    known: bool,
    pub(crate) db: Connection,
    pub(crate) head: Head,
    pub(crate) tree: Tree,
    pub(crate) lock: Lock,
    pub(crate) reserve: Reserve,
    pub(crate) clock: Clock,
    pub(crate) patience: Duration,
    bodies: Option<SignedDuration>,
}

impl Ready {
    pub(crate) fn open(config: Config) -> Result<Self, StartError> {
        let state = &config.state;
        let folder = |source| StartError::Folder { path: state.clone(), source };
        prepare(state).map_err(folder)?;
        // Only a start makes the lock's file, and nothing removes it: where it is, there was a log.
        let known = Lock::exists(state);
        let lock = Lock::take(state).map_err(folder)?.ok_or_else(|| StartError::Locked(state.clone()))?;
        if state.join(RESTORING).exists() {
            return Err(StartError::Restoring(state.clone()));
        }
        // Before it is opened to be written: a backup stays as it is listed.
        if query::open(state).is_ok_and(|db| tables::application(&db).is_ok_and(|found| found == MARK)) {
            return Err(StartError::Backup);
        }
        let db = database(state)?;
        Self::with(config, known, lock, db)
    }

    /// A backup that was put in place, and is to become a log.
    pub(crate) fn of_backup(config: Config, lock: Lock) -> Result<Self, StartError> {
        let db = database(&config.state)?;
        Self::with(config, true, lock, db)
    }

    fn with(config: Config, known: bool, lock: Lock, db: Connection) -> Result<Self, StartError> {
        let Config { state, clock, reserve, patience, checkpoint, signer, bodies } = config;
        let head = recover::head(&db)?;
        let tree = recover::tree(&db, head.seq)?;
        let reserve = Reserve::new(&state, reserve);
        Ok(Self { state, checkpoint, signer, known, db, head, tree, lock, reserve, clock, patience, bodies })
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    pub(crate) fn anchor(&self) -> Anchor {
        Anchor::new(&self.state, self.checkpoint.as_deref())
    }

    /// Whoever signs, after it is certain that this is the log that was signed last; and the key, if it is new.
    pub(crate) fn notary(&self) -> Result<(Notary, Option<VerifierKey>), NotOurs> {
        let (key, fresh) = match &self.signer {
            None => keys::load(&self.state, &self.db).map(|(key, fresh)| (Box::new(key) as Box<dyn Signer>, fresh))?,
            Some(signer) => {
                (Box::new(Arc::clone(signer)) as Box<dyn Signer>, keys::expect(&self.db, signer.verifier())?)
            }
        };
        keys::anchored(&self.db, &self.tree, &self.anchor(), key.as_ref(), fresh)?;
        let signed = keys::signed(&self.db, &self.tree)?;
        let new = fresh.then(|| key.verifier().clone());
        let notary = Notary::new(key, self.anchor(), signed);
        // A log's first record is signed too, or no later start would take it.
        let notary = if fresh { notary.insist(&self.tree)? } else { notary };
        Ok((notary, new))
    }

    /// What a start must say first: in the record that names a new key, the log's first unless the log is older than its
    /// tree; or that it goes on from records that nobody signed.
    fn first(&self, (notary, key): &(Notary, Option<VerifierKey>)) -> Option<Work> {
        let Some(key) = key else { return self.continued(notary.size()) };
        let created = (self.head.seq == 0).then(|| serde_json::to_value(created(self.known)).ok()).flatten();
        Some(keys::first(key, created, (self.clock)()))
    }

    /// The record that says which of the last records nobody had signed, if so many were. A crash leaves such, a fifth of a
    /// second's worth; and so does whoever can write the database, whose records the next signature would make as good as
    /// any other. They are told apart by nothing here, so they are told of.
    pub(crate) fn continued(&self, signed: u64) -> Option<Work> {
        let head = self.head.seq;
        if head <= signed {
            return None;
        }
        warn!(signed, head, "the log goes on from records that nobody had signed: a record says so");
        let detail = json!({ "event": "log-continued", "signed": signed, "head": head });
        Some(Work::Record(Draft::new(Kind::Event, (self.clock)(), detail.to_string().into_bytes())))
    }
}

/// Opens the database; makes it if there is none.
fn database(state: &Path) -> Result<Connection, StartError> {
    let folder = |source| StartError::Folder { path: state.to_owned(), source };
    // SQLite would make it readable to others; its other files take their mode from this one. Nothing of this process has
    // it open yet, so closing it here drops no lock.
    private(&state.join(DATABASE)).map_err(folder)?;
    let db = tables::open(state)?;
    if tables::layout(&db)? == 0 {
        tables::create(&db)?;
        std::fs::File::open(state).and_then(|folder| folder.sync_all()).map_err(folder)?;
    }
    if tables::layout(&db)? == tables::TREELESS {
        tables::grow(&db)?;
    }
    match tables::layout(&db)? {
        tables::LAYOUT => {
            tables::complete(&db)?;
            if tables::forget_figures(&db)? { Ok(tables::open(state)?) } else { Ok(db) }
        }
        found => Err(StartError::Layout { found, known: tables::LAYOUT }),
    }
}

fn created(known: bool) -> Event {
    let mut id = [0; 16];
    // Without randomness the id is zero: it names the log and protects nothing.
    let _: Result<(), ring::error::Unspecified> = SystemRandom::new().fill(&mut id);
    let log = Hash::of(&id).to_string().chars().take(32).collect();
    Event::LogCreated { log, replaces: known }
}
