//! `App`: every subsystem, in the order in which they need each other.

mod connections;

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use audit::{Audit, Event, Filter, MarkKind, Recovered, Redactor};
use jiff::{SignedDuration, Timestamp};
use policies::decision::{Policies, Source};
use policies::{AgentId, Hash, ServerName};
use sandbox::{Sandbox, ServerConfig, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vault::{Passphrase, Vault};

use crate::agent::auth::{Gate, Token};
use crate::agent::legacy::Legacy;
use crate::agent::live::Parked;
use crate::agent::tasks::Tasks;
use crate::agent::{Agents, methods};
use crate::call::Calls;
use crate::catalog::Catalog;
use crate::clock;
use crate::config::{Config, Loaded, Origin, PolicyFiles, Problem, Redaction, Server};
use crate::console::Console;
use crate::export::{Exporter, Worker};
use crate::hold::Holds;
use crate::liveness::{self, Pulse, Trial, Tripwire};
use crate::metrics::{Listener, Metrics, Watch};
use crate::notify::{self, Channel, Desk, Follower};
use crate::operator::people::People;
use crate::operator::{self, Operators, Peers};
use crate::seal::Sealer;
use crate::sessions::Sessions;
use crate::telemetry::{self, Tracer};
use crate::witness::{Cosigner, Standing};

/// What a started gateway tells its operator.
pub struct Announcement {
    /// Where agents connect.
    pub endpoint: String,
    /// The state folder.
    pub state: PathBuf,
    /// The first agent and its token, on the first start.
    pub agent: Option<(AgentId, String)>,
    /// The servers and what keeps each of them.
    pub servers: Vec<String>,
    /// Where a browser finds the console, where it is on.
    pub console: Option<String>,
    /// Where metrics and health are asked, where they are on.
    pub metrics: Option<String>,
}

/// The policies in force, swapped whole.
pub struct Reloadable {
    files: PolicyFiles,
    current: RwLock<InForce>,
}

/// The policies in force, with their texts.
#[derive(Clone)]
pub struct InForce {
    /// What decides.
    pub policies: Arc<Policies>,
    /// The digest of the texts.
    pub hash: Hash,
    /// The texts that are not built in.
    pub sources: Arc<[Source]>,
}

impl Reloadable {
    /// Reads and compiles the policies.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn load(files: PolicyFiles) -> Result<Self, Vec<Problem>> {
        let loaded = files.load()?;
        warn_of_observed(&loaded.policies);
        Ok(Self { files, current: RwLock::new(loaded.into()) })
    }

    /// The policies in force.
    #[must_use]
    pub fn current(&self) -> Arc<Policies> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).policies)
    }

    /// The policies in force, with their texts.
    #[must_use]
    pub fn in_force(&self) -> InForce {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where policies come from.
    #[must_use]
    pub fn files(&self) -> &PolicyFiles {
        &self.files
    }

    /// What is in force, or why it is not, for the log.
    fn event(&self, reloaded: Result<(), &[Problem]>) -> Event {
        match reloaded {
            Ok(()) => {
                let InForce { policies, hash, .. } = self.in_force();
                let observed = policies.observed().map(|(id, _)| id.to_owned()).collect();
                Event::PoliciesLoaded { hash, sources: self.files.sources(), observed }
            }
            Err(problems) => Event::ReloadRefused { problems: problems.iter().map(ToString::to_string).collect() },
        }
    }

    /// Reads the files again and swaps the policies; a bad file changes nothing.
    ///
    /// # Errors
    /// Every problem there is.
    pub fn reload(&self) -> Result<String, Vec<Problem>> {
        let loaded = self.files.load()?;
        warn_of_observed(&loaded.policies);
        let what = format!("in force: {}", self.files.sources().join(", "));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded.into();
        Ok(what)
    }
}

impl From<Loaded> for InForce {
    fn from(loaded: Loaded) -> Self {
        Self { policies: Arc::new(loaded.policies), hash: loaded.hash, sources: loaded.sources.into() }
    }
}

