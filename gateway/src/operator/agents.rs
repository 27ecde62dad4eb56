//! Adding and removing agents: the same through the socket and, where no gateway runs, directly on the log.

use audit::{Audit, Event};
use jiff::Timestamp;
use policies::{AgentId, OperatorId};

use super::refused::Refused;
use super::rows::{AgentRow, NewAgent};
use crate::agent::auth::Token;
use crate::clock;

/// Who may connect, by name.
#[must_use]
pub fn list(audit: &Audit) -> Vec<AgentRow> {
    let mut agents: Vec<AgentRow> = audit.agents().into_iter().map(AgentRow::from).collect();
    agents.sort_by(|a, b| a.name.cmp(&b.name));
    agents
}

/// Lets an agent connect, and makes its token.
///
/// # Errors
/// [`Refused`] if the name is none or taken, the time is over, or it cannot be recorded.
pub async fn add(audit: &Audit, by: &OperatorId, name: &str, expires: Option<Timestamp>) -> Result<NewAgent, Refused> {
    let name = AgentId::parse(name).map_err(|error| Refused::Params(error.to_string()))?;
    // These stand for people and for the gateway itself, and policies tell them apart by name.
    if ["operator:", "portcullis:"].iter().any(|reserved| name.as_str().to_ascii_lowercase().starts_with(reserved)) {
        return Err(Refused::Params("an agent's name cannot begin with `operator:` or `portcullis:`".into()));
    }
    let now = clock::now();
    if expires.is_some_and(|expires| expires <= now) {
        return Err(Refused::Params("the token would have expired before it is used".into()));
    }
    // A second token under one name would end the first in silence.
    if audit.agents().iter().any(|agent| agent.name == name) {
        return Err(Refused::State {
            what: format!("there is an agent `{name}` already"),
            next: format!("choose another name, or end its token: portcullis agent remove {name}"),
        });
    }
    let token = Token::generate();
    let event = Event::AgentAdded { name: name.clone(), token: token.hash(), expires, by: Some(by.clone()) };
    audit.note(event, now).await?;
    Ok(NewAgent { name: name.to_string(), token: token.reveal().to_owned(), expires })
}

/// Ends an agent's token.
///
/// # Errors
/// [`Refused`] if there is no such agent, or it cannot be recorded.
pub async fn remove(audit: &Audit, by: &OperatorId, name: &str) -> Result<AgentRow, Refused> {
    let Some(agent) = audit.agents().into_iter().find(|agent| agent.name.as_str() == name) else {
        return Err(Refused::Unknown {
            what: "agent",
            name: name.to_owned(),
            next: "`portcullis agent list` shows who may connect",
        });
    };
    let event = Event::AgentRemoved { name: agent.name.clone(), by: Some(by.clone()) };
    audit.note(event, clock::now()).await?;
    Ok(AgentRow::from(agent))
}

impl From<audit::Agent> for AgentRow {
    fn from(agent: audit::Agent) -> Self {
        Self { name: agent.name.to_string(), added: agent.added, expires: agent.expires }
    }
}
