//! `Telegram`: a chat that a bot writes to.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit::{Learned, Redactor};
use futures_util::future::BoxFuture;
use http::HeaderMap;
use policies::{Limits, Value};
use serde::Serialize;
use url::Url;

use super::adapter::Adapter;
use super::{Message, OpenError, SendError};
use crate::endpoint::{Endpoint, Reply, credential};

/// Writes to one chat as one bot.
pub(super) struct Telegram {
    /// Its path holds the bot's token.
    endpoint: Endpoint,
    chat: String,
    _learned: Learned,
}

const TOKEN: &str = "a bot's token: digits, `:`, then letters, digits, `-` and `_`";

impl Telegram {
    /// # Errors
    /// [`OpenError`]
    pub(super) fn open(
        api: &Url,
        token: &Path,
        chat: &str,
        authority: Option<&Path>,
        redactor: &Arc<Redactor>,
    ) -> Result<Self, OpenError> {
        let text = credential::read(token, TOKEN)?;
        if !is_token(&text) {
            return Err(credential::none(token, TOKEN));
        }
        let learned = redactor.learn(text.as_bytes());
        let mut url = api.clone();
        url.set_path(&format!("{}/bot{}/sendMessage", api.path().trim_end_matches('/'), text.as_str()));
        Ok(Self { endpoint: Endpoint::open(&url, authority)?, chat: chat.to_owned(), _learned: learned })
    }
}

/// It becomes a part of a path.
fn is_token(text: &str) -> bool {
    text.split_once(':').is_some_and(|(bot, secret)| {
        let of_secret = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !bot.is_empty()
            && bot.bytes().all(|byte| byte.is_ascii_digit())
            && secret.len() >= 8
            && secret.bytes().all(of_secret)
    })
}

/// Without `parse_mode` the text is text, whatever a name holds.
#[derive(Serialize)]
struct Post<'a> {
    chat_id: &'a str,
    text: String,
    link_preview_options: Preview,
}

/// Nobody fetches the link to show what is behind it.
#[derive(Serialize)]
struct Preview {
    is_disabled: bool,
}

impl Adapter for Telegram {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let text = format!("{}\n{}", message.title(), message.text());
            let preview = Preview { is_disabled: true };
            let body = serde_json::to_vec(&Post { chat_id: &self.chat, text, link_preview_options: preview });
            let body = body.map_err(|error| SendError::Form(Box::new(error)))?;
            let reply = self.endpoint.post(HeaderMap::new(), body).await?;
            let after = reply.after.or_else(|| pause(&reply.body));
            Reply { after, ..reply }.taken()
        })
    }
}

/// Telegram says in the body how long it wants to be left alone.
fn pause(body: &[u8]) -> Option<Duration> {
    let answer = Value::parse(body, &LIMITS).ok()?;
    answer.get("parameters")?.get("retry_after")?.as_u64().map(Duration::from_secs)
}

const LIMITS: Limits = Limits { bytes: 16 << 10, depth: 16, values: 1_000 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_in_the_body() {
        let busy = br#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":7}}"#;
        assert_eq!(pause(busy), Some(Duration::from_secs(7)));
        for other in [&b"{}"[..], b"", b"<html>", br#"{"parameters":{"retry_after":-7}}"#, br#"{"parameters":[]}"#] {
            assert_eq!(pause(other), None);
        }
    }

    #[test]
    fn a_token_that_would_change_the_path_is_none() {
        assert!(is_token("110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"));
        for bad in ["110201543:", ":AAHdqTcvCH1v", "1:AAHdqTcv/../x", "1:AAHdqTcv?x", "AAHdqTcvCH1v"] {
            assert!(!is_token(bad), "{bad}");
        }
    }
}