/// A running gateway.
pub struct App {
    /// What serves agents.
    pub agents: Arc<Agents>,
    state: PathBuf,
    console: Option<String>,
    metrics: Option<String>,
    policies: Arc<Reloadable>,
    /// How the gateway fared when it last tried itself.
    pulse: Arc<Pulse>,
    /// How the log's witnesses stand.
    witnesses: Arc<Standing>,
    /// Owns what serves the gateway itself: servers, sockets, sweeping.
    background: TaskTracker,
    /// No new calls.
    stop: CancellationToken,
    /// Calls that still run are interrupted.
    halt: CancellationToken,
}

/// How long calls may go on after the gateway was told to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long those that were interrupted then may take to be recorded.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How often what ran out of time is looked for.
const SWEEP: Duration = Duration::from_secs(2);

/// Opens the log of a state folder: one process at a time.
///
/// # Errors
/// If it is in use, broken, or cannot be written.
pub fn open_log(state: &Path) -> anyhow::Result<Audit> {
    open(audit::Config::new(state, clock::now), state, Redaction::default()).map(|(audit, _)| audit)
}

/// Serves until it is told to stop.
///
/// # Errors
/// If anything it needs cannot be had.
pub async fn serve(config: Config, announce: impl FnOnce(&Announcement)) -> anyhow::Result<()> {
    let app = App::start(config)?;
    let endpoint = connections::listen_tcp(&app.agents).await?;
    let agent = app.first_agent().await?;
    let servers = app.servers();
    app.agents
        .audit
        .note(started(&endpoint, &servers, &app.policies.current()), clock::now())
        .await
        .context("the log cannot be written")?;
    app.agents.audit.note(app.policies.event(Ok(())), clock::now()).await.context("the log cannot be written")?;
    let (console, metrics) = (app.console.clone(), app.metrics.clone());
    announce(&Announcement { endpoint, state: app.state.clone(), agent, servers, console, metrics });
    app.until_told().await?;
    app.stop().await;
    Ok(())
}

impl App {
    /// Every subsystem, in order. Agents can connect through `agent.sock` in the state folder from now on.
    ///
    /// # Errors
    /// If anything it needs cannot be had.
    pub fn start(config: Config) -> anyhow::Result<Self> {
        let mut config = config;
        let state = config.state.clone();
        let policies = Arc::new(Reloadable::load(config.policy.clone()).map_err(|problems| all(&problems))?);
        let (audit, recovered) = open(log_config(&config)?, &state, config.redact)?;
        pinned(&mut config, &audit);
        make_folders(&config)?;
        let tripwire =
            config.liveness.map(|_| Tripwire::set()).transpose().context("no port on loopback is to be had")?;
        if let Some(tripwire) = &tripwire {
            let (name, server) = tripwire.server()?;
            config.servers.insert(name, server);
        }
        let (background, stop, halt) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let exporter =
            config.telemetry.as_ref().map(|settings| telemetry::Exporter::open(settings, audit.redactor())).transpose();
        let (tracer, exporter) = exporter.context("traces and figures cannot be sent")?.unzip();
        let around = Around { background: background.clone(), stop: stop.clone(), halt: halt.clone(), tracer };
        let agents = assemble(Arc::new(config), Arc::clone(&policies), audit, recovered, &around)?;
        let pulse = Arc::new(Pulse::new(tripwire.is_some()));
        let (console, metrics, witnesses) = (None, None, Arc::new(Standing::new(&agents.config.log.witness)));
        let mut app = Self { agents, state, console, metrics, policies, pulse, witnesses, background, stop, halt };
        app.try_gate(tripwire);
        app.console = app.serve_operators()?;
        app.notify()?;
        app.export()?;
        app.cosign()?;
        app.metrics = app.watched(exporter)?;
        connections::listen_unix(&app.agents, &app.state.join(AGENT_SOCKET))?;
        app.follow();
        Ok(app)
    }

    /// Waits for SIGTERM, SIGINT, or the end of the terminal; SIGHUP reloads the policies.
    ///
    /// # Errors
    /// If the signals cannot be listened to.
    pub async fn until_told(&self) -> anyhow::Result<()> {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut hup = signal(SignalKind::hangup())?;
        loop {
            tokio::select! {
                _ = term.recv() => return Ok(()),
                _ = int.recv() => return Ok(()),
                _ = hup.recv() => match reload(&self.policies, &self.agents.audit, &self.background) {
                    Ok(what) => tracing::info!(what, "policies reloaded"),
                    Err(problems) => tracing::error!(problems = %all(&problems), "policies not reloaded; what was in force stays"),
                },
            }
        }
    }

