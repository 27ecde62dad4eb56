//! What each record says, made of redacted parts only.

use jiff::Timestamp;
use policies::approval::{Hold, OfRole, Step};
use policies::decision::{Assessment, Binding, Denial, Held, Permit, Refused};
use policies::{Call, Value};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{Audit, Direction, Entry};
use crate::event::Event;
use crate::log::health::AuditError;
use crate::log::pen;
use crate::log::views::{Agent, Borrowed, Mark, MarkKind, Pending, Pin};
use crate::log::work::Work;
use crate::observed::{Observed, Ran};
use crate::operator::Operator;
use crate::outcome::{Answer, Failure, Loan, Loans, Outcome};
use crate::passkey::Passkey;
use crate::raw::Raw;
use crate::record::{Decided, Draft, Kind};
use crate::redact::Redacted;

/// What intents, holds and refusals say.
#[derive(Serialize)]
struct Considered<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    projection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of_role: Option<OfRole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'a policies::Because>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'a Refused>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binding: Option<String>,
    definition: String,
    assessment: Option<Box<RawValue>>,
}

/// What outcomes say.
#[derive(Serialize)]
struct Ended<'a> {
    intent: u64,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    redactions: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lent: Vec<Lent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox: Option<Seen>,
}

/// What was declared against what was observed.
#[derive(Serialize)]
struct Seen {
    declared: serde_json::Value,
    observed: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<u64>,
    /// The tool tried what it did not declare.
    undeclared: bool,
}

#[derive(Serialize)]
struct Lent {
    secret: String,
    version: String,
    placed: String,
}

impl Audit {
    pub(super) fn intent(&self, permit: &Permit, now: Timestamp) -> Draft {
        let call = permit.call();
        let mut considered = self.considered(call, permit.assessment());
        considered.because = Some(permit.because());
        considered.binding = Some(digest(permit.binding()));
        let draft =
            Draft::new(Kind::Intent, now, json(&considered)).decided(Decided::Allow).with_body(self.arguments(call));
        self.about(call, permit.assessment(), draft)
    }

    pub(super) fn refusal(&self, denial: &Denial, now: Timestamp) -> (Draft, Refused) {
        let call = denial.call();
        let told = denial.refusal();
        let refused = Refused {
            rule: self.redactor.text(&told.rule),
            reason: self.redactor.text(&told.reason),
            next: self.redactor.text(&told.next),
        };
        let mut considered = self.considered(call, denial.assessment());
        considered.refused = Some(&refused);
        let draft =
            Draft::new(Kind::Refusal, now, json(&considered)).decided(Decided::Deny).with_body(self.arguments(call));
        (self.about(call, denial.assessment(), draft), refused)
    }

    pub(super) fn waits(&self, held: &Held, opened: &Hold, now: Timestamp) -> Draft {
        let call = held.call();
        let mut considered = self.considered(call, held.assessment());
        considered.hold = Some(opened.id().as_str());
        considered.projection = Some(pen::digest(opened).to_string());
        considered.required = Some(opened.required());
        considered.of_role = opened.of_role();
        considered.expires = Some(opened.expires());
        considered.binding = Some(digest(held.binding()));
        let draft =
            Draft::new(Kind::Hold, now, json(&considered)).decided(Decided::Hold).with_body(self.arguments(call));
        self.about(call, held.assessment(), draft)
    }

    pub(super) fn outcome(&self, entry: &Entry, loans: Loans, ran: Ran, now: Timestamp) -> (Draft, Answer, usize) {
        let (answer, body, redactions) = self.answer(ran.outcome);
        let failure = if let Answer::Failed(failure) = &answer { Some(failure) } else { None };
        let ended = Ended {
            intent: entry.seq,
            outcome: answer.as_str(),
            failure: failure.map(|failure| failure.kind.as_str()),
            detail: failure.map(|failure| failure.detail.as_str()),
            redactions,
            lent: loans.into_lent().into_iter().map(|loan| self.lent(&loan)).collect(),
            sandbox: self.seen(entry, &ran.observed),
        };
        let mut draft = Draft::new(Kind::Outcome, now, json(&ended));
        draft.body = body;
        if let Some(subject) = entry.guard.subject() {
            draft = draft.about(subject.clone());
        }
        (draft, answer, redactions)
    }

