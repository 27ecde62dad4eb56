//! What the lists of the operators' API are made of: a tool, a server, a person, as a program shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::risk::Risk;
use policies::{AgentId, Hash, HoldId, OperatorId, Role, ServerName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::grant::Grant;

/// A tool as the catalogue offers or withholds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToolRow {
    /// The name that agents see.
    pub name: String,
    /// Its server.
    pub server: String,
    /// Its name at its server.
    pub tool: String,
    /// `offered`, `changed` or `withheld`.
    pub status: String,
    /// Why it is withheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The hash of its definition, if it has one that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// A changed definition beside the pinned one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToolDiff {
    /// The name that agents see.
    pub name: String,
    /// What was accepted.
    pub pinned: Box<RawValue>,
    /// What the server says now.
    pub now: Box<RawValue>,
    /// The hash of what the server says now, as it was sent.
    pub hash: Hash,
}

/// A yes to further calls like one that was seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PassRow {
    /// The hold that it was given with: its name.
    pub id: HoldId,
    /// Whose calls it covers.
    pub agent: AgentId,
    /// The tool's server.
    pub server: ServerName,
    /// The tool's name at its server.
    pub tool: String,
    /// The MCP request.
    pub method: String,
    /// The most dangerous call that it covers.
    pub risk: Risk,
    /// What each argument may be: `the same`, `like PATTERN` or `anything`.
    pub arguments: BTreeMap<String, String>,
    /// Who gave it.
    pub by: OperatorId,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many calls it is for.
    pub times: u16,
    /// How many it has approved.
    pub used: u16,
    /// When it was given.
    pub made: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

/// A policy that is or was observed, and what it alone would have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedRow {
    /// Its id.
    pub policy: String,
    /// Whether it is observed now.
    pub observed: bool,
    /// Whether it comes with the gateway.
    pub bundled: bool,
    /// Calls that it would have let run.
    pub allow: usize,
    /// Calls that it would have had wait for a person.
    pub hold: usize,
    /// Calls that it would have refused.
    pub deny: usize,
    /// Approvals that it would have refused.
    pub refuse: usize,
    /// When it would have changed something last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

/// A person who may ask for anything.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperatorRow {
    /// Their name.
    pub name: OperatorId,
    /// What they may do.
    pub role: Role,
    /// The user whose connections are theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// When they were added.
    pub added: Timestamp,
}

/// Who the gateway takes the one who asks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Whoami {
    /// Their name.
    pub name: OperatorId,
    /// What they may do.
    pub role: Role,
    /// Whether approving takes a PIN.
    pub pin: bool,
    /// How many people there are who approve calls.
    pub people: usize,
}

/// A link that signs in to the console, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The link.
    pub url: String,
    /// Whom it signs in.
    pub name: OperatorId,
    /// As what.
    pub role: Role,
}

/// A package that was added.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackageRow {
    /// Its server's name.
    pub name: String,
    /// The digest of all of it.
    pub digest: String,
    /// When it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<Timestamp>,
}

/// A tool server: what keeps it, how it is, and what it is granted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerRow {
    /// Its name.
    pub name: String,
    /// Where its code runs.
    pub kind: String,
    /// `ready`, `starting` or `down`.
    pub status: String,
    /// Why it is down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The version of its package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What its sandbox opens for a call; nothing where it runs elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// It tried what it had not declared: its tool, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
}

/// A server that tried what it had not declared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quarantine {
    /// Which of its tools.
    pub tool: String,
    /// When.
    pub since: Timestamp,
}

/// An agent that may connect.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentRow {
    /// Its name.
    pub name: String,
    /// When it was added.
    pub added: Timestamp,
    /// When its token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// A new agent's token, shown once.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewAgent {
    /// Its name.
    pub name: String,
    /// Its token; only a hash is kept.
    pub token: String,
    /// When the token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}
