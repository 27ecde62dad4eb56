//! `Adapter`: what each kind of channel does, and how it fails.

use std::error::Error;
use std::io;
use std::time::Duration;

use audit::Redactor;
use futures_util::future::BoxFuture;
use thiserror::Error;

use super::message::Message;
use crate::cli::text;

/// One kind of channel.
pub(super) trait Adapter: Send + Sync {
    /// Sends a message once, and waits until somebody says that it was taken.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), SendError>>;
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
    Broken(#[source] Box<dyn Error + Send + Sync>),
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
    /// The message cannot be put into the form that the channel takes.
    #[error("the message cannot be written")]
    Form(#[source] Box<dyn Error + Send + Sync>),
}

/// More of an answer helps nobody.
const LONGEST: usize = 200;

impl SendError {
    /// How long whoever refused wants to be left alone.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        match self {
            Self::Refused { after, .. } => *after,
            Self::Connect(_) | Self::Broken(_) | Self::Late | Self::Form(_) => None,
        }
    }

    /// Without what may not be shown, and as short as a person wants to read it: a server that answers with what it was sent
    /// shows its credential. What is cut before it is redacted may end in half a credential.
    pub(super) fn redacted(self, redactor: &Redactor) -> Self {
        match self {
            Self::Refused { status, said, after } => {
                let said = redactor.redact_text(&said);
                let said: String =
                    said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect();
                Self::Refused { status, said: text::harmless(&said), after }
            }
            other @ (Self::Connect(_) | Self::Broken(_) | Self::Late | Self::Form(_)) => other,
        }
    }
}