    /// Names that a tool asked for and paths that it requested come from outside.
    fn seen(&self, entry: &Entry, observed: &Observed) -> Option<Seen> {
        let resources = entry.call().tool().standing().profile.resources()?;
        let outside = |value| {
            let mut value = serde_json::to_value(value).unwrap_or_default();
            cut(&mut value, &|text| self.outside(text));
            value
        };
        Some(Seen {
            declared: serde_json::to_value(resources).unwrap_or_default(),
            observed: observed.attempts().iter().map(outside).collect(),
            more: Some(observed.more()).filter(|more| *more > 0),
            undeclared: observed.undeclared(),
        })
    }

    fn answer(&self, outcome: Outcome) -> (Answer, Option<Vec<u8>>, usize) {
        match outcome {
            Outcome::Answered(raw) => {
                let (redacted, body) = self.redactor.redact_with_text(raw);
                self.figures().redacted(redacted.kinds());
                let redactions = redacted.redactions();
                (Answer::Result(redacted.into_value()), Some(body), redactions)
            }
            Outcome::Errored(raw) => {
                let (redacted, body) = self.redactor.redact_with_text(raw);
                self.figures().redacted(redacted.kinds());
                let redactions = redacted.redactions();
                (Answer::Error(redacted.into_value()), Some(body), redactions)
            }
            Outcome::Failed(failure) => {
                let detail = self.redactor.text(&failure.detail);
                (Answer::Failed(Failure { detail, ..failure }), None, 0)
            }
            Outcome::Cancelled => (Answer::Cancelled, None, 0),
            Outcome::Interrupted => (Answer::Interrupted, None, 0),
        }
    }

    fn lent(&self, loan: &Loan) -> Lent {
        let text = |text| self.redactor.text(text);
        Lent { secret: text(&loan.secret), version: text(&loan.version), placed: text(&loan.placed) }
    }

    pub(super) fn relayed(
        &self,
        entry: &Entry,
        direction: Direction,
        method: &str,
        message: Raw,
        now: Timestamp,
    ) -> (Draft, Redacted) {
        let (redacted, body) = self.redactor.redact_with_text(message);
        self.figures().redacted(redacted.kinds());
        let detail = serde_json::json!({ "intent": entry.seq, "direction": direction.as_str(),
            "message": self.outside(method), "redactions": redacted.redactions() });
        let draft = Draft::new(Kind::Relay, now, json(&detail)).with_body(body);
        (self.about(entry.call(), entry.permit.assessment(), draft), redacted)
    }

    pub(super) fn redacted_hold(&self, hold: Hold) -> Result<Hold, AuditError> {
        let mut stored = serde_json::to_value(hold).map_err(|_| AuditError::Failed)?;
        if let Some(assessment) = stored.get_mut("assessment") {
            let (redacted, _) = self.redactor.redact_value(&Value::from(assessment.take()));
            *assessment = redacted.to_serde().ok_or(AuditError::Failed)?;
        }
        for name in ["session", "tool"] {
            if let Some(serde_json::Value::String(text)) = stored.get_mut(name) {
                *text = self.redactor.text(text);
            }
        }
        serde_json::from_value(stored).map_err(|_| AuditError::Failed)
    }

    pub(super) fn redacted_step(&self, step: Step) -> Step {
        match step {
            Step::Deny { by, reason } => Step::Deny { by, reason: self.outside(&reason) },
            Step::Cancel { why } => Step::Cancel { why: self.outside(&why) },
            Step::Approve { by, reason, proof, pass, lent, role, observed } => {
                let reason = reason.map(|reason| self.outside(&reason));
                Step::Approve { by, reason, proof, pass, lent, role, observed }
            }
            Step::BreakGlass { by, reason, because, proof, role, observed } => {
                let (reason, because) = (self.outside(&reason), self.outside(&because));
                Step::BreakGlass { by, reason, because, proof, role, observed }
            }
            Step::Expire | Step::Consume { .. } | Step::Continue { .. } => step,
        }
    }

