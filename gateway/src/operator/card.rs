//! The shapes of the operators' API: what a hold, a tool and an agent look like to a program that shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::approval::{Approval, Glass, Hold, HoldState, OfRole};
use policies::decision::Observed;
use policies::profile::Resources;
use policies::risk::Risk;
use policies::{AgentId, CallId, Hash, HoldId, OperatorId, Role, ServerName, Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::exporters::ExporterRow;
use super::grant::Grant;
use crate::witness::Stand;

/// A hold as a person reads it before answering.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Card {
    /// Which hold.
    pub id: HoldId,
    /// The call that opened it.
    pub call: CallId,
    /// Who wants to call.
    pub agent: AgentId,
    /// The tool's server.
    pub server: ServerName,
    /// The tool's name at its server.
    pub tool: String,
    /// The MCP request: `tools/call`, `resources/read`, ….
    pub method: String,
    /// How dangerous it is.
    pub risk: Risk,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Where each argument value was seen first, by JSON pointer.
    pub provenance: BTreeMap<String, Origin>,
    /// The policies that decided it.
    pub policies: Vec<String>,
    /// The policies that only watch and would have decided otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<Observed>,
    /// `pending`, `approved`, `denied`, `expired`, `cancelled` or `consumed`.
    pub state: String,
    /// Who denied it, if someone did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<OperatorId>,
    /// Why it was denied or cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The hash of everything that an approval is bound to: `holds_approve` can say what was seen.
    pub digest: Hash,
    /// How many people must approve.
    pub required: u8,
    /// How many of them have to have which role, if one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_role: Option<OfRole>,
    /// How many of that role are still missing, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
    /// Why it cannot be approved as things are: too few may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<String>,
    /// Who has approved.
    pub approvals: Vec<Approval>,
    /// Who let it run without the others, if somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glass: Option<Glass>,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it ends by itself, as a denial.
    pub expires: Timestamp,
    /// What an approval would do now, or what became of the call.
    pub next: String,
    /// What an approval opens for the time of the call; only in `holds_show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The complete arguments with live secrets as fingerprints; only in `holds_show`, and only while the call is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Box<RawValue>>,
}

/// Why a call is as risky as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reason {
    /// Its id, as policies match it.
    pub id: String,
    /// One sentence for people.
    pub text: String,
    /// The argument that made it so, as a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// Where an argument value came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Origin {
    /// Something that the agent read, or may have read and we have forgotten.
    From {
        /// The number of the result in the session, from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<u32>,
        /// The tool that answered it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool: Option<String>,
        /// How it was recognised: `exact`, `part`, `decoded`, …, or `forgotten`.
        how: String,
        /// An outsider may have written it.
        untrusted: bool,
        /// It came out of something sensitive.
        sensitive: bool,
    },
    /// `unseen`.
    Word(String),
}

/// What a subscriber of holds hears.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// Every open hold: at the start, and again if the subscriber was too slow to hear of every change.
    Open {
        /// Oldest deadline first.
        holds: Vec<Card>,
    },
    /// One hold changed.
    Changed {
        /// As it is now.
        hold: Box<Card>,
    },
}

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

/// What whoever runs a call from a terminal hears of it. Tagged from outside: an answer is passed on as it was written, and
/// a tag inside would have it read and written again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// It waits for a person.
    Held {
        /// Which hold.
        hold: Box<Card>,
    },
    /// It runs.
    Running,
    /// The tool says something.
    Notice {
        /// As it was said, redacted.
        params: Box<RawValue>,
    },
    /// It is over.
    Ended {
        /// Whether the tool did what it was asked.
        ok: bool,
        /// Its result, or a JSON-RPC error object.
        answer: Box<RawValue>,
    },
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

