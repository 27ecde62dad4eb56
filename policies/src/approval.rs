//! `Hold`: who approved what, as a state machine without I/O.
//!
//! ```text
//!                 Approve, quorum reached              Consume
//!   ┌─ Pending ──────────────────────────► Approved ─────────────► Consumed ─┐
//!   │     ▲ │                                 │                       ▲      │ Continue: the call asked its client
//!   └─────┘ │ Deny · Expire · Cancel          │ Deny · Expire ·       └──────┘ for input and goes on (a few rounds)
//!  Approve, ▼                                 ▼ Cancel
//!  not yet  Denied  Expired  Cancelled ◄──────┘
//! ```
//!
//! `BreakGlass` leads from Pending to Approved too, without the quorum (`glass.rs`).
//!
//! Denied, Expired, Cancelled and Consumed are final. Past its time a hold can only expire: an approval that comes late,
//! or that nobody collected in time, opens nothing. One operator's denial outweighs any number of approvals until the
//! call has run.

mod delegation;
mod glass;
mod glob;
mod pass;
mod proof;
mod quorum;
mod role;
mod step;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call::{AgentId, CallId, HoldId, Method, OperatorId, ServerName, SessionKey};
use crate::decision::{Binding, Held};
use crate::risk::Risk;

pub use delegation::{Delegation, DelegationError, LENT_LONGEST, Lent, Within};
pub use glass::{Glass, ReasonsError, Review};
pub use glob::{Glob, GlobError};
pub use pass::{Allowed, Covering, LONGEST, Leeway, Loose, MOST_TIMES, Pass, PassError};
pub use proof::{Approved, COVER_LASTS, COVER_ROUNDS, Covered};
pub use quorum::{MOST_PEOPLE, Missing, OfRole, Quorum, QuorumError, Quorums};
pub use role::{Approver, By, Role};
pub use step::{Step, StepError};

/// A call that waits for people, as it is stored and shown. The call's own bytes are kept elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    id: HoldId,
    call: CallId,
    agent: AgentId,
    session: SessionKey,
    server: ServerName,
    tool: String,
    method: Method,
    binding: Binding,
    risk: Risk,
    assessment: serde_json::Value,
    required: u8,
    /// How many of them have to have which role; absent in holds that were opened before there was such a thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of_role: Option<OfRole>,
    approvals: Vec<Approval>,
    /// Somebody let it run without the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    glass: Option<Glass>,
    state: HoldState,
    /// Why it was cancelled, in the gateway's words.
    note: Option<String>,
    opened: Timestamp,
    expires: Timestamp,
    /// When it reached a final state.
    settled: Option<Timestamp>,
    /// The call that was continued last, if any was.
    before: Option<CallId>,
    /// How often the consumed approval was continued.
    rounds: u8,
}

/// One person's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub operator: OperatorId,
    /// When.
    pub at: Timestamp,
    /// Why, in their words, if they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The pass that said it for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<HoldId>,
    /// Whose right it was given by, where that is not their own. The yes counts for both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lent: Option<Lent>,
    /// The role that it counts for, where the hold asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

impl Approval {
    /// Whether this person gave it, or lent the right to. Names that differ only in case are one person: `Ann` and `ann` are
    /// no quorum of two.
    #[must_use]
    pub fn is_of(&self, person: &OperatorId) -> bool {
        let same = |name: &OperatorId| name.as_str().eq_ignore_ascii_case(person.as_str());
        same(&self.operator) || self.lent.as_ref().is_some_and(|lent| same(&lent.by))
    }
}

/// Where a hold stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum HoldState {
    /// It waits for (more) approvals.
    Pending,
    /// Enough people approved; nobody has run it yet.
    Approved,
    /// A person said no.
    Denied {
        /// Who.
        by: OperatorId,
        /// Why, in their words.
        reason: String,
    },
    /// Its time ran out.
    Expired,
    /// It was withdrawn.
    Cancelled,
    /// The approval was used.
    Consumed {
        /// The call that used it, or that continued it last.
        by: CallId,
    },
}

impl HoldState {
    /// The state's name.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied { .. } => "denied",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Consumed { .. } => "consumed",
        }
    }

    /// Who said no, and why in their words, if a person did.
    #[must_use]
    pub fn denied(&self) -> Option<(&OperatorId, &str)> {
        match self {
            Self::Denied { by, reason } => Some((by, reason)),
            Self::Pending | Self::Approved | Self::Expired | Self::Cancelled | Self::Consumed { .. } => None,
        }
    }

    /// Whether a person or the clock can still change the outcome.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }
}

impl Hold {
    /// Opens a hold for this call, which these people must approve.
    #[must_use]
    pub fn open(id: HoldId, held: &Held, quorum: impl Into<Quorum>, now: Timestamp) -> Self {
        let (call, assessment, quorum) = (held.call(), held.assessment(), quorum.into());
        Self {
            id,
            call: call.id().clone(),
            agent: call.agent().clone(),
            session: call.session().clone(),
            server: call.tool().server().clone(),
            tool: call.tool().name().to_owned(),
            method: call.tool().method(),
            binding: held.binding().clone(),
            risk: assessment.risk,
            assessment: serde_json::to_value(assessment).unwrap_or_default(),
            required: quorum.people(),
            of_role: quorum.of_role(),
            approvals: Vec::new(),
            glass: None,
            state: HoldState::Pending,
            note: None,
            opened: now,
            expires: held.expires_at(now),
            settled: None,
            before: None,
            rounds: 0,
        }
    }

    /// Which hold.
    #[must_use]
    pub fn id(&self) -> &HoldId {
        &self.id
    }

    /// The call that opened it.
    #[must_use]
    pub fn call(&self) -> &CallId {
        &self.call
    }

    /// Who wants to call.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The session of the call that opened it.
    #[must_use]
    pub fn session(&self) -> &SessionKey {
        &self.session
    }

    /// The server of the tool.
    #[must_use]
    pub fn server(&self) -> &ServerName {
        &self.server
    }

    /// The tool's name at its server.
    #[must_use]
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// Which MCP request it is.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// What an approval is bound to.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// How dangerous the call is.
    #[must_use]
    pub fn risk(&self) -> Risk {
        self.risk
    }

    /// The assessment as it was when the hold opened: what the people saw who answered.
    #[must_use]
    pub fn assessment(&self) -> &serde_json::Value {
        &self.assessment
    }

    /// How many people must approve.
    #[must_use]
    pub fn required(&self) -> u8 {
        self.required
    }

    /// Who has approved so far.
    #[must_use]
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// Whether this person is among those who have approved: by themselves, or by a right that they lent.
    #[must_use]
    pub fn counts(&self, person: &OperatorId) -> bool {
        self.approvals.iter().any(|given| given.is_of(person))
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> &HoldState {
        &self.state
    }

    /// Why it was cancelled.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// When it was opened.
    #[must_use]
    pub fn opened(&self) -> Timestamp {
        self.opened
    }

    /// When it ends by itself.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// When it reached a final state.
    #[must_use]
    pub fn settled(&self) -> Option<Timestamp> {
        self.settled
    }

    /// How often the call that consumed it was continued.
    #[must_use]
    pub fn rounds(&self) -> u8 {
        self.rounds
    }
}

#[cfg(test)]
pub(crate) mod tests;
