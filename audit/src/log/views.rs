//! `Views`: the projections that the hot path reads, in memory. The writer changes them after the commit and before the
//! acknowledgement, so whoever was told of a change sees it.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use policies::approval::{Delegation, Hold, Pass, Review};
use policies::{AgentId, Hash, HoldId, Method, OperatorId, ServerName, Value};
use serde::Serialize;

use crate::operator::{Door, Failures, Operator, Verifier};
use crate::passkey::{Credential, Passkey};

/// An agent that may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub name: AgentId,
    /// The hash of its token.
    pub token: Hash,
    /// When the token ends.
    pub expires: Option<Timestamp>,
    /// When it was added.
    pub added: Timestamp,
    /// Who added it, and answers for it.
    pub owner: Option<OperatorId>,
}

/// What a tool was when it was pinned, and what it is now if that differs. Definitions are redacted; the hashes are of
/// the definitions as they were sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pin {
    /// The tool's server.
    pub server: ServerName,
    /// Which MCP request calls it.
    pub method: Method,
    /// Its name at its server.
    pub name: String,
    /// When it was pinned or accepted.
    pub pinned: Timestamp,
    /// The hash of the pinned definition.
    pub hash: Hash,
    /// The pinned definition.
    pub definition: Value,
    /// A changed definition that nobody has accepted: the tool is withheld.
    pub pending: Option<Pending>,
}

/// A changed definition.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pending {
    /// The hash of the definition as it was sent.
    pub hash: Hash,
    /// The definition.
    pub definition: Value,
}

/// What is noted of a server beside its records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// What is noted.
    pub kind: MarkKind,
    /// The server.
    pub name: ServerName,
    /// Of a package, its digest; of a quarantine, the tool that tried what it had not declared.
    pub value: String,
    /// Since when.
    pub at: Timestamp,
}

/// What is noted of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// It was added as a package.
    Package,
    /// It was seen trying what it had not declared.
    Quarantine,
}

impl MarkKind {
    /// The name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Quarantine => "quarantine",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Package, Self::Quarantine].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What a backend made for one call, until the backend has taken it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Borrowed {
    /// The backend's name.
    pub backend: String,
    /// What the backend calls it.
    pub lease: String,
    /// The record of the call that it was made for.
    pub intent: u64,
    /// Since when.
    pub at: Timestamp,
}

pub(crate) type PinKey = (ServerName, Method, String);

#[derive(Default)]
pub(crate) struct Views {
    pub(crate) agents: HashMap<AgentId, Agent>,
    pub(crate) tokens: HashMap<Hash, AgentId>,
    pub(crate) pins: BTreeMap<PinKey, Pin>,
    /// The open ones.
    pub(crate) holds: BTreeMap<HoldId, Hold>,
    /// Those with uses left; their time may be over.
    pub(crate) passes: BTreeMap<HoldId, Pass>,
    /// The open ones, by their hold.
    pub(crate) reviews: BTreeMap<HoldId, Review>,
    pub(crate) used: HashSet<String>,
    pub(crate) marks: BTreeMap<(MarkKind, ServerName), Mark>,
    /// By backend and lease.
    pub(crate) borrowed: BTreeMap<(String, String), Borrowed>,
    pub(crate) operators: BTreeMap<OperatorId, Operator>,
    pub(crate) failures: BTreeMap<(OperatorId, Door), Failures>,
    /// By the number of their record; their time may be over.
    pub(crate) delegations: BTreeMap<u64, Delegation>,
    pub(crate) passkeys: BTreeMap<Credential, Passkey>,
}

/// One change, held back until its transaction is committed.
pub(crate) enum Change {
    Hold(Box<Hold>),
    Pass(Box<Pass>),
    NoPass(HoldId),
    Review(Box<Review>),
    NoReview(HoldId),
    Agent(Agent),
    NoAgent(AgentId),
    Pin(Pin),
    Used(String),
    Mark(Mark),
    NoMark(MarkKind, ServerName),
    Borrowed(Borrowed),
    Returned(String, String),
    Operator(Operator),
    OperatorPin(OperatorId, Verifier),
    NoOperator(OperatorId),
    Failures(OperatorId, Door, Failures),
    Delegation(u64, Box<Delegation>),
    NoDelegation(u64),
    Passkey(Box<Passkey>),
    NoPasskey(Credential),
}

impl Views {
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Hold(hold) if hold.state().is_open() => {
                self.holds.insert(hold.id().clone(), *hold);
            }
            Change::Hold(hold) => {
                self.holds.remove(hold.id());
            }
            Change::Pass(pass) if pass.used() < pass.times() => {
                self.passes.insert(pass.hold().clone(), *pass);
            }
            Change::Pass(pass) => {
                self.passes.remove(pass.hold());
            }
            Change::NoPass(hold) => {
                self.passes.remove(&hold);
            }
            Change::Review(review) => {
                self.reviews.insert(review.hold.clone(), *review);
            }
            Change::NoReview(hold) => {
                self.reviews.remove(&hold);
            }
            Change::Agent(agent) => {
                self.forget(&agent.name);
                self.tokens.insert(agent.token, agent.name.clone());
                self.agents.insert(agent.name.clone(), agent);
            }
            Change::NoAgent(name) => self.forget(&name),
            Change::Pin(pin) => {
                self.pins.insert((pin.server.clone(), pin.method, pin.name.clone()), pin);
            }
            Change::Used(key) => {
                self.used.insert(key);
            }
            Change::Mark(mark) => {
                self.marks.insert((mark.kind, mark.name.clone()), mark);
            }
            Change::NoMark(kind, name) => {
                self.marks.remove(&(kind, name));
            }
            Change::Borrowed(borrowed) => {
                self.borrowed.insert((borrowed.backend.clone(), borrowed.lease.clone()), borrowed);
            }
            Change::Returned(backend, lease) => {
                self.borrowed.remove(&(backend, lease));
            }
            Change::Operator(operator) => {
                self.operators.insert(operator.name.clone(), operator);
            }
            Change::OperatorPin(name, pin) => {
                if let Some(operator) = self.operators.get_mut(&name) {
                    operator.pin = pin;
                }
            }
            Change::NoOperator(name) => {
                self.operators.remove(&name);
                self.failures.retain(|(whose, _), _| *whose != name);
                self.passkeys.retain(|_, passkey| passkey.operator != name);
            }
            Change::Passkey(passkey) => {
                self.passkeys.insert(passkey.credential.clone(), *passkey);
            }
            Change::NoPasskey(credential) => {
                self.passkeys.remove(&credential);
            }
            Change::Failures(name, door, failures) => {
                self.failures.insert((name, door), failures);
            }
            Change::Delegation(id, delegation) => {
                self.delegations.insert(id, *delegation);
            }
            Change::NoDelegation(id) => {
                self.delegations.remove(&id);
            }
        }
    }

    fn forget(&mut self, name: &AgentId) {
        if let Some(agent) = self.agents.remove(name) {
            self.tokens.remove(&agent.token);
        }
    }
}

/// No name holds a line feed.
pub(crate) fn used_key(agent: &str, server: &str, tool: &str) -> String {
    format!("{agent}\n{server}\n{tool}")
}
