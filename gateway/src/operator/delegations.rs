//! Delegations: an operator's right to approve, lent to another for a time. The same through the socket and, where no
//! gateway runs, directly on the log.

use std::collections::BTreeSet;

use audit::assertion::Request;
use audit::{Audit, AuditError, DelegationEnd, Event};
use jiff::{SignedDuration, Timestamp};
use jsonrpsee::core::RegisterMethodError;
use policies::approval::{Delegation, Within};
use policies::{AgentId, Hash, OperatorId, Risk, Role};
use serde::{Deserialize, Serialize};

use super::method::{Asked, Module, method};
use super::params::{Which, reason};
use super::people::{Needs, Person};
use super::refused::Refused;
use crate::clock;

/// Rights that one operator has lent at a time: more cannot be kept in mind, and whoever lends to all wants a policy.
const MOST_LENT: usize = 16;

/// The longest name of a tool or an agent, in bytes.
const LONGEST_NAME: usize = 512;

/// What to lend, and to whom.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lending {
    /// Their name.
    pub to: String,
    /// For how long.
    pub lasts: SignedDuration,
    /// What for.
    #[serde(default, rename = "for")]
    pub within: Within,
    /// Why.
    pub reason: String,
}

/// A right that is lent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DelegationRow {
    /// The number of its record: its name.
    pub id: u64,
    /// Who lent it.
    pub by: OperatorId,
    /// Who has it.
    pub to: OperatorId,
    /// The most dangerous call that it is for, if it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// The agents whose calls it is for; all, where none is named.
    #[serde(default)]
    pub agents: BTreeSet<AgentId>,
    /// The tools, or the servers of the tools, that it is for; all, where none is named.
    #[serde(default)]
    pub tools: BTreeSet<String>,
    /// Why it was lent.
    pub reason: String,
    /// Since when.
    pub made: Timestamp,
    /// Until when.
    pub expires: Timestamp,
}

