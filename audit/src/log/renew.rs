//! Changes of the log's key: in order, signed by the key before; or because what is there must be taken for the log.

use std::fs;
use std::io;
use std::sync::Arc;

use serde_json::json;

use super::work::Work;
use super::{Opened, Shared, Writer, keys, recover};
use crate::checkpoint::{Anchor, newest};
use crate::entry::{Config, Ready, StartError};
use crate::log::notary::Notary;
use crate::note::{BadKey, FileKey, KeyType, Note, Signer, VerifierKey};
use crate::query;

/// The keys before and after a change.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// Which signed until now, as far as the log knows.
    pub before: Option<VerifierKey>,
    /// Which signs from now on.
    pub now: VerifierKey,
}

/// Has a new key sign the log from here on; the old one vouches for it, in a record.
///
/// # Errors
/// [`StartError`]: a gateway runs, or the log could not be started.
pub fn rotate_key(config: &Config) -> Result<Renewed, StartError> {
    let ready = Ready::open(config.clone())?;
    let (old, fresh) = keys::load(ready.state(), &ready.db)?;
    rotate(ready, &old, fresh)
}

/// The same for a log whose key is kept elsewhere: that key vouches for the new one.
///
/// # Errors
/// [`StartError`], also if another key signs the log.
pub fn rotate_key_from(config: &Config, old: &dyn Signer) -> Result<Renewed, StartError> {
    let ready = Ready::open(config.clone())?;
    let fresh = keys::expect(&ready.db, old.verifier())?;
    rotate(ready, old, fresh)
}

fn rotate(ready: Ready, old: &dyn Signer, fresh: bool) -> Result<Renewed, StartError> {
    if fresh {
        return Err(keys::NotOurs::Checkpoint.into());
    }
    let anchor = ready.anchor();
    keys::anchored(&ready.db, &ready.tree, &anchor, old, false)?;
    let signed = keys::signed(&ready.db, &ready.tree)?;
    // What nobody had signed, the new key signs now.
    let continued: Vec<Work> = ready.continued(signed).into_iter().collect();
    let detail = json!({ "event": "log-key-rotated" });
    if let Some(signer) = ready.signer.clone() {
        return hand_over(ready, old, &signer, detail, continued);
    }
    let path = ready.state().join(keys::NEXT);
    if path.exists() {
        // Of a change that was interrupted before its record: where there is a record, `settle` has put it in place.
        fs::remove_file(&path).map_err(keys::NotOurs::from)?;
    }
    let next = keys::make(&path, Some(old.verifier().name())).map_err(keys::NotOurs::from)?;
    change(ready, Some(old), next, detail, continued).and_then(done)
}

/// To a key that is kept elsewhere: a file with the old one goes, once the record is on the disk.
fn hand_over(
    ready: Ready,
    old: &dyn Signer,
    signer: &Arc<dyn Signer + Sync>,
    detail: serde_json::Value,
    further: Vec<Work>,
) -> Result<Renewed, StartError> {
    let (now, before) = (signer.verifier().clone(), Some(old.verifier().clone()));
    if Some(&now) == before.as_ref() {
        return Err(keys::NotOurs::SameKey(now.to_string()).into());
    }
    let vouched = Note::new(keys::succession(&now)).sign(old).map_err(keys::NotOurs::from)?;
    let work = keys::follows(&now, Some(&vouched), detail, (ready.clock)());
    let (file, anchor) = (ready.state().join(keys::KEY), ready.anchor());
    let notary = follower(&ready, Box::new(Arc::clone(signer)), anchor)?;
    let mut writer = writer(ready, notary)?;
    let works: Vec<Work> = std::iter::once(work).chain(further).collect();
    writer.begin_with(&works).map_err(|error| StartError::Database(Box::new(error)))?;
    if file.exists() {
        fs::remove_file(file).map_err(keys::NotOurs::from)?;
    }
    writer.finish();
    Ok(Renewed { before, now })
}

/// Takes what is in the database for the log, although it is not what was signed last: a restored backup, or a log whose
/// key or checkpoint is lost. What was expected, what is there and why are a record; the log gets a new name and key, since
/// no log may sign two histories.
///
/// # Errors
/// [`StartError`]: a gateway runs, or the log itself is damaged.
pub fn accept(config: &Config, reason: &str) -> Result<Renewed, StartError> {
    let ready = Ready::open(config.clone())?;
    let wanted = keys::known(&ready.db)?.pop().map(|(_, key)| key);
    if let Some(wanted) = &wanted {
        keys::settle(ready.state(), wanted)?;
    }
    let old = FileKey::read(&ready.state().join(keys::KEY), KeyType::Log).ok();
    let old = old.filter(|old| wanted.as_ref().is_none_or(|wanted| old.verifier().to_string() == *wanted));
    let expected = ready.anchor().read().ok().flatten();
    let newest = newest(&ready.db)?;
    let continued: Vec<Work> = ready.continued(newest.as_ref().map_or(0, |(size, _)| *size)).into_iter().collect();
    let detail = json!({ "event": "log-accepted", "reason": reason, "expected": expected, "records": ready.head.seq,
        "root": ready.tree.root(), "checkpoint": newest.map(|(_, note)| note) });
    let path = ready.state().join(keys::NEXT);
    if path.exists() {
        fs::remove_file(&path).map_err(keys::NotOurs::from)?;
    }
    let next = keys::make(&path, None).map_err(keys::NotOurs::from)?;
    change(ready, old.as_ref().map(|old| old as &dyn Signer), next, detail, continued).and_then(done)
}

