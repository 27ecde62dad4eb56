//! `Operator`: a person who answers holds, as the log keeps them.

use std::fmt;

use jiff::Timestamp;
use policies::{Hash, OperatorId, Role};
use serde::{Serialize, Serializer};

/// A person who was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Their name.
    pub name: OperatorId,
    /// What they may do.
    pub role: Role,
    /// The user of this machine whose connections are theirs.
    pub uid: Option<u32>,
    /// What their PIN is checked against.
    pub pin: Verifier,
    /// When they were added.
    pub added: Timestamp,
}

/// What a PIN is checked against: its maker's text, kept in the projection alone. Records have a hash of it, which is enough
/// to see that the projection holds what was set, and nothing to try PINs on: the text has a salt.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier(String);

impl Verifier {
    /// A verifier as its maker wrote it.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Serialize for Verifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hash::of(self.0.as_bytes()))
    }
}

/// Where a person proves who they are. Failures are counted for each door, so that who fails at the one does not lock a person out
/// of the other: strangers at the sign-in, other users of this machine, programs that run as the person's own user, and whoever has
/// their session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// Anyone who reaches the console can try, with a PIN.
    SignIn,
    /// Anyone who reaches the console can try, with a passkey. Failures are counted, and lock nothing: no signature is guessed.
    SignInByPasskey,
    /// Any user whom the operators' socket serves can say that they are this person.
    Claimed,
    /// Only a program of the person's own user, as the kernel says.
    Inside,
    /// Only who is signed in to the console as this person.
    Session,
    /// The same with a passkey. As at the sign-in, failures lock nothing.
    SessionByPasskey,
}

impl Door {
    const ALL: [Self; 6] =
        [Self::SignIn, Self::SignInByPasskey, Self::Claimed, Self::Inside, Self::Session, Self::SessionByPasskey];

    /// The name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign-in",
            Self::SignInByPasskey => "sign-in-by-passkey",
            Self::Claimed => "claimed",
            Self::Inside => "inside",
            Self::Session => "session",
            Self::SessionByPasskey => "session-by-passkey",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.as_str() == name)
    }
}

/// Proofs that failed since the last one that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// How many.
    pub count: u32,
    /// When the last one was.
    pub last: Option<Timestamp>,
}
