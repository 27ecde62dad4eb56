//! `Glass` and `Review`: one person lets a call run for which others were to be asked too, and what becomes of that.
//!
//! ```text
//!  Pending ─ BreakGlass: two reasons, by one who may approve ─► Approved ─► Consumed
//!                      └─► Review, open until somebody else has looked at it
//! ```
//!
//! It waives how many people are asked, and nothing else: whoever may not approve may not break the glass, nor, where a role
//! is asked for that nobody has who approved, who has it not; and what policies deny was never held.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Hold, HoldState, Role, StepError};
use crate::call::{AgentId, CallId, HoldId, OperatorId, ServerName};
use crate::risk::Risk;

/// The glass of a hold, broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Glass {
    /// By whom.
    pub by: OperatorId,
    /// When.
    pub at: Timestamp,
    /// Why the call must run.
    pub reason: String,
    /// Why nobody else can be waited for.
    pub because: String,
}

/// What others have to look at since the glass of a hold was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The hold.
    pub hold: HoldId,
    /// The call that opened it.
    pub call: CallId,
    /// Who wanted to call.
    pub agent: AgentId,
    /// The tool's server.
    pub server: ServerName,
    /// The tool's name at its server.
    pub tool: String,
    /// How dangerous the call is.
    pub risk: Risk,
    /// How many people were to approve.
    pub required: u8,
    /// Who had approved before.
    pub approved: Vec<OperatorId>,
    /// Who broke it, when and why.
    pub glass: Glass,
}

/// Why two reasons are not the two that it takes.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReasonsError {
    /// One says too little.
    #[error("`{which}` has {found} letters and digits: whoever reviews it needs at least {LEAST}")]
    Short {
        /// `reason` or `because`.
        which: &'static str,
        /// How many it has.
        found: usize,
    },
    /// One says the other again.
    #[error("`because` says `reason` again: why must the call run, and why can nobody else be waited for?")]
    Same,
}

/// Letters and digits of a reason: `login is down` has as many, `emergency` has not.
const LEAST: usize = 12;

impl Glass {
    /// Whether these are two reasons.
    ///
    /// # Errors
    /// [`ReasonsError`]: one is too short, or is the other one but for its case, spaces and signs.
    pub fn reasons(reason: &str, because: &str) -> Result<(), ReasonsError> {
        let [one, other] = [reason, because].map(told);
        for (which, text) in [("reason", &one), ("because", &other)] {
            let found = text.chars().count();
            if found < LEAST {
                return Err(ReasonsError::Short { which, found });
            }
        }
        if one == other { Err(ReasonsError::Same) } else { Ok(()) }
    }
}

