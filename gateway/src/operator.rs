//! The operators' API: JSON-RPC over HTTP and WebSocket on a Unix socket that only operators can open.
//!
//! ```text
//! connect ─ SO_PEERCRED ─► an operator? ─► no Origin, body ≤ 64 KiB, no batch ─► method, as that operator
//!                └ no: recorded, closed
//! ```

pub mod agents;
mod api;
pub mod card;
pub mod client;
pub mod delegations;
mod events;
pub mod exporters;
mod find;
pub mod grant;
pub mod health;
mod holds;
mod method;
mod now;
pub mod observed;
pub mod packages;
mod params;
pub mod passes;
pub mod passkeys;
mod peer;
pub mod people;
pub mod pin;
pub mod refused;
mod reviews;
pub mod rows;
mod rules;
mod run;
pub mod secrets;
pub mod similar;
pub mod staff;
mod strangers;
mod tools;
mod trail;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audit::{Audit, Event};
use jiff::{SignedDuration, Timestamp};
use jsonrpsee::Methods;
use jsonrpsee::core::BoxError;
use jsonrpsee::server::{
    BatchRequestConfig, HttpBody, HttpRequest, HttpResponse, PingConfig, ServerBuilder, ServerConfig, StopHandle,
    serve_with_graceful_shutdown, stop_channel,
};
use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::agent::Agents;
use crate::catalog::Catalog;
use crate::clock;
use crate::config::Problem;
use crate::console::Front;
use crate::hold::Holds;
use crate::liveness::Pulse;
use crate::witness::Standing;

pub use peer::{PeerError, Peers};
use people::{Caller, People};

/// Reads the policies again and puts them in force; says what is in force now, or every problem.
pub type Reload = dyn Fn() -> Result<String, Vec<Problem>> + Send + Sync;

/// What operators can see and change.
#[derive(Clone)]
pub struct Operators {
    /// The log.
    pub audit: Audit,
    /// The calls that wait.
    pub holds: Arc<Holds>,
    /// The tools.
    pub catalog: Arc<Catalog>,
    /// What serves agents: an operator's own calls go the same way.
    pub agents: Arc<Agents>,
    /// How the gateway fared when it last tried itself.
    pub liveness: Arc<Pulse>,
    /// How the log's witnesses stand.
    pub witnesses: Arc<Standing>,
    /// Who they are.
    pub people: Arc<People>,
    /// The console, where it is on.
    pub console: Option<Arc<Front>>,
    /// Swaps the policies.
    pub reload: Arc<Reload>,
}

/// The operators' socket, open and not yet served.
pub struct Server {
    listener: UnixListener,
    socket: PathBuf,
    people: Arc<People>,
    audit: Audit,
    methods: Methods,
    stop: CancellationToken,
    turned_away: Mutex<Option<Timestamp>>,
}

