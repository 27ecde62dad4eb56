//! The methods that operators can call. Each that changes something records who asked for it.

use std::sync::Arc;

use audit::{Event as Recorded, MarkKind, StepRefused};
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::types::{ErrorObjectOwned, Params};
use jsonrpsee::{Methods, RpcModule};
use policies::approval::Hold;
use policies::{Hash, HoldId, Method, OperatorId, ServerName};
use sandbox::Status;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::card::{Card, Health, PackageRow, Quarantine, ServerRow, ToolDiff, ToolRow};
use super::find::find;
use super::grant::Grant;
use super::refused::Refused;
use super::{Operators, agents, events, packages, run};
use crate::catalog::{AcceptError, Offer};
use crate::clock;
use crate::config::{Origin, Server};
use crate::hold::{Answer, AnswerError};

/// The longest reason: the agent is told, and it is kept in the log.
const REASON: usize = 2000;

type Asked<T> = Result<T, Refused>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    id: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Joining {
    name: String,
    #[serde(default)]
    expires: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    name: String,
    /// The definition that the operator saw; another one is not accepted.
    #[serde(default)]
    hash: Option<Hash>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Packed {
    path: std::path::PathBuf,
    #[serde(default)]
    name: Option<ServerName>,
    digest: Hash,
}

/// Every method, over these.
pub(super) fn methods(operators: Operators, stop: CancellationToken) -> Result<Methods, RegisterMethodError> {
    let mut module = RpcModule::new(operators);
    let to = &mut module;
    method(to, "health", |all, _, Nothing {}| async move { Ok(all.health()) })?;
    method(to, "holds_list", |all, _, Nothing {}| async move { Ok(events::cards(&all)) })?;
    method(to, "holds_show", |all, _, asked: Which| async move { all.show(&asked.id) })?;
    method(
        to,
        "holds_approve",
        |all, by, asked: Which| async move { all.answer(&asked.id, by, Answer::Approve).await },
    )?;
    method(to, "holds_deny", |all, by, asked: Denied| async move {
        let reason = reason(&asked.reason)?;
        all.answer(&asked.id, by, Answer::Deny { reason }).await
    })?;
    method(to, "agents_list", |all, _, Nothing {}| async move { Ok(agents::list(&all.audit)) })?;
    method(to, "agents_add", |all, by, asked: Joining| async move {
        agents::add(&all.audit, &by, &asked.name, asked.expires).await
    })?;
    method(
        to,
        "agents_remove",
        |all, by, asked: Named| async move { agents::remove(&all.audit, &by, &asked.name).await },
    )?;
    method(to, "tools_list", |all, _, Nothing {}| async move { Ok(all.tools()) })?;
    method(to, "tools_diff", |all, _, asked: Named| async move { all.diff(&asked.name) })?;
    method(to, "tools_accept", |all, by, asked: Accepted| async move { all.accept(by, &asked).await })?;
    method(to, "servers_list", |all, _, Nothing {}| async move { Ok(all.servers()) })?;
    method(to, "packages_add", |all, by, asked: Packed| async move { all.add_package(&by, asked).await })?;
    method(to, "packages_remove", |all, by, asked: Named| async move {
        packages::remove(&all.audit, &by, &all.agents.config.state, &asked.name).await
    })?;
    method(to, "quarantine_lift", |all, by, asked: Named| async move {
        packages::lift(&all.audit, &by, &asked.name).await
    })?;
    method(to, "policies_reload", |all, by, Nothing {}| async move { all.reload(by).await })?;
    module.register_subscription("holds_subscribe", "holds_event", "holds_unsubscribe", move |_, sink, all, _| {
        let stop = stop.clone();
        async move { events::tell(&all, sink, &stop).await }
    })?;
    module.register_subscription(
        "calls_run",
        "calls_event",
        "calls_leave",
        |params, sink, all, extensions| async move {
            match (extensions.get::<OperatorId>(), params.parse()) {
                (Some(by), Ok(wanted)) => run::run(&all, by, wanted, sink).await,
                (None, _) => sink.reject(ErrorObjectOwned::from(Refused::Nobody)).await,
                (_, Err(error)) => sink.reject(ErrorObjectOwned::from(Refused::Params(error.to_string()))).await,
            }
        },
    )?;
    Ok(module.into())
}

/// Registers a method that knows who asks, and what for.
fn method<P, T, Run, Done>(
    module: &mut RpcModule<Operators>,
    name: &'static str,
    run: Run,
) -> Result<(), RegisterMethodError>
where
    P: DeserializeOwned + Send,
    T: Serialize + Send + Clone + 'static,
    Run: Fn(Arc<Operators>, OperatorId, P) -> Done + Send + Sync + Clone + 'static,
    Done: Future<Output = Asked<T>> + Send,
{
    module.register_async_method(name, move |params, operators, extensions| {
        let run = run.clone();
        async move {
            let by = extensions.get::<OperatorId>().cloned().ok_or(Refused::Nobody)?;
            run(operators, by, parsed(&params)?).await.map_err(ErrorObjectOwned::from)
        }
    })?;
    Ok(())
}

/// No parameters are an empty object.
fn parsed<P: DeserializeOwned>(params: &Params<'_>) -> Asked<P> {
    let text = params.as_str().filter(|text| *text != "[]").unwrap_or("{}");
    serde_json::from_str(text).map_err(|error| Refused::Params(error.to_string()))
}

fn reason(reason: &str) -> Asked<String> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Refused::Params("a denial needs a reason: the agent is told, and can do better".into()));
    }
    if reason.len() > REASON {
        return Err(Refused::Params(format!("the reason is longer than {REASON} bytes")));
    }
    Ok(reason.to_owned())
}

