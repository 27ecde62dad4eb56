//! `Pool`: servers whose calls have a sandbox to themselves, so that whatever one is seen to do belongs to one call.
//!
//! ```text
//! spare ─ an agent's call ─► lent ─ answered ─► kept for that agent ─ its next call ─► lent
//!                             └─ failed, cancelled, out of time, Nth call ─► ended, and a new spare started
//! ```
//!
//! Beside them stands one server at the desk, which runs no calls: it is asked for lists and is watched. Its way out is never
//! opened.

mod bench;
mod lent;

use std::sync::Arc;
use std::time::Duration;

use audit::{Failure, FailureKind, Observed};
use policies::profile::Resources;
use policies::{AgentId, Call, Object, ServerName};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use vault::Placer;

use crate::instance::{Instance, Manner, Spawn};
use crate::limits::Limits;
use crate::line::Line;
use crate::mcp::Reply;
use crate::phase::{Backoff, Phase};
use crate::process::{Process, Shared};
use crate::run::Surroundings;
use crate::server::{Greeting, ServerError};
use crate::watched::Watched;
use bench::{Bench, Seat, Tenant};
use lent::Lent;

/// Instances of one server, each lent to one call at a time and to one agent ever.
pub(crate) struct Pool {
    server: ServerName,
    desk: Arc<Process>,
    spawn: Arc<dyn Spawn>,
    resources: Arc<Resources>,
    limits: Limits,
    around: Surroundings,
    bench: Bench,
    /// A call holds one while an instance is lent to it; others wait, as many as the server has slots, until their deadline.
    lent: Semaphore,
    /// There may be something to tend.
    untended: Notify,
}

/// An instance is ended after so many calls: what it gathered from them goes with it.
const CALLS: u32 = 200;

/// The most that run a call at once.
const LENT: usize = 16;

/// The most there are: enough for each that is lent, and for agents that come back.
const SEATS: usize = 24;

/// How many wait for an agent that has none yet.
const SPARES: usize = 1;

/// One that was not called for this long is ended.
const IDLE: Duration = Duration::from_mins(5);

/// How often those that died or were idle for long are looked for.
const TEND: Duration = Duration::from_secs(10);

/// One that turns out to be dead is replaced; more than this says that none lives.
const TRIES: usize = 3;

impl Pool {
    /// Starts the desk and the first spare in the background.
    pub(crate) fn start(
        server: ServerName,
        spawn: Arc<dyn Spawn>,
        resources: Arc<Resources>,
        limits: Limits,
        around: Surroundings,
    ) -> Arc<Self> {
        let desk = Process::start(server.clone(), Arc::clone(&spawn), limits, around.clone());
        let (bench, lent) = (Bench::new(SEATS), Semaphore::new(LENT));
        let pool = Self { server, desk, spawn, resources, limits, around, bench, lent, untended: Notify::new() };
        let pool = Arc::new(pool);
        pool.around.tasks.spawn(Arc::clone(&pool).tend());
        pool
    }

    /// Runs a recorded call in an instance of its own; the caller sets the deadline. What was seen is added to `seen` also
    /// when the call is dropped, which ends the instance.
    pub(crate) async fn call(
        self: &Arc<Self>,
        call: &Call,
        line: &Line,
        (placer, seen): (&Placer, &mut Observed),
    ) -> Reply {
        // What does not come up at the desk need not be tried for each call.
        if let Err(failure) = self.desk.ready().await {
            return Reply::Failed(failure);
        }
        let Ok(_place) = self.lent.acquire().await else { return Reply::Stopped };
        for _ in 0..TRIES {
            let tenant = match self.tenant(call.agent(), placer).await {
                Ok(tenant) => tenant,
                Err(failure) => return Reply::Failed(failure),
            };
            let lent = match Lent::open(self, tenant, call.agent(), placer, seen) {
                Ok(lent) => lent,
                Err(failure) => return Reply::Failed(failure),
            };
            // One that was over before anything was sent is replaced.
            if let Ok(reply) = lent.call(call, line).await {
                return reply;
            }
        }
        Reply::failed(FailureKind::Unreachable, format!("the server `{}` ends as soon as it is started", self.server))
    }