/// Takes a restored backup for the log: what `detail` says is a record, and these works are one transaction with it. The log
/// gets a new name and key, as no log may sign two histories. `None` if one of the works was refused.
pub(crate) fn restored(
    ready: Ready,
    detail: serde_json::Value,
    mut works: Vec<Work>,
) -> Result<Option<Renewed>, StartError> {
    works.extend(ready.continued(newest(&ready.db)?.map_or(0, |(size, _)| size)));
    let wanted = keys::known(&ready.db)?.pop().map(|(_, key)| key);
    let old = FileKey::read(&ready.state().join(keys::KEY), KeyType::Log).ok();
    let old = old.filter(|old| wanted.as_ref().is_some_and(|wanted| old.verifier().to_string() == *wanted));
    let next = keys::make(&ready.state().join(keys::NEXT), None).map_err(keys::NotOurs::from)?;
    change(ready, old.as_ref().map(|old| old as &dyn Signer), next, detail, works)
}

/// Without further works there is nothing to refuse.
fn done(renewed: Option<Renewed>) -> Result<Renewed, StartError> {
    renewed.ok_or_else(|| keys::NotOurs::Checkpoint.into())
}

/// Record and signature first, then the file: a crash between the two is settled at the next start, by what the record
/// says. `None` if one of the further works was refused.
fn change(
    ready: Ready,
    old: Option<&dyn Signer>,
    next: FileKey,
    detail: serde_json::Value,
    further: Vec<Work>,
) -> Result<Option<Renewed>, StartError> {
    let now = next.verifier().clone();
    let vouched =
        old.map(|old| Note::new(keys::succession(&now)).sign(old)).transpose().map_err(keys::NotOurs::from)?;
    let work = keys::follows(&now, vouched.as_ref(), detail, (ready.clock)());
    let before = old.map(|old| old.verifier().clone());
    let (state, anchor) = (ready.state().to_owned(), ready.anchor());
    let notary = follower(&ready, Box::new(next), anchor)?;
    let mut writer = writer(ready, notary)?;
    let works: Vec<Work> = std::iter::once(work).chain(further).collect();
    if !writer.begin_with(&works).map_err(|error| StartError::Database(Box::new(error)))? {
        return Ok(None);
    }
    keys::settle(&state, &now.to_string())?;
    writer.finish();
    Ok(Some(Renewed { before, now }))
}

/// The key that follows signs in the transaction of the record that names it. INVARIANT: so the log's last key has signed
/// that it is: a log that names it at its end, and that it never signed, is a stranger's.
fn follower(ready: &Ready, next: Box<dyn Signer>, anchor: Anchor) -> Result<Notary, StartError> {
    Notary::new(next, anchor, 0).insist(&ready.tree).map_err(StartError::NoSignature)
}

pub(crate) fn writer(ready: Ready, notary: Notary) -> Result<Writer, StartError> {
    let views = recover::views(&ready.db)?;
    let shared = Arc::new(Shared::new(ready.state().to_owned(), ready.patience, views));
    let path = ready.state().to_owned();
    let Ready { db, head, tree, lock, reserve, clock, patience, .. } = ready;
    let opened = Opened { db, head, tree, notary, lock, reserve, clock, patience, bodies: None };
    Writer::new(opened, shared).map_err(|source| StartError::Folder { path, source })
}

/// The public key in a state folder: of the key's file, or, where the key is kept elsewhere, as the log names it.
///
/// # Errors
/// [`BadKey`] if there is none or it cannot be read.
pub fn log_key(state: &std::path::Path) -> Result<VerifierKey, BadKey> {
    match FileKey::read(&state.join(keys::KEY), KeyType::Log) {
        Err(BadKey::File(error)) if error.kind() == io::ErrorKind::NotFound => {
            let known = query::open(state).ok().and_then(|db| keys::known(&db).ok()?.pop());
            known.map_or(Err(BadKey::File(error)), |(_, key)| key.parse())
        }
        read => Ok(read?.verifier().clone()),
    }
}
