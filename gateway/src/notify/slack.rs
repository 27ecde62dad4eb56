//! `Slack`: an incoming webhook, whose URL is its credential.

use std::path::Path;
use std::sync::Arc;

use audit::{Learned, Redactor};
use futures_util::future::BoxFuture;
use http::HeaderMap;
use serde::Serialize;

use super::adapter::Adapter;
use super::{Message, OpenError, SendError};
use crate::config::usable;
use crate::endpoint::{Endpoint, credential};

/// Writes to one channel of one workspace.
pub(super) struct Slack {
    endpoint: Endpoint,
    _learned: Option<Learned>,
}

const WANTED: &str = "the https URL of an incoming webhook";

impl Slack {
    /// # Errors
    /// [`OpenError`]
    pub(super) fn open(url: &Path, authority: Option<&Path>, redactor: &Arc<Redactor>) -> Result<Self, OpenError> {
        let text = credential::read(url, WANTED)?;
        let parsed = usable(&text).ok_or_else(|| credential::none(url, WANTED))?;
        // The last part is the secret; what stands before it is in every such URL, and must not be redacted everywhere.
        let secret = parsed.path_segments().and_then(|mut parts| parts.next_back()).filter(|part| !part.is_empty());
        let learned = secret.map(|secret| redactor.learn(secret.as_bytes()));
        Ok(Self { endpoint: Endpoint::open(&parsed, authority)?, _learned: learned })
    }
}

impl Adapter for Slack {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let body = body(message).map_err(|error| SendError::Form(Box::new(error)))?;
            self.endpoint.post(HeaderMap::new(), body).await?.taken()
        })
    }
}

#[derive(Serialize)]
struct Post<'a> {
    /// What a phone shows before the message is opened.
    text: String,
    blocks: [Block<'a>; 1],
    /// Nobody fetches the link to show what is behind it.
    unfurl_links: bool,
    unfurl_media: bool,
}

#[derive(Serialize)]
struct Block<'a> {
    r#type: &'static str,
    elements: [Section<'a>; 1],
}

#[derive(Serialize)]
struct Section<'a> {
    r#type: &'static str,
    elements: Vec<Part<'a>>,
}

/// Rich text: none of it is read as markup, so that no name can mention a channel or dress up as a link.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Part<'a> {
    Text { text: &'a str },
    Link { url: &'a str, text: &'a str },
}

fn body(message: &Message) -> serde_json::Result<Vec<u8>> {
    let said = format!("{}\n{}\n", message.title(), message.text());
    let mut elements = vec![Part::Text { text: &said }];
    elements.extend(message.link().map(|url| Part::Link { url, text: "Open the console" }));
    let section = Section { r#type: "rich_text_section", elements };
    let blocks = [Block { r#type: "rich_text", elements: [section] }];
    serde_json::to_vec(&Post { text: escaped(message.title()), blocks, unfurl_links: false, unfurl_media: false })
}

/// Text that is read as markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_mention_anybody() {
        assert_eq!(escaped("a.<!channel> & b"), "a.&lt;!channel&gt; &amp; b");
    }
}
