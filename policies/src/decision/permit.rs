//! `Permit` and `Denial`: the two ends of a decision, as values that only a decision can make.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Assessment, Binding, NotApproved};
use crate::approval::Lent;
use crate::call::{Call, CallId, HoldId, OperatorId};

/// The proof that one call may run once. It names the rule or the people that allowed it.
///
/// Only [`Policies::decide`](super::Policies::decide), [`Held::release`](super::Held::release) and
/// [`Held::continue_from`](super::Held::continue_from) make one. It cannot be built elsewhere:
///
/// ```compile_fail
/// fn forge(call: policies::Call, honest: policies::Permit) -> policies::Permit {
///     policies::Permit { call, ..honest }
/// }
/// ```
///
/// nor copied, so that one approval cannot run two calls:
///
/// ```compile_fail
/// fn twice(permit: policies::Permit) -> (policies::Permit, policies::Permit) {
///     (permit.clone(), permit)
/// }
/// ```
///
/// nor read from a file or a message:
///
/// ```compile_fail
/// fn read(text: &str) -> policies::Permit {
///     serde_json::from_str(text).unwrap()
/// }
/// ```
#[derive(Debug)]
#[must_use = "a permit that is dropped lets nothing run"]
pub struct Permit {
    call: Call,
    assessment: Assessment,
    binding: Binding,
    because: Because,
    expires: Timestamp,
}

/// Why a call may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Because {
    /// The policies let it run unattended.
    Policy,
    /// People approved it.
    Approval {
        /// The hold that they answered.
        hold: HoldId,
        /// Who approved, in order.
        operators: Vec<OperatorId>,
        /// Of those who did so by another's right, whose.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        lent: BTreeMap<OperatorId, Lent>,
    },
    /// One person let it run without the others who were to be asked.
    #[serde(rename = "break-glass")]
    BreakGlass {
        /// The hold.
        hold: HoldId,
        /// Who.
        operator: OperatorId,
        /// Who had approved before.
        operators: Vec<OperatorId>,
        /// Of those who did so by another's right, whose.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        lent: BTreeMap<OperatorId, Lent>,
    },
    /// It continues an approved call that asked for more input.
    Continuation {
        /// The call before it.
        of: CallId,
    },
}

/// How long a permit may wait for its dispatch: longer than a loaded gateway takes, shorter than the world takes to change.
pub const PERMIT_LASTS: SignedDuration = SignedDuration::from_secs(60);

impl Permit {
    pub(super) fn new(call: Call, assessment: Assessment, binding: Binding, because: Because, now: Timestamp) -> Self {
        let expires = now.saturating_add(PERMIT_LASTS).unwrap_or(now);
        Self { call, assessment, binding, because, expires }
    }

    /// The call that may run.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// What was found out about it.
    #[must_use]
    pub fn assessment(&self) -> &Assessment {
        &self.assessment
    }

    /// What the permit is bound to.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Why it may run.
    #[must_use]
    pub fn because(&self) -> &Because {
        &self.because
    }

    /// When it is void.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Whether it is still good at this time.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires
    }

    /// Gives it up, because the hold that it came from ended before the call was dispatched.
    pub fn refuse(self, why: NotApproved) -> Denial {
        Denial::new(self.call, self.assessment, why.into())
    }
}

/// A call that will not run, and what its agent is told.
#[derive(Debug)]
#[must_use = "a denial must be recorded and answered"]
pub struct Denial {
    call: Call,
    assessment: Assessment,
    refused: Refused,
}

/// What an agent is told of a refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The id of the policy or of the gateway's own rule.
    pub rule: String,
    /// Why, in one or two sentences.
    pub reason: String,
    /// What the agent can do now.
    pub next: String,
}

impl Denial {
    /// A denial. Anyone may make one: it opens nothing.
    pub fn new(call: Call, assessment: Assessment, refused: Refused) -> Self {
        Self { call, assessment, refused }
    }

    /// The call that was refused.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// What was found out about it.
    #[must_use]
    pub fn assessment(&self) -> &Assessment {
        &self.assessment
    }

    /// What the agent is told.
    #[must_use]
    pub fn refusal(&self) -> &Refused {
        &self.refused
    }
}

impl Refused {
    pub(crate) fn new(rule: impl Into<String>, reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self { rule: rule.into(), reason: reason.into(), next: next.into() }
    }
}
