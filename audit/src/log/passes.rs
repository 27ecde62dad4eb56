//! The part of the `Pen` that writes passes: one is given with an approval, and each of its uses is an approval.

use jiff::Timestamp;
use policies::approval::{Covering, Hold, Pass, StepError};
use policies::{HoldId, OperatorId};
use rusqlite::{OptionalExtension, params};
use serde_json::{Value, json};

use super::health::AuditError;
use super::pen::{Failed, Pen, digest, done, text};
use super::views::Change;
use super::work::{Done, NotDone, Passing};
use crate::event::Event;
use crate::record::{Draft, Kind};

impl Pen<'_> {
    /// Writes what a step has to do with a pass, and yields what its record says of it.
    pub(super) fn pass(&mut self, hold: &Hold, passing: &Passing, at: Timestamp) -> Result<Value, Failed> {
        match passing {
            // One hold, one pass: what two people gave cannot be told apart afterwards.
            Passing::Given(pass) if self.load_pass(pass.hold())?.is_some() => Err(AuditError::IdTaken.into()),
            Passing::Given(pass) => {
                let given = json!({ "hold": pass.hold(), "given": pass, "digest": digest(pass) });
                self.save_pass(pass.clone())?;
                Ok(given)
            }
            Passing::Used(covering) => self.use_pass(hold, covering, at),
        }
    }

    /// INVARIANT: what the pass has left is counted here, in the transaction of the approval, and the proof is for this hold.
    fn use_pass(&mut self, hold: &Hold, covering: &Covering, at: Timestamp) -> Result<Value, Failed> {
        let refused = || Failed::from(NotDone::Step(StepError::NoPass));
        if hold.binding().first_difference(covering.binding()).is_some() {
            return Err(refused());
        }
        let pass = self.load_pass(covering.pass())?.and_then(|pass| pass.after_use(at)).ok_or_else(refused)?;
        let used = json!({ "hold": pass.hold(), "used": pass.used(), "times": pass.times(), "digest": digest(&pass) });
        self.save_pass(pass)?;
        Ok(used)
    }

    pub(super) fn no_pass(&mut self, draft: &Draft, hold: &HoldId) -> Result<Done, Failed> {
        if self.load_pass(hold)?.is_none() {
            return Err(AuditError::Unknown.into());
        }
        let seq = self.record(draft)?;
        self.forget_pass(hold)?;
        Ok(done(seq))
    }

    /// What an operator said yes to beforehand ends in the transaction that removes them, each pass with a record of its own after
    /// this one: whoever has their name next did not say it.
    pub(super) fn end_passes(&mut self, draft: &Draft, removed: &OperatorId) -> rusqlite::Result<()> {
        let given: Vec<Pass> = {
            let mut all = self.db.prepare_cached("SELECT pass FROM pass ORDER BY hold")?;
            all.query_map([], super::recover::pass)?.collect::<rusqlite::Result<_>>()?
        };
        // Names that differ only in case are one person, as everywhere that people are counted.
        let theirs = |pass: &&Pass| pass.by().as_str().eq_ignore_ascii_case(removed.as_str());
        for hold in given.iter().filter(theirs).map(Pass::hold) {
            let event = Event::PassRevoked { hold: hold.clone(), by: None };
            let detail = serde_json::to_vec(&event).unwrap_or_else(|_| b"{}".to_vec());
            self.record(&Draft::new(Kind::Event, draft.at, detail))?;
            self.forget_pass(hold)?;
        }
        Ok(())
    }

    fn forget_pass(&mut self, hold: &HoldId) -> rusqlite::Result<()> {
        self.db.prepare_cached("DELETE FROM pass WHERE hold = ?1")?.execute([hold.as_str()])?;
        self.changes.push(Change::NoPass(hold.clone()));
        Ok(())
    }

    fn load_pass(&self, hold: &HoldId) -> rusqlite::Result<Option<Pass>> {
        let sql = "SELECT pass FROM pass WHERE hold = ?1";
        self.db.prepare_cached(sql)?.query_row([hold.as_str()], super::recover::pass).optional()
    }

    fn save_pass(&mut self, pass: Pass) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO pass (hold, pass) VALUES (?1, ?2)";
        self.db.prepare_cached(sql)?.execute(params![pass.hold().as_str(), text(&pass)])?;
        self.changes.push(Change::Pass(Box::new(pass)));
        Ok(())
    }
}
