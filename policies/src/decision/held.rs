//! `Held`: a call that waits for a person, and the three ways out of waiting.

use jiff::{SignedDuration, Timestamp};

use super::{Assessment, Because, Binding, Denial, Field, Permit, Refused};
use crate::approval::{Approved, Covered};
use crate::call::{Call, OperatorId};
use crate::risk::Risk;

/// A call that may run only when people say so.
#[derive(Debug)]
#[must_use = "a held call must be released or refused"]
pub struct Held {
    call: Call,
    assessment: Assessment,
    binding: Binding,
    lasts: SignedDuration,
}

/// How long a call of each risk waits for an answer before it is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldTimes {
    /// For LOW: held only by an operator's own policy.
    pub low: SignedDuration,
    /// For MEDIUM: held only by an operator's own policy.
    pub medium: SignedDuration,
    /// For HIGH.
    pub high: SignedDuration,
    /// For CRITICAL.
    pub critical: SignedDuration,
}

impl Default for HoldTimes {
    /// Ten minutes: time to see a notification and read the call, too short to approve what is forgotten.
    fn default() -> Self {
        let ten = SignedDuration::from_mins(10);
        Self { low: ten, medium: ten, high: ten, critical: ten }
    }
}

impl HoldTimes {
    /// The time for a risk.
    #[must_use]
    pub fn of(&self, risk: Risk) -> SignedDuration {
        match risk {
            Risk::Low => self.low,
            Risk::Medium => self.medium,
            Risk::High => self.high,
            Risk::Critical => self.critical,
        }
    }
}

/// How a hold ended without an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotApproved {
    /// A person said no.
    Denied {
        /// Who.
        by: OperatorId,
        /// Why, in their words; empty if they gave none.
        reason: String,
    },
    /// Nobody answered in time.
    Expired,
    /// It was withdrawn: the agent cancelled it, or the gateway could not keep it.
    Cancelled,
    /// People were asked about another deed.
    Another {
        /// The first thing in which it differs.
        field: Field,
    },
}

impl Held {
    pub(super) fn new(call: Call, assessment: Assessment, binding: Binding, times: HoldTimes) -> Self {
        let lasts = times.of(assessment.risk);
        Self { call, assessment, binding, lasts }
    }

    /// The call that waits.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// What was found out about it.
    #[must_use]
    pub fn assessment(&self) -> &Assessment {
        &self.assessment
    }

    /// What an approval will be bound to.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The first thing in which the call differs from what people are asked about, or were: a bound field, or a risk above the
    /// one that they were shown. What the agent has read since can raise it, and the people of one level do not answer for
    /// the next.
    #[must_use]
    pub fn first_difference(&self, binding: &Binding, risk: Risk) -> Option<Field> {
        let riskier = (self.assessment.risk > risk).then_some(Field::Risk);
        self.binding.first_difference(binding).or(riskier)
    }

    /// When a hold that opens now ends by itself.
    #[must_use]
    pub fn expires_at(&self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.lasts).unwrap_or(now)
    }

    /// Takes the call back, to decide it again under the policies of now.
    #[must_use]
    pub fn into_call(self) -> Call {
        self.call
    }

    /// Lets the call run because people approved exactly this.
    ///
    /// # Errors
    /// A [`Denial`] if the approval has expired, or was given for a deed that differs in any bound field, or is riskier by now:
    /// its reason names the first one.
    #[expect(clippy::result_large_err, reason = "a denial carries the call on; it is not an error path to be shrunk")]
    pub fn release(self, approved: &Approved, now: Timestamp) -> Result<Permit, Denial> {
        if now >= approved.expires() {
            return Err(self.deny(Refused::new(
                "approval-expired",
                "The approval of this call expired before it could run.",
                "Send the call again; it will wait for a new approval.",
            )));
        }
        let (hold, operators) = (approved.hold().clone(), approved.operators().to_vec());
        let lent = approved.lent().clone();
        let because = match approved.glass() {
            Some(operator) => Because::BreakGlass { hold, operator: operator.clone(), operators, lent },
            None => Because::Approval { hold, operators, lent },
        };
        match self.first_difference(approved.binding(), approved.risk()) {
            Some(field) => Err(self.refuse(NotApproved::Another { field })),
            None => Ok(self.permit(because, now)),
        }
    }

    /// Lets the call run because it is the next round of an approved call that asked its client for input.
    ///
    /// # Errors
    /// A [`Denial`] if the proof has expired, is for another call, or any bound field differs. Its risk may be above the one that
    /// was approved: the deed has begun, and what it goes on with may be what its own first answer said.
    #[expect(clippy::result_large_err, reason = "a denial carries the call on; it is not an error path to be shrunk")]
    pub fn continue_from(self, covered: &Covered, now: Timestamp) -> Result<Permit, Denial> {
        if now >= covered.until() || covered.by() != self.call.id() {
            return Err(self.deny(Refused::new(
                "continuation-ended",
                "The approved call can no longer be continued.",
                "Send the call again from its beginning; it will wait for a new approval.",
            )));
        }
        match self.binding.first_difference(covered.binding()) {
            Some(field) => Err(self.refuse(NotApproved::Another { field })),
            None => Ok(self.permit(Because::Continuation { of: covered.of().clone() }, now)),
        }
    }

    /// Ends the wait without a permit.
    pub fn refuse(self, why: NotApproved) -> Denial {
        self.deny(why.into())
    }

    fn permit(self, because: Because, now: Timestamp) -> Permit {
        Permit::new(self.call, self.assessment, self.binding, because, now)
    }

    fn deny(self, refused: Refused) -> Denial {
        Denial::new(self.call, self.assessment, refused)
    }
}

impl From<NotApproved> for Refused {
    fn from(why: NotApproved) -> Self {
        match why {
            NotApproved::Denied { by, reason } => denied_by(&by, &reason),
            NotApproved::Expired => Self::new(
                "hold-expired",
                "No operator answered in time, and no answer is a denial.",
                "Tell your user that an operator has to approve this, then send the call again while one is there.",
            ),
            NotApproved::Cancelled => Self::new(
                "hold-cancelled",
                "The call was withdrawn while it waited for approval. It did not run.",
                "Send the call again if it is still wanted.",
            ),
            NotApproved::Another { field } => Self::new(
                "approval-mismatch",
                format!("The call is not the one that people were asked about: it differs in its {field}."),
                "Send the call again; it will wait for a new approval.",
            ),
        }
    }
}

fn denied_by(by: &OperatorId, reason: &str) -> Refused {
    let reason = match reason.trim() {
        "" => format!("Operator {by} denied this call."),
        said => format!("Operator {by} denied this call: {said}"),
    };
    Refused::new(
        "operator-denied",
        reason,
        "Do not send the same call again. Ask your user what to do instead, or change the call as the reason says.",
    )
}
