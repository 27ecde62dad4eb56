//! `Elasticsearch`, and `OpenSearch`: bulks of `create`, each document named by its record's leaf, so that a repetition is known.

use std::path::Path;
use std::sync::Arc;

use audit::{Learned, Redactor};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::format::Line;
use super::sink::{Fate, Sink, below, secret, untaken};
use super::{OpenError, SendError};
use crate::config::Login;
use crate::endpoint::{Endpoint, credential};

/// Writes to one index or data stream.
pub(super) struct Elasticsearch {
    endpoint: Endpoint,
    headers: HeaderMap,
    _learned: Vec<Learned>,
}

/// What it says of a bulk: of each document, in order.
#[derive(Deserialize)]
struct Said {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Created,
}

#[derive(Deserialize)]
struct Created {
    status: u16,
    error: Option<Wrong>,
}

#[derive(Default, Deserialize)]
struct Wrong {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    reason: String,
}

/// The longest answer: some hundred bytes a document.
const LONGEST: usize = 4 << 20;

/// Only this is said of each document, and not all that it knows.
const FILTER: &str = "filter_path=items.*.status,items.*.error.type,items.*.error.reason";

impl Elasticsearch {
    /// # Errors
    /// [`OpenError`]
    pub(super) fn open(
        url: &Url,
        index: &str,
        login: Option<&Login>,
        authority: Option<&Path>,
        redactor: &Arc<Redactor>,
    ) -> Result<Self, OpenError> {
        let mut url = below(url, &format!("{index}/_bulk"))?;
        url.set_query(Some(FILTER));
        let endpoint = Endpoint::open(&url, authority)?;
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"))]);
        let mut learned = Vec::new();
        let word = match login {
            None => None,
            Some(Login::ApiKey(file)) => {
                let key = credential::read(file, "an API key")?;
                learned.push(redactor.learn(key.as_bytes()));
                Some(Zeroizing::new(format!("ApiKey {}", key.as_str())))
            }
            Some(Login::Password(user, file)) => {
                let password = credential::read(file, "a password")?;
                learned.push(redactor.learn(password.as_bytes()));
                let pair = Zeroizing::new(format!("{user}:{}", password.as_str()));
                let encoded = Zeroizing::new(BASE64.encode(pair.as_bytes()));
                learned.push(redactor.learn(encoded.as_bytes()));
                Some(Zeroizing::new(format!("Basic {}", encoded.as_str())))
            }
        };
        if let Some(word) = word {
            headers.insert(AUTHORIZATION, secret(&word)?);
        }
        Ok(Self { endpoint, headers, _learned: learned })
    }
}

/// An action and a document each; the last line has its end too.
fn body(lines: &[Line]) -> Vec<u8> {
    let pairs = lines.iter().map(|line| [format!("{{\"create\":{{\"_id\":\"{}\"}}}}", line.id), line.text.clone()]);
    pairs.flatten().flat_map(|line| [line, "\n".to_owned()]).collect::<String>().into_bytes()
}

impl Sink for Elasticsearch {
    fn send<'a>(&'a self, lines: &'a [Line]) -> BoxFuture<'a, Result<Vec<Fate>, SendError>> {
        Box::pin(async move {
            let reply = self.endpoint.ask(self.headers.clone(), body(lines), LONGEST).await?;
            if !reply.status.is_success() {
                return Err(untaken(reply));
            }
            let said = serde_json::from_slice::<Said>(&reply.body).ok();
            match said.filter(|said| said.items.len() == lines.len()) {
                Some(said) => Ok(said.items.into_iter().map(|item| fate(item.create)).collect()),
                None => {
                    let said = "what it answered does not say what became of each document".to_owned();
                    Err(SendError::Refused { status: reply.status.as_u16(), said, after: reply.after })
                }
            }
        })
    }
}

fn fate(created: Created) -> Fate {
    let status = created.status;
    let Wrong { kind, reason } = created.error.unwrap_or_default();
    let said = if kind.is_empty() { reason } else { format!("{kind}: {reason}") };
    match status {
        // A conflict: a document of this name is there, and names are hashes of what they name.
        200..=299 | 409 => Fate::Taken,
        // The document does not fit the index, or is too large for it.
        400 | 413 => Fate::Refused { status, said },
        _ => Fate::Again { status, said },
    }
}
