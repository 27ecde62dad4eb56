//! The part of the `Pen` that writes who the operators are.

use jiff::Timestamp;
use policies::approval::{Step, StepError};
use policies::{OperatorId, Role};
use rusqlite::{OptionalExtension, params};

use super::health::AuditError;
use super::pen::{Failed, Pen, done, micros};
use super::views::{Agent, Change};
use super::work::{Done, NotDone};
use crate::operator::{Door, Failures, Operator, Verifier};
use crate::record::Draft;

impl Pen<'_> {
    /// Whoever adds an agent answers for it.
    pub(super) fn own(&self, agent: &Agent) -> rusqlite::Result<()> {
        let Some(owner) = &agent.owner else {
            self.db.prepare_cached("DELETE FROM owner WHERE agent = ?1")?.execute([agent.name.as_str()])?;
            return Ok(());
        };
        let sql = "INSERT OR REPLACE INTO owner (agent, operator) VALUES (?1, ?2)";
        self.db.prepare_cached(sql)?.execute([agent.name.as_str(), owner.as_str()])?;
        Ok(())
    }

    /// INVARIANT: names that differ in case only are one person, who must not count as two.
    pub(super) fn operator(&mut self, draft: &Draft, operator: &Operator) -> Result<Done, Failed> {
        let taken = "SELECT 1 FROM operator WHERE name = ?1 COLLATE NOCASE";
        if self.db.prepare_cached(taken)?.exists([operator.name.as_str()])? {
            return Err(AuditError::IdTaken.into());
        }
        let seq = self.record(draft)?;
        let sql = "INSERT INTO operator (name, role, uid, pin, added) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.db.prepare_cached(sql)?.execute(params![
            operator.name.as_str(),
            operator.role.as_str(),
            operator.uid,
            operator.pin.as_str(),
            micros(operator.added)
        ])?;
        self.changes.push(Change::Operator(operator.clone()));
        Ok(done(seq))
    }

    pub(super) fn operator_pin(&mut self, draft: &Draft, name: &OperatorId, pin: &Verifier) -> Result<Done, Failed> {
        self.known(name)?;
        let seq = self.record(draft)?;
        let sql = "UPDATE operator SET pin = ?2 WHERE name = ?1";
        self.db.prepare_cached(sql)?.execute([name.as_str(), pin.as_str()])?;
        self.changes.push(Change::OperatorPin(name.clone(), pin.clone()));
        Ok(done(seq))
    }

    /// INVARIANT: while there are operators, one of them is an admin. Asked here, in the transaction that removes them: of two
    /// admins who remove each other at once, one stays.
    pub(super) fn no_operator(&mut self, draft: &Draft, name: &OperatorId) -> Result<Done, Failed> {
        self.known(name)?;
        if self.is_last_admin(name)? {
            return Err(AuditError::LastAdmin.into());
        }
        let seq = self.record(draft)?;
        self.db.prepare_cached("DELETE FROM operator WHERE name = ?1")?.execute([name.as_str()])?;
        self.db.prepare_cached("DELETE FROM failure WHERE name = ?1")?.execute([name.as_str()])?;
        self.db.prepare_cached("DELETE FROM passkey WHERE operator = ?1")?.execute([name.as_str()])?;
        self.changes.push(Change::NoOperator(name.clone()));
        self.end_delegations(draft, name)?;
        self.end_passes(draft, name)?;
        Ok(done(seq))
    }

    /// Counts in the transaction of the record, so that a restart forgets no failure.
    pub(super) fn tried(
        &mut self,
        draft: &Draft,
        name: &OperatorId,
        door: Door,
        failed: Option<Timestamp>,
    ) -> Result<Done, Failed> {
        self.known(name)?;
        let before = self.failed(name, door)?.unwrap_or(0);
        let failures = match failed {
            Some(last) => Failures { count: before.saturating_add(1), last: Some(last) },
            None => Failures::default(),
        };
        let seq = self.record(draft)?;
        self.save_failures(name, door, failures)?;
        Ok(done(seq))
    }

    /// How often they failed in a row at a door; `None` where nobody tried there.
    pub(super) fn failed(&self, name: &OperatorId, door: Door) -> rusqlite::Result<Option<u32>> {
        let sql = "SELECT count FROM failure WHERE name = ?1 AND door = ?2";
        self.db.prepare_cached(sql)?.query_row([name.as_str(), door.as_str()], |row| row.get(0)).optional()
    }

    pub(super) fn save_failures(&mut self, name: &OperatorId, door: Door, failures: Failures) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO failure (name, door, count, last) VALUES (?1, ?2, ?3, ?4)";
        let row = params![name.as_str(), door.as_str(), failures.count, failures.last.map(micros)];
        self.db.prepare_cached(sql)?.execute(row)?;
        self.changes.push(Change::Failures(name.clone(), door, failures));
        Ok(())
    }

    /// Whether they are the only admin, and not the only operator.
    fn is_last_admin(&self, name: &OperatorId) -> rusqlite::Result<bool> {
        let sql = "SELECT role = ?2 AND EXISTS (SELECT 1 FROM operator WHERE name <> ?1)
                       AND NOT EXISTS (SELECT 1 FROM operator WHERE name <> ?1 AND role = ?2)
                   FROM operator WHERE name = ?1";
        let row = [name.as_str(), Role::Admin.as_str()];
        self.db.prepare_cached(sql)?.query_row(row, |row| row.get(0))
    }

    /// INVARIANT: that they have the role which an approval counts for, and whoever lent them the right has it too, is asked
    /// here, in the transaction of the approval. Until somebody is added, whoever the kernel names is an admin.
    pub(super) fn ranks(&self, step: &Step) -> Result<(), Failed> {
        let (by, lent, wanted) = match step {
            Step::Approve { by, lent, role: Some(role), .. } => (by, lent.as_ref(), *role),
            Step::BreakGlass { by, role: Some(role), .. } => (by, None, *role),
            Step::Approve { role: None, .. }
            | Step::BreakGlass { role: None, .. }
            | Step::Deny { .. }
            | Step::Expire
            | Step::Cancel { .. }
            | Step::Consume { .. }
            | Step::Continue { .. } => return Ok(()),
        };
        if !self.has_operators()? {
            return Ok(());
        }
        let mut role = self.db.prepare_cached("SELECT role FROM operator WHERE name = ?1")?;
        for name in [Some(by), lent.map(|lent| &lent.by)].into_iter().flatten() {
            let found: Option<String> = role.query_row([name.as_str()], |row| row.get(0)).optional()?;
            if found.as_deref().and_then(Role::parse).is_none_or(|has| has < wanted) {
                return Err(NotDone::Step(StepError::NoRole).into());
            }
        }
        Ok(())
    }

    pub(super) fn known(&self, name: &OperatorId) -> Result<(), Failed> {
        if self.is_operator(name)? { Ok(()) } else { Err(AuditError::Unknown.into()) }
    }

    /// Until there are, the users of this machine approve.
    pub(super) fn has_operators(&self) -> rusqlite::Result<bool> {
        self.db.prepare_cached("SELECT 1 FROM operator LIMIT 1")?.exists([])
    }

    pub(super) fn is_operator(&self, name: &OperatorId) -> rusqlite::Result<bool> {
        self.db.prepare_cached("SELECT 1 FROM operator WHERE name = ?1")?.exists([name.as_str()])
    }
}
