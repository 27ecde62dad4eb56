//! `Delegation`: one operator's right to approve, lent to another for a time.
//!
//! It opens nothing by itself. Whenever it is used, the policies are asked whether whoever lent it may approve *this* call
//! *now*, and whether the other may stand in for them; whoever asks does so for one call, that they see, with their own
//! PIN. What was lent is not lent on: only a right of one's own is asked for. An approval by delegation counts for both of
//! them, so that they are never two of those who must approve.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Hold;
use crate::call::{AgentId, OperatorId, ServerName};
use crate::decision::tool_id;
use crate::risk::Risk;

/// A right to approve that was lent. It is named by the number of its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    by: OperatorId,
    to: OperatorId,
    within: Within,
    reason: String,
    made: Timestamp,
    expires: Timestamp,
}

/// What a right is lent for; everything unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// No call that is more dangerous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// Calls of these agents alone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub agents: BTreeSet<AgentId>,
    /// Calls of these tools alone, by the names that policies know them by: `mail.send_message`; `mail` for all of a server.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tools: BTreeSet<String>,
}

/// By whose right somebody approves, and by which delegation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lent {
    /// Who lent it.
    pub by: OperatorId,
    /// The number of the delegation's record.
    pub delegation: u64,
}

/// Why there can be no such delegation.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DelegationError {
    /// Both are one person.
    #[error("nobody lends their right to themselves")]
    Oneself,
    /// Too short or too long.
    #[error("a right is lent for a minute to a week")]
    Lasts,
    /// Too much is named one by one.
    #[error("a delegation names at most {MOST_NAMES} agents and tools: lend it for fewer, or for all")]
    Names,
    /// No tool has such a name.
    #[error("`{0}` names no tool: wanted SERVER.TOOL, or SERVER for all of its tools")]
    Tool(String),
}

/// The longest that a right is lent: a holiday of more than a week is worth a policy, or another operator.
pub const LENT_LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

const SHORTEST: SignedDuration = SignedDuration::from_mins(1);

/// Agents and tools that one delegation names: a person is to read them.
const MOST_NAMES: usize = 32;

impl Delegation {
    /// What `by` lends to `to`, for this long from now on.
    ///
    /// # Errors
    /// [`DelegationError`] if it is to oneself, for too long, or for what no tool is called.
    pub fn new(
        (by, to): (OperatorId, OperatorId),
        within: Within,
        lasts: SignedDuration,
        reason: String,
        now: Timestamp,
    ) -> Result<Self, DelegationError> {
        if same(&by, &to) {
            return Err(DelegationError::Oneself);
        }
        if !(SHORTEST..=LENT_LONGEST).contains(&lasts) {
            return Err(DelegationError::Lasts);
        }
        if within.agents.len() + within.tools.len() > MOST_NAMES {
            return Err(DelegationError::Names);
        }
        if let Some(name) = within.tools.iter().find(|name| !names_a_tool(name)) {
            return Err(DelegationError::Tool(name.clone()));
        }
        let expires = now.saturating_add(lasts).unwrap_or(now);
        Ok(Self { by, to, within, reason, made: now, expires })
    }

    /// Whether it is for this hold's call and not over. Whether its people still may is for the policies to say.
    #[must_use]
    pub fn covers(&self, hold: &Hold, now: Timestamp) -> bool {
        let Within { risk, agents, tools } = &self.within;
        let named = || tools.contains(&tool_id(hold.server(), hold.method(), hold.tool()));
        self.is_live(now)
            && risk.is_none_or(|most| hold.risk() <= most)
            && (agents.is_empty() || agents.contains(hold.agent()))
            && (tools.is_empty() || tools.contains(hold.server().as_str()) || named())
    }

    /// Whether it is not over.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.made <= now && now < self.expires
    }

    /// Whether this person lent it, or has it.
    #[must_use]
    pub fn concerns(&self, person: &OperatorId) -> bool {
        same(&self.by, person) || same(&self.to, person)
    }

    /// With its reason as it may be kept.
    #[must_use]
    pub fn because(self, reason: String) -> Self {
        Self { reason, ..self }
    }

    /// Who lent it.
    #[must_use]
    pub fn by(&self) -> &OperatorId {
        &self.by
    }

    /// Who has it.
    #[must_use]
    pub fn to(&self) -> &OperatorId {
        &self.to
    }

    /// What for.
    #[must_use]
    pub fn within(&self) -> &Within {
        &self.within
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Since when.
    #[must_use]
    pub fn made(&self) -> Timestamp {
        self.made
    }

    /// Until when.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// Names that differ only in case are one person, as everywhere that people are counted.
fn same(one: &OperatorId, other: &OperatorId) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

fn names_a_tool(name: &str) -> bool {
    let server = name.split_once(['.', ':']).map_or(name, |(server, _)| server);
    let whole = name.len() == server.len() || name.len() > server.len() + 1;
    whole && ServerName::parse(server).is_ok()
}

#[cfg(test)]
mod tests;