    /// Stops: no new calls; those that run have a while, and are recorded as interrupted after it.
    pub async fn stop(self) {
        self.stop.cancel();
        self.agents.parked.clear();
        self.agents.tracker.close();
        if tokio::time::timeout(GRACE, self.agents.tracker.wait()).await.is_err() {
            tracing::warn!(running = self.agents.tracker.len(), "calls still run; they are recorded as interrupted");
        }
        self.halt.cancel();
        self.background.close();
        let ended = async { tokio::join!(self.agents.tracker.wait(), self.background.wait()) };
        if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
            tracing::error!(left = self.agents.tracker.len() + self.background.len(), "tasks were left behind");
        }
        let event = Event::Stopped { reason: "told to stop".to_owned(), running: self.agents.tracker.len() };
        if let Err(error) = self.agents.audit.note(event, clock::now()).await {
            tracing::error!(%error, "the stop could not be recorded");
        }
        self.agents.audit.stop().await;
        // Sockets of a gateway that is gone would only mislead; one that is missing is gone already.
        fs::remove_file(self.state.join(AGENT_SOCKET)).ok();
    }

    /// An agent for the first try, where none was ever added.
    async fn first_agent(&self) -> anyhow::Result<Option<(AgentId, String)>> {
        let audit = &self.agents.audit;
        if !audit.agents().is_empty() {
            return Ok(None);
        }
        let (name, token) = (AgentId::authenticated("default"), Token::generate());
        // Whoever starts the gateway answers for the agent that it begins with.
        let by = Some(self.agents.people.peers().own());
        let event = Event::AgentAdded { name: name.clone(), token: token.hash(), expires: None, by };
        audit.note(event, clock::now()).await.context("the first agent could not be recorded")?;
        Ok(Some((name, token.reveal().to_owned())))
    }

    /// The servers, each with what keeps it.
    fn servers(&self) -> Vec<String> {
        let shown = self.agents.config.servers.iter().filter(|(_, server)| server.origin != Origin::Hidden);
        shown.map(|(name, server)| describe(name, server)).collect()
    }

    fn serve_operators(&self) -> anyhow::Result<Option<String>> {
        let (policies, audit, tasks) = (Arc::clone(&self.policies), self.agents.audit.clone(), self.background.clone());
        let console = connections::console(self.agents.config.console.as_ref())?;
        let operators = Operators {
            audit: self.agents.audit.clone(),
            holds: Arc::clone(&self.agents.calls.holds),
            catalog: Arc::clone(&self.agents.catalog),
            agents: Arc::clone(&self.agents),
            liveness: Arc::clone(&self.pulse),
            witnesses: Arc::clone(&self.witnesses),
            people: Arc::clone(&self.agents.people),
            console: console.as_ref().map(Console::front),
            reload: Arc::new(move || reload(&policies, &audit, &tasks)),
        };
        let server = operator::Server::bind(&self.state, operators)?;
        let (tasks, stop) = (self.background.clone(), self.halt.clone());
        let url = console.as_ref().map(|console| console.front().url());
        if let Some(console) = console {
            let (people, audit) = (Arc::clone(&self.agents.people), self.agents.audit.clone());
            let run = console.run(people, audit, server.methods(), tasks.clone(), self.halt.clone());
            self.background
                .spawn(async move { run.await.unwrap_or_else(|error| tracing::error!(%error, "no console")) });
        }
        self.background.spawn(async move { server.run(tasks, stop).await });
        Ok(url)
    }

    /// Tells people of what waits for them, through every channel that the config names.
    fn notify(&self) -> anyhow::Result<()> {
        let config = &self.agents.config;
        if let Some(warning) = notify::unreached(config) {
            tracing::warn!("{warning}");
        }
        let (holds, pulse) = (Arc::clone(&self.agents.calls.holds), Arc::clone(&self.pulse));
        let (witnesses, folder) = (Arc::clone(&self.witnesses), self.state.join(NOTIFIED));
        let desk = Desk { holds, pulse, witnesses, console: self.console.clone(), folder };
        for (name, settings) in &config.notify {
            let channel = Channel::open(name, settings, self.agents.audit.redactor());
            let channel = channel.with_context(|| format!("the channel `{name}` cannot be used"))?;
            let follower = Follower::new(channel, desk.clone());
            let follower = follower.with_context(|| format!("what the channel `{name}` was told cannot be read"))?;
            self.background.spawn(follower.run(self.stop.clone()));
        }
        Ok(())
    }

    /// Passes records on, to every place that the config names.
    fn export(&self) -> anyhow::Result<()> {
        for (name, settings) in &self.agents.config.export {
            let exporter = Exporter::open(name, settings, self.agents.audit.redactor());
            let exporter = exporter.with_context(|| format!("the exporter `{name}` cannot be used"))?;
            let worker = Worker::new(exporter, self.agents.audit.clone(), &self.state);
            self.background.spawn(worker.run(self.stop.clone()));
        }
        Ok(())
    }

    /// Has the witnesses that the config names sign the log.
    fn cosign(&self) -> anyhow::Result<()> {
        let witnesses = &self.agents.config.log.witness;
        if witnesses.is_empty() {
            return Ok(());
        }
        let (audit, standing) = (self.agents.audit.clone(), Arc::clone(&self.witnesses));
        let cosigner = Cosigner::new(self.state.clone(), witnesses, audit, standing);
        let cosigner = cosigner.context("the log's witnesses cannot be asked")?;
        self.background.spawn(cosigner.run(self.stop.clone()));
        Ok(())
    }

    /// Tells whoever watches the gateway how it fares: those who ask, and a collector. Where it is asked, if it is.
    fn watched(&self, exporter: Option<telemetry::Exporter>) -> anyhow::Result<Option<String>> {
        let watch = || Watch::new(Arc::clone(&self.agents), Arc::clone(&self.pulse), clock::now());
        if let Some(exporter) = exporter {
            self.background.spawn(exporter.run(watch(), self.halt.clone()));
        }
        let Some(at) = &self.agents.config.metrics else { return Ok(None) };
        let listener = Listener::bind(at)?;
        let url = listener.url();
        let run = listener.run(watch(), self.agents.audit.clone(), self.background.clone(), self.halt.clone());
        self.background.spawn(async move { run.await.unwrap_or_else(|error| tracing::error!(%error, "no metrics")) });
        Ok(Some(url))
    }

    /// Tries the gate, again and again.
    fn try_gate(&self, tripwire: Option<Tripwire>) {
        let (Some(tripwire), Some(every)) = (tripwire, self.agents.config.liveness) else { return };
        let real = &self.agents.calls;
        // The real path; only the time of a hold and whose session it is are the trial's own.
        let calls = Arc::new(Calls {
            policies: Arc::clone(&real.policies),
            sessions: Sessions::new(self.agents.config.session_idle, HashSet::new()),
            catalog: Arc::clone(&real.catalog),
            holds: Arc::clone(&real.holds),
            audit: real.audit.clone(),
            vault: real.vault.clone(),
            sandbox: Arc::clone(&real.sandbox),
            hold_for: liveness::hold_times(),
            metrics: Arc::clone(&real.metrics),
            tracer: None,
            halt: real.halt.clone(),
        });
        let (pulse, tracker, stop) = (Arc::clone(&self.pulse), self.agents.tracker.clone(), self.stop.clone());
        let trial = Trial { calls, tripwire, pulse, tracker };
        let every = Duration::try_from(every).unwrap_or(SWEEP);
        self.background.spawn(async move { stop.run_until_cancelled(trial.run(every)).await });
    }

    /// Follows the servers' lists, and looks for what ran out of time.
    fn follow(&self) {
        let (catalog, halt) = (Arc::clone(&self.agents.catalog), self.halt.clone());
        self.background.spawn(async move { halt.run_until_cancelled(catalog.follow()).await });
        let (agents, halt) = (Arc::clone(&self.agents), self.halt.clone());
        self.background.spawn(async move {
            halt.run_until_cancelled(async {
                loop {
                    tokio::time::sleep(SWEEP).await;
                    agents.calls.holds.sweep().await;
                    agents.parked.sweep();
                    agents.tasks.sweep();
                }
            })
            .await
        });
    }
}

