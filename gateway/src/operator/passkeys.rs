//! Passkeys of operators: made in a session of the console, listed and removed anywhere, and asked to sign decisions.
//!
//! The first of a person is worth no more than the PIN that they made it by. From then on theirs come and go by a signature of one of
//! them, or an admin takes them away: else whoever has the PIN would make a passkey of their own, and approve by it.

use audit::assertion::{Act, Decision, Nonce, Request};
use audit::{Audit, AuditError, Event, MOST_PASSKEYS, Passkey};
use jiff::Timestamp;
use jsonrpsee::core::RegisterMethodError;
use policies::{Hash, OperatorId, Value};
use serde::{Deserialize, Serialize};
use webauthn_rs::prelude::RegisterPublicKeyCredential;

use super::Operators;
use super::delegations::Lending;
use super::find::find;
use super::method::{Asked, Members, Module, asking, method, parsed};
use super::people::{Caller, Needs, Person};
use super::refused::Refused;
use crate::clock;
use crate::console::{Front, Session};
use crate::passkey::{Given, Options, Question, Signed, Site, Subject};

/// A passkey as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyRow {
    /// What records know it by.
    pub id: Hash,
    /// What its operator calls it.
    pub label: String,
    /// The site that it signs for.
    pub site: String,
    /// Its kind.
    pub algorithm: String,
    /// When it was added.
    pub added: Timestamp,
    /// When it signed last.
    pub used: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adding {
    label: String,
    response: RegisterPublicKeyCredential,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Removing {
    name: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deciding {
    /// The method that the answer will call.
    method: String,
    /// Its parameters, but for the proof.
    params: Members,
}

/// The longest name of one, in characters.
const LABEL: usize = 64;

/// The least that tells one from another.
const SHORTEST: usize = 8;

pub(super) fn register(to: &mut Module) -> Result<(), RegisterMethodError> {
    use Needs::{Change, Govern, Keyed, Operate, Read};
    method(to, "passkeys_list", Read, |all, by, asked: Whose| async move {
        list(&all.audit, asked.name.as_deref().unwrap_or(by.id.as_str()))
    })?;
    asking(to, "passkeys_begin", Keyed, |all, caller, by, Nothing {}| async move { all.begin(&caller, &by) })?;
    // What it answers nobody knows but whoever has begun it, in this session.
    asking(to, "passkeys_add", Change, |all, caller, by, asked: Adding| async move {
        all.add_passkey(&caller, &by, &asked).await
    })?;
    method(to, "passkeys_remove", Keyed, |all, by, asked: Own| async move {
        remove(&all.audit, &by.id, by.id.as_str(), &asked.id).await
    })?;
    method(to, "operators_passkey_remove", Govern, |all, by, asked: Removing| async move {
        remove(&all.audit, &by.id, &asked.name, &asked.id).await
    })?;
    asking(to, "passkeys_challenge", Operate, |all, caller, by, asked: Deciding| async move {
        all.question(&caller, &by, &asked)
    })
}

/// The passkeys of an operator, the oldest first.
///
/// # Errors
/// [`Refused`] if there is no such operator.
pub fn list(audit: &Audit, name: &str) -> Asked<Vec<PasskeyRow>> {
    let operator = audit.operators().into_iter().find(|operator| operator.name.as_str() == name);
    let operator = operator.ok_or_else(|| unknown_operator(name))?;
    Ok(audit.passkeys(&operator.name).into_iter().map(PasskeyRow::from).collect())
}

/// Removes a passkey of an operator, by its id or the beginning of it.
///
/// # Errors
/// [`Refused`] if there is no such operator or passkey, or it cannot be recorded.
pub async fn remove(audit: &Audit, by: &OperatorId, name: &str, id: &str) -> Asked<PasskeyRow> {
    let operator = audit.operators().into_iter().find(|operator| operator.name.as_str() == name);
    let name = operator.ok_or_else(|| unknown_operator(name))?.name;
    let id = id.trim().to_ascii_lowercase();
    let mut fit: Vec<Passkey> = audit.passkeys(&name);
    fit.retain(|passkey| id.len() >= SHORTEST && passkey.credential.id().to_string().starts_with(&id));
    let (Some(passkey), true) = (fit.pop(), fit.is_empty()) else {
        let next = "`portcullis operator passkeys NAME` lists them; give the id, or at least its first 8 digits";
        return Err(Refused::Unknown { what: "one passkey", name: id, next });
    };
    let event = Event::PasskeyRemoved { name, credential: passkey.credential.clone(), by: Some(by.clone()) };
    audit.note(event, clock::now()).await?;
    Ok(PasskeyRow::from(passkey))
}

impl Operators {
    fn begin(&self, caller: &Caller, by: &Person) -> Asked<Options> {
        let (front, session, site) = self.place(caller)?;
        let operator = self.audit.operator(&by.id).ok_or_else(|| not_added(&by.id))?;
        let known = self.audit.passkeys(&by.id);
        if known.len() >= MOST_PASSKEYS {
            return Err(enough());
        }
        let begun = front.passkeys.registrations.begin(of(session), operator, site, &known, clock::now());
        begun.map_err(|error| not_made(&error))
    }

    async fn add_passkey(&self, caller: &Caller, by: &Person, asked: &Adding) -> Asked<PasskeyRow> {
        let (front, session, site) = self.place(caller)?;
        let operator = self.audit.operator(&by.id).ok_or_else(|| not_added(&by.id))?;
        let label = label(&asked.label)?;
        let (registrations, known) = (&front.passkeys.registrations, self.audit.passkeys(&by.id));
        let finished = registrations.finish(of(session), &operator, &site, &asked.response, &known, clock::now());
        let made = finished.map_err(|error| not_made(&error))?;
        let event = Event::PasskeyAdded {
            name: by.id.clone(),
            credential: made.credential.clone(),
            label,
            site: site.name().to_owned(),
            public_key: made.key,
            counter: made.counter,
            by: Some(by.id.clone()),
        };
        match self.audit.note(event, clock::now()).await {
            Ok(_) => {}
            Err(AuditError::IdTaken) => return Err(taken()),
            // Others were begun at the same time.
            Err(AuditError::EnoughPasskeys) => return Err(enough()),
            Err(error) => return Err(error.into()),
        }
        let added = self.audit.passkeys(&by.id).into_iter().find(|passkey| passkey.credential == made.credential);
        added.map(PasskeyRow::from).ok_or(Refused::Nobody)
    }

    fn question(&self, caller: &Caller, by: &Person, asked: &Deciding) -> Asked<Question> {
        let (front, session, site) = self.place(caller)?;
        let subject = self.subject(&asked.method, &by.id, &asked.params)?;
        let question = front.passkeys.ask(&self.audit, &subject, of(session), &site);
        // A browser that is named no key would offer any of the site's.
        if question.credentials.is_empty() { Err(none_here(&by.id, &site)) } else { Ok(question) }
    }

    /// What came with a request as a passkey's signature, with what it must be about: what this very request asks for.
    pub(super) fn signed(&self, method: &str, caller: &Caller, given: Given, asked: &Members) -> Asked<Signed> {
        let (front, session, site) = self.place(caller)?;
        let subject = self.subject(method, session.name(), asked)?;
        let nonce = given.nonce().filter(|nonce| front.passkeys.is_open(nonce, of(session))).ok_or_else(stale)?;
        given.over_subject(subject, nonce, site.written()).map_err(|why| Refused::Passkey { why })
    }

    /// Once a signature was found right, the question is answered: of two copies of it that came at once one is refused.
    pub(super) fn answered(&self, caller: &Caller, nonce: &Nonce) -> Asked<()> {
        let (front, session, _) = self.place(caller)?;
        if front.passkeys.answer(nonce, of(session)) { Ok(()) } else { Err(stale()) }
    }

    fn subject(&self, method: &str, by: &OperatorId, asked: &Members) -> Asked<Subject> {
        match method {
            "passkeys_begin" | "passkeys_remove" => {
                let (method, terms) = (method.to_owned(), hashed(asked.clone()));
                Ok(Subject::Request(Request { method, terms, operator: by.clone() }))
            }
            "delegations_add" => Ok(Subject::Request(parsed::<Lending>(asked.clone())?.request(by))),
            _ => self.decision(method, by, asked).map(Subject::Decision),
        }
    }

    fn decision(&self, method: &str, by: &OperatorId, asked: &Members) -> Asked<Decision> {
        let passes = asked.get("pass").is_some_and(|pass| !pass.is_null());
        let act = match (method, passes) {
            ("holds_approve", false) => Act::Approve,
            ("holds_approve", true) => Act::ApproveWithPass,
            ("holds_break_glass", _) => Act::BreakGlass,
            (_, _) => return Err(Refused::Params(format!("a passkey does not sign `{method}`"))),
        };
        let text = |name: &str| asked.get(name).and_then(serde_json::Value::as_str);
        let id = text("id").ok_or_else(|| Refused::Params("`id` of the hold is missing".into()))?;
        let digest = text("digest").and_then(Hash::from_hex);
        let digest =
            digest.ok_or_else(|| Refused::Params("`digest` is missing: it is what is signed for".to_owned()))?;
        Ok(Decision { hold: find(&self.holds.list(), id)?, digest, act, terms: terms(asked), operator: by.clone() })
    }

    /// Passkeys are a page's: without a session there is no site that they are for.
    fn place<'a>(&'a self, caller: &'a Caller) -> Asked<(&'a Front, &'a Session, Site)> {
        let Caller::Session(session) = caller else {
            return Err(Refused::Params("passkeys are made and sign in the console alone".into()));
        };
        let front = self.console.as_deref().ok_or(Refused::NoConsole)?;
        let site = Site::of(session.origin()).ok_or_else(|| Refused::State {
            what: format!("browsers have no passkeys for {}", session.origin()),
            next: format!("open the console by its name: {}", front.url()),
        })?;
        Ok((front, session, site))
    }
}

/// What is signed beside the deed: reasons, and how far a pass goes, as they were sent.
fn terms(asked: &Members) -> Hash {
    let mut rest = asked.clone();
    rest.retain(|name, value| !["id", "digest"].contains(&name.as_str()) && !value.is_null());
    hashed(rest)
}

fn hashed(members: Members) -> Hash {
    Hash::of(Value::from(serde_json::Value::Object(members)).canonical().as_str().as_bytes())
}

/// What a session is known by to what waits in it.
fn of(session: &Session) -> Hash {
    Hash::of(session.csrf().as_bytes())
}

fn label(given: &str) -> Asked<String> {
    let label = given.trim();
    let fits = !label.is_empty() && label.chars().count() <= LABEL && !label.chars().any(char::is_control);
    if fits {
        Ok(label.to_owned())
    } else {
        Err(Refused::Params(format!("a passkey's name has 1 to {LABEL} characters, none of them invisible")))
    }
}

fn stale() -> Refused {
    Refused::State {
        what: "the question to the passkey was answered before, or is too old".to_owned(),
        next: "try again: it is asked anew".to_owned(),
    }
}

fn none_here(who: &OperatorId, site: &Site) -> Refused {
    Refused::State {
        what: format!("`{who}` has no passkey that signs for {}", site.name()),
        next: "open the console by the name that it was made for: `portcullis operator passkeys` shows it".to_owned(),
    }
}

fn not_made(error: &crate::passkey::NotMade) -> Refused {
    let why = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Refused::State { what: format!("{error}{why}"), next: "try again, or another authenticator".to_owned() }
}

fn enough() -> Refused {
    Refused::State {
        what: format!("there are {MOST_PASSKEYS} passkeys of yours already"),
        next: "remove one that you do not use".to_owned(),
    }
}

fn taken() -> Refused {
    Refused::State {
        what: "this passkey is an operator's already".to_owned(),
        next: "make another one, on another authenticator".to_owned(),
    }
}

fn not_added(who: &OperatorId) -> Refused {
    Refused::State {
        what: format!("`{who}` was not added as an operator, and only who was has passkeys"),
        next: "portcullis operator add NAME --role ROLE".to_owned(),
    }
}

fn unknown_operator(name: &str) -> Refused {
    Refused::Unknown { what: "operator", name: name.to_owned(), next: "`portcullis operator list` shows who they are" }
}

impl From<Passkey> for PasskeyRow {
    fn from(passkey: Passkey) -> Self {
        Self {
            id: passkey.credential.id(),
            label: passkey.label,
            site: passkey.site,
            algorithm: passkey.key.algorithm().to_owned(),
            added: passkey.added,
            used: passkey.used,
        }
    }
}
