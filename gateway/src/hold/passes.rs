//! Approvals that count for further calls: how one is given, and how it answers a hold.

use audit::{AuditError, StepRefused};
use policies::approval::{Approver, Hold, HoldState, Leeway, Pass};
use policies::decision::Held;
use policies::{By, Value};

use super::{AnswerError, Holds, Waiting, asked};
use crate::clock;
use crate::operator::people::Person;

impl Holds {
    /// A pass for calls like the one that this hold keeps. It names arguments and patterns, which are shown and recorded.
    pub(super) fn pass(
        &self,
        hold: &Hold,
        by: &Person,
        reason: Option<&str>,
        leeway: &Leeway,
    ) -> Result<Pass, AnswerError> {
        let call = self.audit.held_call(hold.id()).map_err(|_| AnswerError::Unknown(hold.id().clone()))?;
        let redacted = |text: &str| {
            let (redacted, _) = self.audit.redactor().redact_value(&Value::from(text));
            redacted.as_str().unwrap_or_default().to_owned()
        };
        let giver = (by.id.clone(), reason.map(redacted));
        let pass = Pass::new(hold, &call.arguments, giver, leeway, clock::now())?;
        let secret = pass.texts().map(|text| (text, redacted(text))).find(|(text, redacted)| text != redacted);
        match secret {
            Some((_, redacted)) => Err(AnswerError::Secret(redacted)),
            None => Ok(pass),
        }
    }

    /// Approves a hold by the passes that cover its call, each for the operator who gave it and only if they could approve this
    /// very hold now.
    pub(super) async fn passed(&self, held: &Held, waiting: &Waiting) -> Result<(), AuditError> {
        for pass in self.audit.passes(clock::now()) {
            let hold = waiting.hold.borrow().clone();
            if *hold.state() != HoldState::Pending {
                break;
            }
            let Some(covering) = pass.covers(held, clock::now()) else { continue };
            let Some(person) = self.people.who_was(pass.by(), pass.made()) else { continue };
            let approver = self.people.approver(&person, &hold);
            let approver = Approver { by: By::Pass, reasoned: covering.is_reasoned(), pass: true, ..approver };
            if self.policies.current().may_approve(&approver, &hold).is_err() {
                continue;
            }
            let covering = covering.observed(self.policies.current().would_not_approve(&approver, &hold));
            let covering = covering.as_role(asked(&hold, person.role));
            match self.audit.pass(hold.id().clone(), covering, clock::now()).await {
                Ok(hold) => self.publish(waiting, hold),
                Err(StepRefused::Audit(error)) => return Err(error),
                // Used up or revoked meanwhile, or this operator has approved it: it waits for a person.
                Err(StepRefused::Step(_) | StepRefused::Unknown) => {}
            }
        }
        Ok(())
    }
}
