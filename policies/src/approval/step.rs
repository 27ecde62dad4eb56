//! `Step`: what can happen to a hold, and when it may not.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Approval, COVER_ROUNDS, Glass, Hold, HoldState, Lent, ReasonsError, Role};
use crate::call::{CallId, HoldId, OperatorId};

/// One thing that happens to a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "lowercase")]
pub enum Step {
    /// A person says yes.
    Approve {
        /// Who.
        by: OperatorId,
        /// Why, in their words, if they said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// How they proved who they are, beside being let in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Value>,
        /// The pass that says it for them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pass: Option<HoldId>,
        /// Whose right they do it by, where it is not their own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lent: Option<Lent>,
        /// The role that it counts for, where the hold asks for one: theirs, or the lesser of the two where a right is lent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
        /// The policies that only watch and would not have let them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        observed: Vec<String>,
    },
    /// A person lets it run without the others who were to be asked.
    #[serde(rename = "break-glass")]
    BreakGlass {
        /// Who.
        by: OperatorId,
        /// Why it must run.
        reason: String,
        /// Why nobody else can be waited for.
        because: String,
        /// How they proved who they are, beside being let in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        proof: Option<Value>,
        /// The role that they have, where the hold asks for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
        /// The policies that only watch and would not have let them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        observed: Vec<String>,
    },
    /// A person says no; this outweighs every yes.
    Deny {
        /// Who.
        by: OperatorId,
        /// Why, in their words.
        reason: String,
    },
    /// The time ran out.
    Expire,
    /// It is withdrawn.
    Cancel {
        /// Why, in the gateway's words.
        why: String,
    },
    /// The approved call runs.
    Consume {
        /// The call that runs: the one that opened the hold, or an identical retry.
        by: CallId,
    },
    /// The call that ran asked its client for input, and goes on with it.
    Continue {
        /// The call that asked: the last one that this hold let run.
        of: CallId,
        /// The call that goes on.
        by: CallId,
    },
}

impl Step {
    /// A yes without more words.
    #[must_use]
    pub fn approve(by: OperatorId) -> Self {
        Self::Approve { by, reason: None, proof: None, pass: None, lent: None, role: None, observed: Vec::new() }
    }
}

/// Why a step is refused. The hold stays as it was.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StepError {
    /// It has ended, or was consumed, before.
    #[error("the hold is already {state}")]
    Settled {
        /// The name of its state.
        state: &'static str,
    },
    /// Its time is over: all it can do is expire.
    #[error("the hold's time ran out")]
    TimeRanOut,
    /// It still has time left.
    #[error("the hold has not run out of time yet")]
    TimeLeft,
    /// The same person cannot count twice.
    #[error("operator `{by}` has approved this hold already")]
    ApprovedAlready {
        /// Who.
        by: OperatorId,
    },
    /// Somebody who counts as one with them has approved: one lent their right to the other, or both go by one right.
    #[error(
        "`{by}` counts as one person with `{given}`, who has approved this hold: one has the right of the other, or of the same person"
    )]
    OnePerson {
        /// Who asks, or whose right is asked with.
        by: OperatorId,
        /// Who has approved.
        given: OperatorId,
    },
    /// Those who are still missing have a role that they have not.
    #[error("the approvals that are still missing are of the role `{0}`: this one would not count")]
    NotOfRole(Role),
    /// The operator, or whoever lent them the right, has not the role any more that the approval was to count for.
    #[error("the operator has not the role that this approval was to count for")]
    NoRole,
    /// Nobody else is to be asked.
    #[error("one approval is enough: there is no glass to break")]
    NoGlass,
    /// It takes two reasons.
    #[error("{0}")]
    Reasons(ReasonsError),
    /// Not enough people have approved.
    #[error("the hold is not approved")]
    NotApproved,
    /// There is nothing to continue: never consumed, another call went on already, too late, or too many rounds.
    #[error("the approval does not cover this continuation")]
    NotCovered,
    /// The pass was used up, revoked, or is over, or is not for this call.
    #[error("the pass does not cover this call any more")]
    NoPass,
    /// The delegation ended, or is not for this call, or not theirs.
    #[error("the delegation does not let them approve this call any more")]
    NoDelegation,
    /// Whoever says it was removed since they proved who they are.
    #[error("`{by}` is no operator any more")]
    NoOperator {
        /// Who.
        by: OperatorId,
    },
    /// The key that signed it was removed since, or is not theirs.
    #[error("the passkey that signed this is none of `{by}` any more")]
    NoPasskey {
        /// Who.
        by: OperatorId,
    },
}