/// Why the operators' socket cannot be opened.
#[derive(Debug, Error)]
pub enum BindError {
    /// Something that is no socket has its name.
    #[error("{} exists and is not a socket", .0.display())]
    Occupied(PathBuf),
    /// A Unix socket's path has at most 107 bytes.
    #[error("{} is longer than the 107 bytes that a socket's path may have; choose a shorter --state", .0.display())]
    TooLong(PathBuf),
    /// The system refuses.
    #[error("cannot listen on {}", socket.display())]
    Listen {
        /// Where.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two methods have one name.
    #[error("the operators' methods clash")]
    Methods(#[from] jsonrpsee::core::RegisterMethodError),
}

/// Connections at once: some people, each with a terminal or two, and scripts.
const CONNECTIONS: usize = 64;

/// A request holds an id, a name and a reason.
pub(crate) const REQUEST_BYTES: u32 = 64 << 10;

/// An answer may hold the complete arguments of a call.
pub(crate) const ANSWER_BYTES: u32 = 32 << 20;

/// Holds that may change while a subscriber reads slowly; then it is sent the whole list again.
pub(crate) const BUFFERED: u32 = 256;

/// The operators' socket in this state folder.
#[must_use]
pub fn socket(state: &Path) -> PathBuf {
    state.join("operator.sock")
}

impl Server {
    /// Opens the socket. The caller holds the state folder's lock: a socket that is there was left by a dead gateway.
    ///
    /// # Errors
    /// [`BindError`] says what is in the way.
    pub fn bind(state: &Path, operators: Operators) -> Result<Self, BindError> {
        let socket = socket(state);
        let listener = listen(&socket)?;
        if operators.people.are_elsewhere() {
            open_to_all(state).map_err(|source| BindError::Listen { socket: socket.clone(), source })?;
        }
        let people = Arc::clone(&operators.people);
        let (audit, stop) = (operators.audit.clone(), CancellationToken::new());
        let methods = api::methods(operators, stop.clone())?;
        Ok(Self { listener, socket, people, audit, methods, stop, turned_away: Mutex::default() })
    }

    /// What operators can call: the console serves the same.
    #[must_use]
    pub fn methods(&self) -> Methods {
        self.methods.clone()
    }

    /// Serves until `stop`, and then for as long as requests run; removes the socket. Not cancel-safe.
    pub async fn run(self, tasks: TaskTracker, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let (stopping, server) = stop_channel();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, most likely: a short rest lets others close theirs.
                    tracing::warn!(%error, "the operators' socket does not accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(uid) = self.admit(&stream).await else { continue };
            // At the bound the connection is closed unanswered: the client says that the gateway closed it.
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let connection = connection(stream, Caller::Peer(uid), self.methods.clone(), stopping.clone());
            tasks.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "an operator's connection ended");
                }
                drop(place);
            });
        }
        self.stop.cancel();
        // An error says that it is stopped already.
        server.stop().ok();
        if let Err(error) = std::fs::remove_file(&self.socket) {
            tracing::debug!(%error, "the operators' socket was gone before its gateway");
        }
    }

    async fn admit(&self, stream: &UnixStream) -> Option<u32> {
        let stranger = |uid| if self.people.serve(uid) { Ok(uid) } else { Err(PeerError::Stranger { uid }) };
        match Peers::uid(stream).and_then(stranger) {
            Ok(uid) => Some(uid),
            Err(error) => {
                tracing::warn!(%error, "a connection to the operators' socket was refused");
                self.record(&error).await;
                None
            }
        }
    }

    /// At most one record a second: a stranger must not fill the disk by knocking.
    async fn record(&self, refused: &PeerError) {
        let now = clock::now();
        {
            let mut last = self.turned_away.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| now.duration_since(last) < SignedDuration::from_secs(1)) {
                return;
            }
            *last = Some(now);
        }
        let event = Event::AuthenticationFailed { peer: "operators' socket".into(), reason: refused.to_string() };
        if let Err(error) = self.audit.note(event, now).await {
            tracing::error!(%error, "a refused operator could not be recorded");
        }
    }
}

/// Where further users are operators, all may reach the socket, and the kernel's word on who connects decides. The state
/// folder can be passed through, not listed; every other file in it is its owner's alone.
pub(super) fn open_to_all(state: &Path) -> io::Result<()> {
    std::fs::set_permissions(state, Permissions::from_mode(0o711))?;
    std::fs::set_permissions(socket(state), Permissions::from_mode(0o666))
}

fn listen(socket: &Path) -> Result<UnixListener, BindError> {
    use std::os::unix::ffi::OsStrExt;
    if socket.as_os_str().as_bytes().len() > 107 {
        return Err(BindError::TooLong(socket.to_owned()));
    }
    if std::fs::symlink_metadata(socket).is_ok_and(|left| !left.file_type().is_socket()) {
        return Err(BindError::Occupied(socket.to_owned()));
    }
    let failed = |source| BindError::Listen { socket: socket.to_owned(), source };
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(socket).map_err(failed)?;
    std::fs::set_permissions(socket, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Boxed: inside another future the compiler cannot see that this one may move between threads.
type Connection = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

fn connection(stream: UnixStream, caller: Caller, methods: Methods, stopping: StopHandle) -> Connection {
    // A dead client is noticed after a minute, so that its place is free again.
    let ping = PingConfig::new().ping_interval(Duration::from_secs(20)).inactive_limit(Duration::from_mins(1));
    let limits = ServerConfig::builder()
        .max_request_body_size(REQUEST_BYTES)
        .max_response_body_size(ANSWER_BYTES)
        .max_connections(8)
        .max_subscriptions_per_connection(4)
        .set_message_buffer_capacity(BUFFERED)
        .set_batch_request_config(BatchRequestConfig::Disabled)
        .enable_ws_ping(ping)
        .build();
    let mut rpc = ServerBuilder::with_config(limits).to_service_builder().build(methods, stopping.clone());
    let service = tower::service_fn(move |mut request: HttpRequest<hyper::body::Incoming>| {
        // No browser can open this socket; what claims to be one is a tunnel to one.
        let from_a_page = request.headers().contains_key(http::header::ORIGIN);
        request.extensions_mut().insert(caller.clone());
        let answer = (!from_a_page).then(|| rpc.call(request));
        async move {
            match answer {
                Some(answer) => answer.await,
                None => Ok(forbidden()),
            }
        }
    });
    Box::pin(serve_with_graceful_shutdown(stream, service, stopping.shutdown()))
}

fn forbidden() -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from("requests from web pages are refused\n"));
    *response.status_mut() = http::StatusCode::FORBIDDEN;
    response
}

#[cfg(test)]
pub(crate) mod tests;
