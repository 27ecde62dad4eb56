//! The key that signs the log, and whether what is there is the log that was signed last.

use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use policies::Hash;
use ring::rand::{SecureRandom as _, SystemRandom};
use rusqlite::Connection;
use serde_json::json;
use thiserror::Error;

use super::work::Work;
use crate::checkpoint::{self, Anchor, Checkpoint};
use crate::note::{BadKey, FileKey, KeyType, Note, Signer, VerifierKey};
use crate::record::{Draft, Kind};
use crate::tile::Stored;
use crate::tree::{self, Tree};

/// The key's file in the state folder.
pub(crate) const KEY: &str = "log.key";

/// A key that is to follow; it does once its record is on the disk.
pub(crate) const NEXT: &str = "log.key.next";

/// Why what is there is not the log that was signed last. Each is refused: records would be lost without a trace.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NotOurs {
    /// The database is older than the newest checkpoint.
    #[error("the log has {found} records, and {expected} were signed: an older copy of the database was put back")]
    RolledBack {
        /// How many records were signed.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The first records are not those that were signed.
    #[error("the first {0} records are not those that were signed: the database is another log, or was rewritten")]
    Another(u64),
    /// The file outside the database is gone.
    #[error("the newest checkpoint is not in `{0}`, so nobody can tell whether the database is an older copy")]
    NoCheckpoint(String),
    /// The file outside the database is no checkpoint of this log.
    #[error("what is in `{0}` is not a checkpoint that a key of this log signed")]
    BadCheckpoint(String),
    /// The key file is gone.
    #[error("`{KEY}` is gone, and the log was signed with the key `{0}`")]
    NoKey(String),
    /// The key file holds another key.
    #[error("`{KEY}` holds another key than `{0}`, which signed the log")]
    AnotherKey(String),
    /// The key that is kept elsewhere is another.
    #[error("the configured key is not `{0}`, which signed the log: `portcullis log key rotate` hands the log over")]
    NotItsKey(String),
    /// It was to hand the log over to itself.
    #[error("the key `{0}` signs the log already")]
    SameKey(String),
    /// The last key that the log names has not signed it.
    #[error("the log names the key `{0}` last, and that key never signed it: it may be a stranger's log")]
    NeverSigned(String),
    /// The newest checkpoint in the database does not hold.
    #[error("the checkpoint in the database is not one of this log by its key")]
    Checkpoint,
    /// The tree cannot be read.
    #[error("cannot read the log's tree")]
    Read(#[from] rusqlite::Error),
    /// The key cannot be used.
    #[error("cannot use the log's key")]
    Key(#[from] BadKey),
    /// A file cannot be read.
    #[error("cannot read what the log was signed as")]
    File(#[from] io::Error),
}

/// The keys that records name, each with the number of its record.
pub(crate) fn known(db: &Connection) -> rusqlite::Result<Vec<(u64, String)>> {
    let mut statement = db.prepare("SELECT seq, vkey FROM log_key ORDER BY seq")?;
    let keys = statement.query_map([], |row| Ok((super::recover::number(row, 0)?, row.get(1)?)))?;
    keys.collect()
}

/// The log's key, made if there was none yet, and whether it is new.
pub(crate) fn load(state: &Path, db: &Connection) -> Result<(FileKey, bool), NotOurs> {
    let known = known(db)?;
    let Some((_, wanted)) = known.last() else {
        // A file that is there already is of a start that did not get to its first record, or of a database that is gone.
        let key = match FileKey::read(&state.join(KEY), KeyType::Log) {
            Err(BadKey::File(error)) if error.kind() == io::ErrorKind::NotFound => make(&state.join(KEY), None)?,
            read => read?,
        };
        return Ok((key, true));
    };
    settle(state, wanted)?;
    let key = match FileKey::read(&state.join(KEY), KeyType::Log) {
        Err(BadKey::File(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Err(NotOurs::NoKey(wanted.clone()));
        }
        read => read?,
    };
    if key.verifier().to_string() == *wanted { Ok((key, false)) } else { Err(NotOurs::AnotherKey(wanted.clone())) }
}

/// Whether a key that is kept elsewhere is a new log's first; it must be the log's otherwise.
pub(crate) fn expect(db: &Connection, key: &VerifierKey) -> Result<bool, NotOurs> {
    match known(db)?.pop() {
        None => Ok(true),
        Some((_, wanted)) if wanted == key.to_string() => Ok(false),
        Some((_, wanted)) => Err(NotOurs::NotItsKey(wanted)),
    }
}

/// A new key, of this name or of a log of its own.
pub(crate) fn make(path: &Path, name: Option<&str>) -> Result<FileKey, BadKey> {
    let mut id = [0; 8];
    SystemRandom::new().fill(&mut id).map_err(|_| BadKey::Random)?;
    let fresh = format!("portcullis/{}", Hash::of(&id).to_string().chars().take(16).collect::<String>());
    FileKey::make(path, name.unwrap_or(&fresh), KeyType::Log)
}

/// Ends a change of keys that was interrupted: the next key is the log's once its record is there.
pub(crate) fn settle(state: &Path, wanted: &str) -> Result<(), NotOurs> {
    let next = state.join(NEXT);
    match FileKey::read(&next, KeyType::Log) {
        Ok(key) if key.verifier().to_string() == wanted => fs::rename(&next, state.join(KEY))?,
        Err(BadKey::File(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(_) | Err(_) => fs::remove_file(&next)?,
    }
    Ok(fs::File::open(state)?.sync_all()?)
}

/// Checks the newest checkpoint in the database; answers what it covers. It must be by the log's last key, which signs in
/// the transaction of the record that names it: whoever has no such signature can name the key all the same, at the end of
/// a log of their own making, and have it signed by the next start.
pub(crate) fn signed(db: &Connection, tree: &Tree) -> Result<u64, NotOurs> {
    let keys = known(db)?;
    let Some((size, text)) = checkpoint::newest(db)? else {
        // The first commit has one, so only a log without a key has none.
        return if keys.is_empty() { Ok(0) } else { Err(NotOurs::Checkpoint) };
    };
    if let Some((_, key)) = keys.last().filter(|(seq, _)| *seq > size) {
        return Err(NotOurs::NeverSigned(key.clone()));
    }
    let key = keys.last().and_then(|(_, key)| key.parse::<VerifierKey>().ok());
    let note = Note::parse(&text).ok().filter(|note| key.as_ref().is_some_and(|key| note.verify(key).is_ok()));
    let found = note.and_then(|note| Checkpoint::of(&note).ok()).ok_or(NotOurs::Checkpoint)?;
    let fits = found.size == size
        && key.is_some_and(|key| key.name() == found.origin)
        && size <= tree.size()
        && tree::root(&mut Stored::new(db), size)? == found.root;
    if fits { Ok(size) } else { Err(NotOurs::Checkpoint) }
}

/// Checks that the database goes at least as far as the file outside says, and leads there. `fresh`: there was no key
/// before, so there was no file either.
pub(crate) fn anchored(
    db: &Connection,
    tree: &Tree,
    anchor: &Anchor,
    key: &dyn Signer,
    fresh: bool,
) -> Result<(), NotOurs> {
    let path = || anchor.path().display().to_string();
    let Some(text) = anchor.read()? else {
        if !fresh {
            return Err(NotOurs::NoCheckpoint(path()));
        }
        // Before the first record: a crash right after it must not look as if the file had been removed.
        let nothing = Checkpoint { origin: key.verifier().name().to_owned(), size: 0, root: tree::empty() };
        return Ok(anchor.write(&nothing.sign(key)?)?);
    };
    // Unsigned, anyone who can write the file could say what any older database leads to.
    let known = known(db)?;
    let own = |note: Note| {
        let found = Checkpoint::of(&note).ok()?;
        let signer = signer_at(&known, found.size).unwrap_or_else(|| key.verifier().clone());
        (note.verify(&signer).is_ok() && found.origin == signer.name()).then_some(found)
    };
    let expected = Note::parse(&text).ok().and_then(own).ok_or_else(|| NotOurs::BadCheckpoint(path()))?;
    if expected.size > tree.size() {
        return Err(NotOurs::RolledBack { expected: expected.size, found: tree.size() });
    }
    if tree::root(&mut Stored::new(db), expected.size)? == expected.root {
        Ok(())
    } else {
        Err(NotOurs::Another(expected.size))
    }
}

/// The key that signs a log of this size, by the keys that its records name: the first of them also before the record that
/// names it. `None` where they name none.
pub(crate) fn signer_at(known: &[(u64, String)], size: u64) -> Option<VerifierKey> {
    let named = known.iter().rev().find(|(seq, _)| *seq <= size).or_else(|| known.first());
    named.and_then(|(_, key)| key.parse().ok())
}

/// What the log's first record says beside what it says anyway, or the record by which an older log gets its key.
pub(crate) fn first(key: &VerifierKey, created: Option<serde_json::Value>, at: Timestamp) -> Work {
    let mut detail = created.unwrap_or_else(|| json!({ "event": "log-key" }));
    if let Some(members) = detail.as_object_mut() {
        members.insert("key".to_owned(), key.to_string().into());
    }
    record(&detail, key.clone(), at)
}

/// What the old key signs when another follows it.
pub(crate) fn succession(next: &VerifierKey) -> String {
    format!("portcullis log key/v1\n{next}\n")
}

/// The record by which another key follows. `signed` is the succession, signed by the old key.
pub(crate) fn follows(next: &VerifierKey, signed: Option<&Note>, mut detail: serde_json::Value, at: Timestamp) -> Work {
    if let Some(members) = detail.as_object_mut() {
        members.insert("key".to_owned(), next.to_string().into());
        if let Some(note) = signed {
            members.insert("signed".to_owned(), note.to_string().into());
        }
    }
    record(&detail, next.clone(), at)
}

fn record(detail: &serde_json::Value, key: VerifierKey, at: Timestamp) -> Work {
    Work::Key { draft: Draft::new(Kind::Event, at, detail.to_string().into_bytes()), key }
}
