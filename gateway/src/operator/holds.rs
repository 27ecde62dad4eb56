//! Holds, as operators see and answer them.

use audit::{Event as Recorded, StepRefused};
use policies::approval::Hold;
use policies::{HoldId, StepError};

use super::Operators;
use super::card::Card;
use super::find::find;
use super::method::Asked;
use super::people::Person;
use super::refused::Refused;
use crate::clock;
use crate::hold::{Answer, AnswerError};

impl Operators {
    pub(super) fn show(&self, given: &str) -> Asked<Card> {
        let id = find(&self.holds.list(), given)?;
        let hold = self.hold(&id).ok_or_else(|| unknown_hold(&id))?;
        Ok(self.card(&hold).with(self.holds.arguments(&id).as_ref()))
    }

    fn hold(&self, id: &HoldId) -> Option<Hold> {
        self.holds.get(id).or_else(|| self.holds.stored(id))
    }

    pub(super) async fn answer(&self, given: &str, by: Person, answer: Answer) -> Asked<Card> {
        let id = find(&self.holds.list(), given)?;
        match self.holds.answer(&id, &by, answer).await {
            Ok(hold) => Ok(self.told(&hold)),
            Err(error) => Err(self.refused_answer(id, by, error).await),
        }
    }

    /// Records an answer that had no effect, and says why. Of whom there is no more, all that they asked for is.
    pub(super) async fn refused_answer(&self, id: HoldId, by: Person, error: AnswerError) -> Refused {
        let refused = self.unanswered(&id, &error);
        if !matches!(refused, Refused::Gone) {
            let event = Recorded::AnswerRefused { by: by.id, hold: id, reason: error.to_string() };
            if let Err(error) = self.audit.by(None).note(event, clock::now()).await {
                tracing::error!(%error, "a refused answer could not be recorded");
            }
        }
        refused
    }

    fn unanswered(&self, id: &HoldId, error: &AnswerError) -> Refused {
        let now = self.hold(id).map(|hold| Card::of(&hold).next);
        let state = |next: Option<String>, otherwise: &str| Refused::State {
            what: error.to_string(),
            next: next.unwrap_or_else(|| otherwise.to_owned()),
        };
        match error {
            AnswerError::Unknown(_) if now.is_none() => unknown_hold(id),
            AnswerError::NotAllowed { next, .. } => {
                state(next.clone(), "another operator must answer it, or a policy must permit you to approve it")
            }
            AnswerError::Pass(_) | AnswerError::Secret(_) => {
                state(None, "narrow it, or approve this call alone: nothing was approved")
            }
            AnswerError::Another(_) => state(None, "read it again: portcullis holds show"),
            AnswerError::Refused(StepRefused::Audit(error)) => (*error).into(),
            AnswerError::Refused(StepRefused::Step(step @ StepError::NoGlass)) => {
                Refused::State { what: step.to_string(), next: "approve it: portcullis holds approve".to_owned() }
            }
            AnswerError::Refused(StepRefused::Step(
                step @ (StepError::ApprovedAlready { .. }
                | StepError::OnePerson { .. }
                | StepError::NoDelegation
                | StepError::NoOperator { .. }
                | StepError::NotOfRole(_)
                | StepError::NoRole),
            )) => Refused::State { what: step.to_string(), next: "somebody else has to approve it".to_owned() },
            AnswerError::Refused(StepRefused::Step(step @ StepError::NoPasskey { .. })) => Refused::State {
                what: step.to_string(),
                next: "answer again, with a passkey that you still have or with your PIN".to_owned(),
            },
            AnswerError::Unknown(_) | AnswerError::Refused(_) => {
                state(now, "`portcullis log list` shows what became of it")
            }
        }
    }
}

fn unknown_hold(id: &HoldId) -> Refused {
    Refused::Unknown { what: "hold", name: id.to_string(), next: "`portcullis holds list` shows the open ones" }
}