/// Who owns the work, and what ends it.
pub(crate) struct Around {
    pub(crate) background: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) halt: CancellationToken,
    pub(crate) tracer: Option<Arc<Tracer>>,
}

/// What serves agents, over a log.
pub(crate) fn assemble(
    config: Arc<Config>,
    policies: Arc<Reloadable>,
    audit: Audit,
    recovered: Recovered,
    around: &Around,
) -> anyhow::Result<Arc<Agents>> {
    let sealer = Sealer::load(&config.state).context("the key `request.key` in the state folder cannot be used")?;
    let servers = config.servers.iter().map(|(name, server)| (name.clone(), server.reach.clone())).collect();
    let (background, halt) = (around.background.clone(), around.halt.clone());
    let settings = Settings { redactor: Some(Arc::clone(audit.redactor())), ..config.sandbox.clone() };
    let sandbox = Arc::new(Sandbox::start(servers, settings, background, halt));
    let catalog = Arc::new(Catalog::new(Arc::clone(&config), Arc::clone(&sandbox), audit.clone()));
    let people = Arc::new(People::new(audit.clone(), Peers::new(&config.operators)));
    let standing = recovered.holds.into_iter().chain(recovered.denied).collect();
    let methods = methods::table()?;
    let metrics = Arc::new(Metrics::new(methods.method_names()));
    let (asked, counted) = (Arc::clone(&people), Arc::clone(&metrics));
    let holds = Arc::new(Holds::new(audit.clone(), Arc::clone(&policies), (asked, config.quorums), counted, standing));
    holds.unreachable().iter().for_each(|found| tracing::warn!("{found}"));
    let sessions = Sessions::new(config.session_idle, lost(&audit, config.session_idle));
    let calls = Arc::new(Calls {
        policies,
        sessions,
        catalog: Arc::clone(&catalog),
        holds,
        audit: audit.clone(),
        vault: open_vault(&config, &audit, around)?,
        sandbox,
        hold_for: config.hold,
        metrics,
        tracer: around.tracer.clone(),
        halt: around.halt.clone(),
    });
    Ok(Arc::new(Agents {
        gate: Gate::new(audit.clone(), config.agents),
        methods,
        config,
        calls,
        catalog,
        audit,
        people,
        sealer,
        parked: Parked::default(),
        tasks: Tasks::default(),
        legacy: Legacy::default(),
        listening: Mutex::default(),
        tracker: TaskTracker::new(),
        stop: around.stop.clone(),
    }))
}

