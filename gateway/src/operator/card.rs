//! `Card`: what a hold looks like to whoever answers it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use policies::approval::{Approval, Glass, Hold, HoldState, OfRole};
use policies::decision::Observed;
use policies::profile::Resources;
use policies::risk::Risk;
use policies::{AgentId, CallId, Hash, HoldId, OperatorId, ServerName, Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::grant::Grant;

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
