//! Broken glass: one person lets a call run for which others were to be asked too. Whoever must look at it is told.

use policies::approval::{Approver, Hold, Review, Step};
use policies::{Hash, HoldId};

use super::{AnswerError, Holds, asked, not_allowed};
use crate::clock;
use crate::operator::people::Person;

/// Why somebody breaks the glass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasons {
    /// Why the call must run.
    pub reason: String,
    /// Why nobody else can be waited for.
    pub because: String,
}

impl Holds {
    /// An operator lets a call run without the others who were to be asked. That opens a review.
    ///
    /// # Errors
    /// [`AnswerError`]; then nothing changed.
    pub async fn break_glass(
        &self,
        id: &HoldId,
        by: &Person,
        digest: Option<Hash>,
        reasons: Reasons,
    ) -> Result<Hold, AnswerError> {
        let waiting = self.waiting(id).ok_or_else(|| AnswerError::Unknown(id.clone()))?;
        let hold = waiting.hold.borrow().clone();
        if digest.is_some_and(|digest| digest != hold.binding().digest()) {
            return Err(AnswerError::Another(id.clone()));
        }
        let approver = Approver { reasoned: true, ..self.people.approver(by, &hold) };
        let policies = self.policies.current();
        policies.may_break_glass(&approver, &hold).map_err(|not| not_allowed(&by.id, not))?;
        let observed = policies.would_not_break_glass(&approver, &hold);
        let proof = by.proof();
        let Reasons { reason, because } = reasons;
        let role = asked(&hold, by.role);
        let step = Step::BreakGlass { by: by.id.clone(), reason, because, proof, role, observed };
        let hold = self.audit.by(Some(&by.author)).step(id.clone(), step, clock::now()).await?;
        tracing::warn!(hold = %id, by = %by.id, "the glass of a held call was broken: it runs without the others");
        self.publish(&waiting, hold.clone());
        Ok(hold)
    }

    /// What somebody has yet to look at, the oldest first.
    #[must_use]
    pub fn reviews(&self) -> Vec<Review> {
        self.audit.reviews()
    }
}