/// The folders of tools that come with the gateway: whoever starts it for the first time has none.
fn make_folders(config: &Config) -> anyhow::Result<()> {
    let bundled = config.servers.values().filter(|server| server.origin == Origin::Bundled);
    for mount in bundled.filter_map(|server| server.reach.resources()).flat_map(|resources| &resources.folders) {
        let folder = mount.folder.as_str();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make {folder}"))?;
    }
    Ok(())
}

/// Withholds every added package that is not what an operator added, and tells of those that are gone.
fn pinned(config: &mut Config, audit: &Audit) {
    let pins = audit.marks(MarkKind::Package);
    let find = |name: &ServerName| pins.iter().find(|pin| pin.name == *name);
    for (name, server) in config.servers.iter_mut().filter(|(_, server)| server.origin == Origin::Added) {
        let why = match (find(name), server.reach.digest()) {
            (None, _) => "no operator has added this package: portcullis tools add PATH",
            (Some(pin), Some(digest)) if pin.value != digest.to_string() => {
                "the package is not the one that was added: look at it, and add it again"
            }
            (Some(_), _) => continue,
        };
        server.reach = ServerConfig::withheld(why);
    }
    for pin in &pins {
        if !config.servers.contains_key(&pin.name) {
            let reach = ServerConfig::withheld("the package that was added is gone from the state folder");
            let server = Server { origin: Origin::Added, ..Server::new(&pin.name, reach) };
            config.servers.insert(pin.name.clone(), server);
        }
    }
}

