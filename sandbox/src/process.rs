//! `Process`: one server that speaks over its standard streams and serves everyone, started again whenever it ends.
//!
//! ```text
//! Starting ─ spawn, greet ─► Ready ─ exits, floods, closes a stream ─► Down ─ backoff ─► Starting
//!                              └─ a call was given up ─► retired: killed once no other call runs in it ─► Starting
//! ```

mod child;
mod flights;

use std::collections::BTreeSet;
use std::sync::Arc;

use audit::FailureKind;
use policies::{Call, Object, ServerName, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use vault::Placer;

use crate::instance::{Ended, Instance, Manner, Pipe, Spawn, Unsent};
use crate::limits::{ASIDE, Limits};
use crate::line::{Era, Line};
use crate::mcp::{Body, Meta, Reply};
use crate::phase::{Backoff, Phase, Phases};
use crate::run::Surroundings;
use crate::server::{Greeting, ServerError};
use crate::watched::Watched;
pub(crate) use child::Bare;
use flights::Flights;

/// A server that is started again whenever it ends.
pub(crate) struct Process {
    server: ServerName,
    spawn: Arc<dyn Spawn>,
    limits: Limits,
    around: Surroundings,
    phases: Phases<Shared>,
    watched: Watched,
    /// One at a time: whoever gives calls up by the hundred is not to make as many processes.
    retiring: Arc<Semaphore>,
}

/// What calls share: a connection, and how many of them run over it.
pub(crate) struct Shared {
    pipe: Arc<Pipe>,
    flights: Flights,
}

impl Shared {
    /// What the server said of itself.
    pub(crate) fn greeting(&self) -> &Greeting {
        self.pipe.greeting()
    }
}

/// How one run of a server came to its end.
enum Run {
    Ended(Ended),
    /// A call was given up: it takes no other any more.
    Retired,
}

impl Process {
    /// Starts it in the background, again and again until the sandbox stops.
    pub(crate) fn start(server: ServerName, spawn: Arc<dyn Spawn>, limits: Limits, around: Surroundings) -> Arc<Self> {
        let phases = Phases::new(server.clone(), around.changes.clone());
        let process = Arc::new(Self {
            server,
            spawn,
            limits,
            around,
            phases,
            watched: Watched::new(),
            retiring: Arc::new(Semaphore::new(1)),
        });
        process.around.tasks.spawn(Arc::clone(&process).supervise());
        process
    }

    /// How it is, now.
    pub(crate) fn phase(&self) -> Phase<Shared> {
        self.phases.current()
    }

    /// Waits until it is there.
    ///
    /// # Errors
    /// With a failure that says that nothing ran.
    pub(crate) async fn ready(&self) -> Result<Arc<Pipe>, audit::Failure> {
        self.phases.ready().await.map(|shared| Arc::clone(&shared.pipe))
    }

    /// Sends a recorded call and waits for its reply; the caller sets the deadline. Dropping it gives the call up and
    /// tells the server so.
    pub(crate) async fn call(&self, call: &Call, line: &Line) -> Reply {
        let mut over = None;
        loop {
            let shared = match self.phases.ready_after(over.as_ref()).await {
                Ok(shared) => shared,
                Err(failure) => return Reply::Failed(failure),
            };
            let flying = shared.flights.board();
            match shared.pipe.call(call, line).await {
                Ok(reply) => {
                    flying.land();
                    return reply;
                }
                Err(Unsent) => {
                    flying.land();
                    over = Some(Arc::clone(&shared));
                }
            }
        }
    }

    /// Asks something that is not a call.
    pub(crate) async fn ask(&self, method: &'static str, params: &Object) -> Reply {
        let pipe = match self.ready().await {
            Ok(pipe) => pipe,
            Err(failure) => return Reply::Failed(failure),
        };
        let asked = pipe.ask(&Body::Plain(method, params), &Meta::own(pipe.greeting().era)).await;
        asked.unwrap_or_else(|Unsent| Reply::failed(FailureKind::Unreachable, "the server has just gone away"))
    }

    /// What it said of itself, once it is there.
    pub(crate) async fn greeting(&self) -> Result<Greeting, ServerError> {
        let pipe = self.ready().await.map_err(|failure| ServerError::Down { why: failure.detail })?;
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
            let began = Instant::now();
            let run = self.live(&mut manner).await;
            if self.around.stop.is_cancelled() {
                break;
            }
            let Run::Ended(ended) = run else { continue };
            let wait = backoff.after(began.elapsed());
            self.phases.enter(Phase::down(ended, Instant::now() + wait));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.around.stop.cancelled() => {}
            }
        }
    }

    /// One run of the server, from start to end.
    async fn live(self: &Arc<Self>, manner: &mut Manner) -> Run {
        let whose = (&self.server, self.around.changes.clone());
        // What serves everyone is lent nothing.
        let nothing = Placer::default();
        let started = tokio::select! {
            started = Instance::start(self.spawn.as_ref(), whose, &self.limits, (manner, &nothing), &self.around) => started,
            () = self.around.stop.cancelled() => return Run::Ended(stops()),
        };
        let mut instance = match started {
            Ok(instance) => instance,
            Err(ended) => return Run::Ended(ended),
        };
        let pipe = Arc::clone(instance.pipe());
        let shared = Arc::new(Shared { pipe: Arc::clone(&pipe), flights: Flights::default() });
        self.phases.enter(Phase::Ready(Arc::clone(&shared)));
        let ended = tokio::select! {
            ended = instance.over() => ended,
            () = self.around.stop.cancelled() => stops(),
            () = self.watch(&pipe) => Ended::exited("it ended"),
            place = self.given_up(&shared.flights), if self.spawn.is_disposable() => {
                // From here on calls wait for the next.
                self.phases.enter(Phase::Starting);
                self.retire(instance, shared, place);
                return Run::Retired;
            }
        };
        let stopped = self.around.stop.is_cancelled();
        instance.end(|| if stopped { Reply::Stopped } else { went_away(&self.server, &ended) }).await;
        Run::Ended(ended)
    }

    /// Waits until a call was given up and either no other runs, or this server may be retired beside the next.
    async fn given_up(&self, flights: &Flights) -> Option<OwnedSemaphorePermit> {
        flights.given_up().await;
        tokio::select! {
            biased;
            () = flights.none() => None,
            place = Arc::clone(&self.retiring).acquire_owned() => place.ok(),
        }
    }

    /// Ends a server that takes no more calls, once those of others have come to their end.
    fn retire(&self, mut instance: Instance, shared: Arc<Shared>, place: Option<OwnedSemaphorePermit>) {
        let (server, stop) = (self.server.clone(), self.around.stop.clone());
        self.around.tasks.spawn(async move {
            let _place = place;
            let ended = tokio::select! {
                biased;
                // Dropping kills: whoever did not heed a cancellation would not heed a gentle end either.
                () = shared.flights.none() => return,
                ended = instance.over() => ended,
                () = stop.cancelled() => stops(),
            };
            let stopped = stop.is_cancelled();
            instance.end(|| if stopped { Reply::Stopped } else { went_away(&server, &ended) }).await;
        });
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

/// What a call is told whose server ended under it.
pub(crate) fn went_away(server: &ServerName, ended: &Ended) -> Reply {
    Reply::failed(ended.kind, format!("the server `{server}` went away while the call ran: {}", ended.why))
}

fn stops() -> Ended {
    Ended::exited("the gateway stops")
}