    /// # Errors
    /// [`AuditError::Unnamable`]: what could not be found again by its record is not pinned.
    pub(super) fn event(&self, event: Event, now: Timestamp) -> Result<Work, AuditError> {
        let event = self.redacted_event(event);
        if let Event::ToolPinned { name, .. } = &event
            && (name.chars().any(char::is_control) || self.outside(name) != *name)
        {
            return Err(AuditError::Unnamable);
        }
        let mut draft = Draft::new(Kind::Event, now, self.event_detail(&event));
        draft.agent = event.agent().map(|agent| agent.as_str().to_owned());
        Ok(match event {
            Event::AgentAdded { name, token, expires, by } => {
                Work::Agent { draft, agent: Agent { name, token, expires, added: now, owner: by } }
            }
            Event::AgentRemoved { name, .. } => Work::NoAgent { draft, name },
            Event::ToolPinned { server, method, name, hash, definition } => {
                let pin = Pin { server, method, name, pinned: now, hash, definition, pending: None };
                Work::Pin { draft, pin: Box::new(pin) }
            }
            Event::ToolChanged { server, method, name, hash, definition } => {
                Work::Pending { draft, key: (server, method, name), pending: Some(Pending { hash, definition }) }
            }
            Event::ToolRestored { server, method, name } => {
                Work::Pending { draft, key: (server, method, name), pending: None }
            }
            Event::ToolAccepted { server, method, name, hash, .. } => {
                Work::Accept { draft, key: (server, method, name), hash, at: now }
            }
            Event::PackageAdded { name, digest, .. } => {
                let mark = Mark { kind: MarkKind::Package, name, value: digest.to_string(), at: now };
                Work::Mark { draft, mark }
            }
            Event::PackageRemoved { name, .. } => Work::NoMark { draft, kind: MarkKind::Package, name },
            Event::QuarantineLifted { name, .. } => Work::NoMark { draft, kind: MarkKind::Quarantine, name },
            Event::PassRevoked { hold, .. } => Work::NoPass { draft, hold },
            Event::ReviewClosed { hold, by, .. } => Work::NoReview { draft, hold, by },
            Event::LeaseTaken { backend, lease, intent } => {
                Work::Borrow { draft, borrowed: Borrowed { backend, lease, intent, at: now } }
            }
            Event::LeaseEnded { backend, lease } => Work::Return { draft, backend, lease },
            Event::OperatorAdded { name, role, uid, pin, .. } => {
                Work::Operator { draft, operator: Operator { name, role, uid, pin, added: now } }
            }
            Event::OperatorRemoved { name, .. } => Work::NoOperator { draft, name },
            Event::PinChanged { name, pin, .. } => Work::OperatorPin { draft, name, pin },
            Event::DelegationMade { delegation, proof } => Work::Delegate { draft, delegation, proof },
            Event::DelegationEnded { delegation, .. } => Work::NoDelegation { draft, id: delegation },
            Event::PasskeyAdded { name, credential, label, site, public_key, counter, .. } => {
                let label = self.outside(&label);
                let (added, used) = (now, None);
                let passkey =
                    Passkey { credential, operator: name, label, site, key: public_key, counter, added, used };
                Work::Passkey { draft, passkey: Box::new(passkey) }
            }
            Event::PasskeyRemoved { name, credential, .. } => Work::NoPasskey { draft, name, credential },
            Event::PasskeyUsed { name, credential, counter, door } => {
                Work::PasskeyUsed { draft, name, credential, counter, door, at: now }
            }
            Event::PinRefused { name, door } | Event::PasskeyRefused { name, door, .. } => {
                Work::Tried { draft, name, door, failed: Some(now) }
            }
            Event::PinAccepted { name, door } => Work::Tried { draft, name, door, failed: None },
            Event::SecretChanged { .. }
            | Event::LivenessChecked { .. }
            | Event::SignedIn { .. }
            | Event::SignedOut { .. }
            | Event::SignInRefused { .. }
            | Event::Started { .. }
            | Event::Stopped { .. }
            | Event::AuthenticationFailed { .. }
            | Event::RequestRefused { .. }
            | Event::PoliciesLoaded { .. }
            | Event::ReloadRefused { .. }
            | Event::ServerChanged { .. }
            | Event::AnswerRefused { .. }
            | Event::OperatorSeen { .. }
            | Event::LogCreated { .. }
            | Event::LogOutage { .. }
            | Event::WitnessConflict { .. }
            | Event::AnswerWithheld { .. } => Work::Record(draft),
        })
    }

