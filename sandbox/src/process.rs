//! `Process`: a tool server that is a child process and speaks over its standard streams. Not jailed yet.
//!
//! ```text
//! Starting ─ spawn, greet ─► Ready ─ exits, floods, closes a stream ─► Down ─ backoff ─► Starting
//! ```
//!
//! The child gets its own process group and an environment of `PATH`, `HOME`, `LANG` and `TMPDIR` (what `npx` and `uvx`
//! cannot do without) and what its config names, nothing else. It is ended by closing its input, then SIGTERM, then SIGKILL,
//! each to the whole group, two seconds apart. Should the gateway itself be killed, its children see the end of their input;
//! one that ignores that outlives it, because asking the kernel otherwise (`PR_SET_PDEATHSIG`) takes unsafe code.

mod child;
mod greet;
mod pipe;
mod split;
mod stderr;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use audit::FailureKind;
use policies::{Call, Object, ServerName, Value};
use tokio::time::Instant;

use crate::config::Program;
use crate::limits::{ASIDE, Limits};
use crate::line::{Era, Line};
use crate::mcp::{Body, Meta, Peer, Reply};
use crate::phase::{Backoff, Phase, Phases};
use crate::run::Surroundings;
use crate::server::{Greeting, ServerError};
use crate::watched::Watched;
use child::Child;
use greet::Manner;
use pipe::{Pipe, Unsent};

/// A tool server that is a child process, started again whenever it ends.
pub(crate) struct Process {
    server: ServerName,
    program: Program,
    limits: Limits,
    around: Surroundings,
    phases: Phases<Pipe>,
    watched: Watched,
}

/// How one run of the child came to its end.
struct Ended {
    why: String,
    lasted: Duration,
}

impl Process {
    /// Starts it in the background, again and again until the sandbox stops.
    pub(crate) fn start(server: ServerName, program: Program, limits: Limits, around: Surroundings) -> Arc<Self> {
        let phases = Phases::new(server.clone(), around.changes.clone());
        let process = Arc::new(Self { server, program, limits, around, phases, watched: Watched::new() });
        process.around.tasks.spawn(Arc::clone(&process).supervise());
        process
    }

    /// How it is, now.
    pub(crate) fn phase(&self) -> Phase<Pipe> {
        self.phases.current()
    }

    /// Sends a recorded call and waits for its reply; the caller sets the deadline. Dropping it gives the call up and
    /// tells the server so.
    pub(crate) async fn call(&self, call: &Call, line: &Line) -> Reply {
        let mut over = None;
        loop {
            let pipe = match self.phases.ready_after(over.as_ref()).await {
                Ok(pipe) => pipe,
                Err(failure) => return Reply::Failed(failure),
            };
            match pipe.call(call, line).await {
                Ok(reply) => return reply,
                Err(Unsent) => over = Some(pipe),
            }
        }
    }

    /// Asks something that is not a call.
    pub(crate) async fn ask(&self, method: &'static str, params: &Object) -> Reply {
        let pipe = match self.phases.ready().await {
            Ok(pipe) => pipe,
            Err(failure) => return Reply::Failed(failure),
        };
        let asked = pipe.ask(&Body::Plain(method, params), &Meta::own(pipe.greeting().era)).await;
        asked.unwrap_or_else(|Unsent| Reply::failed(FailureKind::Unreachable, "the server has just gone away"))
    }

    /// What it said of itself, once it is there.
    pub(crate) async fn greeting(&self) -> Result<Greeting, ServerError> {
        let pipe = self.phases.ready().await.map_err(|failure| ServerError::Down { why: failure.detail })?;
        Ok(pipe.greeting().clone())
    }

    /// Which of its resources are watched.
    pub(crate) fn watched(&self) -> &Watched {
        &self.watched
    }

