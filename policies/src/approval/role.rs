//! `Role` and `Approver`: who asks to approve a hold.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::call::OperatorId;

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything and changes nothing.
    Reviewer,
    /// Answers held calls, and decides about tools and agents.
    Operator,
    /// That, and who the operators are.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Reviewer, Self::Operator, Self::Admin];

    /// The name in policies, records and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reviewer => "reviewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// By what somebody shows that it is them who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The kernel's word on their user: nobody was added as an operator.
    User,
    /// A PIN, with this very answer.
    Pin,
    /// A passkey that signed this very answer.
    Passkey,
    /// A pass that they gave before.
    Pass,
}

impl By {
    /// The name in policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Pin => "pin",
            Self::Passkey => "passkey",
            Self::Pass => "pass",
        }
    }
}

/// Who asks to approve a hold, and what the policies may know of them.
#[derive(Clone, Copy, Debug)]
pub struct Approver<'a> {
    /// Who.
    pub operator: &'a OperatorId,
    /// As what.
    pub role: Role,
    /// The agent acts for this operator: it is `operator:NAME`, or the operator added it.
    pub own: bool,
    /// How many people there are who approve calls.
    pub people: usize,
    /// How they show that it is them.
    pub by: By,
    /// How many passkeys they have.
    pub passkeys: usize,
    /// They say why.
    pub reasoned: bool,
    /// Not to this call alone: with a pass, or by one that they gave before.
    pub pass: bool,
}