    /// What a projection keeps of an event, and a digest of it is in the record, is redacted before.
    fn redacted_event(&self, mut event: Event) -> Event {
        if let Event::ToolPinned { definition, .. } | Event::ToolChanged { definition, .. } = &mut event {
            *definition = self.redactor.redact_value(definition).0;
        }
        let Event::DelegationMade { delegation, proof } = event else { return event };
        let reason = self.outside(delegation.reason());
        Event::DelegationMade { delegation: Box::new(delegation.because(reason)), proof }
    }

    /// An event's texts come from requests too: cut, and redacted by shape alone, since its members are named by us.
    fn event_detail(&self, event: &Event) -> Vec<u8> {
        let Ok(mut value) = serde_json::to_value(event) else { return b"{}".to_vec() };
        let names: Vec<_> = event.names().iter().filter_map(|name| Some((*name, value.get(*name)?.clone()))).collect();
        cut(&mut value, &|text| self.outside(text));
        if let Some(members) = value.as_object_mut() {
            members.extend(names.into_iter().map(|(name, as_it_is)| (name.to_owned(), as_it_is)));
        }
        // A public key looks like a secret one, and whoever checks the log needs it.
        if let (Event::PasskeyAdded { public_key, .. }, Some(kept)) = (event, value.get_mut("public_key")) {
            *kept = public_key.to_string().into();
        }
        // So does a signature.
        if let (Event::DelegationMade { proof: Some(proof), .. }, Some(kept)) = (event, value.get_mut("proof")) {
            kept.clone_from(proof);
        }
        json(&value)
    }

    /// A text from outside, short and redacted.
    fn outside(&self, text: &str) -> String {
        let redacted = self.redactor.text(text);
        if redacted.chars().count() <= LONGEST {
            redacted
        } else {
            redacted.chars().take(LONGEST).collect::<String>() + "…"
        }
    }

    fn considered(&self, call: &Call, assessment: &Assessment) -> Considered<'static> {
        let assessment = self.redactor.redact_json(json(assessment));
        Considered {
            hold: None,
            projection: None,
            required: None,
            of_role: None,
            expires: None,
            because: None,
            refused: None,
            binding: None,
            definition: call.tool().hash().to_string(),
            assessment: String::from_utf8(assessment).ok().and_then(|text| RawValue::from_string(text).ok()),
        }
    }

    fn arguments(&self, call: &Call) -> Vec<u8> {
        self.redactor.redact_json_of(call.canonical().as_bytes(), call.arguments())
    }
}

/// The longest text from outside in an event, in characters.
const LONGEST: usize = 1_024;

fn cut(value: &mut serde_json::Value, text: &impl Fn(&str) -> String) {
    match value {
        serde_json::Value::String(string) => *string = text(string),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| cut(item, text)),
        serde_json::Value::Object(members) => members.values_mut().for_each(|member| cut(member, text)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

fn digest(binding: &Binding) -> String {
    binding.digest().to_string()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    to_raw_value(value).map_or_else(|_| b"{}".to_vec(), |raw| raw.get().as_bytes().to_vec())
}
