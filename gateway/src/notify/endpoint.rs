//! `Endpoint`: one URL that messages are posted to, a connection each; it follows no redirect and asks no proxy.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::client::conn::http1;
use hyper_rustls::ConfigBuilderExt as _;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::{OpenError, SendError};
use crate::clock;
use crate::config::bare;

/// One URL that messages are posted to.
pub(super) struct Endpoint {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// What is asked for there; may hold a token.
    target: Uri,
    /// What every request carries.
    base: HeaderMap,
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// How long whoever answered wants to be left alone.
    pub(super) after: Option<Duration>,
    /// The beginning of the body; empty where the message was taken.
    pub(super) body: Bytes,
}

/// The longest refusal that is read.
const LONGEST: usize = 16 << 10;

impl Endpoint {
    /// An endpoint that must prove to be who the URL names.
    ///
    /// # Errors
    /// [`OpenError`]
    pub(super) fn open(url: &Url, authority: Option<&Path>) -> Result<Self, OpenError> {
        let (Some(host), Some(port)) = (bare(url), url.port_or_known_default()) else {
            return Err(unusable("the URL names no host"));
        };
        let tls = match url.scheme() {
            "https" => {
                let name = ServerName::try_from(host.clone()).map_err(unusable)?;
                Some((TlsConnector::from(Arc::new(trust(authority)?)), name))
            }
            _ => None,
        };
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let target = format!("{}{query}", url.path()).parse().map_err(unusable)?;
        let named = url.host_str().unwrap_or(&host);
        let named = url.port().map_or_else(|| named.to_owned(), |port| format!("{named}:{port}"));
        let base = [
            (HOST, HeaderValue::from_str(&named).map_err(unusable)?),
            (USER_AGENT, HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")))),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CONNECTION, HeaderValue::from_static("close")),
        ];
        Ok(Self { host, port, tls, target, base: base.into_iter().collect() })
    }

    /// Posts this once. Not cancel-safe: it may have been taken.
    ///
    /// # Errors
    /// [`SendError`]
    pub(super) async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<Reply, SendError> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        request.uri_mut().clone_from(&self.target);
        request.headers_mut().extend(self.base.clone());
        request.headers_mut().extend(headers);
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(SendError::Connect)?;
        match &self.tls {
            None => exchange(stream, request).await,
            Some((tls, name)) => {
                let stream = tls.connect(name.clone(), stream).await.map_err(SendError::Connect)?;
                exchange(stream, request).await
            }
        }
    }
}

impl Reply {
    /// # Errors
    /// [`SendError::Refused`], unless it was taken. A redirect is a refusal: who is sent elsewhere would take the credential along.
    pub(super) fn taken(self) -> Result<(), SendError> {
        if self.status.is_success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&self.body).into_owned();
        Err(SendError::Refused { status: self.status.as_u16(), said, after: self.after })
    }
}

/// Not cancel-safe.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Reply, SendError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let broken = |error: hyper::Error| SendError::Broken(Box::new(error));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let reply = async move {
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let after = after(&head.headers, clock::now());
        // The status says that it was taken: a body that never ends must not take that back.
        let body = if head.status.is_success() {
            Bytes::new()
        } else {
            Limited::new(body, LONGEST).collect().await.map(Collected::to_bytes).unwrap_or_default()
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

/// Whom these authorities vouch for; the machine's, where the config names none.
fn trust(authority: Option<&Path>) -> Result<ClientConfig, OpenError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(unusable)?;
    let Some(path) = authority else {
        return Ok(builder.with_native_roots().map_err(unusable)?.with_no_client_auth());
    };
    let wrong =
        |source: Box<dyn std::error::Error + Send + Sync>| OpenError::Authority { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.into()))? {
        let certificate = certificate.map_err(|error| wrong(error.into()))?;
        roots.add(certificate).map_err(|error| wrong(error.into()))?;
    }
    if roots.is_empty() {
        return Err(wrong("it holds none".into()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

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
