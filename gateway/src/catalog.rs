//! `Catalog`: what the servers offer, under which names, and only as it was pinned.
//!
//! A definition is pinned when it is first seen. One that changes is withheld, and calls of it are refused, until an
//! operator accepts it: a server that was trusted yesterday must not mean something else today (a «rug pull»).

mod build;
mod resource;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use audit::{Audit, AuditError, Event};
use futures_util::future::join_all;
use policies::schema::Schema;
use policies::{Hash, Method, ServerName, Tool, Value};
use sandbox::{Change, Listing, Sandbox, ServerError, Status};
use thiserror::Error;
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::clock;
use crate::config::Config;
use crate::operator::people::Person;

pub use build::Offer;
pub use resource::Found;

/// What the servers offer.
pub struct Catalog {
    config: Arc<Config>,
    sandbox: Arc<Sandbox>,
    audit: Audit,
    lists: Mutex<HashMap<(ServerName, Listing), Listed>>,
    shown: RwLock<Arc<Shown>>,
    /// One refresh of a list at a time; who comes second finds it fresh.
    refreshing: HashMap<(ServerName, Listing), tokio::sync::Mutex<()>>,
    changed: broadcast::Sender<Changed>,
}

#[derive(Clone)]
struct Listed {
    items: Vec<Value>,
    at: Instant,
}

/// What agents see, all of it made from one state of the lists.
#[derive(Default)]
pub struct Shown {
    /// Tools by the name that agents know.
    pub tools: BTreeMap<String, Arc<Offered>>,
    /// Prompts by the name that agents know.
    pub prompts: BTreeMap<String, Prompt>,
    /// Resources by URI.
    pub resources: BTreeMap<String, (ServerName, Value)>,
    /// Resource templates by template.
    pub templates: BTreeMap<String, (ServerName, Value)>,
    /// Everything with its standing, for operators.
    pub offers: Vec<Offer>,
}

/// A tool that agents may call.
pub struct Offered {
    /// The tool.
    pub tool: Arc<Tool>,
    /// What its arguments must be. A schema that cannot be used refuses every call.
    pub schema: Result<Schema, String>,
    /// Its definition as agents see it.
    pub listed: Value,
    /// Only the gateway itself sees it.
    pub hidden: bool,
}

/// A prompt that agents may get.
pub struct Prompt {
    /// The server that offers it.
    pub server: ServerName,
    /// Its name at its server.
    pub name: String,
    /// Its definition as agents see it.
    pub listed: Value,
}

/// What agents' streams hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A list is not what it was.
    List(Listing),
    /// A watched resource is not what it was.
    Resource(String),
}

/// Why a definition is not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// Nothing of this name waits to be accepted.
    #[error("no changed definition named `{0}` waits to be accepted; `portcullis tools list` shows what does")]
    Nothing(String),
    /// It could not be recorded.
    #[error("the acceptance could not be recorded")]
    Audit(#[from] AuditError),
}

/// A list younger than this is not asked for again: a burst of `tools/list` asks each server once.
const FRESH: Duration = Duration::from_millis(300);

/// How long one slow server may delay a list; after that its last known items stand in.
const PATIENCE: Duration = Duration::from_secs(3);

const LISTINGS: [Listing; 4] = [Listing::Tools, Listing::Resources, Listing::Templates, Listing::Prompts];

impl Catalog {
    /// An empty catalog in front of these servers.
    #[must_use]
    pub fn new(config: Arc<Config>, sandbox: Arc<Sandbox>, audit: Audit) -> Self {
        let keys = config.servers.keys().flat_map(|server| LISTINGS.map(|what| (server.clone(), what)));
        let refreshing = keys.map(|key| (key, tokio::sync::Mutex::default())).collect();
        let (lists, shown, changed) = (Mutex::default(), RwLock::default(), broadcast::channel(256).0);
        Self { config, sandbox, audit, lists, shown, refreshing, changed }
    }

    /// What agents see, as last known.
    #[must_use]
    pub fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What agents see, after asking every server for this list; a dead or slow one is represented by what it last said.
    pub async fn fresh(&self, what: Listing) -> Arc<Shown> {
        join_all(self.config.servers.keys().map(|server| self.refresh(server, what))).await;
        self.shown()
    }

