//! `Sandbox`: every tool server, and the one way to run a call at one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use audit::{Entry, Failure, FailureKind, Observed, Outcome, Ran, Raw, Redactor};
use policies::{Call, Object, ServerName, Value};
use tokio::sync::{Semaphore, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vault::{Leases, Placer};

use crate::commands::{Commands, Runs};
use crate::config::{ContainerSource, Program, Reach, ServerConfig, Settings};
use crate::container::Containers;
use crate::egress::{Egress, EgressConfig};
use crate::instance::Spawn;
use crate::jail::Jail;
use crate::limits::Limits;
use crate::line::Line;
use crate::mcp::{Page, Pages, Reply};
use crate::package::{DeclaredTool, Package};
use crate::phase::Phase;
use crate::pool::Pool;
use crate::process::{Bare, Process};
use crate::remote::Remote;
use crate::server::{Change, Greeting, Kind, Listing, ServerError, ServerState, Status};
use crate::wasm::{Guest, Wasm};
use crate::watched::{MAX_WATCHED, Watched};

/// Every tool server, and the one way to run a call at one. Clones share the servers.
#[derive(Clone)]
pub struct Sandbox {
    servers: Arc<BTreeMap<ServerName, Server>>,
    around: Surroundings,
}

/// What every server shares.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    /// Why there is none, where there is none: then nothing that needs it runs.
    pub(crate) egress: Result<Arc<Egress>, String>,
    /// What servers write to their standard error is redacted by it before it is logged.
    pub(crate) redactor: Option<Arc<Redactor>>,
    /// Where compiled components are kept. Only the gateway may write there.
    pub(crate) compiled: PathBuf,
    /// The guard's socket, where it is not at its usual place.
    guard: Option<PathBuf>,
    /// Made when the first server needs them.
    containers: Arc<OnceLock<Result<Containers, String>>>,
}

struct Server {
    kind: Kind,
    limits: Limits,
    /// A call holds one while it runs.
    slots: Semaphore,
    reached: Reached,
}

enum Reached {
    /// One for everyone.
    Process(Arc<Process>),
    /// One for each call at a time.
    Pool(Arc<Pool>),
    Remote(Arc<Remote>),
    Wasm(Arc<Wasm>),
    /// One for each call, and gone after it.
    Commands(Arc<Commands>),
    /// It cannot even be tried: this is why.
    Never(String),
}

impl Surroundings {
    fn containers(&self) -> Result<&Containers, String> {
        let make = || Ok(Containers::new(self.guard.clone(), self.egress.clone()?, &self.tasks, self.stop.clone()));
        self.containers.get_or_init(make).as_ref().map_err(Clone::clone)
    }
}

/// A receiver that falls further behind than this learns that it missed changes.
const CHANGES: usize = 256;

impl Sandbox {
    /// Starts every server in the background and returns at once; a server that does not come up is tried again, later and
    /// later. All work belongs to `tasks` and ends when `stop` is cancelled: calls that still run then are
    /// [`Outcome::Interrupted`]. `settings` are shared by all.
    #[must_use]
    pub fn start(
        servers: Vec<(ServerName, ServerConfig)>,
        settings: Settings,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let Settings { resolvers, authorities, cache: compiled, guard, redactor } = settings;
        let egress = Egress::new(&EgressConfig { resolvers, authorities }, tasks.clone(), stop.clone());
        let egress = egress.map_err(|error| error.to_string());
        let changes = broadcast::Sender::new(CHANGES);
        let containers = Arc::default();
        let around = Surroundings { changes, tasks, stop, egress, redactor, compiled, guard, containers };
        if servers.iter().any(|(_, config)| config.kind() == (Kind::Process { jailed: true })) {
            for lack in crate::jail::lacks() {
                tracing::warn!(lack, "this machine lacks something for jails");
            }
        }
        let start = |(name, config): (ServerName, ServerConfig)| (name.clone(), Server::start(name, config, &around));
        let servers = Arc::new(servers.into_iter().map(start).collect());
        Self { servers, around }
    }

    /// Runs a recorded call. Ends at the earliest of: the answer, the line's cancellation, its deadline or the server's own
    /// `call_timeout`, and the sandbox's end. Dropping it gives the call up.
    pub async fn run(&self, entry: &Entry, leases: &Leases, line: Line) -> Ran {
        self.run_call(entry.call(), &leases.placer(), line, leases.revoked()).await
    }