/// How the gateway is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Health {
    /// Its version.
    pub version: String,
    /// `ok`, or why the log cannot be written: then no call runs.
    pub log: String,
    /// How many holds wait.
    pub holds: usize,
    /// `ok`, `off`, `not tried yet`, or what did not hold when the gateway tried itself.
    #[serde(default)]
    pub liveness: String,
    /// The defaults that decide nothing because they are only observed, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<String>,
    /// The quorums of the config that the operators there are cannot reach, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quorums: Vec<String>,
    /// How many tools are offered.
    pub offered: usize,
    /// How many are withheld, changed ones included.
    pub withheld: usize,
    /// The witnesses that the config names.
    #[serde(default)]
    pub witnesses: Vec<WitnessRow>,
    /// The backends that secrets are kept in.
    #[serde(default)]
    pub backends: Vec<BackendRow>,
    /// The exporters that the config names.
    #[serde(default)]
    pub exporters: Vec<ExporterRow>,
}

/// A backend of secrets, and how it answered last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendRow {
    /// Its name.
    pub name: String,
    /// When a call last needed it.
    pub at: Option<Timestamp>,
    /// `ok`, `not asked yet`, or why it gave nothing.
    pub state: String,
}

impl From<vault::Answer> for BackendRow {
    fn from(answer: vault::Answer) -> Self {
        let well = if answer.at.is_some() { "ok" } else { "not asked yet" };
        Self { name: answer.backend, at: answer.at, state: answer.fault.unwrap_or_else(|| well.to_owned()) }
    }
}

/// A witness, and how far it has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessRow {
    /// Its name.
    pub name: String,
    /// How many records it signed last; 0 if it has signed none since the gateway started.
    pub signed: u64,
    /// When it did.
    pub at: Option<Timestamp>,
    /// How many signed records of the log it has not signed.
    pub lag: u64,
    /// `ok`, or why it does not sign.
    pub state: String,
    /// It said, since the gateway started, that it signed more records than there are, or others: the log was put back or
    /// rewritten, or the witness lies.
    pub conflict: bool,
}

impl From<Stand> for WitnessRow {
    fn from(stand: Stand) -> Self {
        let conflict = stand.conflict.map(|(_, why)| why);
        let (signed, at) = stand.signed.map_or((0, None), |(size, at)| (size, Some(at)));
        Self {
            name: stand.name,
            signed,
            at,
            lag: stand.size.saturating_sub(signed),
            conflict: conflict.is_some(),
            state: conflict
                .or(stand.failing)
                .unwrap_or_else(|| if at.is_some() { "ok" } else { "not asked yet" }.to_owned()),
        }
    }
}

/// The part of a stored assessment that a card shows. What an older gateway did not store is left out.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Assessed {
    reasons: Vec<Reason>,
    provenance: BTreeMap<String, Origin>,
    policies: Vec<String>,
    observed: Vec<Observed>,
}

impl Card {
    /// The card of a hold, without arguments.
    #[must_use]
    pub fn of(hold: &Hold) -> Self {
        let assessed = Assessed::deserialize(hold.assessment()).unwrap_or_default();
        let (by, reason) = hold.state().denied().unzip();
        Self {
            id: hold.id().clone(),
            call: hold.call().clone(),
            agent: hold.agent().clone(),
            server: hold.server().clone(),
            tool: hold.tool().to_owned(),
            method: hold.method().as_str().to_owned(),
            risk: hold.risk(),
            reasons: assessed.reasons,
            provenance: assessed.provenance,
            policies: assessed.policies,
            observed: assessed.observed,
            state: hold.state().as_str().to_owned(),
            by: by.cloned(),
            note: reason.or(hold.note()).map(str::to_owned),
            digest: hold.binding().digest(),
            required: hold.required(),
            of_role: hold.of_role(),
            needs: needs(hold),
            short: None,
            approvals: hold.approvals().to_vec(),
            glass: hold.glass().cloned(),
            opened: hold.opened(),
            expires: hold.expires(),
            next: next(hold),
            grant: None,
            arguments: None,
        }
    }

    /// With what its sandbox opens.
    #[must_use]
    pub fn within(self, resources: Option<&Resources>) -> Self {
        Self { grant: resources.map(Grant::of), ..self }
    }

