//! `Listener`: where whoever watches the gateway asks. It has no token and reads nothing but a method, a path and `Host`: it
//! tells figures and health, and changes nothing.
//!
//! ```text
//! request ─ Host ours? ─ GET or HEAD? ─► /metrics        figures, for Prometheus
//!                                     ├─► /health/live    the process answers
//!                                     └─► /health/ready   it would take a call; else 503 and what keeps it
//! ```

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use audit::{Audit, Event};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Watch, text};
use crate::agent::auth::Flood;
use crate::clock;
use crate::config::MetricsAt;
use crate::console::request::Names;

/// The listener, open and not yet served.
pub struct Listener {
    address: SocketAddr,
    names: Names,
    port: TcpListener,
}

/// Why it cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The system refuses.
    #[error("metrics and health cannot be told on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// What answers a request.
struct Desk {
    names: Names,
    watch: Watch,
    audit: Audit,
    refusals: Flood,
}

/// Connections at once: a scraper or two, an orchestrator, and a person with `curl`.
const CONNECTIONS: usize = 16;

/// How long the head of a request may take.
const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// How long a connection may last, which is one request: whoever reads slowly must not keep the place.
const WITHIN: Duration = Duration::from_secs(15);

/// A request line and a few headers.
const HEAD_BYTES: usize = 8 << 10;

/// A rest when the system has no descriptor for another connection.
const REST: Duration = Duration::from_millis(50);

impl Listener {
    /// Opens the port.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn bind(at: &MetricsAt) -> Result<Self, OpenError> {
        let opened = TcpListener::bind(at.address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        });
        let (address, listener) = opened.map_err(|source| OpenError::Listen { address: at.address, source })?;
        let mut hosts = at.hosts.clone();
        // Whoever asks by the address that the config wrote out has not been led here by a name.
        if !address.ip().is_loopback() && !address.ip().is_unspecified() {
            hosts.push(address.to_string());
        }
        Ok(Self { address, names: Names::new(address, false, &hosts), port: listener })
    }

    /// Where it is asked.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves until `stop`: also while the gateway drains, since that is what is asked then. Not cancel-safe.
    ///
    /// # Errors
    /// If the port cannot be waited on.
    pub async fn run(self, watch: Watch, audit: Audit, tasks: TaskTracker, stop: CancellationToken) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.port)?;
        let desk = Arc::new(Desk { names: self.names, watch, audit, refusals: Flood::default() });
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(REST).await;
                continue;
            };
            // Full: the connection is closed at once, which is the cheapest refusal there is.
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (desk, stop) = (Arc::clone(&desk), stop.clone());
            tasks.spawn(async move {
                let served = tokio::time::timeout(WITHIN, connection(desk, peer, stream));
                // Answers are whole before they are sent: cutting one off loses nothing but itself.
                stop.run_until_cancelled(served).await;
                drop(place);
            });
        }
        Ok(())
    }
}

async fn connection(desk: Arc<Desk>, peer: SocketAddr, stream: TcpStream) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(peer, &request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_headers(32).max_buf_size(HEAD_BYTES);
    http.keep_alive(false).half_close(false);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection for metrics broke off");
    }
}

impl Desk {
    /// The body of a request is never read, whatever it is.
    async fn answer<B>(&self, peer: SocketAddr, request: &Request<B>) -> Response<Full<Bytes>> {
        if !self.names.are_asked(request) {
            self.record(peer).await;
            return plain(StatusCode::FORBIDDEN, "this endpoint does not answer to that `Host`\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match request.uri().path() {
            "/metrics" => match text::write(self.watch.families()) {
                Ok(text) => answer(StatusCode::OK, text::CONTENT_TYPE, text),
                Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the figures could not be written\n"),
            },
            "/health/live" => plain(StatusCode::OK, "the process answers\n"),
            "/health/ready" => self.ready(),
            _ => plain(StatusCode::NOT_FOUND, "there are /metrics, /health/live and /health/ready\n"),
        }
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        let not_ready = self.watch.not_ready();
        let status = if not_ready.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = serde_json::json!({ "ready": not_ready.is_empty(), "not_ready": not_ready });
        answer(status, "application/json", format!("{body}\n"))
    }

    /// A page of another site that came here by a name of its own is somebody's attempt; of a flood, a few a second.
    async fn record(&self, peer: SocketAddr) {
        let Some(reason) = self.refusals.counted("another `Host`", clock::now()) else { return };
        let event = Event::AuthenticationFailed { peer: format!("metrics, from {peer}"), reason };
        if let Err(error) = self.audit.note(event, clock::now()).await {
            tracing::error!(%error, "what happened at the metrics could not be recorded");
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    answer(status, "text/plain; charset=utf-8", text)
}

fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Nor is it a picture or a script of another site's page.
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}