    async fn run_call(&self, call: &Call, placer: &Placer, line: Line, revoked: &CancellationToken) -> Ran {
        let Some(server) = self.servers.get(call.tool().server()) else {
            return failed(FailureKind::Unsupported, "the server is not configured any more").into();
        };
        let Ok(_slot) = server.slots.try_acquire() else {
            let detail = format!("the server already runs {} calls", server.limits.in_flight);
            return failed(FailureKind::Busy, detail).into();
        };
        let deadline = line.deadline.min(Instant::now() + server.limits.call);
        let mut observed = Observed::default();
        let outcome = tokio::select! {
            biased;
            // First, so that what was cancelled before it was sent is not sent.
            () = line.cancel.cancelled() => Outcome::Cancelled,
            reply = server.call(call, &line, (placer, &mut observed)) => outcome(reply),
            () = revoked.cancelled() => failed(FailureKind::Lease, "a secret that it was lent was revoked"),
            () = self.around.stop.cancelled() => Outcome::Interrupted,
            () = tokio::time::sleep_until(deadline) => failed(FailureKind::OutOfTime, "the server did not answer in time"),
        };
        // What ran is dropped by now, so this is everything that it tried.
        Ran { outcome, observed }
    }

    /// What a server offers, each item as it was sent, following every page. Empty where the server does not declare
    /// the capability.
    ///
    /// # Errors
    /// [`ServerError`]; a list that is cut short is an error, not a shorter list.
    pub async fn list(
        &self,
        server: &ServerName,
        what: Listing,
        deadline: Duration,
    ) -> Result<Vec<Value>, ServerError> {
        let server = self.find(server)?;
        let listed = tokio::time::timeout(deadline, server.list(what)).await;
        listed.unwrap_or(Err(ServerError::OutOfTime))
    }

    /// How a server is, now.
    #[must_use]
    pub fn server(&self, server: &ServerName) -> Option<ServerState> {
        let server = self.servers.get(server)?;
        Some(ServerState { kind: server.kind, status: server.status() })
    }

    /// The names of all servers.
    pub fn names(&self) -> impl Iterator<Item = &ServerName> {
        self.servers.keys()
    }

    /// What changes from now on. A receiver that is too slow is told that it missed some; then anything may have changed.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.around.changes.subscribe()
    }

    /// Asks to hear when a resource changes. Watchers are counted; each has to [`Self::unwatch`] once.
    ///
    /// # Errors
    /// [`ServerError`] where there is no such server, it does not offer this, or too much is watched.
    pub async fn watch(&self, server: &ServerName, uri: &str) -> Result<(), ServerError> {
        let server = self.find(server)?;
        let offered = server.greeting().await?.capabilities.pointer("/resources/subscribe").and_then(Value::as_bool);
        if offered != Some(true) {
            return Err(ServerError::NotOffered("subscriptions to resources"));
        }
        let added = server.watched().and_then(|watched| watched.add(uri));
        let too_many = || ServerError::Busy { detail: format!("{MAX_WATCHED} resources are watched") };
        added.map(drop).ok_or_else(too_many)
    }

    /// Counts one watcher of a resource less.
    pub fn unwatch(&self, server: &ServerName, uri: &str) {
        if let Some(watched) = self.servers.get(server).and_then(Server::watched) {
            watched.remove(uri);
        }
    }

    fn find(&self, server: &ServerName) -> Result<&Server, ServerError> {
        self.servers.get(server).ok_or_else(|| ServerError::Unknown(server.clone()))
    }
}

impl Server {
    fn start(name: ServerName, config: ServerConfig, around: &Surroundings) -> Self {
        let (kind, limits, lends, around) = (config.kind(), config.limits, config.lends(), around.clone());
        let tools = config.package().map(Package::manifest).map(|manifest| manifest.tools.clone()).unwrap_or_default();
        let reached = match config.reach {
            reach @ (Reach::Process(_) | Reach::Container(_)) if !tools.is_empty() => {
                commands(name, reach, tools, limits, around)
            }
            Reach::Process(program) => process(name, program, lends, limits, around),
            Reach::Wasm(source) => Reached::Wasm(Wasm::start(name, source, limits, around)),
            Reach::Remote(endpoint) => match Remote::start(name, endpoint, limits, around) {
                Ok(remote) => Reached::Remote(remote),
                Err(error) => Reached::Never(format!("the system's certificates cannot be read: {error}")),
            },
            Reach::Container(source) => contained(name, source, limits, around),
            Reach::Withheld(why) => Reached::Never(why),
        };
        Self { kind, limits, slots: Semaphore::new(limits.in_flight), reached }
    }

