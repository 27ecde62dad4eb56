//! The console: pages for a browser, and the operators' API behind a session.
//!
//! ```text
//! request ─ Host ours? ─► GET a file
//!                     ├─► POST /sign-in/passkey  Origin ours, JSON ─ name ─► what a passkey is to sign
//!                     ├─► POST /sign-in    Origin ours, JSON ─ one-time code, name and PIN, or a signature ─► cookie, CSRF token
//!                     ├─► GET  /session    cookie ─► who it is
//!                     ├─► POST /sign-out   cookie, Origin, CSRF token
//!                     └─► POST /api, WebSocket /api    cookie, Origin, CSRF token ─► the methods of the operators' socket
//! ```
//!
//! Nothing that changes anything is a GET, and no answer is for another site's page.

mod answer;
mod files;
mod link;
pub(crate) mod request;
mod session;
mod sign_in;
mod who;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use audit::{Audit, Event};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jsonrpsee::Methods;
use jsonrpsee::server::{
    BatchRequestConfig, HttpRequest, HttpResponse, PingConfig, ServerBuilder, ServerConfig, TowerServiceBuilder,
};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;
use tower::layer::util::Identity;

use crate::agent::auth::Flood;
use crate::clock;
use crate::config::ConsoleAt;
use crate::drain::drained;
use crate::operator::people::{Caller, People};
use crate::passkey::Passkeys;

use answer::{Failure, failed};
use link::Links;
use request::Names;
pub use session::Session;
use session::Sessions;
pub use who::Who;

/// Where the console listens, and who is signed in to it.
pub struct Front {
    secure: bool,
    names: Names,
    links: Links,
    sessions: Sessions,
    /// What waits for a passkey.
    pub passkeys: Passkeys,
}

/// The console, open and not yet served.
pub struct Console {
    front: Arc<Front>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// Why the console cannot be opened.
#[derive(Debug, Error)]
pub enum BindError {
    /// The system refuses.
    #[error("the console cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// What answers a request.
struct Desk {
    front: Arc<Front>,
    people: Arc<People>,
    audit: Audit,
    methods: Methods,
    rpc: TowerServiceBuilder<Identity, Identity>,
    refusals: Flood,
}

/// Browsers at once: each keeps a socket and opens a few more for files.
const CONNECTIONS: usize = 128;

/// How long the head of a request, or a TLS handshake, may take.
const HEAD_WITHIN: Duration = Duration::from_secs(10);

/// A rest when the system has no descriptor for another connection.
const REST: Duration = Duration::from_millis(50);

/// How often sessions that are over are looked for.
const SWEEP: Duration = Duration::from_secs(5);

impl Console {
    /// Opens the port. The usual one may be another gateway's: then any will do, unless the config asks for this one.
    ///
    /// # Errors
    /// [`BindError`] if the config's own port is not to be had.
    pub fn bind(at: &ConsoleAt, tls: Option<TlsAcceptor>) -> Result<Self, BindError> {
        let asked = at.address;
        let any = SocketAddr::new(asked.ip(), 0);
        let bound = match TcpListener::bind(asked) {
            Err(_) if !at.chosen => TcpListener::bind(any),
            bound => bound,
        };
        let opened = bound.and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok((listener.local_addr()?, listener))
        });
        let (address, listener) = opened.map_err(|source| BindError::Listen { address: asked, source })?;
        let secure = tls.is_some();
        let names = Names::new(address, secure, &at.hosts);
        let (links, sessions) = (Links::default(), Sessions::default());
        let passkeys = Passkeys::default();
        Ok(Self { front: Arc::new(Front { secure, names, links, sessions, passkeys }), listener, tls })
    }

    /// What operators' methods need of the console.
    #[must_use]
    pub fn front(&self) -> Arc<Front> {
        Arc::clone(&self.front)
    }

    /// Serves until `stop`. Not cancel-safe.
    ///
    /// # Errors
    /// If the port cannot be waited on.
    pub async fn run(
        self,
        people: Arc<People>,
        audit: Audit,
        methods: Methods,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let rpc = ServerBuilder::with_config(limits()).to_service_builder();
        let desk = Arc::new(Desk { front: self.front, people, audit, methods, rpc, refusals: Flood::default() });
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let (sweeping, swept) = (Arc::clone(&desk), stop.clone());
        tasks.spawn(async move { swept.run_until_cancelled(sweeping.sweep()).await });
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            let Ok((stream, peer)) = accepted else {
                tokio::time::sleep(REST).await;
                continue;
            };
            // Full: the connection is closed at once, which is the cheapest refusal there is.
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            stream.set_nodelay(true).ok();
            let (desk, tls, stop) = (Arc::clone(&desk), self.tls.clone(), stop.clone());
            tasks.spawn(async move {
                match tls {
                    None => connection(desk, peer, stream, stop).await,
                    Some(tls) => {
                        if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_WITHIN, tls.accept(stream)).await {
                            connection(desk, peer, stream, stop).await;
                        }
                    }
                }
                drop(place);
            });
        }
        desk.front.sessions.sweep(clock::now(), |_| false);
        Ok(())
    }
}

