//! The newest checkpoint outside the database, where it lies in the state folder: a file that anyone can write who can write
//! the folder, so it says nothing unless a key of the log signed it.

use std::path::Path;

use super::{Broken, QueryError, VerifyError, What};
use crate::checkpoint::{Anchor, Checkpoint};
use crate::log::{keys, tables};
use crate::note::{BadNote, Note};
use crate::query;

/// The checkpoint in the state folder's own file, `None` if it is not there: the log must lead to it. Ask before the log is
/// verified: a gateway that runs is ahead of the file, never behind.
///
/// # Errors
/// [`VerifyError::Broken`] if it is not one that a key of the log signed, as the log names its keys.
pub fn outside(state: &Path) -> Result<Option<Checkpoint>, VerifyError> {
    let text = Anchor::new(state, None).read().map_err(|error| QueryError::Database(Box::new(error)))?;
    let Some(text) = text else { return Ok(None) };
    let broken = |bad| VerifyError::from(Broken { seq: 0, what: What::Outside(bad) });
    let note = Note::parse(&text).map_err(broken)?;
    let found = Checkpoint::of(&note).map_err(|_| broken(BadNote::Form))?;
    let db = query::open(state)?;
    let treeless = tables::layout(&db).map_err(QueryError::from)? == tables::TREELESS;
    let known = if treeless { Vec::new() } else { keys::known(&db).map_err(QueryError::from)? };
    // A log that names no key was never signed, so nothing belongs there: it must lead to what is there all the same.
    let Some(key) = keys::signer_at(&known, found.size) else { return Ok(Some(found)) };
    note.verify(&key).map_err(broken)?;
    if found.origin == key.name() { Ok(Some(found)) } else { Err(broken(BadNote::Unsigned(key.to_string()))) }
}
