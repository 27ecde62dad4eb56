//! `Ntfy`: a topic of an ntfy server, which pushes to phones and desktops.

use std::path::Path;
use std::sync::Arc;

use audit::{Learned, Redactor};
use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use policies::risk::Risk;
use serde::Serialize;
use url::Url;

use super::adapter::Adapter;
use super::{Message, OpenError, SendError};
use crate::endpoint::{Endpoint, credential};

/// Publishes to one topic.
pub(super) struct Ntfy {
    endpoint: Endpoint,
    topic: String,
    headers: HeaderMap,
    _learned: Option<Learned>,
}

#[derive(Serialize)]
struct Publication<'a> {
    topic: &'a str,
    title: &'a str,
    message: &'a str,
    /// From 1 to 5.
    priority: u8,
    /// What is opened when the notification is touched. There are no buttons: none of theirs could prove who touches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    click: Option<&'a str>,
    /// A second message with this replaces the first.
    sequence_id: &'a str,
}

impl Ntfy {
    /// # Errors
    /// [`OpenError`]
    pub(super) fn open(
        url: &Url,
        topic: &str,
        token: Option<&Path>,
        authority: Option<&Path>,
        redactor: &Arc<Redactor>,
    ) -> Result<Self, OpenError> {
        let endpoint = Endpoint::open(url, authority)?;
        let mut headers = HeaderMap::new();
        let token = token.map(|token| credential::read(token, "an access token")).transpose()?;
        if let Some(token) = &token {
            let bearer = HeaderValue::try_from(format!("Bearer {}", token.as_str()));
            let mut bearer = bearer.map_err(|error| OpenError::Client(error.into()))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        let learned = token.map(|token| redactor.learn(token.as_bytes()));
        Ok(Self { endpoint, topic: topic.to_owned(), headers, _learned: learned })
    }
}

impl Adapter for Ntfy {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let publication = Publication {
                topic: &self.topic,
                title: message.title(),
                message: &message.text(),
                priority: priority(message.risk()),
                click: message.link(),
                sequence_id: message.id(),
            };
            let body = serde_json::to_vec(&publication).map_err(|error| SendError::Form(Box::new(error)))?;
            self.endpoint.post(self.headers.clone(), body).await?.taken()
        })
    }
}

/// HIGH makes a sound, CRITICAL a long one.
fn priority(risk: Option<Risk>) -> u8 {
    match risk {
        Some(Risk::Critical) => 5,
        Some(Risk::High) => 4,
        Some(Risk::Medium | Risk::Low) | None => 3,
    }
}
