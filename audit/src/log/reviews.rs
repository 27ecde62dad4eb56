//! The part of the `Pen` that writes reviews: one is opened by the step that breaks a hold's glass, and closed by somebody
//! else.

use policies::approval::{Hold, Review, Step};
use policies::{HoldId, OperatorId};
use rusqlite::{OptionalExtension, params};
use serde_json::{Value, json};

use super::health::AuditError;
use super::pen::{Failed, Pen, digest, done, text};
use super::views::Change;
use super::work::Done;
use crate::record::Draft;

impl Pen<'_> {
    /// Opens what a step asks others to look at, and yields what its record says of it.
    ///
    /// INVARIANT: in the transaction of the step, so that nothing runs by broken glass without a review.
    pub(super) fn open_review(&mut self, step: &Step, next: &Hold) -> rusqlite::Result<Option<Value>> {
        let (Step::BreakGlass { .. }, Some(review)) = (step, next.review()) else { return Ok(None) };
        let opened = json!({ "hold": review.hold, "opened": review, "digest": digest(&review) });
        let sql = "INSERT OR REPLACE INTO review (hold, review) VALUES (?1, ?2)";
        self.db.prepare_cached(sql)?.execute(params![review.hold.as_str(), text(&review)])?;
        self.changes.push(Change::Review(Box::new(review)));
        Ok(Some(opened))
    }

    /// INVARIANT: whoever broke the glass is asked about here, where the review is read that is closed.
    pub(super) fn close_review(&mut self, draft: &Draft, hold: &HoldId, by: &OperatorId) -> Result<Done, Failed> {
        let review = self.load_review(hold)?.ok_or(AuditError::Unknown)?;
        if review.is_of(by) {
            return Err(AuditError::OwnReview.into());
        }
        let seq = self.record(draft)?;
        self.db.prepare_cached("DELETE FROM review WHERE hold = ?1")?.execute([hold.as_str()])?;
        self.changes.push(Change::NoReview(hold.clone()));
        Ok(done(seq))
    }

    fn load_review(&self, hold: &HoldId) -> rusqlite::Result<Option<Review>> {
        let sql = "SELECT review FROM review WHERE hold = ?1";
        self.db.prepare_cached(sql)?.query_row([hold.as_str()], super::recover::review).optional()
    }
}