impl Operators {
    fn health(&self) -> Health {
        let tools = self.catalog.tools();
        let offered = tools.iter().filter(|offer| offer.status == "offered").count();
        let log = self.audit.healthy().map_or_else(|error| error.to_string(), |()| "ok".to_owned());
        Health {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            log,
            holds: events::cards(self).len(),
            liveness: self.liveness.state(),
            offered,
            withheld: tools.len() - offered,
        }
    }

    fn show(&self, given: &str) -> Asked<Card> {
        let id = find(&self.holds.list(), given)?;
        let hold = self.hold(&id).ok_or_else(|| unknown_hold(&id))?;
        Ok(self.card(&hold).with(self.holds.arguments(&id).as_ref()))
    }

    fn hold(&self, id: &HoldId) -> Option<Hold> {
        self.holds.get(id).or_else(|| self.holds.stored(id))
    }

    async fn answer(&self, given: &str, by: OperatorId, answer: Answer) -> Asked<Card> {
        let id = find(&self.holds.list(), given)?;
        let error = match self.holds.answer(&id, by.clone(), answer).await {
            Ok(hold) => return Ok(Card::of(&hold)),
            Err(error) => error,
        };
        let event = Recorded::AnswerRefused { by, hold: id.clone(), reason: error.to_string() };
        if let Err(error) = self.audit.note(event, clock::now()).await {
            tracing::error!(%error, "a refused answer could not be recorded");
        }
        Err(self.unanswered(&id, &error))
    }

    fn unanswered(&self, id: &HoldId, error: &AnswerError) -> Refused {
        let now = self.hold(id).map(|hold| Card::of(&hold).next);
        match error {
            AnswerError::Unknown(_) if now.is_none() => unknown_hold(id),
            AnswerError::NotAllowed(_) => Refused::State {
                what: error.to_string(),
                next: "another operator must answer it, or a policy must permit you to approve it".into(),
            },
            AnswerError::Refused(StepRefused::Audit(error)) => Refused::Unrecorded(error.to_string()),
            AnswerError::Unknown(_) | AnswerError::Refused(_) => Refused::State {
                what: error.to_string(),
                next: now.unwrap_or_else(|| "`portcullis log list` shows what became of it".into()),
            },
        }
    }

    fn tools(&self) -> Vec<ToolRow> {
        self.catalog.tools().into_iter().map(ToolRow::from).collect()
    }

    fn servers(&self) -> Vec<ServerRow> {
        let shown = self.agents.config.servers.iter().filter(|(_, server)| server.origin != Origin::Hidden);
        shown.map(|(name, server)| self.server(name, server)).collect()
    }

