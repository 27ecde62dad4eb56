//! `Channel`: a way by which people are told that a call waits for them.
//!
//! ```text
//! a hold ─► Message: names, risk, deadline, a link; redacted ─► Adapter ─► webhook, ntfy, Slack, Telegram, mail
//!             never an argument                                └ taken, or tried again (`follow.rs`)
//! ```
//!
//! A message holds a link to read and answer by, and nothing that answers: whoever opens it signs in first.

mod adapter;
mod follow;
mod mail;
mod message;
mod ntfy;
mod slack;
mod telegram;
mod told;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use audit::Redactor;

use crate::config::{Config, Notify, Way};

pub use crate::endpoint::{OpenError, SendError};
use adapter::Adapter;
pub use follow::{Desk, Follower};
pub use message::Message;
use message::Subject;

/// A way by which people are told that a call waits for them.
pub struct Channel {
    name: String,
    adapter: Box<dyn Adapter>,
    within: Duration,
    redactor: Arc<Redactor>,
}

impl Channel {
    /// Reads what it needs. The redactor knows its credential from now on, and sees all that it says.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(name: &str, settings: &Notify, redactor: &Arc<Redactor>) -> Result<Self, OpenError> {
        let (authority, within) = (settings.authority.as_deref(), settings.within);
        let adapter: Box<dyn Adapter> = match &settings.way {
            Way::Webhook { url, key } => Box::new(webhook::Webhook::open(url, key, authority, redactor)?),
            Way::Ntfy { url, topic, token } => {
                Box::new(ntfy::Ntfy::open(url, topic, token.as_deref(), authority, redactor)?)
            }
            Way::Slack { url } => Box::new(slack::Slack::open(url, authority, redactor)?),
            Way::Telegram { url, token, chat } => {
                Box::new(telegram::Telegram::open(url, token, chat, authority, redactor)?)
            }
            Way::Smtp(mail) => Box::new(mail::Smtp::open(mail, authority, within, redactor)?),
        };
        Ok(Self { name: name.to_owned(), adapter, within, redactor: Arc::clone(redactor) })
    }

    /// Its name in the config.
    fn name(&self) -> &str {
        &self.name
    }

    /// What is said of a subject through this channel.
    fn message(&self, subject: &Subject, console: Option<&str>) -> Message {
        Message::of(subject, &self.name, console, &self.redactor)
    }

    /// Sends a message once; whoever takes it twice knows it by its id. Not cancel-safe: it may have been taken.
    ///
    /// # Errors
    /// [`SendError`]: nobody says that it was taken.
    pub async fn send(&self, message: &Message) -> Result<(), SendError> {
        let sent = tokio::time::timeout(self.within, self.adapter.send(message)).await;
        sent.unwrap_or(Err(SendError::Late)).map_err(|error| error.redacted(&self.redactor))
    }
}

/// What to say where nobody would hear of a held call.
#[must_use]
pub fn unreached(config: &Config) -> Option<&'static str> {
    (config.notify.is_empty() && config.console.is_none()).then_some(
        "no channel reaches a person: held calls are denied when their time is over, unless somebody watches them; \
         add a [notify.NAME], or turn the console on",
    )
}