    /// What the call was seen to do is added to `seen`, also where it is dropped.
    async fn call(&self, call: &Call, line: &Line, (placer, seen): (&Placer, &mut Observed)) -> Reply {
        match &self.reached {
            Reached::Process(process) => process.call(call, line).await,
            Reached::Pool(pool) => pool.call(call, line, (placer, seen)).await,
            Reached::Remote(remote) => remote.call(call, line).await,
            Reached::Wasm(wasm) => wasm.call(call, line, (placer, seen)).await,
            Reached::Commands(commands) => commands.call(call, line, (placer, seen)).await,
            Reached::Never(why) => Reply::failed(FailureKind::Unreachable, why.as_str()),
        }
    }

    async fn ask(&self, method: &'static str, params: &Object) -> Reply {
        match &self.reached {
            Reached::Process(process) => process.ask(method, params).await,
            Reached::Pool(pool) => pool.ask(method, params).await,
            Reached::Remote(remote) => remote.ask(method, params).await,
            Reached::Wasm(wasm) => wasm.ask(method, params).await,
            Reached::Commands(commands) => commands.ask(method),
            Reached::Never(why) => Reply::failed(FailureKind::Unreachable, why.as_str()),
        }
    }

    async fn greeting(&self) -> Result<Greeting, ServerError> {
        match &self.reached {
            Reached::Process(process) => process.greeting().await,
            Reached::Pool(pool) => pool.greeting().await,
            Reached::Remote(remote) => remote.greeting().await,
            Reached::Wasm(wasm) => wasm.greeting().await,
            Reached::Commands(commands) => commands.greeting().await,
            Reached::Never(why) => Err(ServerError::Down { why: why.clone() }),
        }
    }

    fn watched(&self) -> Option<&Watched> {
        match &self.reached {
            Reached::Process(process) => Some(process.watched()),
            Reached::Pool(pool) => Some(pool.watched()),
            Reached::Remote(remote) => Some(remote.watched()),
            Reached::Wasm(_) | Reached::Commands(_) | Reached::Never(_) => None,
        }
    }

    fn status(&self) -> Status {
        match &self.reached {
            Reached::Process(process) => status(process.phase(), |shared| shared.greeting().clone()),
            Reached::Pool(pool) => status(pool.phase(), |pipe| pipe.greeting().clone()),
            Reached::Remote(remote) => status(remote.phase(), Greeting::clone),
            Reached::Wasm(wasm) => status(wasm.phase(), Guest::greeting),
            Reached::Commands(commands) => status(commands.phase(), Greeting::clone),
            Reached::Never(why) => Status::Down { why: why.clone(), retry_at: Instant::now() + NEVER },
        }
    }

    async fn list(&self, what: Listing) -> Result<Vec<Value>, ServerError> {
        if !self.greeting().await?.offers(what.capability()) {
            return Ok(Vec::new());
        }
        let mut pages = Pages::new(what, self.limits.answer);
        let mut params = Object::new();
        loop {
            let result = match self.ask(what.method(), &params).await {
                Reply::Result(result) => result,
                Reply::Error(error) => match error.get("code").and_then(Value::as_i64).unwrap_or_default() {
                    // A server may offer resources and know no templates.
                    METHOD_NOT_FOUND => return Ok(Vec::new()),
                    code => return Err(ServerError::Refused { code }),
                },
                Reply::Failed(failure) => return Err(error_of(failure)),
                Reply::Stopped => return Err(ServerError::Down { why: "the gateway stops".to_owned() }),
            };
            match pages.add(result)? {
                Page::More(next) => params = next,
                Page::Last => return Ok(pages.into_items()),
            }
        }
    }
}

/// A server in containers of its own, each for one agent.
fn contained(name: ServerName, source: ContainerSource, limits: Limits, around: Surroundings) -> Reached {
    let resources = Arc::clone(&source.resources);
    let contained = around.containers().and_then(|containers| containers.contain(source));
    match contained {
        Ok(spawn) => Reached::Pool(Pool::start(name, Arc::new(spawn), resources, limits, around)),
        Err(why) => Reached::Never(why),
    }
}

