//! `App`: every subsystem, in the order in which they need each other.

mod assemble;
mod connections;
mod in_force;
mod log;
mod packages;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use audit::Event;
use policies::decision::Policies;
use policies::{AgentId, ServerName};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::Agents;
use crate::agent::auth::Token;
use crate::call::Calls;
use crate::clock;
use crate::config::{Config, Origin, Problem, Server};
use crate::console::Console;
use crate::export::{Exporter, Worker};
use crate::liveness::{self, Pulse, Trial, Tripwire};
use crate::metrics::{Listener, Watch};
use crate::notify::{self, Channel, Desk, Follower};
use crate::operator::{self, Operators};
use crate::sessions::Sessions;
use crate::telemetry;
use crate::witness::{Cosigner, Standing};

pub(crate) use assemble::{Around, assemble, open_vault};
pub use in_force::{InForce, Reloadable};
pub use log::{log_config, open_log};

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
        let (audit, recovered) = log::open(log_config(&config)?, &state, config.redact)?;
        packages::pinned(&mut config, &audit);
        packages::make_folders(&config)?;
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
                _ = hup.recv() => match in_force::reload(&self.policies, &self.agents.audit, &self.background) {
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
            reload: Arc::new(move || in_force::reload(&policies, &audit, &tasks)),
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

/// The folder that keeps who was told of which hold.
const NOTIFIED: &str = "notified";

/// The socket through which `portcullis stdio` joins.
pub const AGENT_SOCKET: &str = "agent.sock";

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
