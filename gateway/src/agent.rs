//! The MCP server that agents see: Streamable HTTP in both protocol eras, and stdio.

pub mod asked;
pub mod auth;
pub mod envelope;
pub mod headers;
pub mod http;
pub mod legacy;
pub mod lists;
pub mod live;
pub mod methods;
pub mod state;
pub mod stdio;
pub mod stream;
pub mod tasks;
pub mod tools;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use audit::Audit;
use jsonrpsee::server::Methods;
use policies::AgentId;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::Calls;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::operator::people::People;
use crate::seal::Sealer;

/// Everything that serves agents.
pub struct Agents {
    /// The operator's settings.
    pub config: Arc<Config>,
    /// The path of a call.
    pub calls: Arc<Calls>,
    /// What is offered.
    pub catalog: Arc<Catalog>,
    /// The log.
    pub audit: Audit,
    /// Who answers.
    pub people: Arc<People>,
    /// Who may knock.
    pub gate: auth::Gate,
    /// Seals what agents carry.
    pub sealer: Sealer,
    /// Calls that wait for their agent's next request.
    pub parked: live::Parked,
    /// Held calls that became tasks.
    pub tasks: tasks::Tasks,
    /// What legacy clients were asked, and which of their requests run.
    pub legacy: legacy::Legacy,
    /// The method table.
    pub methods: Methods,
    /// How many streams of each agent are open that only listen.
    pub listening: Mutex<HashMap<AgentId, usize>>,
    /// Owns every task.
    pub tracker: TaskTracker,
    /// No new calls.
    pub stop: CancellationToken,
}