/// A program in its jail: with a way out, or a secret, it has each call to itself, so that every attempt and every use of the
/// secret belongs to one call.
fn process(name: ServerName, program: Program, lends: bool, limits: Limits, around: Surroundings) -> Reached {
    let resources = Arc::clone(&program.resources);
    let apart = lends || !resources.secrets.is_empty() || (program.jail && !resources.egress.is_empty());
    let spawn: Arc<dyn Spawn> = match jailed(&program, &around) {
        Ok(Runs::Jailed(program, egress)) => Arc::new(Jail::new(program, egress, around.tasks.clone())),
        Ok(Runs::Bare(_) | Runs::Contained(_)) => Arc::new(Bare(program)),
        Err(why) => return Reached::Never(why),
    };
    if apart {
        Reached::Pool(Pool::start(name, spawn, resources, limits, around))
    } else {
        Reached::Process(Process::start(name, spawn, limits, around))
    }
}

/// What keeps a program.
fn jailed(program: &Program, around: &Surroundings) -> Result<Runs, String> {
    if !program.jail {
        return Ok(Runs::Bare(program.clone()));
    }
    let closed = program.resources.egress.is_empty();
    let egress = if closed { None } else { Some(around.egress.clone()?) };
    Ok(Runs::Jailed(program.clone(), egress))
}

/// A program that is run once for each call.
fn commands(name: ServerName, reach: Reach, tools: Vec<DeclaredTool>, limits: Limits, around: Surroundings) -> Reached {
    let (resources, runs) = match reach {
        Reach::Process(program) => (Arc::clone(&program.resources), jailed(&program, &around)),
        Reach::Container(source) => {
            let resources = Arc::clone(&source.resources);
            let contained = around.containers().and_then(|containers| containers.contain(source));
            (resources, contained.map(Runs::Contained))
        }
        Reach::Remote(_) | Reach::Wasm(_) | Reach::Withheld(_) => {
            return Reached::Never("what it runs is no program".to_owned());
        }
    };
    match runs {
        Ok(runs) => Reached::Commands(Commands::start(name, runs, tools, (resources, limits), around)),
        Err(why) => Reached::Never(why),
    }
}

const METHOD_NOT_FOUND: i64 = -32601;

/// The time to say for what is not tried again before the next start.
const NEVER: Duration = Duration::from_hours(24);

fn status<C>(phase: Phase<C>, greeting: impl Fn(&C) -> Greeting) -> Status {
    match phase {
        Phase::Starting => Status::Starting,
        Phase::Ready(connection) => Status::Ready(greeting(&connection)),
        Phase::Down { why, retry_at, .. } => Status::Down { why, retry_at },
    }
}

fn outcome(reply: Reply) -> Outcome {
    match reply {
        Reply::Result(result) => Outcome::Answered(Raw::new(result)),
        Reply::Error(error) => Outcome::Errored(Raw::new(error)),
        Reply::Failed(failure) => Outcome::Failed(failure),
        Reply::Stopped => Outcome::Interrupted,
    }
}

fn failed(kind: FailureKind, detail: impl Into<String>) -> Outcome {
    Outcome::Failed(Failure { kind, detail: detail.into() })
}

#[expect(clippy::match_same_arms, reason = "the known kinds by name; what the enum may grow by, beside them")]
fn error_of(failure: Failure) -> ServerError {
    let Failure { kind, detail } = failure;
    match kind {
        FailureKind::OutOfTime => ServerError::OutOfTime,
        FailureKind::Malformed => ServerError::Malformed { detail },
        FailureKind::TooLarge => ServerError::TooLarge { detail },
        FailureKind::Busy => ServerError::Busy { detail },
        FailureKind::Unreachable
        | FailureKind::Exited
        | FailureKind::OutOfMemory
        | FailureKind::Crashed
        | FailureKind::NoSandbox
        | FailureKind::Lease
        | FailureKind::Unsupported
        | FailureKind::Declined => ServerError::Down { why: detail },
        // The enum may grow; whatever it is, the server gave no list.
        _ => ServerError::Down { why: detail },
    }
}
