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
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Program;
use crate::limits::{ASIDE, Limits};
use crate::line::{Era, Line};
use crate::mcp::{Body, Meta, Peer, Reply};
use crate::phase::{Backoff, Phase, Phases};
use crate::server::{Change, Greeting, ServerError};
use crate::watched::Watched;
use child::Child;
use greet::Manner;
use pipe::Pipe;

/// A tool server that is a child process, started again whenever it ends.
pub(crate) struct Process {
    server: ServerName,
    program: Program,
    limits: Limits,
    tasks: TaskTracker,
    stop: CancellationToken,
    changes: broadcast::Sender<Change>,
    phases: Phases<Pipe>,
    watched: Watched,
}

/// How one run of the child came to its end.
struct Ended {
    why: String,
    lasted: Duration,
}

impl Process {
    /// Starts it in the background, again and again until `stop`.
    pub(crate) fn start(
        server: ServerName,
        program: Program,
        limits: Limits,
        changes: broadcast::Sender<Change>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let phases = Phases::new(server.clone(), changes.clone());
        let watched = Watched::new();
        let process = Arc::new(Self { server, program, limits, tasks: tasks.clone(), stop, changes, phases, watched });
        tasks.spawn(Arc::clone(&process).supervise());
        process
    }

    /// How it is, now.
    pub(crate) fn phase(&self) -> Phase<Pipe> {
        self.phases.current()
    }

    /// Sends a recorded call and waits for its reply; the caller sets the deadline. Dropping it gives the call up and
    /// tells the server so.
    pub(crate) async fn call(&self, call: &Call, line: &Line) -> Reply {
        match self.phases.ready().await {
            Ok(pipe) => pipe.call(call, line).await,
            Err(failure) => Reply::Failed(failure),
        }
    }

    /// Asks something that is not a call.
    pub(crate) async fn ask(&self, method: &'static str, params: &Object) -> Reply {
        match self.phases.ready().await {
            Ok(pipe) => pipe.ask(&Body::Plain(method, params), &Meta::own(pipe.greeting().era)).await,
            Err(failure) => Reply::Failed(failure),
        }
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
        while !self.stop.is_cancelled() {
            self.phases.enter(Phase::Starting);
            let ended = self.live(&mut manner).await;
            if self.stop.is_cancelled() {
                break;
            }
            let wait = backoff.after(ended.lasted);
            self.phases.enter(Phase::Down { why: ended.why, retry_at: Instant::now() + wait });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.stop.cancelled() => {}
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
        let peer = Peer::new(self.server.clone(), self.changes.clone());
        let pipe = pipe::open(peer, streams, &self.limits, &self.tasks);
        let why = self.serve(&mut child, &pipe, manner).await;
        self.end(&mut child, &pipe, &why).await;
        ended(why)
    }

    /// Until the child or the connection ends, or the gateway stops.
    async fn serve(self: &Arc<Self>, child: &mut Child, pipe: &pipe::Opened, manner: &mut Manner) -> String {
        let greeted = tokio::time::timeout(self.limits.start, greet::greet(pipe, manner));
        let greeting = tokio::select! {
            greeted = greeted => match greeted {
                Ok(Ok(greeting)) => greeting,
                Ok(Err(why)) => return why,
                Err(_) => return format!("it did not answer within {} s of its start", self.limits.start.as_secs()),
            },
            status = child.exited() => {
                manner.failed();
                return format!("it {status} before it answered");
            }
            why = pipe.broken() => return why,
            () = self.stop.cancelled() => return "the gateway stops".to_owned(),
        };
        let ready = Arc::new(pipe.ready(greeting));
        self.phases.enter(Phase::Ready(Arc::clone(&ready)));
        let watching = self.watch(&ready);
        tokio::select! {
            status = child.exited() => {
                // Its last words may still be in the pipe, an answer among them.
                pipe.drained().await;
                format!("it {status}")
            }
            why = pipe.broken() => why,
            () = self.stop.cancelled() => "the gateway stops".to_owned(),
            () = watching => "it ended".to_owned(),
        }
    }

    async fn end(&self, child: &mut Child, pipe: &pipe::Opened, why: &str) {
        if self.stop.is_cancelled() {
            pipe.close(|| Reply::Stopped);
        } else {
            // Nothing may board a dead connection: whoever calls from now on waits for the next one.
            self.phases.enter(Phase::Starting);
            let detail = format!("the server `{}` went away while the call ran: {why}", self.server);
            pipe.close(move || Reply::failed(FailureKind::Exited, detail.clone()));
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
            if !matches!(tokio::time::timeout(ASIDE, asked).await, Ok(Reply::Result(_))) {
                tracing::warn!(server = %self.server, method, "the server did not take a subscription");
            }
        }
    }
}
