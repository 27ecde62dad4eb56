//! Which key signs the log at each record, and whether the trusted key leads there.

use std::collections::BTreeMap;

use policies::Value;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{Broken, Kind, QueryError, Record, VerifyError, What};
use crate::log::keys;
use crate::note::{Note, VerifierKey};

/// The keys that the records so far name.
pub(super) struct Succession {
    trusted: Option<VerifierKey>,
    /// Record → the key that signs from it on, and whether it is the trusted one or one that the trusted one leads to. INVARIANT:
    /// that is known of each key by itself. What comes after a checkpoint says nothing of whoever signed it: a record that
    /// names the trusted key at the end of a stranger's log makes the stranger no better.
    keys: BTreeMap<u64, (VerifierKey, bool)>,
    /// Every record about it.
    history: Vec<Named>,
}

/// What a record says of the log's key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// Its number.
    pub(super) seq: u64,
    event: String,
    /// The first record of a log that is older than its tree names none.
    key: Option<String>,
    /// What the key before signed.
    signed: Option<String>,
}

impl Succession {
    pub(super) fn new(trusted: Option<&VerifierKey>) -> Self {
        Self { trusted: trusted.cloned(), keys: BTreeMap::new(), history: Vec::new() }
    }

    /// Notes a change of keys, or that the log went on from what was not signed. The key that is trusted must have vouched
    /// for the one that follows it.
    pub(super) fn follow(&mut self, record: &Record) -> Result<(), What> {
        let text = |name: &str| record.detail.get(name).and_then(Value::as_str).map(str::to_owned);
        let changes = ["log-created", "log-key", "log-key-rotated", "log-accepted", "log-restored", "log-continued"];
        let event = text("event").filter(|event| record.kind == Kind::Event && changes.contains(&event.as_str()));
        let Some(event) = event else { return Ok(()) };
        self.take(Named { seq: record.seq, event, key: text("key"), signed: text("signed") })
    }

    /// The same, of a record that may be gone: what it says of keys needs no record to be checked.
    pub(super) fn take(&mut self, named: Named) -> Result<(), What> {
        let Named { seq, key, signed, .. } = named.clone();
        self.history.push(named);
        let Some(key) = key else { return Ok(()) };
        let key: VerifierKey = key.parse().map_err(|_| What::Key)?;
        let before = self.keys.last_key_value().map(|(_, known)| known);
        let vouched = match (before, signed) {
            (Some((before, _)), Some(note)) => {
                let note = Note::parse(&note).map_err(|_| What::Key)?;
                if note.text() != keys::succession(&key) || note.verify(before).is_err() {
                    return Err(What::Key);
                }
                true
            }
            (None, _) | (_, None) => false,
        };
        let was = before.is_some_and(|(_, reached)| *reached);
        let reached = match &self.trusted {
            None => true,
            Some(trusted) => *trusted == key || was && vouched,
        };
        if was && !reached {
            return Err(What::Key);
        }
        self.keys.insert(seq, (key, reached));
        Ok(())
    }

    /// The records about such an event.
    pub(super) fn of(&self, event: &str) -> Vec<u64> {
        self.history.iter().filter(|named| named.event == event).map(|named| named.seq).collect()
    }

    /// Every record about the log's key so far.
    pub(super) fn history(&self) -> &[Named] {
        &self.history
    }

    /// The key that signs a log of this size; the trusted one where the log does not lead to it, so that the signature is
    /// what fails.
    pub(super) fn at(&self, size: u64) -> Option<&VerifierKey> {
        let (own, reached) = self.keys.range(..=size).next_back().map(|(_, known)| known)?;
        if *reached { Some(own) } else { self.trusted.as_ref() }
    }

    /// The stored keys must be those that the records name.
    pub(super) fn compare(&self, db: &Connection, treeless: bool) -> Result<(), VerifyError> {
        if treeless {
            return Ok(());
        }
        let stored = keys::known(db).map_err(QueryError::from)?;
        let named = self.keys.iter().map(|(seq, (key, _))| (*seq, key.to_string()));
        if named.eq(stored.iter().cloned()) {
            return Ok(());
        }
        let seq = self.keys.keys().copied().chain(stored.iter().map(|(seq, _)| *seq)).max().unwrap_or(0);
        Err(Broken { seq, what: What::Projection("list of the log's keys") }.into())
    }
}
