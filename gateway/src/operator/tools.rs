//! Servers and their tools, as operators see them and accept their changes.

use audit::MarkKind;
use policies::{Method, OperatorId, ServerName};
use sandbox::Status;
use serde_json::value::RawValue;

use super::grant::Grant;
use super::method::Asked;
use super::params::{Accepted, Packed};
use super::people::Person;
use super::refused::Refused;
use super::rows::{PackageRow, Quarantine, ServerRow, ToolDiff, ToolRow};
use super::{Operators, packages};
use crate::catalog::{AcceptError, Offer};
use crate::config::{Origin, Server};

impl Operators {
    pub(super) fn tools(&self) -> Vec<ToolRow> {
        self.catalog.tools().into_iter().map(ToolRow::from).collect()
    }

    pub(super) fn servers(&self) -> Vec<ServerRow> {
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

    pub(super) async fn add_package(&self, by: &OperatorId, asked: Packed) -> Asked<PackageRow> {
        let Packed { path, name, digest } = asked;
        if !path.is_absolute() {
            return Err(Refused::Params("the package's path must be whole".into()));
        }
        let state = &self.agents.config.state;
        packages::add(&self.audit, by, state, packages::Adding { path, name, digest }).await
    }

    pub(super) fn diff(&self, name: &str) -> Asked<ToolDiff> {
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

    pub(super) async fn accept(&self, by: &Person, asked: &Accepted) -> Asked<Vec<String>> {
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
            AcceptError::Audit(error) => error.into(),
            AcceptError::Nothing(_) => nothing_to_accept(&asked.name),
        })
    }
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
