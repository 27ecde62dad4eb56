//! `Author`: who has something recorded, as they were when they were let in.

use jiff::Timestamp;
use policies::OperatorId;

use crate::operator::{Operator, Verifier};

/// Who has something recorded. INVARIANT: a name alone is nobody: who is added later under the same one is somebody else, and who has
/// another PIN since may have it because somebody else had the old one. [`Audit::by`](crate::Audit::by) has the log ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// A user of this machine, as the kernel names them: until people are added, they are the admins.
    User,
    /// A person who was added.
    Operator {
        /// Their name.
        name: OperatorId,
        /// When they were added.
        added: Timestamp,
        /// What their PIN is checked against: no two texts of one PIN are alike.
        pin: Verifier,
    },
}

impl Author {
    /// An operator, as they are now.
    #[must_use]
    pub fn operator(operator: &Operator) -> Self {
        Self::Operator { name: operator.name.clone(), added: operator.added, pin: operator.pin.clone() }
    }

    /// Whether they are this operator, with the same PIN.
    #[must_use]
    pub fn is(&self, operator: &Operator) -> bool {
        *self == Self::operator(operator)
    }

    /// Whether they are this operator, whatever their PIN is now.
    #[must_use]
    pub fn was(&self, operator: &Operator) -> bool {
        match self {
            Self::User => false,
            Self::Operator { name, added, .. } => *name == operator.name && *added == operator.added,
        }
    }

    /// Whether they were added.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        matches!(self, Self::Operator { .. })
    }
}
