//! `Who`: somebody who signs in, as they are at that moment.

use audit::{Operator, Verifier};
use jiff::Timestamp;
use policies::{OperatorId, Role};

use crate::operator::people::Person;

/// Somebody who signs in. INVARIANT: a name alone is nobody: who is added later under the same one is somebody else, and who has
/// another PIN since may have it because somebody else had the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    name: OperatorId,
    role: Role,
    /// When they were added, and what their PIN is checked against; `None` for a user whom the kernel names.
    added: Option<(Timestamp, Verifier)>,
}

impl Who {
    /// An operator.
    #[must_use]
    pub fn operator(operator: &Operator) -> Self {
        let added = Some((operator.added, operator.pin.clone()));
        Self { name: operator.name.clone(), role: operator.role, added }
    }

    /// A user of this machine who was not added.
    #[must_use]
    pub fn user(person: &Person) -> Self {
        Self { name: person.id.clone(), role: person.role, added: None }
    }

    /// Their name.
    #[must_use]
    pub fn name(&self) -> &OperatorId {
        &self.name
    }

    /// As what they signed in; what counts is what they are when they ask.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The operator that they are, if they still are.
    #[must_use]
    pub fn among<'a>(&self, operators: &'a [Operator]) -> Option<&'a Operator> {
        let (added, pin) = self.added.as_ref()?;
        operators.iter().find(|one| one.name == self.name && one.added == *added && one.pin == *pin)
    }

    /// Whether this is the same person, whatever their PIN.
    #[must_use]
    pub fn is_of(&self, operator: &Operator) -> bool {
        let same = |(added, _): &(Timestamp, Verifier)| *added == operator.added;
        self.name == operator.name && self.added.as_ref().is_some_and(same)
    }

    /// Whether they are a user of this machine. No operator's name has a `:`.
    #[must_use]
    pub fn is_user(&self) -> bool {
        self.added.is_none() && self.name.as_str().starts_with("uid:")
    }

    /// Whether they are still who they were.
    #[must_use]
    pub fn stands(&self, operators: &[Operator]) -> bool {
        self.is_user() || self.among(operators).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_who_was_added_then_and_has_the_same_pin() {
        let added: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let (name, pin) = (OperatorId::authenticated("ann"), Verifier::new("one".to_owned()));
        let ann = Operator { name, role: Role::Admin, uid: None, pin, added };
        let who = Who::operator(&ann);
        let other = |change: fn(&mut Operator)| {
            let mut other = ann.clone();
            change(&mut other);
            who.stands(&[other])
        };
        assert!(who.stands(std::slice::from_ref(&ann)) && !who.stands(&[]));
        assert!(other(|ann| ann.role = Role::Reviewer), "what they may do is asked each time");
        assert!(!other(|ann| ann.name = OperatorId::authenticated("bob")));
        assert!(!other(|ann| ann.added += jiff::SignedDuration::from_micros(1)));
        assert!(!other(|ann| ann.pin = Verifier::new("two".to_owned())));
        let person = |id: &str| {
            let id = OperatorId::authenticated(id);
            Person { id, role: Role::Admin, added: false, proved: false, signed: None }
        };
        assert!(Who::user(&person("uid:ann")).stands(&[]));
        assert!(!Who::user(&person("ann")).stands(&[ann]), "a user passes for an operator");
    }
}
