//! Adding and removing operators: the same through the socket and, where no gateway runs, directly on the log.

use audit::{Audit, AuditError, Event};
use policies::{OperatorId, Role};

use super::people::blocking;
use super::pin::Pin;
use super::refused::Refused;
use super::rows::OperatorRow;
use crate::clock;

/// Whom to add.
pub struct Joining {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The user whose connections are theirs.
    pub uid: Option<u32>,
    /// Their PIN.
    pub pin: String,
}

/// Who may ask for anything, by name.
#[must_use]
pub fn list(audit: &Audit) -> Vec<OperatorRow> {
    audit.operators().into_iter().map(OperatorRow::from).collect()
}

/// Adds an operator.
///
/// # Errors
/// [`Refused`] if the name is none or taken, the PIN is too easy, nobody would be an admin, or it cannot be recorded.
pub async fn add(audit: &Audit, by: &OperatorId, joining: Joining) -> Result<OperatorRow, Refused> {
    let Joining { name, role, uid, pin } = joining;
    let id = OperatorId::parse(&name).map_err(|error| Refused::Params(error.to_string()))?;
    // `uid:NAME` is a user whom the kernel names; a person of that name could pass for it.
    if name.contains(':') {
        return Err(Refused::Params("an operator's name cannot hold `:`".into()));
    }
    let operators = audit.operators();
    if operators.is_empty() && role != Role::Admin {
        return Err(Refused::State {
            what: "the first operator must be an admin: from then on nobody else can add people".to_owned(),
            next: format!("portcullis operator add {name} --role admin"),
        });
    }
    if operators.iter().any(|operator| operator.name.as_str().eq_ignore_ascii_case(&name)) {
        return Err(taken(&name));
    }
    let verifier = verifier(pin).await?;
    let event = Event::OperatorAdded { name: id.clone(), role, uid, pin: verifier, by: Some(by.clone()) };
    audit.note(event, clock::now()).await.map_err(|error| {
        // Somebody else was quicker.
        if error == AuditError::IdTaken { taken(&name) } else { error.into() }
    })?;
    audit.operator(&id).map(OperatorRow::from).ok_or_else(|| unknown(&name))
}

/// Removes an operator. While there are others, one of them stays an admin.
///
/// # Errors
/// [`Refused`] if there is no such operator, no admin would be left, or it cannot be recorded.
pub async fn remove(audit: &Audit, by: &OperatorId, name: &str) -> Result<OperatorRow, Refused> {
    let operators = audit.operators();
    let Some(operator) = operators.iter().find(|operator| operator.name.as_str() == name) else {
        return Err(unknown(name));
    };
    let event = Event::OperatorRemoved { name: operator.name.clone(), by: Some(by.clone()) };
    match audit.note(event, clock::now()).await {
        Ok(_) => Ok(OperatorRow::from(operator.clone())),
        Err(AuditError::LastAdmin) => Err(Refused::State {
            what: format!("`{name}` is the only admin"),
            next: "add another admin before, or remove the others first".to_owned(),
        }),
        // Somebody else was quicker.
        Err(AuditError::Unknown) => Err(unknown(name)),
        Err(error) => Err(error.into()),
    }
}

/// Sets an operator's PIN.
///
/// # Errors
/// [`Refused`] if there is no such operator, the PIN is too easy, or it cannot be recorded.
pub async fn set_pin(audit: &Audit, by: &OperatorId, name: &str, pin: String) -> Result<OperatorRow, Refused> {
    let operator = audit.operators().into_iter().find(|operator| operator.name.as_str() == name);
    let operator = operator.ok_or_else(|| unknown(name))?;
    let event = Event::PinChanged { name: operator.name.clone(), pin: verifier(pin).await?, by: Some(by.clone()) };
    audit.note(event, clock::now()).await?;
    Ok(OperatorRow::from(operator))
}

async fn verifier(pin: String) -> Result<audit::Verifier, Refused> {
    let pin = Pin::chosen(pin).map_err(|error| Refused::Params(error.to_string()))?;
    blocking(move || pin.verifier()).await
}

fn taken(name: &str) -> Refused {
    Refused::State {
        what: format!("there is an operator `{name}` already"),
        next: format!("choose another name, or remove that one: portcullis operator remove {name}"),
    }
}

fn unknown(name: &str) -> Refused {
    Refused::Unknown { what: "operator", name: name.to_owned(), next: "`portcullis operator list` shows who they are" }
}

impl From<audit::Operator> for OperatorRow {
    fn from(operator: audit::Operator) -> Self {
        Self { name: operator.name, role: operator.role, uid: operator.uid, added: operator.added }
    }
}