pub(super) fn register(to: &mut Module) -> Result<(), RegisterMethodError> {
    method(to, "delegations_list", Needs::Read, |all, _, Nothing {}| async move { Ok(list(&all.audit)) })?;
    // With a proof that comes with the request: whoever finds a session open must not lend themselves a right. Of who has a passkey
    // it is that: a right that is used with a passkey is not lent by a PIN.
    method(to, "delegations_add", Needs::Keyed, |all, by, asked: Lending| async move {
        lend(&all.audit, &by, asked).await
    })?;
    // It only narrows what somebody may do.
    method(to, "delegations_end", Needs::Operate, |all, by, asked: Which| async move {
        end(&all.audit, &by, &asked.id).await
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Lending {
    /// What a passkey of whoever lends it signs.
    #[must_use]
    pub fn request(&self, by: &OperatorId) -> Request {
        Request::lending(by.clone(), &self.to, &self.within, self.lasts, Hash::of(self.reason.as_bytes()))
    }
}

/// The rights that are lent, the oldest first.
#[must_use]
pub fn list(audit: &Audit) -> Vec<DelegationRow> {
    let now = clock::now();
    audit
        .delegations()
        .into_iter()
        .filter(|(_, delegation)| delegation.is_live(now))
        .map(|(id, delegation)| DelegationRow::of(id, &delegation))
        .collect()
}

/// Lends one's right to approve.
///
/// # Errors
/// [`Refused`] if either cannot be asked to approve, it is for too long or for what no tool is called, or it cannot be
/// recorded.
pub async fn lend(audit: &Audit, by: &Person, asked: Lending) -> Asked<DelegationRow> {
    let Lending { to, lasts, within, reason: sent } = asked;
    let why = reason(&sent)?;
    let operators = audit.operators();
    let role = |name: &OperatorId| operators.iter().find(|one| one.name == *name).map(|one| one.role);
    // Whoever asks has proved who they are; that they are an operator is held here, where it counts.
    if role(&by.id).is_none_or(|role| role == Role::Reviewer) {
        return Err(not_theirs(format!("`{}` answers no calls, and has no right to lend", by.id)));
    }
    let to = operators.iter().find(|one| one.name.as_str() == to).ok_or_else(|| Refused::Unknown {
        what: "operator",
        name: to.clone(),
        next: "`portcullis operator list` shows who they are",
    })?;
    if to.role == Role::Reviewer {
        return Err(not_theirs(format!("`{}` is a reviewer, and answers no calls for anybody", to.name)));
    }
    // What is shown and kept must not be a credential that was pasted in the wrong place, and is kept as it was signed.
    let secret = |name: &str| {
        let text = policies::Value::from(name);
        name.len() > LONGEST_NAME || audit.redactor().redact_value(&text).0 != text
    };
    let mut names = within.tools.iter().map(String::as_str).chain(within.agents.iter().map(AgentId::as_str));
    if names.any(secret) {
        return Err(Refused::Params(
            "a tool's or agent's name looks like a secret, or is too long: it was not kept".to_owned(),
        ));
    }
    let lent = audit.delegations().iter().filter(|(_, one)| one.by() == &by.id).count();
    if lent >= MOST_LENT {
        return Err(Refused::State {
            what: format!("`{}` has lent their right {lent} times already", by.id),
            next: "end one of these first: portcullis operator undelegate".to_owned(),
        });
    }
    let made = Delegation::new((by.id.clone(), to.name.clone()), within, lasts, why, clock::now());
    let delegation = made.map_err(|error| Refused::Params(error.to_string()))?;
    let event = Event::DelegationMade { delegation: Box::new(delegation), proof: proof(by, &sent) };
    let id = audit.note(event, clock::now()).await.map_err(|error| {
        // One of the two was removed meanwhile.
        let gone = error == AuditError::Unknown;
        if gone { not_theirs("one of you is no operator any more".to_owned()) } else { error.into() }
    })?;
    find(audit, id).map(|delegation| DelegationRow::of(id, &delegation)).ok_or_else(|| unknown(&id.to_string()))
}

/// Ends a delegation: nobody approves by it any more. What was approved by it before may still run.
///
/// # Errors
/// [`Refused`] if there is none, it is somebody else's, or it cannot be recorded.
pub async fn end(audit: &Audit, by: &Person, given: &str) -> Asked<DelegationRow> {
    let id: u64 = given.parse().map_err(|_| unknown(given))?;
    let delegation = find(audit, id).ok_or_else(|| unknown(given))?;
    if by.role != Role::Admin && !delegation.concerns(&by.id) {
        return Err(Refused::State {
            what: format!("`{}` lent that right to `{}`", delegation.by(), delegation.to()),
            next: "one of them ends it, or an admin".to_owned(),
        });
    }
    let event = Event::DelegationEnded { delegation: id, why: DelegationEnd::Revoked, by: Some(by.id.clone()) };
    match audit.note(event, clock::now()).await {
        Ok(_) => Ok(DelegationRow::of(id, &delegation)),
        Err(AuditError::Unknown) => Err(unknown(given)),
        Err(error) => Err(error.into()),
    }
}

/// What is kept of how whoever lends showed that it is them. With a signature goes the hash of the reason as it was signed: it is
/// kept redacted.
fn proof(by: &Person, reason: &str) -> Option<serde_json::Value> {
    let mut proof = by.proof()?;
    if let (Some(_), Some(members)) = (&by.signed, proof.as_object_mut()) {
        members.insert("reason".to_owned(), serde_json::json!(Hash::of(reason.as_bytes())));
    }
    Some(proof)
}

fn find(audit: &Audit, id: u64) -> Option<Delegation> {
    audit.delegations().into_iter().find(|(known, _)| *known == id).map(|(_, delegation)| delegation)
}

fn not_theirs(what: String) -> Refused {
    Refused::State { what, next: "`portcullis operator list` shows who is what".to_owned() }
}

fn unknown(given: &str) -> Refused {
    Refused::Unknown {
        what: "delegation",
        name: given.to_owned(),
        next: "`portcullis operator delegations` lists those that are not over",
    }
}

impl DelegationRow {
    fn of(id: u64, delegation: &Delegation) -> Self {
        let Within { risk, agents, tools } = delegation.within().clone();
        Self {
            id,
            by: delegation.by().clone(),
            to: delegation.to().clone(),
            risk,
            agents,
            tools,
            reason: delegation.reason().to_owned(),
            made: delegation.made(),
            expires: delegation.expires(),
        }
    }

    /// What it is for, in words.
    #[must_use]
    pub fn extent(&self) -> String {
        let listed = |what: &str, names: Vec<&str>| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
        let risk = self.risk.map(|risk| format!("risk up to {risk}"));
        let agents = listed("agents", self.agents.iter().map(AgentId::as_str).collect());
        let tools = listed("tools", self.tools.iter().map(String::as_str).collect());
        let parts: Vec<String> = [risk, agents, tools].into_iter().flatten().collect();
        if parts.is_empty() { "every call".to_owned() } else { parts.join("; ") }
    }
}
