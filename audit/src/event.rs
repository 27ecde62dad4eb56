//! `Event`: what is recorded that is not about one call.

use jiff::Timestamp;
use policies::approval::Delegation;
use policies::{AgentId, Hash, HoldId, Method, OperatorId, Role, ServerName, Value};
use serde::Serialize;

use crate::assertion::PublicKey;
use crate::log::pen::digest;
use crate::operator::{Door, Verifier};
use crate::passkey::Credential;

/// What happened. Texts from outside are redacted and cut when they are recorded.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The gateway started.
    Started {
        /// Its version.
        version: String,
        /// Where it listens.
        listen: Vec<String>,
        /// What reviewers must know of this start, such as sandboxes that are not there.
        notes: Vec<String>,
    },
    /// The gateway stopped in order.
    Stopped {
        /// Why.
        reason: String,
        /// How many calls were still running.
        running: usize,
    },
    /// Someone did not prove who they are.
    AuthenticationFailed {
        /// Where the connection came from.
        peer: String,
        /// What was wrong, never what was sent.
        reason: String,
    },
    /// A request was refused before it was a call.
    RequestRefused {
        /// Who sent it, if that was known.
        agent: Option<AgentId>,
        /// The JSON-RPC method, if it could be read.
        method: Option<String>,
        /// The rule that refused it.
        rule: String,
        /// Why.
        reason: String,
    },
    /// An agent may connect. Changes the agents.
    AgentAdded {
        /// Its name.
        name: AgentId,
        /// The hash of its token; the record has a hash of that.
        #[serde(serialize_with = "fingerprint")]
        token: Hash,
        /// When the token ends.
        expires: Option<Timestamp>,
        /// Who added it.
        by: Option<OperatorId>,
    },
    /// An agent may no longer connect. Changes the agents.
    AgentRemoved {
        /// Its name.
        name: AgentId,
        /// Who removed it.
        by: Option<OperatorId>,
    },
    /// A person may answer holds, or read. Changes the operators.
    OperatorAdded {
        /// Their name.
        name: OperatorId,
        /// What they may do.
        role: Role,
        /// The user of this machine whose connections are theirs.
        uid: Option<u32>,
        /// What their PIN is checked against; the record has a hash of it.
        pin: Verifier,
        /// Who added them.
        by: Option<OperatorId>,
    },
    /// A person may no longer. Changes the operators.
    OperatorRemoved {
        /// Their name.
        name: OperatorId,
        /// Who removed them.
        by: Option<OperatorId>,
    },
    /// A person has another PIN. Changes the operators.
    PinChanged {
        /// Whose.
        name: OperatorId,
        /// What it is checked against; the record has a hash of it.
        pin: Verifier,
        /// Who set it.
        by: Option<OperatorId>,
    },
    /// A PIN was wrong. Counts up the failures at this door.
    PinRefused {
        /// Whose it should have been.
        name: OperatorId,
        /// Where.
        door: Door,
    },
    /// A PIN was right after others that were not. Forgets the failures at this door.
    PinAccepted {
        /// Whose.
        name: OperatorId,
        /// Where.
        door: Door,
    },
    /// A person has a key that signs for them. Changes the passkeys.
    PasskeyAdded {
        /// Whose.
        name: OperatorId,
        /// What its authenticator calls it; the record has a hash of it.
        credential: Credential,
        /// What they call it.
        label: String,
        /// The site that it is for.
        site: String,
        /// What its assertions are checked with.
        public_key: PublicKey,
        /// What its authenticator has counted.
        counter: u32,
        /// Who added it.
        by: Option<OperatorId>,
    },
    /// A key signs for nobody any more. Changes the passkeys.
    PasskeyRemoved {
        /// Whose it was.
        name: OperatorId,
        /// Which; the record has a hash.
        credential: Credential,
        /// Who removed it.
        by: Option<OperatorId>,
    },
    /// A key signed. Changes what it has counted, and forgets the failures at this door.
    PasskeyUsed {
        /// Whose.
        name: OperatorId,
        /// Which; the record has a hash.
        credential: Credential,
        /// What its authenticator has counted.
        counter: u32,
        /// Where.
        door: Door,
    },
    /// What should have been a key's signature was none. Counts up the failures at this door.
    PasskeyRefused {
        /// Whose it should have been.
        name: OperatorId,
        /// Where.
        door: Door,
        /// Why.
        reason: String,
    },
    /// A person signed in to the console.
    SignedIn {
        /// Who.
        name: OperatorId,
        /// As what.
        role: Role,
        /// By what: `link`, `pin` or `passkey`.
        how: String,
    },
    /// A session of the console ended.
    SignedOut {
        /// Whose.
        name: OperatorId,
        /// Why.
        why: String,
    },
    /// A sign-in to the console was refused.
    SignInRefused {
        /// Who it should have been, if that is the name of someone.
        name: Option<OperatorId>,
        /// Why.
        reason: String,
    },
    /// A tool was seen for the first time; this is what it is from now on. Changes the pins.
    ToolPinned {
        /// Its server.
        server: ServerName,
        /// Its method.
        method: Method,
        /// Its name at its server.
        name: String,
        /// The hash of its definition.
        hash: Hash,
        /// Its definition; the record has a hash of what is kept of it.
        #[serde(rename = "kept", serialize_with = "kept")]
        definition: Value,
    },
    /// A tool's definition is not the pinned one; it is withheld. Changes the pins.
    ToolChanged {
        /// Its server.
        server: ServerName,
        /// Its method.
        method: Method,
        /// Its name at its server.
        name: String,
        /// The hash of its definition now.
        hash: Hash,
        /// Its definition now; the record has a hash of what is kept of it.
        #[serde(rename = "kept", serialize_with = "kept")]
        definition: Value,
    },
    /// An operator accepted a changed definition. Changes the pins.
    ToolAccepted {
        /// Its server.
        server: ServerName,
        /// Its method.
        method: Method,
        /// Its name at its server.
        name: String,
        /// The hash that was accepted: it must be the pending one.
        hash: Hash,
        /// Who accepted it.
        by: Option<OperatorId>,
    },
    /// A changed tool is what it was again: nothing is pending. Changes the pins.
    ToolRestored {
        /// Its server.
        server: ServerName,
        /// Its method.
        method: Method,
        /// Its name at its server.
        name: String,
    },
    /// An operator added a tool package. Changes the packages.
    PackageAdded {
        /// Its server's name.
        name: ServerName,
        /// The digest of all of it.
        digest: Hash,
        /// Its version, as its author counts.
        version: Option<String>,
        /// Who added it.
        by: Option<OperatorId>,
    },
    /// An operator removed a tool package. Changes the packages.
    PackageRemoved {
        /// Its server's name.
        name: ServerName,
        /// Who removed it.
        by: Option<OperatorId>,
    },
    /// An operator has looked at a server that tried what it had not declared. Changes the quarantine.
    QuarantineLifted {
        /// Which.
        name: ServerName,
        /// Who looked.
        by: Option<OperatorId>,
    },
    /// A pass lets no more calls run. Changes the passes.
    PassRevoked {
        /// The hold that it was given with.
        hold: HoldId,
        /// Who revoked it; nobody, where whoever gave it was removed.
        by: Option<OperatorId>,
    },
    /// Somebody else has looked at a call that ran by broken glass. Changes the reviews.
    ReviewClosed {
        /// The hold whose glass it was.
        hold: HoldId,
        /// Who looked.
        by: OperatorId,
        /// What they found.
        finding: String,
    },
    /// A backend made a secret for one call: it is recorded before it is used. Changes what is borrowed.
    LeaseTaken {
        /// The backend's name.
        backend: String,
        /// What the backend calls the lease; the record has a hash of that.
        #[serde(serialize_with = "hashed")]
        lease: String,
        /// The record of the call that it was made for.
        intent: u64,
    },
    /// A backend has taken back what it made for one call. Changes what is borrowed.
    LeaseEnded {
        /// The backend's name.
        backend: String,
        /// What the backend calls the lease; the record has a hash of that.
        #[serde(serialize_with = "hashed")]
        lease: String,
    },
    /// A stored secret was set, removed or rotated.
    SecretChanged {
        /// Its name.
        name: String,
        /// What was done: `set`, `removed`, `rotated` or `revoked`.
        action: String,
        /// Who did it.
        by: Option<OperatorId>,
    },
    /// The gateway tried itself: a call that must be held, denied, and kept from a secret and from the network.
    LivenessChecked {
        /// Whether all of it held.
        passed: bool,
        /// What did not.
        failures: Vec<String>,
    },
    /// Policies are in force.
    PoliciesLoaded {
        /// Their hash.
        hash: Hash,
        /// Where they came from.
        sources: Vec<String>,
        /// The ids of those that decide nothing and are observed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        observed: Vec<String>,
    },
    /// A reload was refused; what was in force stays.
    ReloadRefused {
        /// Every problem.
        problems: Vec<String>,
    },
    /// The state of a tool server changed.
    ServerChanged {
        /// Which.
        server: ServerName,
        /// Its state now.
        status: String,
        /// Why.
        reason: Option<String>,
    },
    /// A person answered a hold and was refused.
    AnswerRefused {
        /// Who.
        by: OperatorId,
        /// Which hold.
        hold: HoldId,
        /// Why.
        reason: String,
    },
    /// An operator connected, or failed to.
    OperatorSeen {
        /// Who.
        by: OperatorId,
        /// What they did.
        action: String,
    },
    /// The log's first record.
    LogCreated {
        /// The log's own id.
        log: String,
        /// Whether this state folder had a log before, which is gone.
        replaces: bool,
    },
    /// The log could not be written for a while.
    LogOutage {
        /// What was wrong.
        fault: String,
        /// When that was found.
        since: Timestamp,
        /// Whether it is over.
        over: bool,
    },
    /// A witness says that it has signed more records of the log than there are, or others.
    WitnessConflict {
        /// Which.
        witness: String,
        /// What it says.
        why: String,
    },
    /// An outcome was recorded, but its answer was withheld because the record came too late.
    AnswerWithheld {
        /// The number of the outcome's record.
        outcome: u64,
    },
    /// An operator lent another the right to approve. Changes the delegations; it is named by this record's number.
    DelegationMade {
        /// Who, to whom, what for and until when; with a digest of what is kept.
        #[serde(flatten, serialize_with = "digested")]
        delegation: Box<Delegation>,
        /// How whoever lent it showed that it is them.
        #[serde(skip_serializing_if = "Option::is_none")]
        proof: Option<serde_json::Value>,
    },
    /// A delegation lets nobody approve any more. Changes the delegations.
    DelegationEnded {
        /// The number of its record.
        delegation: u64,
        /// Why.
        why: DelegationEnd,
        /// Who ended it, if somebody did.
        by: Option<OperatorId>,
    },
}

