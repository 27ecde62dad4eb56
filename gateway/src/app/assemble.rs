//! What serves agents, put together over a log.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use audit::{Audit, Filter, Recovered};
use jiff::{SignedDuration, Timestamp};
use policies::AgentId;
use sandbox::{Sandbox, Settings};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vault::{Passphrase, Vault};

use super::Reloadable;
use crate::agent::auth::Gate;
use crate::agent::legacy::Legacy;
use crate::agent::live::Parked;
use crate::agent::tasks::Tasks;
use crate::agent::{Agents, methods};
use crate::call::Calls;
use crate::catalog::Catalog;
use crate::clock;
use crate::config::Config;
use crate::hold::Holds;
use crate::metrics::Metrics;
use crate::operator::Peers;
use crate::operator::people::People;
use crate::seal::Sealer;
use crate::sessions::Sessions;
use crate::telemetry::Tracer;

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

/// Opens every backend of secrets: where one needs a passphrase, whoever sits at the terminal is asked.
pub(crate) fn open_vault(config: &Config, audit: &Audit, around: &Around) -> anyhow::Result<Vault> {
    let around = vault::Around::new(around.background.clone(), around.halt.clone(), clock::now);
    let ask: Passphrase = Arc::new(crate::cli::passphrase);
    let around = around.grace(config.redact.grace).passphrase(ask);
    Vault::open(config.vault.clone(), audit, &around).context("the secrets cannot be opened")
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
