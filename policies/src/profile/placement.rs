//! `Placement`: where a secret goes when it is lent, and how. A permit is bound to it.

mod check;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::resources::Destination;

pub use check::PlacementError;

/// One secret, and the one way in which a tool makes use of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// The secret's name in the operator's config.
    pub secret: String,
    /// How the tool makes use of it.
    pub way: Way,
}

/// How a tool makes use of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Way {
    /// It never holds it: the edge places it into requests to one destination.
    Edge {
        /// Which requests.
        to: Box<Destination>,
        /// Where in them.
        into: Part,
        /// What the tool is given in its stead, where it insists on a value: the variable that holds the placeholder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        placeholder: Option<String>,
    },
    /// Weaker: the tool reads it from a file that is there for one call.
    File {
        /// Where the tool finds it.
        at: String,
        /// Where the tool itself may send it; nowhere without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Box<Destination>>,
    },
    /// Weaker: the tool reads it from its standard input, before the first message.
    Stdin {
        /// Where the tool itself may send it; nowhere without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Box<Destination>>,
    },
    /// Weakest: a variable of its environment, for all its life.
    Environment {
        /// The variable's name.
        name: String,
        /// Where the tool itself may send it; nowhere without.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Box<Destination>>,
    },
}

impl Placement {
    /// The requests that may carry it, whoever puts it there.
    #[must_use]
    pub fn destination(&self) -> Option<&Destination> {
        match &self.way {
            Way::Edge { to, .. } => Some(to),
            Way::File { to, .. } | Way::Stdin { to } | Way::Environment { to, .. } => to.as_deref(),
        }
    }
}

impl Way {
    /// Whether the tool holds the secret's bytes, so that a hostile one can give them away.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        match self {
            Self::Edge { .. } => false,
            Self::File { .. } | Self::Stdin { .. } | Self::Environment { .. } => true,
        }
    }

    /// What a person must know before choosing it; `None` where the tool never holds the secret.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        match self {
            Self::Edge { .. } => None,
            Self::File { .. } | Self::Stdin { .. } => Some(
                "weaker: the tool holds it; its known encodings are stopped, a cipher of the tool's own or one character a call is not",
            ),
            Self::Environment { .. } => Some(
                "weakest: the tool and whatever it starts hold it; its known encodings are stopped, a cipher of the tool's own or one character a call is not",
            ),
        }
    }
}

/// The part of a request that a secret is placed into. What the tool put there is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Part {
    /// A header.
    Header {
        /// Its name, in small letters.
        name: String,
        /// What stands before the secret, such as `Bearer `.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
    },
    /// The password of HTTP's basic authentication.
    Basic {
        /// The user's name.
        user: String,
    },
    /// A field of the query.
    Query {
        /// Its name.
        name: String,
    },
    /// A field of a JSON object or of a form.
    Field {
        /// Its name: of the outermost object, or of the form.
        name: String,
    },
    /// Nowhere: AWS's signature, version 4, is made with it. The secret is `ACCESS-KEY-ID:SECRET-ACCESS-KEY`.
    SigV4 {
        /// The region that is signed for.
        region: String,
        /// The service that is signed for.
        service: String,
    },
    /// Nowhere: the body is signed with it (HMAC-SHA-256, hexadecimal).
    Hmac {
        /// The header that holds the signature.
        header: String,
        /// What stands before it, such as `sha256=`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
    },
}

impl Part {
    /// The headers that it sets.
    #[must_use]
    pub fn headers(&self) -> Vec<&str> {
        match self {
            Self::Header { name, .. } => vec![name],
            Self::Basic { .. } => vec!["authorization"],
            Self::Query { .. } | Self::Field { .. } => Vec::new(),
            Self::SigV4 { .. } => {
                vec!["authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"]
            }
            Self::Hmac { header, .. } => vec![header],
        }
    }
}

impl fmt::Display for Placement {
    /// `github-token as header authorization to https://api.github.com:443`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match &self.way {
            Way::Edge { to, into, .. } => return write!(f, "{} as {into} to {to}", self.secret),
            Way::File { at, to } => {
                write!(f, "{} as file {at}: the tool reads it", self.secret)?;
                to
            }
            Way::Stdin { to } => {
                write!(f, "{} on standard input: the tool reads it", self.secret)?;
                to
            }
            Way::Environment { name, to } => {
                write!(f, "{} as variable {name}: the tool reads it", self.secret)?;
                to
            }
        };
        match to {
            Some(to) => write!(f, ", and may send it to {to}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header { name, .. } => write!(f, "header {name}"),
            Self::Basic { user } => write!(f, "password of {user}"),
            Self::Query { name } => write!(f, "query field {name}"),
            Self::Field { name } => write!(f, "body field {name}"),
            Self::SigV4 { region, service } => write!(f, "AWS signature for {service} in {region}"),
            Self::Hmac { header, .. } => write!(f, "HMAC in header {header}"),
        }
    }
}