    /// A tool that only the gateway itself may see.
    pub async fn hidden(&self, shown_name: &str) -> Option<Arc<Offered>> {
        let find = |shown: &Shown| shown.tools.get(shown_name).filter(|offered| offered.hidden).cloned();
        match find(&self.shown()) {
            Some(found) => Some(found),
            None => find(self.fresh(Listing::Tools).await.as_ref()),
        }
    }

    /// A tool by the name that agents know; its server is asked again before it counts as unknown.
    pub async fn tool(&self, shown_name: &str) -> Option<Arc<Offered>> {
        self.any_tool(shown_name).await.filter(|offered| !offered.hidden)
    }

    async fn any_tool(&self, shown_name: &str) -> Option<Arc<Offered>> {
        if let Some(offered) = self.shown().tools.get(shown_name) {
            return Some(Arc::clone(offered));
        }
        self.fresh(Listing::Tools).await.tools.get(shown_name).cloned()
    }

    /// Whether a tool is still offered as it is here: a definition can change while its call waits.
    #[must_use]
    pub fn stands(&self, tool: &Tool) -> bool {
        let Some(settings) = self.config.servers.get(tool.server()) else { return false };
        // Requests other than `tools/call` have a definition of the gateway's own.
        tool.method() != Method::CallTool
            || self
                .shown()
                .tools
                .get(&format!("{}{}", settings.prefix, tool.name()))
                .is_some_and(|offered| offered.tool.hash() == tool.hash())
    }

    /// A prompt by the name that agents know, as (server, name there, definition).
    pub async fn prompt(&self, shown_name: &str) -> Option<(ServerName, String, Value)> {
        let find = |shown: &Shown| {
            shown
                .prompts
                .get(shown_name)
                .map(|prompt| (prompt.server.clone(), prompt.name.clone(), prompt.listed.clone()))
        };
        match find(&self.shown()) {
            Some(found) => Some(found),
            None => find(self.fresh(Listing::Prompts).await.as_ref()),
        }
    }