    /// Asks something that is not a call.
    pub(crate) async fn ask(&self, method: &'static str, params: &Object) -> Reply {
        self.desk.ask(method, params).await
    }

    /// What it said of itself, once it is there.
    pub(crate) async fn greeting(&self) -> Result<Greeting, ServerError> {
        self.desk.greeting().await
    }

    /// Which of its resources are watched.
    pub(crate) fn watched(&self) -> &Watched {
        self.desk.watched()
    }

    /// How it is, now.
    pub(crate) fn phase(&self) -> Phase<Shared> {
        self.desk.phase()
    }

    /// The agent's own instance, else a spare, else a new one.
    async fn tenant(&self, agent: &AgentId, placer: &Placer) -> Result<Tenant, Failure> {
        if !placer.is_weak()
            && let Some(tenant) = self.bench.take(agent)
        {
            self.untended.notify_one();
            return Ok(tenant);
        }
        let busy = || Failure { kind: FailureKind::Busy, detail: format!("the server already has {SEATS} instances") };
        let seat = self.bench.seat(true).ok_or_else(busy)?;
        self.fill(seat, &mut Manner::Probe, placer).await
    }

    async fn fill(&self, seat: Seat, manner: &mut Manner, placer: &Placer) -> Result<Tenant, Failure> {
        // What an instance says of its lists is the desk's to announce.
        let silent = tokio::sync::broadcast::Sender::new(1);
        let whose = (&self.server, silent);
        let started = Instance::start(self.spawn.as_ref(), whose, &self.limits, (manner, placer), &self.around).await;
        started.map(|instance| Tenant::new(instance, seat)).map_err(|ended| {
            let kind = if ended.kind == FailureKind::NoSandbox { ended.kind } else { FailureKind::Unreachable };
            Failure { kind, detail: format!("an instance of `{}` did not start: {}", self.server, ended.why) }
        })
    }

    /// Takes back what was lent: kept for its agent, or ended.
    fn give_back(&self, agent: &AgentId, mut tenant: Tenant, good: bool) {
        tenant.calls += 1;
        if good && tenant.calls < CALLS && tenant.instance.is_whole() && !self.around.stop.is_cancelled() {
            self.bench.keep(agent.clone(), tenant);
        }
        // Otherwise dropped here, which kills it.
        self.untended.notify_one();
    }

    /// Keeps a spare ready, and ends what is dead or was idle for long.
    async fn tend(self: Arc<Self>) {
        let mut manner = Manner::Probe;
        let mut backoff = Backoff::new();
        while !self.around.stop.is_cancelled() {
            let tended = self.tend_once(&mut manner);
            let wait = match self.around.stop.run_until_cancelled(tended).await {
                Some(Ok(())) => TEND,
                Some(Err(lasted)) => backoff.after(lasted),
                None => break,
            };
            tokio::select! {
                () = self.untended.notified(), if wait == TEND => {}
                () = tokio::time::sleep(wait) => {}
                () = self.around.stop.cancelled() => {}
            }
        }
        self.bench.clear();
    }

    async fn tend_once(&self, manner: &mut Manner) -> Result<(), Duration> {
        self.bench.sweep(Instant::now(), IDLE);
        let began = Instant::now();
        if self.desk.ready().await.is_err() {
            return Err(began.elapsed());
        }
        // One that was started before its call has not what only that call is lent.
        let handed = self.resources.secrets.iter().any(|placement| placement.way.is_weak());
        while !handed && self.bench.spares() < SPARES {
            let Some(seat) = self.bench.seat(false) else { return Ok(()) };
            match self.fill(seat, manner, &Placer::default()).await {
                Ok(tenant) => self.bench.spare(tenant),
                Err(failure) => {
                    tracing::warn!(server = %self.server, why = failure.detail, "no spare instance");
                    return Err(began.elapsed());
                }
            }
        }
        Ok(())
    }
}
