//! `Datadog`: its log intake, version 2. What it has answered 202 to is taken; nothing there knows a repetition.

use std::path::Path;
use std::sync::Arc;

use audit::{Learned, Redactor};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName};
use serde::Serialize;
use url::Url;

use super::format::{Line, Severity, host};
use super::sink::{Fate, Sink, all_taken, below, secret, untaken};
use super::{OpenError, SendError};
use crate::endpoint::{Endpoint, credential};

/// Sends to one account.
pub(super) struct Datadog {
    endpoint: Endpoint,
    headers: HeaderMap,
    host: String,
    _learned: Learned,
}

#[derive(Serialize)]
struct Log<'a> {
    ddsource: &'static str,
    service: &'static str,
    hostname: &'a str,
    /// In milliseconds.
    timestamp: i64,
    status: &'static str,
    seq: u64,
    /// What finds repetitions.
    leaf: policies::Hash,
    message: &'a str,
}

impl Datadog {
    /// # Errors
    /// [`OpenError`]
    pub(super) fn open(
        url: &Url,
        key: &Path,
        authority: Option<&Path>,
        redactor: &Arc<Redactor>,
    ) -> Result<Self, OpenError> {
        let endpoint = Endpoint::open(&below(url, "api/v2/logs")?, authority)?;
        let key = credential::read(key, "an API key")?;
        let learned = redactor.learn(key.as_bytes());
        let headers = HeaderMap::from_iter([(HeaderName::from_static("dd-api-key"), secret(&key)?)]);
        Ok(Self { endpoint, headers, host: host(), _learned: learned })
    }

    fn log<'a>(&'a self, line: &'a Line) -> Log<'a> {
        Log {
            ddsource: "portcullis",
            service: "portcullis",
            hostname: &self.host,
            timestamp: line.at.as_millisecond(),
            status: status(line.severity),
            seq: line.seq,
            leaf: line.id,
            message: &line.text,
        }
    }

    fn body(&self, lines: &[Line]) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&lines.iter().map(|line| self.log(line)).collect::<Vec<_>>())
    }
}

fn status(severity: Severity) -> &'static str {
    match severity {
        Severity::Information => "info",
        Severity::Low => "notice",
        Severity::Medium => "warn",
        Severity::High => "error",
        Severity::Critical => "critical",
    }
}

impl Sink for Datadog {
    fn send<'a>(&'a self, lines: &'a [Line]) -> BoxFuture<'a, Result<Vec<Fate>, SendError>> {
        Box::pin(async move {
            let body = self.body(lines).map_err(|error| SendError::Form(Box::new(error)))?;
            let reply = self.endpoint.post(self.headers.clone(), body).await?;
            if reply.status.is_success() { Ok(all_taken(lines)) } else { Err(untaken(reply)) }
        })
    }
}
