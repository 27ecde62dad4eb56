//! `Endpoint`: one URL that notifications or records are posted to, a connection each; it follows no redirect and asks no proxy.

pub(crate) mod credential;
pub(crate) mod fault;
pub(crate) mod pause;
mod peer;

use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use url::Url;

use crate::clock;
use crate::config::bare;

pub use fault::{OpenError, SendError};
pub(crate) use peer::{Peer, Stream};

/// One URL that messages are posted to.
pub(crate) struct Endpoint {
    peer: Peer,
    /// What is asked for there; may hold a token.
    target: Uri,
    /// What every request carries.
    base: HeaderMap,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// How long whoever answered wants to be left alone.
    pub(crate) after: Option<Duration>,
    /// The beginning of the body; empty where the message was taken.
    pub(crate) body: Bytes,
}

/// The longest refusal that is read.
const LONGEST: usize = 16 << 10;

impl Endpoint {
    /// An endpoint that must prove to be who the URL names.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(crate) fn open(url: &Url, authority: Option<&Path>) -> Result<Self, OpenError> {
        let (Some(host), Some(port)) = (bare(url), url.port_or_known_default()) else {
            return Err(unusable("the URL names no host"));
        };
        let named = url.host_str().unwrap_or(&host).to_owned();
        let peer = match url.scheme() {
            "https" => Peer::encrypted(host, port, authority)?,
            _ => Peer::plain(host, port),
        };
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{query}", url.path()).parse().map_err(unusable)?;
        let named = url.port().map_or_else(|| named.clone(), |port| format!("{named}:{port}"));
        let base = [
            (HOST, HeaderValue::from_str(&named).map_err(unusable)?),
            (USER_AGENT, HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")))),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CONNECTION, HeaderValue::from_static("close")),
        ];
        Ok(Self { peer, target, base: base.into_iter().collect() })
    }

    /// Posts this once; that the answer is yes is all that is wanted. Not cancel-safe: it may have been taken.
    ///
    /// # Errors
    /// [`SendError`]
    pub(crate) async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Reply, SendError> {
        self.exchange(headers, body, None).await
    }

    /// Posts this once, and reads what is said to it, up to this length. Not cancel-safe: it may have been taken.
    ///
    /// # Errors
    /// [`SendError`]
    pub(crate) async fn ask(&self, headers: HeaderMap, body: Vec<u8>, longest: usize) -> Result<Reply, SendError> {
        self.exchange(headers, body, Some(longest)).await
    }

    async fn exchange(&self, headers: HeaderMap, body: Vec<u8>, read: Option<usize>) -> Result<Reply, SendError> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.target);
        request.headers_mut().extend(self.base.clone());
        request.headers_mut().extend(headers);
        exchange(self.peer.connect().await?, request, read).await
    }
}

impl Reply {
    /// # Errors
    /// [`SendError::Refused`], unless it was taken. A redirect is a refusal: who is sent elsewhere would take the credential along.
    pub(crate) fn taken(self) -> Result<(), SendError> {
        if self.status.is_success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&self.body).into_owned();
        Err(SendError::Refused { status: self.status.as_u16(), said, after: self.after })
    }
}

/// Not cancel-safe.
async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    read: Option<usize>,
) -> Result<Reply, SendError> {
    let broken = |error: hyper::Error| SendError::Broken(Box::new(error));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let reply = async move {
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let after = after(&head.headers, clock::now());
        let body = match (head.status.is_success(), read) {
            // The status says that it was taken: a body that never ends must not take that back.
            (true, None) => Bytes::new(),
            (true, Some(longest)) => Limited::new(body, longest).collect().await.map_err(SendError::Broken)?.to_bytes(),
            (false, _) => Limited::new(body, LONGEST).collect().await.map(Collected::to_bytes).unwrap_or_default(),
        };
        Ok(Reply { status: head.status, after, body })
    };
    let (mut reply, connection) = (pin!(reply), pin!(connection));
    tokio::select! {
        reply = &mut reply => reply,
        _ = connection => reply.await,
    }
}

/// `Retry-After`: seconds, or a date.
fn after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Duration::try_from(now.duration_until(date)).ok()
}

/// TLS or HTTP cannot be set up.
fn unusable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> OpenError {
    OpenError::Client(error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &'static str) -> Option<Duration> {
        let now = "2026-11-27T10:00:00Z".parse().unwrap();
        after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]), now)
    }

    #[test]
    fn a_pause_is_told_in_seconds_or_by_a_date() {
        assert_eq!(told("120"), Some(Duration::from_mins(2)));
        assert_eq!(told("Fri, 27 Nov 2026 10:00:07 GMT"), Some(Duration::from_secs(7)));
        for nonsense in ["-5", "soon", "", "1.5", "99999999999999999999999", "Thu, 26 Nov 2026 10:00:00 GMT"] {
            assert_eq!(told(nonsense), None, "{nonsense}");
        }
    }
}