impl Hold {
    /// The hold after this step.
    ///
    /// # Errors
    /// [`StepError`] if the step is not possible from this state at this time.
    pub fn apply(&self, step: Step, now: Timestamp) -> Result<Self, StepError> {
        if let Step::Continue { of, by } = step {
            return self.continued(&of, by, now);
        }
        if !self.state.is_open() {
            return Err(StepError::Settled { state: self.state.as_str() });
        }
        let in_time = now < self.expires;
        match step {
            Step::Expire if in_time => Err(StepError::TimeLeft),
            Step::Expire => Ok(self.settle(HoldState::Expired, now)),
            Step::Cancel { why } => Ok(Self { note: Some(why), ..self.settle(HoldState::Cancelled, now) }),
            Step::Approve { .. } | Step::BreakGlass { .. } | Step::Deny { .. } | Step::Consume { .. } if !in_time => {
                Err(StepError::TimeRanOut)
            }
            Step::Approve { by, reason, pass, lent, role, .. } => {
                self.approve(Approval { operator: by, at: now, reason, pass, lent, role })
            }
            Step::BreakGlass { by, reason, because, role, .. } => {
                self.break_glass(Glass { by, at: now, reason, because }, role)
            }
            Step::Deny { by, reason } => Ok(self.settle(HoldState::Denied { by, reason }, now)),
            Step::Consume { by } if self.state == HoldState::Approved => {
                Ok(self.settle(HoldState::Consumed { by }, now))
            }
            Step::Consume { .. } => Err(StepError::NotApproved),
            Step::Continue { .. } => Err(StepError::NotCovered),
        }
    }

    fn approve(&self, approval: Approval) -> Result<Self, StepError> {
        if self.state == HoldState::Approved {
            return Err(StepError::Settled { state: self.state.as_str() });
        }
        let by = &approval.operator;
        if self.approvals.iter().any(|given| given.operator.as_str().eq_ignore_ascii_case(by.as_str())) {
            return Err(StepError::ApprovedAlready { by: approval.operator });
        }
        // INVARIANT: whoever counts for one approval counts for no other, by whosever right it is given.
        for person in [Some(by), approval.lent.as_ref().map(|lent| &lent.by)].into_iter().flatten() {
            if let Some(given) = self.approvals.iter().find(|given| given.is_of(person)) {
                return Err(StepError::OnePerson { by: by.clone(), given: given.operator.clone() });
            }
        }
        self.takes(approval.role)?;
        let mut next = self.clone();
        next.approvals.push(approval);
        if next.approvals.len() >= usize::from(next.required) {
            next.state = HoldState::Approved;
        }
        Ok(next)
    }

    /// INVARIANT: `of` must be the last call that ran, so every call that asked for input goes on at most once, and a
    /// replayed answer opens nothing.
    fn continued(&self, of: &CallId, by: CallId, now: Timestamp) -> Result<Self, StepError> {
        let in_time = self.covered_until().is_some_and(|until| now < until);
        match &self.state {
            HoldState::Consumed { by: last } if last == of && *of != by && in_time && self.rounds < COVER_ROUNDS => {
                let (state, before) = (HoldState::Consumed { by }, Some(of.clone()));
                Ok(Self { state, before, rounds: self.rounds + 1, ..self.clone() })
            }
            HoldState::Pending
            | HoldState::Approved
            | HoldState::Denied { .. }
            | HoldState::Expired
            | HoldState::Cancelled
            | HoldState::Consumed { .. } => Err(StepError::NotCovered),
        }
    }

    fn settle(&self, state: HoldState, now: Timestamp) -> Self {
        Self { state, settled: Some(now), ..self.clone() }
    }
}
