//! `Pen`: writes one group's records and projections inside one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use policies::approval::{Hold, HoldState, Step, StepError};
use policies::{Hash, HoldId, ServerName, Value};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde_json::json;

use super::health::AuditError;
use super::retention::BEHIND;
use super::views::{Borrowed, Change, Mark, MarkKind, Pending, Pin, PinKey, used_key};
use super::work::{Approval, Done, Guard, NotDone, Owed, Passing, Work};
use crate::note::VerifierKey;
use crate::record::{self, Decided, Draft, Kind, Subject};
use crate::tree::Tree;

/// The last record's number and chain value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) chain: Hash,
}

impl Head {
    pub(crate) fn start() -> Self {
        Self { seq: 0, chain: Hash::from_bytes(record::GENESIS) }
    }
}

/// The ids of interned strings, as far as they are remembered.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<String, i64>,
    fresh: Vec<String>,
}

/// Names of unknown tools are an agent's to choose; the table takes them all, the memory does not.
const NAMES_REMEMBERED: usize = 65_536;

impl Names {
    pub(crate) fn keep(&mut self) {
        self.fresh.clear();
        if self.known.len() > NAMES_REMEMBERED {
            self.known.clear();
        }
    }

    pub(crate) fn roll_back(&mut self) {
        for name in self.fresh.drain(..) {
            self.known.remove(&name);
        }
    }

    fn id(&mut self, db: &Connection, name: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.known.get(name) {
            return Ok(*id);
        }
        let find = "SELECT id FROM name WHERE text = ?1";
        let id = match db.prepare_cached(find)?.query_row([name], |row| row.get(0)).optional()? {
            Some(id) => id,
            None => db.prepare_cached("INSERT INTO name (text) VALUES (?1)")?.insert([name])?,
        };
        self.known.insert(name.to_owned(), id);
        self.fresh.push(name.to_owned());
        Ok(id)
    }
}

/// Why one request of a group fails.
pub(crate) enum Failed {
    /// It alone, for a reason of its own; nothing of it was written.
    Refused(NotDone),
    /// All of the group: the disk.
    Disk(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<NotDone> for Failed {
    fn from(refused: NotDone) -> Self {
        Self::Refused(refused)
    }
}

impl From<AuditError> for Failed {
    fn from(error: AuditError) -> Self {
        Self::Refused(NotDone::Audit(error))
    }
}

/// Writes inside a transaction that its maker commits.
pub(crate) struct Pen<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) names: &'a mut Names,
    pub(crate) head: Head,
    pub(crate) tree: Tree,
    pub(crate) changes: Vec<Change>,
    pub(crate) owed: &'a Arc<Owed>,
}

