//! `Remote`: a tool server behind an URL, over Streamable HTTP, in whichever era the agent speaks.
//!
//! ```text
//! Starting ─ server/discover or initialize ─► Ready ─ cannot be reached ─► Down ─ backoff ─► Starting
//! ```

mod exchange;
mod http;
mod keep;
mod session;
mod stream;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::http::{HeaderMap, HeaderName, HeaderValue};
use audit::{Failure, FailureKind};
use policies::{Call, Object, ServerName};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::http::{Http, Lost};
use crate::config::Endpoint;
use crate::limits::Limits;
use crate::line::{Era, Line};
use crate::mcp::{Body, Meta, Passenger, Peer, Reply, named, parameters};
use crate::phase::{Phase, Phases};
use crate::run::Surroundings;
use crate::server::{Greeting, ServerError};
use crate::watched::Watched;
use session::{Abilities, Refused, Session, Sessions};

/// A tool server behind an URL.
pub(crate) struct Remote {
    server: ServerName,
    http: Http,
    limits: Limits,
    around: Surroundings,
    phases: Phases<Greeting>,
    watched: Watched,
    /// Who waits for what, without a session.
    peer: Arc<Peer>,
    sessions: Sessions,
    /// A modern server refused `initialize`: legacy agents are spoken to in its era.
    modern_only: AtomicBool,
    /// A call could not reach the server.
    unreached: Notify,
}

/// In which way a request is spoken.
enum Tongue {
    Modern,
    Legacy(Arc<Session>),
}

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

impl Remote {
    /// Greets it in the background, again and again until it answers.
    ///
    /// # Errors
    /// Where the system's certificates cannot be read, and are needed.
    pub(crate) fn start(
        server: ServerName,
        endpoint: Endpoint,
        limits: Limits,
        around: Surroundings,
    ) -> io::Result<Arc<Self>> {
        // Connections outlive the stop for as long as it takes to end sessions over them.
        let closed = CancellationToken::new();
        let remote = Arc::new(Self {
            http: Http::new(endpoint, around.tasks.clone(), closed.clone())?,
            limits,
            phases: Phases::new(server.clone(), around.changes.clone()),
            watched: Watched::new(),
            peer: Peer::new(server.clone(), around.changes.clone()),
            sessions: Sessions::default(),
            modern_only: AtomicBool::new(false),
            unreached: Notify::new(),
            around,
            server,
        });
        remote.around.tasks.spawn(Arc::clone(&remote).keep(closed));
        Ok(remote)
    }

    /// How it is, now.
    pub(crate) fn phase(&self) -> Phase<Greeting> {
        self.phases.current()
    }

    /// What it said of itself, once it is there.
    pub(crate) async fn greeting(&self) -> Result<Greeting, ServerError> {
        let greeting = self.phases.ready().await.map_err(|failure| ServerError::Down { why: failure.detail })?;
        Ok(Greeting::clone(&greeting))
    }

    /// Which of its resources are watched.
    pub(crate) fn watched(&self) -> &Watched {
        &self.watched
    }

    /// Sends a recorded call and waits for its reply; the caller sets the deadline. Dropping it gives the call up: a modern
    /// server sees the connection close, a legacy one is told.
    pub(crate) async fn call(self: &Arc<Self>, call: &Call, line: &Line) -> Reply {
        let body = Body::Call(call, line.resume.as_ref());
        let passenger = Passenger::of(line);
        match self.tongue(line.agent_era, Abilities::of(&line.capabilities)).await {
            Ok(Tongue::Modern) => self.modern(&body, line, passenger).await,
            Ok(Tongue::Legacy(_)) if line.resume.is_some() => {
                let detail = "the server does not know how to go on with a call that asked for input";
                Reply::failed(FailureKind::Unsupported, detail)
            }
            Ok(Tongue::Legacy(session)) => {
                self.lower_logs(&session, &passenger, line.log_level.as_deref());
                self.legacy(session, &body, line, passenger).await
            }
            Err(failure) => Reply::Failed(failure),
        }
    }

    /// Asks something that is not a call, in the era of the greeting.
    pub(crate) async fn ask(self: &Arc<Self>, method: &'static str, params: &Object) -> Reply {
        let era = match self.phases.ready().await {
            Ok(greeting) => greeting.era,
            Err(failure) => return Reply::Failed(failure),
        };
        let body = Body::Plain(method, params);
        match era {
            Era::Modern => self.exchange_modern(&body, &Meta::own(era), None).await,
            Era::Legacy(_) => match self.session(Abilities::NONE).await {
                Ok(session) => self.exchange_legacy(session, &body, &Meta::own(era), None).await,
                Err(refused) => Reply::Failed(refused.failure()),
            },
        }
    }

    async fn tongue(self: &Arc<Self>, agent: Era, abilities: Abilities) -> Result<Tongue, Failure> {
        let server = self.phases.ready().await?.era;
        match (server, agent) {
            (Era::Modern, Era::Modern) => return Ok(Tongue::Modern),
            (Era::Modern, Era::Legacy(_)) if self.modern_only.load(Ordering::Relaxed) => return Ok(Tongue::Modern),
            (Era::Modern | Era::Legacy(_), Era::Modern | Era::Legacy(_)) => {}
        }
        match self.session(abilities).await {
            Ok(session) => Ok(Tongue::Legacy(session)),
            Err(Refused::ByServer(_)) if server == Era::Modern => {
                self.modern_only.store(true, Ordering::Relaxed);
                Ok(Tongue::Modern)
            }
            Err(refused) => Err(refused.failure()),
        }
    }

    async fn modern(&self, body: &Body<'_>, line: &Line, passenger: Passenger) -> Reply {
        let meta = Meta {
            era: Era::Modern,
            progress: line.progress,
            capabilities: Some(&line.capabilities),
            trace: &line.trace,
            log_level: line.log_level.as_deref(),
        };
        self.exchange_modern(body, &meta, Some(passenger)).await
    }

    async fn legacy(
        self: &Arc<Self>,
        session: Arc<Session>,
        body: &Body<'_>,
        line: &Line,
        passenger: Passenger,
    ) -> Reply {
        let era = session.greeting().era;
        let meta = Meta { era, progress: line.progress, capabilities: None, trace: &line.trace, log_level: None };
        self.exchange_legacy(session, body, &meta, Some(passenger)).await
    }

    /// What a lost request means for its call.
    fn lost(&self, lost: Lost) -> Failure {
        match lost {
            Lost::Unsent(why) => {
                self.unreached.notify_one();
                let detail = format!("the server `{}` cannot be reached: {why}", self.server);
                Failure { kind: FailureKind::Unreachable, detail }
            }
            Lost::Unanswered(why) => {
                let detail = format!("the connection to the server `{}` ended before it answered: {why}", self.server);
                Failure { kind: FailureKind::Exited, detail }
            }
        }
    }
}

/// The headers that repeat a modern request's body.
fn modern_headers(body: &Body<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(VERSION, HeaderValue::from_static(Era::MODERN));
    headers.insert(METHOD, HeaderValue::from_static(body.method()));
    if let Body::Call(call, _) = body {
        headers.extend(named(call).map(|name| (NAME, name)));
        headers.extend(parameters(call));
    }
    headers
}