/// Why a delegation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DelegationEnd {
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
    /// Whoever lent it, or had it, is no operator any more.
    Removed,
    /// The log was restored from a backup: it may have ended since.
    Restored,
}

impl Event {
    /// What the projection that this changes is known by, and who changes it: names of the log's own, which its record has as they are.
    /// A verification would not find a row whose name was redacted in the record of it.
    pub(crate) fn names(&self) -> &'static [&'static str] {
        match self {
            Self::ToolPinned { .. }
            | Self::ToolChanged { .. }
            | Self::ToolAccepted { .. }
            | Self::ToolRestored { .. } => &["server", "name", "by"],
            Self::AgentAdded { .. }
            | Self::AgentRemoved { .. }
            | Self::OperatorAdded { .. }
            | Self::OperatorRemoved { .. }
            | Self::PinChanged { .. }
            | Self::PinRefused { .. }
            | Self::PinAccepted { .. }
            | Self::PasskeyAdded { .. }
            | Self::PasskeyRemoved { .. }
            | Self::PasskeyUsed { .. }
            | Self::PasskeyRefused { .. }
            | Self::PackageAdded { .. }
            | Self::PackageRemoved { .. }
            | Self::QuarantineLifted { .. } => &["name", "by"],
            Self::LeaseTaken { .. } | Self::LeaseEnded { .. } => &["backend"],
            Self::DelegationMade { .. } => &["by", "to"],
            // No projection is known by what these name.
            Self::Started { .. }
            | Self::Stopped { .. }
            | Self::AuthenticationFailed { .. }
            | Self::RequestRefused { .. }
            | Self::SignedIn { .. }
            | Self::SignedOut { .. }
            | Self::SignInRefused { .. }
            | Self::PassRevoked { .. }
            | Self::ReviewClosed { .. }
            | Self::SecretChanged { .. }
            | Self::LivenessChecked { .. }
            | Self::PoliciesLoaded { .. }
            | Self::ReloadRefused { .. }
            | Self::ServerChanged { .. }
            | Self::AnswerRefused { .. }
            | Self::OperatorSeen { .. }
            | Self::LogCreated { .. }
            | Self::LogOutage { .. }
            | Self::WitnessConflict { .. }
            | Self::AnswerWithheld { .. }
            | Self::DelegationEnded { .. } => &[],
        }
    }

    pub(crate) fn agent(&self) -> Option<&AgentId> {
        match self {
            Self::AgentAdded { name, .. } | Self::AgentRemoved { name, .. } => Some(name),
            Self::RequestRefused { agent, .. } => agent.as_ref(),
            Self::Started { .. }
            | Self::Stopped { .. }
            | Self::AuthenticationFailed { .. }
            | Self::OperatorAdded { .. }
            | Self::OperatorRemoved { .. }
            | Self::PinChanged { .. }
            | Self::PinRefused { .. }
            | Self::PinAccepted { .. }
            | Self::PasskeyAdded { .. }
            | Self::PasskeyRemoved { .. }
            | Self::PasskeyUsed { .. }
            | Self::PasskeyRefused { .. }
            | Self::SignedIn { .. }
            | Self::SignedOut { .. }
            | Self::SignInRefused { .. }
            | Self::ToolPinned { .. }
            | Self::ToolChanged { .. }
            | Self::ToolAccepted { .. }
            | Self::ToolRestored { .. }
            | Self::PackageAdded { .. }
            | Self::PackageRemoved { .. }
            | Self::QuarantineLifted { .. }
            | Self::PassRevoked { .. }
            | Self::ReviewClosed { .. }
            | Self::LeaseTaken { .. }
            | Self::LeaseEnded { .. }
            | Self::SecretChanged { .. }
            | Self::LivenessChecked { .. }
            | Self::PoliciesLoaded { .. }
            | Self::ReloadRefused { .. }
            | Self::ServerChanged { .. }
            | Self::AnswerRefused { .. }
            | Self::OperatorSeen { .. }
            | Self::LogCreated { .. }
            | Self::LogOutage { .. }
            | Self::WitnessConflict { .. }
            | Self::AnswerWithheld { .. }
            | Self::DelegationMade { .. }
            | Self::DelegationEnded { .. } => None,
        }
    }
}

/// Records are shown, searched and exported; a token's hash stays in the projection. Its own hash is enough to see that the
/// projection holds what was added.
fn fingerprint<S: serde::Serializer>(token: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Hash::of(token.as_bytes()))
}

/// Definitions are long, and people are shown them beside the pins: the hash says that they are shown what was kept.
fn kept<S: serde::Serializer>(definition: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Hash::of(definition.to_string().as_bytes()))
}

/// With the digest that verification compares with what is kept.
fn digested<S: serde::Serializer>(delegation: &Delegation, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Digested<'a> {
        #[serde(flatten)]
        delegation: &'a Delegation,
        digest: Hash,
    }
    Digested { delegation, digest: digest(delegation) }.serialize(serializer)
}

/// Who can read records need not know what a backend would revoke.
fn hashed<S: serde::Serializer>(lease: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Hash::of(lease.as_bytes()))
}
