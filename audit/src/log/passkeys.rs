//! The part of the `Pen` that writes which keys sign for whom.

use jiff::Timestamp;
use policies::OperatorId;
use rusqlite::{OptionalExtension, params};

use super::health::AuditError;
use super::pen::{Failed, Pen, done, micros};
use super::views::Change;
use super::work::Done;
use crate::assertion::counted;
use crate::operator::{Door, Failures};
use crate::passkey::{Credential, MOST_PASSKEYS, Passkey};
use crate::record::Draft;

/// The columns as they are read.
pub(super) const SELECT: &str = "SELECT credential, operator, label, site, key, counter, added, used FROM passkey";

impl Pen<'_> {
    /// INVARIANT: one key signs for one person, or a signature would not say whose it is.
    pub(super) fn passkey(&mut self, draft: &Draft, passkey: &Passkey) -> Result<Done, Failed> {
        self.known(&passkey.operator)?;
        let taken = "SELECT 1 FROM passkey WHERE credential = ?1";
        if self.db.prepare_cached(taken)?.exists([passkey.credential.as_bytes()])? {
            return Err(AuditError::IdTaken.into());
        }
        // Here, since more than one can be begun at once.
        let sql = "SELECT count(*) FROM passkey WHERE operator = ?1";
        let have: i64 = self.db.prepare_cached(sql)?.query_row([passkey.operator.as_str()], |row| row.get(0))?;
        if usize::try_from(have).unwrap_or(usize::MAX) >= MOST_PASSKEYS {
            return Err(AuditError::EnoughPasskeys.into());
        }
        let seq = self.record(draft)?;
        let sql = "INSERT INTO passkey (credential, operator, label, site, key, counter, added)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.db.prepare_cached(sql)?.execute(params![
            passkey.credential.as_bytes(),
            passkey.operator.as_str(),
            passkey.label,
            passkey.site,
            passkey.key.to_string(),
            passkey.counter,
            micros(passkey.added)
        ])?;
        self.changes.push(Change::Passkey(Box::new(passkey.clone())));
        Ok(done(seq))
    }

    pub(super) fn no_passkey(
        &mut self,
        draft: &Draft,
        name: &OperatorId,
        credential: &Credential,
    ) -> Result<Done, Failed> {
        self.passkey_of(name, credential)?;
        let seq = self.record(draft)?;
        self.db.prepare_cached("DELETE FROM passkey WHERE credential = ?1")?.execute([credential.as_bytes()])?;
        self.changes.push(Change::NoPasskey(credential.clone()));
        Ok(done(seq))
    }

    /// INVARIANT: a count is shown once. Here, in the transaction that keeps it, so that of two copies of one signature that
    /// come at once one is refused.
    pub(super) fn passkey_used(
        &mut self,
        draft: &Draft,
        (name, credential): (&OperatorId, &Credential),
        counter: u32,
        door: Door,
        at: Timestamp,
    ) -> Result<Done, Failed> {
        let passkey = self.passkey_of(name, credential)?;
        counted(passkey.counter, counter).map_err(|_| AuditError::AlreadyConsumed)?;
        let seq = self.record(draft)?;
        let sql = "UPDATE passkey SET counter = ?2, used = ?3 WHERE credential = ?1";
        self.db.prepare_cached(sql)?.execute(params![credential.as_bytes(), counter, micros(at)])?;
        self.changes.push(Change::Passkey(Box::new(Passkey { counter, used: Some(at), ..passkey })));
        // Where nobody failed there is nothing to forget; a record of every signature must not make a row at every door.
        if self.failed(name, door)?.is_some() {
            self.save_failures(name, door, Failures::default())?;
        }
        Ok(done(seq))
    }

    fn passkey_of(&self, name: &OperatorId, credential: &Credential) -> Result<Passkey, Failed> {
        let sql = format!("{SELECT} WHERE credential = ?1 AND operator = ?2");
        let row = params![credential.as_bytes(), name.as_str()];
        let found = self.db.prepare_cached(&sql)?.query_row(row, super::recover::passkey).optional()?;
        found.ok_or_else(|| AuditError::Unknown.into())
    }
}
