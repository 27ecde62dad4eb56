//! Names and ids, each a type of its own so that none stands in for another.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not a name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{found}` is not {wanted}")]
pub struct NameError {
    found: String,
    wanted: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $valid:expr, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Reads one from outside.
            ///
            /// # Errors
            /// [`NameError`] says what form it must have.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    return Ok(Self(text.into()));
                }
                Err(NameError { found: text.chars().filter(|c| !c.is_control()).take(80).collect(), wanted: $wanted })
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::parse(&text)
            }
        }
    };
}

name!(
    /// An agent, as its token names it.
    AgentId,
    is_name,
    "an agent's name: 1 to 64 of a-z, A-Z, 0-9, `-`, `_`, `.`, `@`, `:`"
);
name!(
    /// A person who answers holds.
    OperatorId,
    is_name,
    "an operator's name: 1 to 64 of a-z, A-Z, 0-9, `-`, `_`, `.`, `@`, `:`"
);
name!(
    /// A tool server, as the config names it. No dot: `server.tool` must split one way.
    ServerName,
    |text| is_name(text) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'),
    "a server's name: 1 to 64 of a-z, A-Z, 0-9, `-`, `_`"
);
name!(
    /// What joins calls that may carry values from one to the next.
    SessionKey,
    |text| !text.is_empty() && text.len() <= 256,
    "a session key: 1 to 256 bytes"
);
name!(
    /// One call: `call-` and 16 characters of base 32.
    CallId,
    |text| text.strip_prefix("call-").is_some_and(is_base32),
    "a call's id: `call-` and 16 of a-z, 2-7"
);
name!(
    /// One hold: `hold-` and 16 characters of base 32.
    HoldId,
    |text| text.strip_prefix("hold-").is_some_and(is_base32),
    "a hold's id: `hold-` and 16 of a-z, 2-7"
);

impl AgentId {
    /// States that whoever bears this name has proved it. Characters that no name may have become `_`.
    #[must_use]
    pub fn authenticated(name: &str) -> Self {
        Self(stated(name))
    }
}

impl OperatorId {
    /// States that whoever bears this name has proved it. Characters that no name may have become `_`.
    #[must_use]
    pub fn authenticated(name: &str) -> Self {
        Self(stated(name))
    }
}

impl CallId {
    /// An id nobody can guess, from 80 random bits.
    #[must_use]
    pub fn from_random(bits: [u8; 10]) -> Self {
        Self(format!("call-{}", base32(bits)).into())
    }
}

impl HoldId {
    /// An id nobody can guess, from 80 random bits.
    #[must_use]
    pub fn from_random(bits: [u8; 10]) -> Self {
        Self(format!("hold-{}", base32(bits)).into())
    }
}

fn stated(name: &str) -> Arc<str> {
    let name: String = name.chars().take(64).map(|c| if in_name(c) { c } else { '_' }).collect();
    if name.is_empty() { "_".into() } else { name.into() }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(in_name)
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':')
}

/// RFC 4648's alphabet in lower case: no letter that looks like a digit of the set.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

fn is_base32(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| BASE32.contains(&byte))
}

fn base32(bits: [u8; 10]) -> String {
    let number = bits.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let digit = |place: u32| BASE32.get(usize::try_from(number >> (place * 5) & 31).ok()?).copied();
    (0..16).rev().filter_map(digit).map(char::from).collect()
}