    async fn supervise(self: Arc<Self>) {
        let mut backoff = Backoff::new();
        let mut manner = Manner::Probe;
        while !self.around.stop.is_cancelled() {
            self.phases.enter(Phase::Starting);
            let ended = self.live(&mut manner).await;
            if self.around.stop.is_cancelled() {
                break;
            }
            let wait = backoff.after(ended.lasted);
            self.phases.enter(Phase::Down { why: ended.why, retry_at: Instant::now() + wait });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.around.stop.cancelled() => {}
            }
        }
    }

    /// One run of the child, from start to end.
    async fn live(self: &Arc<Self>, manner: &mut Manner) -> Ended {
        let began = Instant::now();
        let ended = |why: String| Ended { why, lasted: began.elapsed() };
        let (mut child, streams) = match Child::start(&self.program) {
            Ok(started) => started,
            Err(why) => return ended(why),
        };
        let peer = Peer::new(self.server.clone(), self.around.changes.clone());
        let pipe = pipe::open(peer, streams, &self.limits, &self.around.tasks);
        let why = self.serve(&mut child, &pipe, manner).await;
        self.end(&mut child, &pipe, &why).await;
        ended(why)
    }

    /// Until the child or the connection ends, or the gateway stops; says which.
    async fn serve(self: &Arc<Self>, child: &mut Child, pipe: &pipe::Opened, manner: &mut Manner) -> String {
        let greeted = tokio::time::timeout(self.limits.start, greet::greet(pipe, manner));
        let greeting = tokio::select! {
            greeted = greeted => match greeted {
                Ok(Ok(greeting)) => greeting,
                Ok(Err(why)) => return why,
                Err(_) => return format!("it did not answer within {} s of its start", self.limits.start.as_secs()),
            },
            why = over(child, pipe) => {
                manner.failed();
                return format!("{why} before it answered");
            }
            () = self.around.stop.cancelled() => return STOPS.to_owned(),
        };
        let ready = Arc::new(pipe.ready(greeting));
        self.phases.enter(Phase::Ready(Arc::clone(&ready)));
        tokio::select! {
            why = over(child, pipe) => why,
            () = self.around.stop.cancelled() => STOPS.to_owned(),
            () = self.watch(&ready) => "it ended".to_owned(),
        }
    }

    async fn end(&self, child: &mut Child, pipe: &pipe::Opened, why: &str) {
        if self.around.stop.is_cancelled() {
            pipe.close(|| Reply::Stopped);
        } else {
            let detail = format!("the server `{}` went away while the call ran: {why}", self.server);
            pipe.close(|| Reply::failed(FailureKind::Exited, detail.as_str()));
        }
        child.end().await;
    }

    /// Keeps the server's idea of what is watched up to date, as long as the connection lives. Never returns.
    async fn watch(&self, pipe: &Arc<Pipe>) {
        let mut watched = self.watched.subscribe();
        let mut known = BTreeSet::new();
        let mut listening = None;
        loop {
            let wanted: BTreeSet<String> = watched.borrow_and_update().keys().cloned().collect();
            match pipe.greeting().era {
                Era::Modern => listening = pipe.listen(&wanted, listening),
                Era::Legacy(_) => self.resubscribe(pipe, &known, &wanted).await,
            }
            known = wanted;
            if watched.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn resubscribe(&self, pipe: &Arc<Pipe>, known: &BTreeSet<String>, wanted: &BTreeSet<String>) {
        let gone = known.difference(wanted).map(|uri| ("resources/unsubscribe", uri));
        let new = wanted.difference(known).map(|uri| ("resources/subscribe", uri));
        for (method, uri) in gone.chain(new) {
            let params: Object = [("uri", Value::from(uri.as_str()))].into_iter().collect();
            let (body, meta) = (Body::Plain(method, &params), Meta::own(pipe.greeting().era));
            let asked = pipe.ask(&body, &meta);
            if !matches!(tokio::time::timeout(ASIDE, asked).await, Ok(Ok(Reply::Result(_)))) {
                tracing::warn!(server = %self.server, method, "the server did not take a subscription");
            }
        }
    }
}

const STOPS: &str = "the gateway stops";

/// A program that closes its streams is mostly one that ends; its status says more.
const EXIT: Duration = Duration::from_millis(200);

/// Waits until the child or its connection has come to an end, and says how. Cancel-safe.
async fn over(child: &mut Child, pipe: &pipe::Opened) -> String {
    let why = tokio::select! {
        status = child.exited() => {
            // Its last words may still be in the pipe, an answer among them.
            pipe.drained().await;
            return format!("it {status}");
        }
        why = pipe.broken() => why,
    };
    match tokio::time::timeout(EXIT, child.exited()).await {
        Ok(status) => format!("it {status}"),
        Err(_) => why,
    }
}
