//! Holds that people were asked about when something else held: their approvals open nothing any more.

use audit::{AuditError, StepRefused};
use policies::HoldId;
use policies::approval::{HoldState, Step};
use policies::decision::{Field, Held};

use super::Holds;
use crate::clock;

impl Holds {
    /// Withdraws the same request's hold that nobody waits for and that people were asked about when something else held:
    /// an approval of it opens nothing any more. What changed is told where the agent counts on that hold: it was
    /// approved, or is the call's task.
    pub(super) async fn supersede(&self, held: &Held, task: Option<&HoldId>) -> Result<Option<Field>, AuditError> {
        let outdated = self.take(task, |hold| {
            hold.state().is_open()
                && hold.binding().asks_the_same(held.binding())
                && held.first_difference(hold.binding(), hold.risk()).is_some()
        });
        let Some(place) = outdated else { return Ok(None) };
        let hold = place.0.hold.borrow().clone();
        let Some(field) = held.first_difference(hold.binding(), hold.risk()) else { return Ok(None) };
        self.withdraw(hold.id(), field).await?;
        Ok((task.is_some() || *hold.state() == HoldState::Approved).then_some(field))
    }

    /// Ends a hold that is not for the deed any more that people were asked about: it must not come to life again when what
    /// changed is changed back.
    ///
    /// # Errors
    /// If that cannot be recorded.
    pub async fn withdraw(&self, id: &HoldId, changed: Field) -> Result<(), AuditError> {
        let step = Step::Cancel { why: format!("its {changed} changed after people were asked") };
        match self.audit.step(id.clone(), step, clock::now()).await {
            Ok(hold) => self.forget(id, Some(hold)),
            Err(StepRefused::Audit(error)) => return Err(error),
            // It has ended already: nothing can use it.
            Err(StepRefused::Step(_) | StepRefused::Unknown) => {}
        }
        Ok(())
    }
}
