//! `Instance`: one running server that speaks over its standard streams, however it is kept from everything else.

mod greet;
pub(crate) mod hand;
mod pipe;
mod split;
mod stderr;

use std::sync::Arc;
use std::time::Duration;

use audit::{Failure, FailureKind};
use futures_util::future::BoxFuture;
use policies::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast;
use vault::Placer;

use crate::egress::Exit;
use crate::limits::Limits;
use crate::mcp::{Peer, Reply};
use crate::run::Surroundings;
use crate::server::{Change, Greeting};
pub(crate) use greet::Manner;
pub(crate) use pipe::{Pipe, Unsent};
pub(crate) use split::{Piece, Splitter};
pub(crate) use stderr::copy as copy_stderr;

/// What a server reads from.
pub(crate) type Input = Box<dyn AsyncWrite + Send + Unpin>;

/// What a server writes to.
pub(crate) type Output = Box<dyn AsyncRead + Send + Unpin>;

/// A server's standard streams. Dropping `stdin` closes the server's input.
pub(crate) struct Streams {
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    /// `None` where it is not told apart, or goes nowhere.
    pub(crate) stderr: Option<Output>,
}

/// How servers of one kind are started.
pub(crate) trait Spawn: Send + Sync {
    /// Starts one, which was not greeted yet. Dropping the future leaves nothing behind.
    ///
    /// # Errors
    /// With [`FailureKind::NoSandbox`] where what keeps it cannot be made: then it must not run. A sentence in our own
    /// words that goes on from "the server `x`: ".
    /// What `placer` hands over is there before the server runs; with the default there are placeholders.
    fn spawn<'a>(&'a self, server: &'a ServerName, placer: &'a Placer) -> BoxFuture<'a, Result<Spawned, Failure>>;

    /// Whether a call that was given up may end what it ran in, so that nothing of it goes on.
    fn is_disposable(&self) -> bool {
        false
    }

    /// What a person can do where it ends before it answers, if that is known.
    fn advice(&self) -> Option<&'static str> {
        None
    }
}

/// What was started.
pub(crate) struct Spawned {
    pub(crate) streams: Streams,
    pub(crate) body: Box<dyn Body>,
    /// Its way out, where it was granted any.
    pub(crate) exit: Option<Arc<Exit>>,
}

/// The process, or container, that a server runs in. Dropping it kills it, and all that it started, at once.
pub(crate) trait Body: Send {
    /// Waits until it has ended by itself or over a limit, and says how. Cancel-safe; may be asked again.
    fn ended(&mut self) -> BoxFuture<'_, Ended>;

    /// Ends it, its input being closed already: gently at first, but within seconds.
    fn end(&mut self) -> BoxFuture<'_, ()>;

    /// Tells its exit of whatever was dropped until now, before a call that may have caused it is closed.
    fn settle(&self) {}
}

/// How something came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// What that is to a call that was running: `Exited`, `OutOfMemory`, `Crashed`, …
    pub(crate) kind: FailureKind,
    /// One sentence in our own words: "it exited with status 1".
    pub(crate) why: String,
    /// Its exit status, where it ended by itself and has one.
    pub(crate) status: Option<i32>,
}

impl Ended {
    pub(crate) fn new(kind: FailureKind, why: impl Into<String>) -> Self {
        Self { kind, why: why.into(), status: None }
    }

    /// It exited with this status.
    pub(crate) fn status(status: i32) -> Self {
        Self { status: Some(status), ..Self::exited(format!("it exited with status {status}")) }
    }

    /// The same, with what can be done about it, where it could be started and only did not stay.
    fn advised(mut self, advice: Option<&str>) -> Self {
        if let Some(advice) = advice.filter(|_| self.kind == FailureKind::Exited) {
            self.why = format!("{}; {advice}", self.why);
        }
        self
    }

    /// It ended by itself.
    pub(crate) fn exited(why: impl Into<String>) -> Self {
        Self::new(FailureKind::Exited, why)
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind, failure.detail)
    }
}

/// One server that was started and greeted. Dropping it kills it at once.
pub(crate) struct Instance {
    opened: pipe::Opened,
    pipe: Arc<Pipe>,
    body: Box<dyn Body>,
    exit: Option<Arc<Exit>>,
}

/// A program that closes its streams is mostly one that ends; its status says more.
const EXIT: Duration = Duration::from_millis(200);

impl Instance {
    /// Starts and greets one. Dropping the future kills it.
    ///
    /// # Errors
    /// With how it came to its end before it could be used.
    pub(crate) async fn start(
        spawn: &dyn Spawn,
        (server, changes): (&ServerName, broadcast::Sender<Change>),
        limits: &Limits,
        (manner, placer): (&mut Manner, &Placer),
        around: &Surroundings,
    ) -> Result<Self, Ended> {
        let starting = async {
            let Spawned { streams, mut body, exit } = spawn.spawn(server, placer).await?;
            let opened = pipe::open(Peer::new(server.clone(), changes), streams, limits, around);
            let greeting = greeted(&opened, body.as_mut(), manner).await;
            match greeting {
                Ok(greeting) => Ok(Self { pipe: Arc::new(opened.ready(greeting)), opened, body, exit }),
                Err(ended) => {
                    opened.close(|| Reply::failed(FailureKind::Exited, ended.why.as_str()));
                    body.end().await;
                    Err(ended)
                }
            }
        };
        let late = |_| Ended::exited(format!("it did not answer within {} s of its start", limits.start.as_secs()));
        let started = tokio::time::timeout(limits.start, starting).await.map_err(late);
        started.flatten().map_err(|ended| ended.advised(spawn.advice()))
    }

    /// What calls go through.
    pub(crate) fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    /// Its way out, where it was granted any.
    pub(crate) fn exit(&self) -> Option<&Arc<Exit>> {
        self.exit.as_ref()
    }

    /// Tells its exit of whatever was dropped until now.
    pub(crate) fn settle(&self) {
        self.body.settle();
    }

    /// Whether nothing is known to be wrong with it.
    pub(crate) fn is_whole(&self) -> bool {
        self.opened.is_whole()
    }

    /// Waits until it has come to an end, and says how. Cancel-safe.
    pub(crate) async fn over(&mut self) -> Ended {
        over(&self.opened, self.body.as_mut()).await
    }

    /// Ends it; whoever still waits for it gets this reply.
    pub(crate) async fn end(mut self, reply: impl Fn() -> Reply) {
        self.opened.close(reply);
        self.body.end().await;
    }
}

async fn greeted(opened: &pipe::Opened, body: &mut dyn Body, manner: &mut Manner) -> Result<Greeting, Ended> {
    tokio::select! {
        greeting = greet::greet(opened, manner) => greeting.map_err(Ended::exited),
        mut ended = over(opened, body) => {
            manner.failed();
            ended.why.push_str(" before it answered");
            Err(ended)
        }
    }
}

/// Waits until the body or the connection has come to an end, and says how. Cancel-safe.
async fn over(opened: &pipe::Opened, body: &mut dyn Body) -> Ended {
    let why = tokio::select! {
        ended = body.ended() => {
            // Its last words may still be in the pipe, an answer among them.
            opened.drained().await;
            return ended;
        }
        why = opened.broken() => why,
    };
    tokio::time::timeout(EXIT, body.ended()).await.unwrap_or(Ended::exited(why))
}