impl Front {
    /// Where a browser on this machine finds the console. `localhost`, because passkeys are bound to a name.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.names.first())
    }

    /// A link that signs this person in, once, within the next minutes. `proved`: a PIN was given for it just now.
    #[must_use]
    pub fn link(&self, who: Who, proved: bool) -> String {
        format!("{}/sign-in#{}", self.url(), self.links.make(who, proved, clock::now()))
    }
}

fn limits() -> ServerConfig {
    let ping = PingConfig::new().ping_interval(Duration::from_secs(20)).inactive_limit(Duration::from_mins(1));
    ServerConfig::builder()
        .max_request_body_size(crate::operator::REQUEST_BYTES)
        .max_response_body_size(crate::operator::ANSWER_BYTES)
        .max_connections(u32::try_from(CONNECTIONS).unwrap_or(u32::MAX))
        .max_subscriptions_per_connection(4)
        .set_message_buffer_capacity(crate::operator::BUFFERED)
        .set_batch_request_config(BatchRequestConfig::Disabled)
        .enable_ws_ping(ping)
        .build()
}

async fn connection(
    desk: Arc<Desk>,
    peer: SocketAddr,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    stop: CancellationToken,
) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, std::convert::Infallible>(desk.answer(peer, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_headers(64).half_close(false);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    if let Err(error) = drained(connection, http1::UpgradeableConnection::graceful_shutdown, &stop).await {
        tracing::debug!(%error, "a browser's connection broke off");
    }
}

impl Desk {
    async fn answer(&self, peer: SocketAddr, request: HttpRequest<Incoming>) -> HttpResponse {
        let answered = match self.front.names.check(&request) {
            Ok(()) => self.dispatch(request).await,
            Err(failure) => Err(failure),
        };
        let answer = match answered {
            Ok(answer) => answer,
            Err(failure) => {
                self.record(peer, &failure).await;
                failed(&failure)
            }
        };
        answer::protected(answer)
    }

    async fn dispatch(&self, request: HttpRequest<Incoming>) -> Result<HttpResponse, Failure> {
        match (request.method().as_str(), request.uri().path()) {
            ("POST", "/sign-in") => self.sign_in(request).await,
            ("POST", "/sign-in/passkey") => self.passkey(request).await,
            ("POST", "/sign-out") => self.sign_out(&request).await,
            ("GET", "/session") => self.session(&request),
            ("POST", "/api") => self.call(request).await,
            ("GET", "/api") if request::is_upgrade(&request) => self.call(request).await,
            (_, "/sign-in/passkey" | "/sign-out" | "/session" | "/api") => Err(Failure::Method),
            ("GET" | "HEAD", path) => files::answer(path, &request),
            (_, _) => Err(Failure::Method),
        }
    }

    /// The methods of the operators' socket, as whoever is signed in.
    async fn call(&self, mut request: HttpRequest<Incoming>) -> Result<HttpResponse, Failure> {
        let session = self.of_our_page(&request)?;
        request.extensions_mut().insert(Caller::Session(Arc::clone(&session)));
        // The session's end closes the socket.
        let mut rpc = self.rpc.clone().build(self.methods.clone(), session.stopping());
        rpc.call(request).await.map_err(|_| Failure::Broken)
    }

    async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            for name in self.front.sessions.sweep(clock::now(), |who| self.stands(who)) {
                let why = "idle, too long, no operator any more, or with another PIN since".into();
                self.note(Event::SignedOut { name, why }).await;
            }
        }
    }

    /// Whether this person's sessions may go on.
    fn stands(&self, who: &Who) -> bool {
        who.stands(&self.audit.operators())
    }

    /// What anyone on this machine can cause is recorded, and of a flood a few a second.
    async fn record(&self, peer: SocketAddr, failure: &Failure) {
        let Some(reason) = failure.recorded() else { return };
        let Some(reason) = self.refusals.counted(reason, clock::now()) else { return };
        self.note(Event::AuthenticationFailed { peer: format!("console, from {peer}"), reason }).await;
    }

    async fn note(&self, event: Event) {
        if let Err(error) = self.audit.note(event, clock::now()).await {
            tracing::error!(%error, "what happened at the console could not be recorded");
        }
    }
}

#[cfg(test)]
mod tests;
