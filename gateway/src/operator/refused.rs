//! `Refused`: every error of the operators' API, with what to do next. Agents never see these.

use audit::AuditError;
use audit::assertion::BadAssertion;
use jiff::Timestamp;
use jsonrpsee::types::{ErrorObjectOwned, error::INVALID_PARAMS_CODE};
use policies::{HoldId, OperatorId, Role};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why an operator's request has no effect.
#[derive(Debug, Error)]
pub enum Refused {
    /// The parameters are not what the method takes.
    #[error("{0}")]
    Params(String),
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// Hold, tool or agent.
        what: &'static str,
        /// As it was asked for.
        name: String,
        /// How to find the right one.
        next: &'static str,
    },
    /// More than one hold begins like this.
    #[error("`{given}` is the beginning of {} holds", matches.len())]
    Ambiguous {
        /// As it was asked for.
        given: String,
        /// Which.
        matches: Vec<HoldId>,
    },
    /// The thing is not in a state for it.
    #[error("{what}")]
    State {
        /// Why not.
        what: String,
        /// What is.
        next: String,
    },
    /// The log cannot be written, so nothing may change.
    #[error("the change could not be recorded, so nothing changed: {0}")]
    Unrecorded(String),
    /// Whoever asked is not who they were then: they were removed, also where somebody was added under their name since, or have another
    /// PIN; or they are a user of this machine, and the first people were added.
    #[error(
        "since this was asked you were removed, or have another PIN, or the first people were added: nothing changed"
    )]
    Gone,
    /// The session is over, or its operator was removed.
    #[error("nobody is signed in")]
    Nobody,
    /// The role does not allow it.
    #[error("`{who}` is a {role}, and this takes an {least}")]
    Role {
        /// Who.
        who: OperatorId,
        /// As what.
        role: Role,
        /// The least role that may.
        least: Role,
        /// What to do.
        next: String,
    },
    /// It takes a proof of who asks.
    #[error("the PIN of `{name}` is needed")]
    NeedsPin {
        /// Whose.
        name: OperatorId,
    },
    /// It takes the signature of a passkey: there is one, and the PIN is not as good.
    #[error("a passkey of `{name}` has to sign this")]
    NeedsPasskey {
        /// Whose.
        name: OperatorId,
    },
    /// It is not the one that was set, or nobody has that name.
    #[error("the PIN is wrong")]
    WrongPin,
    /// The passkey did not sign this, or is not theirs.
    #[error("the passkey does not prove it: {why}")]
    Passkey {
        /// What is not so.
        why: BadAssertion,
    },
    /// Too many were wrong.
    #[error("too many proofs were wrong: none is looked at before {until:.0}")]
    Locked {
        /// Until when.
        until: Timestamp,
    },
    /// Too many PINs wait to be checked.
    #[error("too many proofs are being checked")]
    Busy,
    /// There is no console.
    #[error("the console is off")]
    NoConsole,
}

/// What goes with an error.
#[derive(Debug, Serialize, Deserialize)]
pub struct Advice {
    /// What to do next.
    pub next: String,
}

/// Codes of our own, outside the range that JSON-RPC reserves.
const UNKNOWN: i32 = 1404;
const AMBIGUOUS: i32 = 1300;
const STATE: i32 = 1409;
const UNRECORDED: i32 = 1503;
const NOBODY: i32 = 1401;
/// The same request with a `pin` may succeed.
pub const NEEDS_PIN: i32 = 1402;
const ROLE: i32 = 1403;
const WRONG_PIN: i32 = 1411;
const WRONG_PASSKEY: i32 = 1412;
/// The same request with an `assertion` may succeed.
const NEEDS_PASSKEY: i32 = 1413;
const GONE: i32 = 1414;
const LOCKED: i32 = 1429;
const BUSY: i32 = 1430;
const NO_CONSOLE: i32 = 1410;

impl Refused {
    /// What to do about it.
    #[must_use]
    pub fn next(&self) -> String {
        match self {
            Self::Params(_) => "`portcullis --help` and docs/reference say what is wanted".to_owned(),
            Self::Unknown { next, .. } => (*next).to_owned(),
            Self::Ambiguous { matches, .. } => {
                let ids: Vec<&str> = matches.iter().map(HoldId::as_str).collect();
                format!("give more of the id: {}", ids.join(", "))
            }
            Self::State { next, .. } | Self::Role { next, .. } => next.clone(),
            Self::Unrecorded(_) => {
                "mend the disk or free space under the state folder; it recovers by itself".to_owned()
            }
            Self::Gone => {
                "ask again as who you are now, with the PIN that you have now; `portcullis operator list` shows who there is".to_owned()
            }
            Self::Nobody => "sign in again: portcullis console".to_owned(),
            Self::NeedsPin { .. } => "give the PIN: --pin-stdin, or at a terminal when it is asked for".to_owned(),
            Self::NeedsPasskey { .. } => {
                "do it in the console, where your passkey signs it; an admin takes away one that was lost: portcullis operator \
                 passkey-remove"
                    .to_owned()
            }
            Self::WrongPin => "try again; an admin can set another one: portcullis operator pin NAME".to_owned(),
            Self::Passkey { .. } => "try again, with the passkey or with the PIN".to_owned(),
            Self::Locked { .. } => "wait, or answer through another operator; the log names who tried".to_owned(),
            Self::Busy => "try again in a moment".to_owned(),
            Self::NoConsole => "turn it on: `[operator] console = \"127.0.0.1:7733\"` in portcullis.toml".to_owned(),
        }
    }

    /// The number that programs go by.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::Params(_) => INVALID_PARAMS_CODE,
            Self::Unknown { .. } => UNKNOWN,
            Self::Ambiguous { .. } => AMBIGUOUS,
            Self::State { .. } => STATE,
            Self::Unrecorded(_) => UNRECORDED,
            Self::Gone => GONE,
            Self::Nobody => NOBODY,
            Self::Role { .. } => ROLE,
            Self::NeedsPin { .. } => NEEDS_PIN,
            Self::NeedsPasskey { .. } => NEEDS_PASSKEY,
            Self::WrongPin => WRONG_PIN,
            Self::Passkey { .. } => WRONG_PASSKEY,
            Self::Locked { .. } => LOCKED,
            Self::Busy => BUSY,
            Self::NoConsole => NO_CONSOLE,
        }
    }
}

impl From<AuditError> for Refused {
    fn from(error: AuditError) -> Self {
        if error == AuditError::NoAuthor { Self::Gone } else { Self::Unrecorded(error.to_string()) }
    }
}

impl From<Refused> for ErrorObjectOwned {
    fn from(refused: Refused) -> Self {
        Self::owned(refused.code(), refused.to_string(), Some(Advice { next: refused.next() }))
    }
}