/// Reloads, and records what came of it.
fn reload(policies: &Reloadable, audit: &Audit, tasks: &TaskTracker) -> Result<String, Vec<Problem>> {
    let reloaded = policies.reload();
    let event = policies.event(reloaded.as_ref().map(drop).map_err(Vec::as_slice));
    let audit = audit.clone();
    tasks.spawn(async move {
        if let Err(error) = audit.note(event, clock::now()).await {
            tracing::error!(%error, "a reload could not be recorded");
        }
    });
    reloaded
}

/// The folder that keeps who was told of which hold.
const NOTIFIED: &str = "notified";

/// The socket through which `portcullis stdio` joins.
pub const AGENT_SOCKET: &str = "agent.sock";

/// Opens every backend of secrets: where one needs a passphrase, whoever sits at the terminal is asked.
pub(crate) fn open_vault(config: &Config, audit: &Audit, around: &Around) -> anyhow::Result<Vault> {
    let around = vault::Around::new(around.background.clone(), around.halt.clone(), clock::now);
    let ask: Passphrase = Arc::new(crate::cli::passphrase);
    let around = around.grace(config.redact.grace).passphrase(ask);
    Vault::open(config.vault.clone(), audit, &around).context("the secrets cannot be opened")
}

/// The log as a config has it: a key that is kept elsewhere is asked for now.
///
/// # Errors
/// If it is not to be had.
pub fn log_config(config: &Config) -> anyhow::Result<audit::Config> {
    let signer = config.log.signer(&config.vault).context("the key that signs the log is not to be had")?;
    let log = audit::Config::new(&config.state, clock::now);
    let log = log.checkpoint(config.log.checkpoint.clone()).signer(signer).bodies(config.log.bodies);
    Ok(match config.log.wait {
        Some(wait) => log.wait(wait),
        None => log,
    })
}

fn open(config: audit::Config, state: &Path, redact: Redaction) -> anyhow::Result<(Audit, Recovered)> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true).mode(0o700).create(state).with_context(|| format!("cannot make {}", state.display()))?;
    let key = audit::fingerprint_key(state).context("the redactor's key cannot be used")?;
    let redactor = Redactor::new(&key).with_grace(redact.grace).with_personal(redact.personal);
    let redactor = Arc::new(redactor);
    telemetry::redact(&redactor);
    let (audit, recovered) = Audit::start(config, redactor).context("the log cannot be opened")?;
    for call in &recovered.interrupted {
        tracing::warn!(%call, "was running when the gateway last stopped; recorded as interrupted, never run again by itself");
    }
    Ok((audit, recovered))
}

/// Agents that called within the idle window: what they had read is not known any more.
fn lost(audit: &Audit, idle: SignedDuration) -> HashSet<AgentId> {
    let since = clock::now().checked_sub(idle).unwrap_or(Timestamp::MIN);
    let recent = |name: &AgentId| {
        let filter = Filter { agent: Some(name.to_string()), since: Some(since), limit: Some(1), ..Filter::default() };
        // What cannot be told counts as read.
        audit.reader().and_then(|reader| reader.list(&filter)).map_or(true, |rows| !rows.is_empty())
    };
    audit.agents().into_iter().map(|agent| agent.name).filter(recent).collect()
}

/// A server and what keeps it, for people.
#[must_use]
pub fn describe(name: &ServerName, server: &Server) -> String {
    format!("{name} ({})", server.reach.kind())
}

/// A default that decides nothing is a hole that looks like a wall.
fn warn_of_observed(policies: &Policies) {
    for warning in operator::observed::warnings(policies) {
        tracing::warn!("{warning}");
    }
}

fn started(endpoint: &str, servers: &[String], policies: &Policies) -> Event {
    let mut notes: Vec<String> = servers.iter().filter(|server| weak(server)).cloned().collect();
    notes.extend(operator::observed::warnings(policies));
    if servers.iter().any(|server| server.contains("process, jailed")) {
        notes.extend(sandbox::jail::lacks());
    }
    Event::Started { version: env!("CARGO_PKG_VERSION").to_owned(), listen: vec![endpoint.to_owned()], notes }
}

/// Whether reviewers must know of it.
fn weak(server: &str) -> bool {
    ["not jailed", "runc", "withheld"].iter().any(|word| server.contains(word))
}

fn all(problems: &[Problem]) -> anyhow::Error {
    anyhow::anyhow!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