/// What a text says, whatever its case, spaces and signs.
fn told(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Review {
    /// Whether this person broke the glass: names that differ only in case are one person.
    #[must_use]
    pub fn is_of(&self, person: &OperatorId) -> bool {
        self.glass.by.as_str().eq_ignore_ascii_case(person.as_str())
    }
}

impl Hold {
    /// The glass, if somebody broke it.
    #[must_use]
    pub fn glass(&self) -> Option<&Glass> {
        self.glass.as_ref()
    }

    /// What others have to look at, if somebody broke the glass.
    #[must_use]
    pub fn review(&self) -> Option<Review> {
        Some(Review {
            hold: self.id.clone(),
            call: self.call.clone(),
            agent: self.agent.clone(),
            server: self.server.clone(),
            tool: self.tool.clone(),
            risk: self.risk,
            required: self.required,
            approved: self.approvals.iter().map(|approval| approval.operator.clone()).collect(),
            glass: self.glass.clone()?,
        })
    }

    /// Whether this person's approval would be enough, now.
    #[must_use]
    pub fn takes_only(&self, person: &OperatorId) -> bool {
        let others = self.approvals.iter().filter(|given| !given.is_of(person));
        others.count() + 1 >= usize::from(self.required)
    }

    pub(super) fn break_glass(&self, glass: Glass, role: Option<Role>) -> Result<Self, StepError> {
        if self.state == HoldState::Approved {
            return Err(StepError::Settled { state: self.state.as_str() });
        }
        self.takes_glass_of(role)?;
        if self.takes_only(&glass.by) && self.takes(role).is_ok() {
            return Err(StepError::NoGlass);
        }
        Glass::reasons(&glass.reason, &glass.because).map_err(StepError::Reasons)?;
        Ok(Self { state: HoldState::Approved, glass: Some(glass), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::SignedDuration;

    use super::*;
    use crate::approval::Step;
    use crate::decision::Because;
    use crate::decision::tests::{held, noon};

    const WHY: &str = "customers cannot log in";
    const ALONE: &str = "bob and cyn are on a plane";

    fn hold(required: u8) -> Hold {
        Hold::open(HoldId::from_random([7; 10]), &held("{}"), required, noon())
    }

    fn operator(name: &str) -> OperatorId {
        OperatorId::authenticated(name)
    }

    fn smash(by: &str, reason: &str, because: &str) -> Step {
        let (reason, because) = (reason.to_owned(), because.to_owned());
        Step::BreakGlass { by: operator(by), reason, because, proof: None, role: None, observed: Vec::new() }
    }

    fn after(minutes: i64) -> Timestamp {
        noon() + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn broken_glass_lets_a_call_run_once_and_its_permit_says_who_broke_it() {
        let approved = hold(3).apply(Step::approve(operator("bob")), after(1)).unwrap();
        let broken = approved.apply(smash("ann", WHY, ALONE), after(1)).unwrap();
        let permit = held("{}").release(&broken.approved(after(2)).unwrap(), after(2)).unwrap();
        let (hold, operator, operators) = (broken.id().clone(), operator("ann"), vec![operator("bob")]);
        assert_eq!(*permit.because(), Because::BreakGlass { hold, operator, operators, lent: BTreeMap::new() });
        assert!(serde_json::to_string(permit.because()).unwrap().starts_with(r#"{"by":"break-glass","#));
        let review = broken.review().unwrap();
        assert!(review.is_of(&self::operator("ANN")) && review.approved == [self::operator("bob")]);
        let consumed = broken.apply(Step::Consume { by: CallId::from_random([1; 10]) }, after(2)).unwrap();
        assert!(consumed.approved(after(2)).is_none());
        assert_eq!(consumed.apply(smash("bob", WHY, ALONE), after(2)), Err(StepError::Settled { state: "consumed" }));
    }

    #[test]
    fn glass_is_broken_once_in_time_and_never_of_what_was_denied() {
        let broken = hold(2).apply(smash("ann", WHY, ALONE), after(1)).unwrap();
        assert_eq!(broken.apply(smash("bob", WHY, ALONE), after(1)), Err(StepError::Settled { state: "approved" }));
        assert_eq!(hold(2).apply(smash("ann", WHY, ALONE), after(10)), Err(StepError::TimeRanOut));
        let no = Step::Deny { by: operator("bob"), reason: "no".into() };
        let denied = hold(2).apply(no.clone(), after(1)).unwrap();
        assert_eq!(denied.apply(smash("ann", WHY, ALONE), after(1)), Err(StepError::Settled { state: "denied" }));
        assert!(broken.apply(no, after(1)).unwrap().approved(after(1)).is_none(), "a denial outweighs it until it ran");
    }

    #[test]
    fn where_one_approval_is_enough_there_is_no_glass() {
        assert_eq!(hold(1).apply(smash("ann", WHY, ALONE), after(1)), Err(StepError::NoGlass));
        let half = hold(2).apply(Step::approve(operator("ann")), after(1)).unwrap();
        assert_eq!(half.apply(smash("bob", WHY, ALONE), after(1)), Err(StepError::NoGlass));
        assert!(half.apply(smash("Ann", WHY, ALONE), after(1)).is_ok(), "her own approval is not another's");
    }

    #[test]
    fn two_reasons_are_two_and_say_something() {
        for (reason, because, wrong) in [
            ("", ALONE, ReasonsError::Short { which: "reason", found: 0 }),
            (WHY, "emergency", ReasonsError::Short { which: "because", found: 9 }),
            (WHY, "............ ------------", ReasonsError::Short { which: "because", found: 0 }),
            (WHY, "Customers can not log in!", ReasonsError::Same),
        ] {
            let refused = hold(2).apply(smash("ann", reason, because), after(1));
            assert_eq!(refused, Err(StepError::Reasons(wrong)), "{reason:?} {because:?}");
        }
        assert!(Glass::reasons("prod is down now", "nobody answers").is_ok());
    }
}
