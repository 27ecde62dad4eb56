//! `OpenError` and `SendError`: why nothing can be sent there, and why nobody says that it was taken.

use std::error::Error as Cause;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use audit::Redactor;
use thiserror::Error;

use crate::cli::text;

/// Why a channel or an exporter cannot be used as it is configured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file that it needs.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read its credential.
    #[error("`{}` is open to others: `chmod 600` it, and consider it known", .0.display())]
    Exposed(PathBuf),
    /// Its credential is none.
    #[error("`{}` does not hold {wanted}", path.display())]
    Credential {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// A variable that it needs.
    #[error("the environment has no variable `{0}` that holds one line")]
    Variable(String),
    /// Whom it is to trust.
    #[error("cannot read certificates from `{}`", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn Cause + Send + Sync>,
    },
    /// TLS or HTTP cannot be set up.
    #[error("cannot be set up")]
    Client(#[source] Box<dyn Cause + Send + Sync>),
}

/// Why nobody says that a message was taken. It may have been: it is sent again, with the same id.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SendError {
    /// Nobody answers there, or is not who is to be trusted.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The connection ended before the answer.
    #[error("the connection broke off")]
    Broken(#[source] Box<dyn Cause + Send + Sync>),
    /// No answer in time.
    #[error("no answer in time")]
    Late,
    /// Another answer than that it was taken.
    #[error("it answered {status}{}{said}", if said.is_empty() { "" } else { ": " })]
    Refused {
        /// Of HTTP or SMTP.
        status: u16,
        /// What it said.
        said: String,
        /// How long it wants to be left alone.
        after: Option<Duration>,
    },
    /// It will never take what it was sent, whoever sends it again.
    #[error("it answered {status} and does not take this{}{said}", if said.is_empty() { "" } else { ": " })]
    Unfit {
        /// Of HTTP.
        status: u16,
        /// What it said.
        said: String,
    },
    /// The message cannot be put into the form that the channel takes.
    #[error("the message cannot be written")]
    Form(#[source] Box<dyn Cause + Send + Sync>),
}

/// More of an answer helps nobody.
const LONGEST: usize = 200;

impl SendError {
    /// How long whoever refused wants to be left alone.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        match self {
            Self::Refused { after, .. } => *after,
            Self::Connect(_) | Self::Broken(_) | Self::Late | Self::Unfit { .. } | Self::Form(_) => None,
        }
    }

    /// Without what may not be shown, and as short as a person wants to read it: a server that answers with what it was sent
    /// shows its credential.
    pub(crate) fn redacted(self, redactor: &Redactor) -> Self {
        match self {
            Self::Refused { status, said, after } => Self::Refused { status, said: shown(&said, redactor), after },
            Self::Unfit { status, said } => Self::Unfit { status, said: shown(&said, redactor) },
            other @ (Self::Connect(_) | Self::Broken(_) | Self::Late | Self::Form(_)) => other,
        }
    }
}

/// What a server said, redacted and short. What is cut before it is redacted may end in half a credential.
pub(crate) fn shown(said: &str, redactor: &Redactor) -> String {
    let said = redactor.redact_text(said);
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect();
    text::harmless(&said)
}
