//! The part of the `Pen` that asks whether whoever asks for something, or approves, is still who proved it: between the proof and
//! the record, they or their key may have been removed, or others may have come under their name.

use policies::approval::{Step, StepError};
use policies::{Hash, OperatorId};
use rusqlite::params;
use serde_json::Value;

use super::health::AuditError;
use super::pen::{Failed, Pen, micros};
use super::work::NotDone;
use crate::assertion::count;
use crate::author::Author;

impl Pen<'_> {
    /// INVARIANT: asked in the transaction of whatever they asked for, of the table as the records before it left it.
    pub(super) fn acts(&self, author: &Author) -> Result<(), Failed> {
        let stands = match author {
            Author::User => !self.has_operators()?,
            Author::Operator { name, added, pin } => self
                .db
                .prepare_cached("SELECT 1 FROM operator WHERE name = ?1 AND added = ?2 AND pin = ?3")?
                .exists(params![name.as_str(), micros(*added), pin.as_str()])?,
        };
        if stands { Ok(()) } else { Err(AuditError::NoAuthor.into()) }
    }

    /// INVARIANT: asked in the transaction of the approval, of the tables as the records before it left them: what a
    /// verification would not accept is not written, and whoever was removed a moment before lets nothing run.
    pub(super) fn stands(&self, step: &Step) -> Result<(), Failed> {
        let (Step::Approve { by, proof, .. } | Step::BreakGlass { by, proof, .. }) = step else { return Ok(()) };
        // Without operators the users of this machine approve, who have nothing to prove it with: whoever has was added.
        let added = proof.is_some() || self.has_operators()?;
        if added && !self.is_operator(by)? {
            return Err(NotDone::Step(StepError::NoOperator { by: by.clone() }).into());
        }
        if self.is_proven(by, proof.as_ref())? {
            Ok(())
        } else {
            Err(NotDone::Step(StepError::NoPasskey { by: by.clone() }).into())
        }
    }

    /// Whether the key that signed is theirs, and has shown the count that the signature says: else it was made anew under the
    /// same name. What no passkey signed was proven before.
    pub(super) fn is_proven(&self, by: &OperatorId, proof: Option<&Value>) -> rusqlite::Result<bool> {
        let text = |name: &str| proof.and_then(|proof| proof.get(name)).and_then(Value::as_str);
        if text("by") != Some("passkey") {
            return Ok(true);
        }
        let (Some(credential), Some(count)) = (text("credential"), text("authenticator_data").and_then(count)) else {
            return Ok(false);
        };
        let mut theirs =
            self.db.prepare_cached("SELECT credential FROM passkey WHERE operator = ?1 AND counter >= ?2")?;
        let mut rows = theirs.query(params![by.as_str(), count])?;
        while let Some(row) = rows.next()? {
            if Hash::of(row.get_ref(0)?.as_blob()?).to_string() == credential {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
