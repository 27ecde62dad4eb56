//! `Who`: somebody who signs in, as they are at that moment.

use std::sync::Arc;

use audit::{Author, Operator};
use policies::{OperatorId, Role};

use crate::operator::people::Person;

/// Somebody who signs in. INVARIANT: a name alone is nobody ([`Author`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    name: OperatorId,
    role: Role,
    author: Arc<Author>,
}

impl Who {
    /// An operator.
    #[must_use]
    pub fn operator(operator: &Operator) -> Self {
        Self { name: operator.name.clone(), role: operator.role, author: Arc::new(Author::operator(operator)) }
    }

    /// Somebody who was let in: an operator, or a user of this machine.
    #[must_use]
    pub fn person(person: &Person) -> Self {
        Self { name: person.id.clone(), role: person.role, author: Arc::clone(&person.author) }
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

    /// Who they are in the log, if they were added.
    #[must_use]
    pub fn author(&self) -> Option<&Arc<Author>> {
        Some(&self.author).filter(|author| author.is_operator())
    }

    /// The operator that they are, if they still are.
    #[must_use]
    pub fn among<'a>(&self, operators: &'a [Operator]) -> Option<&'a Operator> {
        operators.iter().find(|one| self.author.is(one))
    }

    /// Whether this is the same person, whatever their PIN.
    #[must_use]
    pub fn is_of(&self, operator: &Operator) -> bool {
        self.author.was(operator)
    }

    /// Whether they are a user of this machine. No operator's name has a `:`.
    #[must_use]
    pub fn is_user(&self) -> bool {
        !self.author.is_operator() && self.name.as_str().starts_with("uid:")
    }

    /// Whether they are still who they were.
    #[must_use]
    pub fn stands(&self, operators: &[Operator]) -> bool {
        self.is_user() || self.among(operators).is_some()
    }
}

#[cfg(test)]
mod tests {
    use audit::Verifier;
    use jiff::Timestamp;

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
        let user = |id: &str| Who::person(&Person::user(OperatorId::authenticated(id), Role::Admin));
        assert!(user("uid:ann").stands(&[]));
        assert!(!user("ann").stands(&[ann]), "a user passes for an operator");
    }
}