    /// What agents' streams hear of.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.changed.subscribe()
    }

    /// Follows the servers until the sandbox is gone: lists that change, resources that change, servers that come up.
    pub async fn follow(&self) {
        let mut changes = self.sandbox.changes();
        loop {
            match changes.recv().await {
                Ok(Change::List { server, what: Listing::Resources }) => {
                    self.expire(&server);
                    self.refresh(&server, Listing::Resources).await;
                    self.refresh(&server, Listing::Templates).await;
                    self.tell(Changed::List(Listing::Resources));
                }
                Ok(Change::List { server, what }) => {
                    self.expire(&server);
                    self.refresh(&server, what).await;
                    self.tell(Changed::List(what));
                }
                Ok(Change::Resource { uri, .. }) => self.tell(Changed::Resource(uri)),
                Ok(Change::Status { server }) => {
                    if self.sandbox.server(&server).is_some_and(|state| matches!(state.status, Status::Ready(_))) {
                        self.refresh_all(&server).await;
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    for server in self.config.servers.keys() {
                        self.refresh_all(server).await;
                    }
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    /// Every tool with its standing, for operators.
    #[must_use]
    pub fn tools(&self) -> Vec<Offer> {
        self.shown().offers.clone()
    }

    /// The pinned and the changed definition of a withheld tool.
    #[must_use]
    pub fn diff(&self, shown_name: &str) -> Option<(Value, Value)> {
        let offer = self.offer(shown_name)?;
        let pin = self.audit.pin(&offer.server, Method::CallTool, &offer.name)?;
        Some((pin.definition, pin.pending?.definition))
    }

    /// Accepts the changed definition of a tool, or of every tool of a server; with `expected`, only that definition.
    ///
    /// # Errors
    /// [`AcceptError`]; then what was accepted before the failure stays accepted.
    pub async fn accept(&self, name: &str, expected: Option<Hash>, by: &Person) -> Result<Vec<String>, AcceptError> {
        let matching: Vec<Offer> = self
            .tools()
            .into_iter()
            .filter(|offer| offer.shown_name == name || offer.server.as_str() == name)
            .collect();
        let (audit, mut accepted) = (self.audit.by(Some(&by.author)), Vec::new());
        for offer in matching {
            let pin = self.audit.pin(&offer.server, Method::CallTool, &offer.name);
            let Some(hash) = pin.and_then(|pin| pin.pending).map(|pending| pending.hash) else { continue };
            // What the operator looked at is what is accepted: it may have changed again meanwhile.
            if expected.is_some_and(|expected| expected != hash) {
                continue;
            }
            let (server, name) = (offer.server.clone(), offer.name.clone());
            let event = Event::ToolAccepted { server, method: Method::CallTool, name, hash, by: Some(by.id.clone()) };
            audit.note(event, clock::now()).await?;
            accepted.push(offer.shown_name);
        }
        if accepted.is_empty() {
            return Err(AcceptError::Nothing(name.to_owned()));
        }
        self.rebuild();
        self.tell(Changed::List(Listing::Tools));
        Ok(accepted)
    }

    fn offer(&self, shown_name: &str) -> Option<Offer> {
        self.tools().into_iter().find(|offer| offer.shown_name == shown_name)
    }

    async fn refresh_all(&self, server: &ServerName) {
        self.expire(server);
        join_all(LISTINGS.map(|what| self.refresh(server, what))).await;
        for what in LISTINGS {
            self.tell(Changed::List(what));
        }
    }

    async fn refresh(&self, server: &ServerName, what: Listing) {
        let key = (server.clone(), what);
        let Some(turn) = self.refreshing.get(&key) else { return };
        let _turn = turn.lock().await;
        if self.lists().get(&key).is_some_and(|listed| listed.at.elapsed() < FRESH) {
            return;
        }
        let items = match self.sandbox.list(server, what, PATIENCE).await {
            Ok(items) => items,
            Err(ServerError::NotOffered(_)) => Vec::new(),
            Err(error) => {
                tracing::warn!(%server, list = what.method(), %error, "a list could not be refreshed; its last known items stand in");
                return;
            }
        };
        if what == Listing::Tools {
            self.pin_all(server, &items).await;
        }
        self.lists().insert(key, Listed { items, at: Instant::now() });
        self.rebuild();
    }

    /// Pins what is new, notes what changed, and what is again as it was pinned.
    async fn pin_all(&self, server: &ServerName, definitions: &[Value]) {
        for definition in definitions {
            let Some(event) = self.pin_event(server, definition) else { continue };
            if let Err(error) = self.audit.note(event, clock::now()).await {
                tracing::error!(%server, %error, "a definition could not be recorded; it is not offered");
            }
        }
    }

    fn pin_event(&self, server: &ServerName, definition: &Value) -> Option<Event> {
        let (server, method, definition) = (server.clone(), Method::CallTool, definition.clone());
        // What can be no tool's name is in no record either: its tool is withheld.
        let name = definition.get("name").and_then(Value::as_str).filter(|name| Tool::is_name(name))?.to_owned();
        let hash = Hash::of(definition.canonical().as_bytes());
        match self.audit.pin(&server, method, &name) {
            None => Some(Event::ToolPinned { server, method, name, hash, definition }),
            Some(pin) if pin.hash == hash => pin.pending.map(|_| Event::ToolRestored { server, method, name }),
            Some(pin) if pin.pending.as_ref().is_some_and(|pending| pending.hash == hash) => None,
            Some(_) => Some(Event::ToolChanged { server, method, name, hash, definition }),
        }
    }

    fn expire(&self, server: &ServerName) {
        // `FRESH` is a bound on bursts; after a change a list is never fresh.
        let Some(past) = Instant::now().checked_sub(FRESH * 2) else { return };
        for what in LISTINGS {
            if let Some(listed) = self.lists().get_mut(&(server.clone(), what)) {
                listed.at = past;
            }
        }
    }

    fn rebuild(&self) {
        let lists = self.lists();
        let shown = build::shown(&self.config, &self.audit, |server, what| {
            lists.get(&(server.clone(), what)).map(|listed| listed.items.as_slice()).unwrap_or_default()
        });
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(shown);
    }

    fn tell(&self, changed: Changed) {
        // Nobody listening is no error.
        self.changed.send(changed).ok();
    }

    fn lists(&self) -> std::sync::MutexGuard<'_, HashMap<(ServerName, Listing), Listed>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
