//! `Refused`: every error of the operators' API, with what to do next. Agents never see these.

use jsonrpsee::types::{ErrorObjectOwned, error::INVALID_PARAMS_CODE};
use policies::HoldId;
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
    /// The connection has no operator. Never seen unless the socket's own check is broken.
    #[error("nobody is known to be at the other end")]
    Nobody,
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
            Self::State { next, .. } => next.clone(),
            Self::Unrecorded(_) => {
                "mend the disk or free space under the state folder; it recovers by itself".to_owned()
            }
            Self::Nobody => "connect through the operators' socket".to_owned(),
        }
    }

    fn code(&self) -> i32 {
        match self {
            Self::Params(_) => INVALID_PARAMS_CODE,
            Self::Unknown { .. } => UNKNOWN,
            Self::Ambiguous { .. } => AMBIGUOUS,
            Self::State { .. } => STATE,
            Self::Unrecorded(_) => UNRECORDED,
            Self::Nobody => NOBODY,
        }
    }
}

impl From<Refused> for ErrorObjectOwned {
    fn from(refused: Refused) -> Self {
        Self::owned(refused.code(), refused.to_string(), Some(Advice { next: refused.next() }))
    }
}
