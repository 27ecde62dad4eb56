//! `Http`: pooled connections to one endpoint; it follows no redirect and adds no header that was not asked for.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use rustls::ClientConfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Endpoint;

/// Pooled connections to one endpoint.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    /// What every request carries.
    base: HeaderMap,
}

/// A request that brought no answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// No connection could be made: nothing was sent.
    Unsent(String),
    /// The connection ended first: the server may have acted on it.
    Unanswered(String),
}

const CONNECT: Duration = Duration::from_secs(10);

/// Node's servers close idle connections after five seconds. A request that meets such a close half way cannot be
/// repeated safely, so ours are dropped before.
const IDLE: Duration = Duration::from_secs(4);

impl Http {
    /// Connections live in `tasks` until `closed`.
    ///
    /// # Errors
    /// Where the system's certificates cannot be read, and are needed.
    pub(super) fn new(endpoint: Endpoint, tasks: TaskTracker, closed: CancellationToken) -> io::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_keepalive(Some(Duration::from_mins(1)));
        let tls = tls(endpoint.uri.scheme_str() == Some("https"))?;
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        let client = Client::builder(Tracked { tasks, closed })
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        let mut base = HeaderMap::new();
        base.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        base.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        base.extend(endpoint.headers);
        Ok(Self { client, uri: endpoint.uri, base })
    }

    pub(super) async fn post(&self, body: Vec<u8>, headers: HeaderMap) -> Result<Response<Incoming>, Lost> {
        self.send(Method::POST, body, headers).await
    }

    pub(super) async fn get(&self, mut headers: HeaderMap) -> Result<Response<Incoming>, Lost> {
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        self.send(Method::GET, Vec::new(), headers).await
    }

    pub(super) async fn delete(&self, headers: HeaderMap) -> Result<Response<Incoming>, Lost> {
        self.send(Method::DELETE, Vec::new(), headers).await
    }

    async fn send(&self, method: Method, body: Vec<u8>, headers: HeaderMap) -> Result<Response<Incoming>, Lost> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        let mut all = self.base.clone();
        all.extend(headers);
        *request.headers_mut() = all;
        self.client.request(request).await.map_err(|error| {
            // The error's own text names addresses at most; it never holds what was sent.
            if error.is_connect() { Lost::Unsent(innermost(&error)) } else { Lost::Unanswered(innermost(&error)) }
        })
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Certificates are read once, and not for plain HTTP: they are a megabyte.
fn tls(needed: bool) -> io::Result<ClientConfig> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)
    };
    if !needed {
        let none = rustls::RootCertStore::empty();
        return Ok(builder()?.with_root_certificates(none).with_no_client_auth());
    }
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let config = builder()?.with_native_roots()?.with_no_client_auth();
    Ok(CONFIG.get_or_init(|| config).clone())
}

/// Gives connections' tasks to their owner.
#[derive(Clone)]
struct Tracked {
    tasks: TaskTracker,
    closed: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Tracked
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, connection: F) {
        let closed = self.closed.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                _ = connection => {}
                () = closed.cancelled() => {}
            }
        });
    }
}
