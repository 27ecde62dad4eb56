//! The part of the `Pen` that writes delegations: who lent whom the right to approve, and each use of it.

use policies::OperatorId;
use policies::approval::{Delegation, Hold, Lent, Step, StepError};
use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::health::AuditError;
use super::pen::{Failed, Pen, done, signed, text};
use super::views::Change;
use super::work::{Done, NotDone};
use crate::event::{DelegationEnd, Event};
use crate::record::{Draft, Kind};

impl Pen<'_> {
    /// INVARIANT: both are operators here, where it is written: a name that is added later is another person's. So is the key
    /// that signed it still there: a verification would not accept another.
    pub(super) fn delegate(
        &mut self,
        draft: &Draft,
        delegation: &Delegation,
        proof: Option<&Value>,
    ) -> Result<Done, Failed> {
        self.known(delegation.by())?;
        self.known(delegation.to())?;
        if !self.is_proven(delegation.by(), proof)? {
            return Err(AuditError::Unknown.into());
        }
        let seq = self.record(draft)?;
        let sql = "INSERT INTO delegation (id, delegation) VALUES (?1, ?2)";
        self.db.prepare_cached(sql)?.execute(params![signed(seq), text(delegation)])?;
        self.changes.push(Change::Delegation(seq, Box::new(delegation.clone())));
        Ok(done(seq))
    }

    pub(super) fn no_delegation(&mut self, draft: &Draft, id: u64) -> Result<Done, Failed> {
        if self.load_delegation(id)?.is_none() {
            return Err(AuditError::Unknown.into());
        }
        let seq = self.record(draft)?;
        self.forget_delegation(id)?;
        Ok(done(seq))
    }

    /// What an operator lent, and what they were lent, ends in the transaction that removes them, each with a record of its
    /// own after this one.
    pub(super) fn end_delegations(&mut self, draft: &Draft, removed: &OperatorId) -> rusqlite::Result<()> {
        let ids: Vec<i64> = {
            let mut all = self.db.prepare_cached("SELECT delegation, id FROM delegation ORDER BY id")?;
            let rows = all.query_map([], |row| Ok((super::recover::delegation(row)?, row.get(1)?)))?;
            let rows = rows.collect::<rusqlite::Result<Vec<(Delegation, i64)>>>()?;
            rows.into_iter().filter(|(delegation, _)| delegation.concerns(removed)).map(|(_, id)| id).collect()
        };
        for id in ids.into_iter().filter_map(|id| u64::try_from(id).ok()) {
            let event = Event::DelegationEnded { delegation: id, why: DelegationEnd::Removed, by: None };
            let detail = serde_json::to_vec(&event).unwrap_or_else(|_| b"{}".to_vec());
            self.record(&Draft::new(Kind::Event, draft.at, detail))?;
            self.forget_delegation(id)?;
        }
        Ok(())
    }

    /// INVARIANT: that the right is still lent, to whoever uses it, for this call and by whom it says, is asked here, in the
    /// transaction of the approval: what ended a moment before opens nothing.
    pub(super) fn lends(&self, hold: &Hold, step: &Step, at: jiff::Timestamp) -> Result<(), Failed> {
        let Step::Approve { by, lent: Some(Lent { by: of, delegation }), .. } = step else { return Ok(()) };
        let found = self.load_delegation(*delegation)?;
        let good = |found: &Delegation| found.by() == of && found.to() == by && found.covers(hold, at);
        if found.is_some_and(|found| good(&found)) {
            Ok(())
        } else {
            Err(NotDone::Step(StepError::NoDelegation).into())
        }
    }

    fn load_delegation(&self, id: u64) -> rusqlite::Result<Option<Delegation>> {
        let sql = "SELECT delegation FROM delegation WHERE id = ?1";
        self.db.prepare_cached(sql)?.query_row([signed(id)], super::recover::delegation).optional()
    }

    fn forget_delegation(&mut self, id: u64) -> rusqlite::Result<()> {
        self.db.prepare_cached("DELETE FROM delegation WHERE id = ?1")?.execute([signed(id)])?;
        self.changes.push(Change::NoDelegation(id));
        Ok(())
    }
}