impl Pen<'_> {
    /// Writes all of one request. INVARIANT: whatever is refused is refused before the first statement that writes.
    pub(crate) fn write(&mut self, work: &Work) -> Result<Done, Failed> {
        match work {
            Work::By { author, work } => self.acts(author).and_then(|()| self.write(work)),
            Work::Record(draft) => Ok(done(self.record(draft)?)),
            Work::Intent { draft, approval } => self.intent(draft, approval.as_deref()),
            Work::Outcome { draft, intent, quarantine } => self.outcome(draft, *intent, quarantine.as_ref()),
            Work::Hold { draft, hold, sealed } => self.hold(draft, hold, sealed),
            Work::Step { hold, step, pass, at } => self.step(hold, step, pass.as_deref(), *at),
            Work::NoPass { draft, hold } => self.no_pass(draft, hold),
            Work::NoReview { draft, hold, by } => self.close_review(draft, hold, by),
            Work::Agent { draft, agent } => {
                let seq = self.record(draft)?;
                self.db
                    .prepare_cached(
                        "INSERT OR REPLACE INTO agent (name, token, expires, added) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![
                        agent.name.as_str(),
                        agent.token.as_bytes(),
                        agent.expires.map(micros),
                        micros(agent.added)
                    ])?;
                self.own(agent)?;
                self.changes.push(Change::Agent(agent.clone()));
                Ok(done(seq))
            }
            Work::NoAgent { draft, name } => {
                let known = "SELECT 1 FROM agent WHERE name = ?1";
                if !self.db.prepare_cached(known)?.exists([name.as_str()])? {
                    return Err(AuditError::Unknown.into());
                }
                let seq = self.record(draft)?;
                self.db.prepare_cached("DELETE FROM agent WHERE name = ?1")?.execute([name.as_str()])?;
                self.db.prepare_cached("DELETE FROM owner WHERE agent = ?1")?.execute([name.as_str()])?;
                self.changes.push(Change::NoAgent(name.clone()));
                Ok(done(seq))
            }
            Work::Operator { draft, operator } => self.operator(draft, operator),
            Work::OperatorPin { draft, name, pin } => self.operator_pin(draft, name, pin),
            Work::NoOperator { draft, name } => self.no_operator(draft, name),
            Work::Delegate { draft, delegation, proof } => self.delegate(draft, delegation, proof.as_ref()),
            Work::NoDelegation { draft, id } => self.no_delegation(draft, *id),
            Work::Tried { draft, name, door, failed } => self.tried(draft, name, *door, *failed),
            Work::Passkey { draft, passkey } => self.passkey(draft, passkey),
            Work::NoPasskey { draft, name, credential } => self.no_passkey(draft, name, credential),
            Work::PasskeyUsed { draft, name, credential, counter, door, at } => {
                self.passkey_used(draft, (name, credential), *counter, *door, *at)
            }
            Work::Pin { draft, pin } => {
                let seq = self.record(draft)?;
                self.save_pin(Pin::clone(pin))?;
                Ok(done(seq))
            }
            Work::Pending { draft, key, pending } => {
                let pin = self.pin(key)?.ok_or(AuditError::Unknown)?;
                let seq = self.record(draft)?;
                self.save_pin(Pin { pending: pending.clone(), ..pin })?;
                Ok(done(seq))
            }
            Work::Mark { draft, mark } => {
                let seq = self.record(draft)?;
                self.mark(mark)?;
                Ok(done(seq))
            }
            Work::NoMark { draft, kind, name } => self.unmark(draft, *kind, name),
            Work::Borrow { draft, borrowed } => self.borrow(draft, borrowed),
            Work::Return { draft, backend, lease } => self.take_back(draft, backend, lease),
            Work::Accept { draft, key, hash, at } => self.accept(draft, key, hash, *at),
            Work::Key { draft, key } => self.key(draft, key),
            Work::Erase { draft, last } => self.erase(draft, *last),
            Work::Prune { draft, minimum, state, ended } => self.prune(draft, *minimum, state, ended),
        }
    }

    /// Saves the head: the last statement of every group.
    pub(crate) fn finish(&mut self) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO head (id, seq, chain) VALUES (1, ?1, ?2)";
        self.db.prepare_cached(sql)?.execute(params![signed(self.head.seq), self.head.chain.as_bytes()])?;
        Ok(())
    }

    pub(super) fn record(&mut self, draft: &Draft) -> rusqlite::Result<u64> {
        let seq = self.head.seq + 1;
        // All of the group fails then, as with any fault of the disk: part of this request may be written already.
        let unwritten = |_| rusqlite::Error::ToSqlConversionFailure("the record cannot be made".into());
        let written = draft.written(seq).map_err(unwritten)?;
        let chain = record::chain(&self.head.chain, &written.leaf);
        let subject = draft.subject.as_ref();
        let agent = subject.map(|subject| subject.agent.as_str()).or(draft.agent.as_deref());
        let agent = agent.map(|name| self.names.id(self.db, name)).transpose()?;
        let server = subject.map(|subject| self.names.id(self.db, &subject.server)).transpose()?;
        let tool = subject.map(|subject| self.names.id(self.db, &subject.tool)).transpose()?;
        let sql =
            "INSERT INTO entry (seq, at, kind, call, agent, server, tool, risk, verdict, chain, record, body, salt)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let inserted = self.db.prepare_cached(sql)?.execute(params![
            signed(seq),
            micros(draft.at),
            draft.kind.code(),
            subject.map(|subject| record::call_key(&subject.call)),
            agent,
            server,
            tool,
            subject.and_then(|subject| subject.risk).map(policies::Risk::level),
            draft.verdict.map(Decided::code),
            chain.as_bytes(),
            written.bytes,
            draft.kept_body(),
            written.seed,
        ])?;
        // Whatever kept the row out, a record that is nowhere is not acknowledged.
        if inserted != 1 {
            return Err(rusqlite::Error::StatementChangedRows(inserted));
        }
        for tile in self.tree.push(written.leaf) {
            tile.save(self.db)?;
        }
        self.head = Head { seq, chain };
        Ok(seq)
    }

    fn intent(&mut self, draft: &Draft, approval: Option<&Approval>) -> Result<Done, Failed> {
        let subject = draft.subject.as_ref().ok_or(AuditError::Failed)?;
        // A call id that has an intent has run: nothing runs twice, whoever asks.
        let ran = "SELECT 1 FROM entry WHERE call = ?1 AND kind = 1";
        if self.db.prepare_cached(ran)?.exists([record::call_key(&subject.call)])? {
            return Err(AuditError::AlreadyConsumed.into());
        }
        if let Some(approval) = approval {
            self.consume(approval)?;
        }
        let seq = self.record(draft)?;
        self.db.prepare_cached("INSERT INTO running (intent) VALUES (?1)")?.execute([signed(seq)])?;
        self.mark_used(subject, seq)?;
        let guard = Guard::new(Arc::clone(self.owed), seq, subject.clone());
        Ok(Done { seq, guard: Some(guard), hold: None })
    }

    fn mark_used(&mut self, subject: &Subject, seq: u64) -> rusqlite::Result<()> {
        let agent = self.names.id(self.db, subject.agent.as_str())?;
        let server = self.names.id(self.db, &subject.server)?;
        let tool = self.names.id(self.db, &subject.tool)?;
        let sql = "INSERT OR IGNORE INTO used (agent, server, tool, first) VALUES (?1, ?2, ?3, ?4)";
        if self.db.prepare_cached(sql)?.execute([agent, server, tool, signed(seq)])? > 0 {
            let key = used_key(subject.agent.as_str(), &subject.server, &subject.tool);
            self.changes.push(Change::Used(key));
        }
        Ok(())
    }

    fn outcome(&mut self, draft: &Draft, intent: u64, quarantine: Option<&Mark>) -> Result<Done, Failed> {
        let open = self.db.prepare_cached("DELETE FROM running WHERE intent = ?1")?.execute([signed(intent)])?;
        // One outcome for one intent: the second of two is a debt that was paid meanwhile.
        if open == 0 {
            return Err(AuditError::AlreadyConsumed.into());
        }
        let seq = self.record(draft)?;
        if let Some(mark) = quarantine {
            self.mark(mark)?;
        }
        Ok(done(seq))
    }

    fn mark(&mut self, mark: &Mark) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO mark (kind, name, value, at) VALUES (?1, ?2, ?3, ?4)";
        let row = params![mark.kind.as_str(), mark.name.as_str(), mark.value, micros(mark.at)];
        self.db.prepare_cached(sql)?.execute(row)?;
        self.changes.push(Change::Mark(mark.clone()));
        Ok(())
    }

    fn unmark(&mut self, draft: &Draft, kind: MarkKind, name: &ServerName) -> Result<Done, Failed> {
        let known = "SELECT 1 FROM mark WHERE kind = ?1 AND name = ?2";
        if !self.db.prepare_cached(known)?.exists([kind.as_str(), name.as_str()])? {
            return Err(AuditError::Unknown.into());
        }
        let seq = self.record(draft)?;
        let sql = "DELETE FROM mark WHERE kind = ?1 AND name = ?2";
        self.db.prepare_cached(sql)?.execute([kind.as_str(), name.as_str()])?;
        self.changes.push(Change::NoMark(kind, name.clone()));
        Ok(done(seq))
    }

    fn borrow(&mut self, draft: &Draft, borrowed: &Borrowed) -> Result<Done, Failed> {
        let seq = self.record(draft)?;
        let sql = "INSERT OR REPLACE INTO lease (backend, lease, intent, at) VALUES (?1, ?2, ?3, ?4)";
        let row = params![borrowed.backend, borrowed.lease, signed(borrowed.intent), micros(borrowed.at)];
        self.db.prepare_cached(sql)?.execute(row)?;
        self.changes.push(Change::Borrowed(borrowed.clone()));
        Ok(done(seq))
    }

    fn take_back(&mut self, draft: &Draft, backend: &str, lease: &str) -> Result<Done, Failed> {
        let known = "SELECT 1 FROM lease WHERE backend = ?1 AND lease = ?2";
        if !self.db.prepare_cached(known)?.exists([backend, lease])? {
            return Err(AuditError::Unknown.into());
        }
        let seq = self.record(draft)?;
        self.db.prepare_cached("DELETE FROM lease WHERE backend = ?1 AND lease = ?2")?.execute([backend, lease])?;
        self.changes.push(Change::Returned(backend.to_owned(), lease.to_owned()));
        Ok(done(seq))
    }

    fn hold(&mut self, draft: &Draft, hold: &Hold, sealed: &[u8]) -> Result<Done, Failed> {
        if self.db.prepare_cached("SELECT 1 FROM hold WHERE id = ?1")?.exists([hold.id().as_str()])? {
            return Err(AuditError::IdTaken.into());
        }
        let seq = self.record(draft)?;
        let sql = "INSERT INTO hold (id, open, hold, sealed) VALUES (?1, 1, ?2, ?3)";
        self.db.prepare_cached(sql)?.execute(params![hold.id().as_str(), text(hold), sealed])?;
        self.changes.push(Change::Hold(Box::new(hold.clone())));
        Ok(done(seq))
    }

    fn step(&mut self, id: &HoldId, step: &Step, pass: Option<&Passing>, at: Timestamp) -> Result<Done, Failed> {
        let hold = load_hold(self.db, id)?.ok_or(NotDone::NoHold)?;
        let next = hold.apply(step.clone(), at).map_err(NotDone::Step)?;
        self.stands(step)?;
        self.lends(&hold, step, at)?;
        self.ranks(step)?;
        let pass = pass.map(|pass| self.pass(&hold, pass, at)).transpose()?;
        let review = self.open_review(step, &next)?;
        let more = [("pass", pass), ("review", review)];
        let seq = self.stepped(&next, step, more, at)?;
        Ok(Done { seq, guard: None, hold: Some(Box::new(next)) })
    }

    /// Uses an approval up. Single use and the deed's identity are checked here, in the transaction of the intent.
    fn consume(&mut self, approval: &Approval) -> Result<(), Failed> {
        let hold = load_hold(self.db, &approval.hold)?.ok_or(AuditError::NotApproved)?;
        if hold.binding().first_difference(&approval.binding).is_some() {
            return Err(AuditError::NotApproved.into());
        }
        let step = Step::Consume { by: approval.by.clone() };
        let next = hold.apply(step.clone(), approval.at).map_err(|error| match (error, hold.state()) {
            (StepError::Settled { .. }, HoldState::Consumed { .. }) => AuditError::AlreadyConsumed,
            (_, _) => AuditError::NotApproved,
        })?;
        self.stepped(&next, &step, [], approval.at)?;
        Ok(())
    }

    fn stepped<const N: usize>(
        &mut self,
        next: &Hold,
        step: &Step,
        more: [(&str, Option<serde_json::Value>); N],
        at: Timestamp,
    ) -> rusqlite::Result<u64> {
        let mut detail = json!({ "hold": next.id(), "step": step, "state": next.state().as_str(),
            "approvals": next.approvals().len(), "required": next.required(), "digest": digest(next) });
        if let Some(members) = detail.as_object_mut() {
            members.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        let subject = Subject::of_hold(next);
        let seq = self.record(&Draft::new(Kind::Step, at, detail.to_string().into_bytes()).about(subject))?;
        // The sealed call goes with the end of the wait; `secure_delete` overwrites it.
        let sql = "UPDATE hold SET open = ?2, hold = ?3, sealed = CASE ?2 WHEN 1 THEN sealed END WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute(params![next.id().as_str(), next.state().is_open(), text(next)])?;
        self.changes.push(Change::Hold(Box::new(next.clone())));
        Ok(seq)
    }

    fn accept(&mut self, draft: &Draft, key: &PinKey, hash: &Hash, at: Timestamp) -> Result<Done, Failed> {
        let pin = self.pin(key)?.ok_or(AuditError::Unknown)?;
        // What was shown is what is accepted: a definition that changed again since is not.
        let Pending { hash, definition } =
            pin.pending.filter(|pending| pending.hash == *hash).ok_or(AuditError::Unknown)?;
        let seq = self.record(draft)?;
        self.save_pin(Pin { hash, definition, pending: None, pinned: at, ..pin })?;
        Ok(done(seq))
    }

    fn key(&mut self, draft: &Draft, key: &VerifierKey) -> Result<Done, Failed> {
        let seq = self.record(draft)?;
        let sql = "INSERT INTO log_key (seq, vkey) VALUES (?1, ?2)";
        self.db.prepare_cached(sql)?.execute(params![signed(seq), key.to_string()])?;
        // What was marked as a backup is a log from this record on.
        self.db.execute_batch("PRAGMA application_id = 0")?;
        Ok(done(seq))
    }

    /// INVARIANT: a row keeps its size while a neighbour of it still has its body; see [`BEHIND`].
    fn erase(&mut self, draft: &Draft, last: u64) -> Result<Done, Failed> {
        let sql = "SELECT bodies, freed FROM erased";
        let row = self.db.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)));
        let (before, freed): (i64, i64) = row.optional()?.unwrap_or((0, 0));
        let seq = self.record(draft)?;
        let sql = "UPDATE entry SET body = zeroblob(length(body)) WHERE seq > ?1 AND seq <= ?2 AND body IS NOT NULL";
        self.db.prepare_cached(sql)?.execute([before, signed(last)])?;
        let free = freed.max(signed(last.saturating_sub(BEHIND)));
        let sql = "UPDATE entry SET body = NULL WHERE seq > ?1 AND seq <= ?2 AND body IS NOT NULL";
        self.db.prepare_cached(sql)?.execute([freed, free])?;
        let sql = "INSERT OR REPLACE INTO erased (id, bodies, freed) VALUES (1, ?1, ?2)";
        self.db.prepare_cached(sql)?.execute([signed(last), free])?;
        Ok(done(seq))
    }

    /// Nothing but holds that ended goes with the record: rows go once it is signed.
    fn prune(&mut self, draft: &Draft, minimum: u64, state: &str, ended: &[HoldId]) -> Result<Done, Failed> {
        let (done, chain) = super::pruned::base(self.db)?;
        let seq = self.record(draft)?;
        for hold in ended {
            self.db.prepare_cached("DELETE FROM hold WHERE id = ?1")?.execute([hold.as_str()])?;
        }
        let sql =
            "INSERT OR REPLACE INTO pruned (id, minimum, record, state, done, chain) VALUES (1, ?1, ?2, ?3, ?4, ?5)";
        let row = params![signed(minimum), signed(seq), state, signed(done), chain.as_bytes()];
        self.db.prepare_cached(sql)?.execute(row)?;
        Ok(self::done(seq))
    }

    fn pin(&self, (server, method, name): &PinKey) -> rusqlite::Result<Option<Pin>> {
        let sql = "SELECT server, method, name, pinned, hash, definition, pending_hash, pending_definition FROM pin
                   WHERE server = ?1 AND method = ?2 AND name = ?3";
        let row = params![server.as_str(), method.as_str(), name];
        self.db.prepare_cached(sql)?.query_row(row, super::recover::pin).optional()
    }

    fn save_pin(&mut self, pin: Pin) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO pin
                   (server, method, name, pinned, hash, definition, pending_hash, pending_definition)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        self.db.prepare_cached(sql)?.execute(params![
            pin.server.as_str(),
            pin.method.as_str(),
            pin.name,
            micros(pin.pinned),
            pin.hash.as_bytes(),
            pin.definition.to_string(),
            pin.pending.as_ref().map(|pending| *pending.hash.as_bytes()),
            pin.pending.as_ref().map(|pending| pending.definition.to_string()),
        ])?;
        self.changes.push(Change::Pin(pin));
        Ok(())
    }
}

/// A hold as it is stored.
pub(crate) fn load_hold(db: &Connection, id: &HoldId) -> rusqlite::Result<Option<Hold>> {
    let sql = "SELECT hold FROM hold WHERE id = ?1";
    db.prepare_cached(sql)?.query_row([id.as_str()], super::recover::hold).optional()
}

/// What a record says of the projection after it: verification compares.
pub(crate) fn digest(stored: &impl Serialize) -> Hash {
    Hash::of(text(stored).as_bytes())
}

pub(super) fn text(stored: &impl Serialize) -> String {
    // By way of `Value`: its text of the same hold is always the same.
    serde_json::to_value(stored).map(|stored| Value::from(stored).canonical().as_str().to_owned()).unwrap_or_default()
}

pub(super) fn done(seq: u64) -> Done {
    Done { seq, guard: None, hold: None }
}

/// `SQLite`'s integers are signed; 2^63 records are out of reach.
pub(crate) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub(crate) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}