    /// With its arguments, as they are written: no number is rounded on the way to the person who approves it.
    #[must_use]
    pub fn with(self, arguments: Option<&Value>) -> Self {
        let arguments = arguments.and_then(|value| RawValue::from_string(value.to_string()).ok());
        Self { arguments, ..self }
    }

    /// With why it cannot be approved, if too few may.
    #[must_use]
    pub fn lacking(self, short: Option<String>) -> Self {
        Self { short, ..self }
    }

    /// Whether it can still be answered.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == "pending" || self.state == "approved"
    }

    /// Whether it waits for an approval.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.state == "pending"
    }
}

/// Who approved, and for whom.
pub(crate) fn approver(approval: &Approval) -> String {
    match &approval.lent {
        Some(lent) => format!("{} for {}, delegation {}", approval.operator, lent.by, lent.delegation),
        None => approval.operator.to_string(),
    }
}

/// Who must be among those who still approve.
fn needs(hold: &Hold) -> Option<String> {
    let of = hold.missing().of_role.filter(|_| *hold.state() == HoldState::Pending)?;
    let plural = if of.people == 1 { "" } else { "s" };
    Some(format!("{} {}{plural} still needed", of.people, of.role))
}

/// What happens next, in one sentence.
fn next(hold: &Hold) -> String {
    let (agent, missing) = (hold.agent(), usize::from(hold.required()).saturating_sub(hold.approvals().len()));
    match hold.state() {
        HoldState::Pending if missing > 1 => {
            format!("your approval is one of {missing} that are missing; the call runs after the last")
        }
        HoldState::Pending => {
            format!(
                "the call runs once, exactly as shown, as soon as agent {agent} waits for it; a changed call needs a new approval"
            )
        }
        HoldState::Approved if hold.glass().is_some() => {
            format!(
                "the glass is broken: it runs once, as soon as agent {agent} waits for it, or lapses when its time is over; somebody else reviews it"
            )
        }
        HoldState::Approved => {
            format!("it runs once, as soon as agent {agent} waits for it, or lapses when its time is over")
        }
        HoldState::Denied { by, .. } => format!("{by} denied it; the agent is told why, and nothing ran"),
        HoldState::Expired => "nobody answered or collected it in time; nothing ran".to_owned(),
        HoldState::Cancelled => "it was withdrawn; nothing ran".to_owned(),
        HoldState::Consumed { by } => {
            format!("the approval was used by {by}; `portcullis log show {by}` has the outcome")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_reach_the_approver_as_they_were_written() {
        #[derive(Serialize, Deserialize)]
        struct Holder {
            arguments: Option<Box<RawValue>>,
        }

        let json = r#"{"amount":1234567890123456789012.10}"#;
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        let text = serde_json::to_string(&Holder { arguments: Some(raw) }).unwrap();
        let back: Holder = serde_json::from_str(&text).unwrap();
        assert_eq!(back.arguments.unwrap().get(), json);
    }

    #[test]
    fn an_answer_reaches_a_terminal_as_it_was_written() {
        let answer = RawValue::from_string(r#"{"n":1234567890123456789012.10}"#.to_owned()).unwrap();
        let text = serde_json::to_string(&Progress::Ended { ok: true, answer }).unwrap();
        let back: Progress = serde_json::from_str(&text).unwrap();
        assert!(matches!(back, Progress::Ended { ok: true, answer } if answer.get().contains("012.10")));
        assert!(matches!(serde_json::from_str("\"running\"").unwrap(), Progress::Running));
    }

    #[test]
    fn every_origin_the_policies_write_can_be_read() {
        let origins = r#"{"/to":{"result":3,"tool":"mail.read","how":"exact","untrusted":true,"sensitive":false},
            "/cc":{"how":"forgotten","untrusted":true,"sensitive":true},"/n":"unseen"}"#;
        let origins: BTreeMap<String, Origin> = serde_json::from_str(origins).unwrap();
        assert!(matches!(origins.get("/to"), Some(Origin::From { result: Some(3), .. })));
        assert!(matches!(origins.get("/cc"), Some(Origin::From { result: None, .. })));
        assert!(matches!(origins.get("/n"), Some(Origin::Word(_))));
    }
}
