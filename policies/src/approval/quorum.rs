//! `Quorum`: how many people approve a held call, and how many of them as what.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Hold, Role, StepError};
use crate::risk::Risk;

/// So many people approve, and so many of them have a role. It is taken into the hold when that opens: what the config says
/// later changes no call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    people: u8,
    of_role: Option<OfRole>,
}

/// How many of those who approve have a role, or a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfRole {
    /// How many.
    pub people: u8,
    /// Which.
    pub role: Role,
}

/// The quorum of each risk, where an operator set one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quorums {
    /// For LOW: held only by an operator's own policy.
    pub low: Option<Quorum>,
    /// For MEDIUM: held only by an operator's own policy.
    pub medium: Option<Quorum>,
    /// For HIGH.
    pub high: Option<Quorum>,
    /// For CRITICAL.
    pub critical: Option<Quorum>,
}

/// Why there can be no such quorum.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum QuorumError {
    /// Nobody, or more than a gateway has operators.
    #[error("1 to {MOST_PEOPLE} people approve a call")]
    People,
    /// More of a role than there are people.
    #[error("of the {people} who approve, at least 1 and at most {people} can be asked to have a role")]
    OfRole {
        /// How many approve.
        people: u8,
    },
    /// Reviewers approve nothing.
    #[error("a reviewer approves nothing: `operator` or `admin`")]
    Reviewer,
}

/// More than so many are not brought together within the time of a hold; a mistyped number should not lock everything.
pub const MOST_PEOPLE: u8 = 16;

impl Quorum {
    /// So many people, `of_role` of them of this role where one is named.
    ///
    /// # Errors
    /// [`QuorumError`] if it could never be reached, whoever the operators are.
    pub fn new(people: u8, of_role: Option<OfRole>) -> Result<Self, QuorumError> {
        if !(1..=MOST_PEOPLE).contains(&people) {
            return Err(QuorumError::People);
        }
        match of_role {
            Some(OfRole { role: Role::Reviewer, .. }) => Err(QuorumError::Reviewer),
            Some(of) if !(1..=people).contains(&of.people) => Err(QuorumError::OfRole { people }),
            Some(_) | None => Ok(Self { people, of_role }),
        }
    }

    /// How many people approve.
    #[must_use]
    pub fn people(self) -> u8 {
        self.people
    }

    /// How many of them have which role.
    #[must_use]
    pub fn of_role(self) -> Option<OfRole> {
        self.of_role
    }

    /// Whether these people can reach it together, each once.
    #[must_use]
    pub fn is_within(self, roles: &[Role]) -> bool {
        Missing { people: self.people, of_role: self.of_role, others: self.others() }.is_within(roles)
    }

    /// How many of those who approve need not have the role.
    fn others(self) -> u8 {
        self.people.saturating_sub(self.of_role.map_or(0, |of| of.people))
    }
}

/// Zero counts as one: nobody's approval is no approval.
impl From<u8> for Quorum {
    fn from(people: u8) -> Self {
        Self { people: people.max(1), of_role: None }
    }
}

impl Quorums {
    /// The quorum for a risk where so many people may approve: what was set, else two for CRITICAL where two exist who may,
    /// else one. What was set is not lowered for want of people: then nobody lets the call run by approving it.
    #[must_use]
    pub fn of(&self, risk: Risk, people: usize) -> Quorum {
        self.set(risk).unwrap_or_else(|| usual(risk, people).into())
    }

    /// What an operator set for a risk.
    #[must_use]
    pub fn set(&self, risk: Risk) -> Option<Quorum> {
        match risk {
            Risk::Low => self.low,
            Risk::Medium => self.medium,
            Risk::High => self.high,
            Risk::Critical => self.critical,
        }
    }
}

fn usual(risk: Risk, people: usize) -> u8 {
    match risk {
        Risk::Critical if people >= 2 => 2,
        Risk::Low | Risk::Medium | Risk::High | Risk::Critical => 1,
    }
}

/// The approvals that a hold still waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How many.
    pub people: u8,
    /// How many of them have to have which role.
    pub of_role: Option<OfRole>,
    /// How many of them may be anybody's.
    others: u8,
}

impl Missing {
    /// Whether people of these roles could give all of them, each one.
    #[must_use]
    pub fn is_within(self, roles: &[Role]) -> bool {
        let has = |role: &&Role| self.of_role.is_none_or(|of| **role >= of.role);
        let ranked = roles.iter().filter(has).count();
        let others = (roles.len() - ranked).min(usize::from(self.others));
        ranked >= self.of_role.map_or(0, |of| usize::from(of.people)) && ranked + others >= usize::from(self.people)
    }
}

impl Hold {
    /// How many of those who approve have to have which role.
    #[must_use]
    pub fn of_role(&self) -> Option<OfRole> {
        self.of_role
    }

    /// The approvals that it still waits for.
    #[must_use]
    pub fn missing(&self) -> Missing {
        let given = |ranked: bool| self.approvals.iter().filter(|given| self.ranks(given.role) == ranked).count();
        let left = |wanted: u8, given: usize| wanted.saturating_sub(u8::try_from(given).unwrap_or(u8::MAX));
        let quorum = Quorum { people: self.required, of_role: self.of_role };
        let of_role = self.of_role.map(|of| OfRole { people: left(of.people, given(true)), ..of });
        Missing {
            people: left(self.required, self.approvals.len()),
            of_role: of_role.filter(|of| of.people > 0),
            others: left(quorum.others(), given(false)),
        }
    }

    /// INVARIANT: an approval that counts as nothing is none. Whoever has not the role that is still missing does not take the
    /// place of one who has, so that when so many have approved, enough of them have the role.
    pub(super) fn takes(&self, role: Option<Role>) -> Result<(), StepError> {
        let missing = self.missing();
        match missing.of_role {
            Some(of) if !self.ranks(role) && missing.others == 0 => Err(StepError::NotOfRole(of.role)),
            Some(_) | None => Ok(()),
        }
    }

    /// Breaking the glass waives how many are asked, not as what: it takes one who has the role, while none has approved who
    /// has it.
    pub(super) fn takes_glass_of(&self, role: Option<Role>) -> Result<(), StepError> {
        match self.of_role {
            Some(of) if !self.ranks(role) && !self.approvals.iter().any(|given| self.ranks(given.role)) => {
                Err(StepError::NotOfRole(of.role))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn ranks(&self, role: Option<Role>) -> bool {
        self.of_role.is_none_or(|of| role >= Some(of.role))
    }
}

#[cfg(test)]
mod tests;