    fn server(&self, name: &ServerName, server: &Server) -> ServerRow {
        let state = self.agents.calls.sandbox.server(name);
        let (status, why) = match state.map(|state| state.status) {
            Some(Status::Ready(_)) => ("ready", None),
            Some(Status::Starting) => ("starting", None),
            Some(Status::Down { why, .. }) => ("down", Some(why)),
            None => ("down", Some("it is not configured any more".to_owned())),
        };
        let quarantine = self.audit.mark(MarkKind::Quarantine, name);
        ServerRow {
            name: name.to_string(),
            kind: server.reach.kind().to_string(),
            status: status.to_owned(),
            why,
            version: server.reach.package().and_then(|package| package.manifest().version.clone()),
            grant: server.reach.resources().map(|resources| Grant::of(resources)),
            quarantine: quarantine.map(|mark| Quarantine { tool: mark.value, since: mark.at }),
        }
    }

    async fn add_package(&self, by: &OperatorId, asked: Packed) -> Asked<PackageRow> {
        let Packed { path, name, digest } = asked;
        if !path.is_absolute() {
            return Err(Refused::Params("the package's path must be whole".into()));
        }
        let state = &self.agents.config.state;
        packages::add(&self.audit, by, state, packages::Adding { path, name, digest }).await
    }

    fn diff(&self, name: &str) -> Asked<ToolDiff> {
        let offer = self.catalog.tools().into_iter().find(|offer| offer.shown_name == name);
        let offer = offer.ok_or_else(|| unknown_tool(name))?;
        let pin = self.audit.pin(&offer.server, Method::CallTool, &offer.name);
        let Some((pin, pending)) = pin.and_then(|pin| pin.pending.clone().map(|pending| (pin, pending))) else {
            return Err(nothing_to_accept(name));
        };
        let raw = |value: &policies::Value| RawValue::from_string(value.to_string());
        let (pinned, now) =
            raw(&pin.definition).and_then(|pinned| Ok((pinned, raw(&pending.definition)?))).map_err(|_| {
                Refused::State {
                    what: format!("the definition of `{name}` cannot be shown"),
                    next: "see the gateway's log".into(),
                }
            })?;
        Ok(ToolDiff { name: name.to_owned(), pinned, now, hash: pending.hash })
    }

    async fn accept(&self, by: OperatorId, asked: &Accepted) -> Asked<Vec<String>> {
        if let Some(seen) = asked.hash {
            // Between the diff and the answer a server may change its mind: what was not read is not accepted.
            if self.diff(&asked.name)?.hash != seen {
                return Err(Refused::State {
                    what: format!("`{}` changed again since it was shown", asked.name),
                    next: format!("read it again: portcullis tools diff {}", asked.name),
                });
            }
        }
        self.catalog.accept(&asked.name, asked.hash, by).await.map_err(|error| match error {
            AcceptError::Audit(error) => Refused::Unrecorded(error.to_string()),
            AcceptError::Nothing(_) => nothing_to_accept(&asked.name),
        })
    }

    async fn reload(&self, by: OperatorId) -> Asked<String> {
        let event = Recorded::OperatorSeen { by, action: "reload policies".into() };
        self.audit.note(event, clock::now()).await.map_err(|error| Refused::Unrecorded(error.to_string()))?;
        (self.reload)().map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Refused::State {
                what: format!("nothing changed; the policies have problems:\n{}", problems.join("\n")),
                next: "mend them, and check before the next try: portcullis check".into(),
            }
        })
    }
}

fn unknown_hold(id: &HoldId) -> Refused {
    Refused::Unknown { what: "hold", name: id.to_string(), next: "`portcullis holds list` shows the open ones" }
}

fn unknown_tool(name: &str) -> Refused {
    Refused::Unknown { what: "tool", name: name.to_owned(), next: "`portcullis tools list` shows every tool" }
}

fn nothing_to_accept(name: &str) -> Refused {
    Refused::Unknown {
        what: "changed tool or server",
        name: name.to_owned(),
        next: "`portcullis tools list` shows what changed and waits to be accepted",
    }
}

impl From<Offer> for ToolRow {
    fn from(offer: Offer) -> Self {
        Self {
            name: offer.shown_name,
            server: offer.server.to_string(),
            tool: offer.name,
            status: offer.status.to_owned(),
            why: offer.why,
            hash: offer.hash.map(|hash| hash.to_string()),
        }
    }
}
