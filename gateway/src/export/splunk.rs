//! `Splunk`: the HTTP Event Collector, which answers `{"text":"Success","code":0}` when it has taken a batch.

use std::path::Path;
use std::sync::Arc;

use audit::{Learned, Redactor};
use futures_util::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::format::{Line, host};
use super::sink::{Fate, Sink, all_taken, below, secret, untaken};
use super::{OpenError, SendError};
use crate::clock;
use crate::endpoint::{Endpoint, credential};

/// Sends to one collector with one token.
pub(super) struct Splunk {
    endpoint: Endpoint,
    headers: HeaderMap,
    index: Option<String>,
    source_type: String,
    host: String,
    _learned: Learned,
}

#[derive(Serialize)]
struct Envelope<'a> {
    /// In seconds.
    time: Box<RawValue>,
    host: &'a str,
    source: &'static str,
    sourcetype: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    event: Box<RawValue>,
    /// What finds repetitions: `| dedup portcullis_leaf`.
    fields: Fields,
}

#[derive(Serialize)]
struct Fields {
    portcullis_leaf: policies::Hash,
}

/// What it says of a batch.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    text: String,
    code: Option<i64>,
}

/// The longest answer.
const LONGEST: usize = 16 << 10;

/// Codes that say that an event itself is wrong: its data, a missing or blank event, its indexed fields.
const UNFIT: [i64; 4] = [6, 12, 13, 15];

impl Splunk {
    /// # Errors
    /// [`OpenError`]
    pub(super) fn open(
        url: &Url,
        token: &Path,
        index: Option<&str>,
        source_type: &str,
        authority: Option<&Path>,
        redactor: &Arc<Redactor>,
    ) -> Result<Self, OpenError> {
        let endpoint = Endpoint::open(&below(url, "services/collector/event")?, authority)?;
        let token = credential::read(token, "a token")?;
        let learned = redactor.learn(token.as_bytes());
        let channel = HeaderValue::try_from(channel()).map_err(|error| OpenError::Client(error.into()))?;
        let headers = [
            (AUTHORIZATION, secret(&format!("Splunk {}", token.as_str()))?),
            (HeaderName::from_static("x-splunk-request-channel"), channel),
        ];
        let (index, source_type) = (index.map(str::to_owned), source_type.to_owned());
        let headers = headers.into_iter().collect();
        Ok(Self { endpoint, headers, index, source_type, host: host(), _learned: learned })
    }

    /// One object after the other, with nothing between.
    fn body(&self, lines: &[Line]) -> serde_json::Result<Vec<u8>> {
        let mut body = Vec::new();
        for line in lines {
            let event = if line.is_json { line.text.clone() } else { serde_json::to_string(&line.text)? };
            let micros = line.at.as_microsecond();
            let time = format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
            let envelope = Envelope {
                time: RawValue::from_string(time)?,
                host: &self.host,
                source: "portcullis",
                sourcetype: &self.source_type,
                index: self.index.as_deref(),
                event: RawValue::from_string(event)?,
                fields: Fields { portcullis_leaf: line.id },
            };
            serde_json::to_writer(&mut body, &envelope)?;
        }
        Ok(body)
    }
}

/// A GUID, another one for each start: what one client sends has one channel.
fn channel() -> String {
    let number = u128::from_be_bytes(clock::random());
    let hex = format!("{number:032x}");
    let parts = [(0, 8), (8, 4), (12, 4), (16, 4), (20, 12)];
    parts.map(|(at, length)| hex.chars().skip(at).take(length).collect::<String>()).join("-")
}

impl Sink for Splunk {
    fn send<'a>(&'a self, lines: &'a [Line]) -> BoxFuture<'a, Result<Vec<Fate>, SendError>> {
        Box::pin(async move {
            let body = self.body(lines).map_err(|error| SendError::Form(Box::new(error)))?;
            let reply = self.endpoint.ask(self.headers.clone(), body, LONGEST).await?;
            let (status, said) = (reply.status, serde_json::from_slice::<Said>(&reply.body));
            match said {
                Ok(Said { code: Some(0), .. }) if status.is_success() => Ok(all_taken(lines)),
                Ok(Said { text, code: Some(code) }) if UNFIT.contains(&code) => {
                    Err(SendError::Unfit { status: status.as_u16(), said: format!("{text} (code {code})") })
                }
                Ok(Said { text, code }) if status.is_success() => {
                    let code = code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
                    let said = format!("{text} ({code})");
                    Err(SendError::Refused { status: status.as_u16(), said, after: reply.after })
                }
                // A yes that is not the collector's own: a proxy, or another service.
                Err(_) if status.is_success() => {
                    let said = "what it answered is not what an event collector answers".to_owned();
                    Err(SendError::Refused { status: status.as_u16(), said, after: reply.after })
                }
                Ok(_) | Err(_) => Err(untaken(reply)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_a_guid_and_never_the_same() {
        let channels = [channel(), channel()];
        assert_ne!(channels[0], channels[1]);
        let lengths: Vec<usize> = channels[0].split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }
}
