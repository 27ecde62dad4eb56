//! `Answer`: what an operator says to a hold, and why that may have no effect.

use audit::StepRefused;
use policies::approval::{Leeway, PassError};
use policies::decision::NotYours;
use policies::{Hash, HoldId, OperatorId};
use thiserror::Error;

/// An operator's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Let it run.
    Approve {
        /// Why, if they say.
        reason: Option<String>,
        /// The deed that they saw; another one is not approved.
        digest: Option<Hash>,
        /// Let further calls like it run, within this.
        pass: Option<Leeway>,
    },
    /// Do not.
    Deny {
        /// Why: the agent is told.
        reason: String,
    },
}

/// Why an operator's answer has no effect.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// There is no such open hold.
    #[error("there is no open hold `{0}`")]
    Unknown(HoldId),
    /// The policies do not let this operator approve this call.
    #[error("{why}")]
    NotAllowed {
        /// Which policy, in its words.
        why: String,
        /// What to do, in its words.
        next: Option<String>,
    },
    /// The hold is for another deed than the one that was seen.
    #[error("the hold `{0}` is not for the call that was shown")]
    Another(HoldId),
    /// There can be no such pass.
    #[error("{0}")]
    Pass(#[from] PassError),
    /// The pass would keep what looks like a secret.
    #[error("the pass would keep a secret: `{0}` looks like one")]
    Secret(String),
    /// The hold is past answering.
    #[error("the hold cannot be answered: {0}")]
    Refused(#[from] StepRefused),
}

pub(super) fn not_allowed(by: &OperatorId, not: NotYours) -> AnswerError {
    let NotYours { rule, reason, next } = not;
    let why = match (rule, reason) {
        (Some(rule), Some(reason)) => format!("policy `{rule}` does not let `{by}` approve this call: {reason}"),
        (Some(rule), None) => format!("policy `{rule}` does not let `{by}` approve this call"),
        (None, _) => format!("no policy lets `{by}` approve this call"),
    };
    AnswerError::NotAllowed { why, next }
}
