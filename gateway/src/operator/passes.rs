//! Passes: what lets further calls run without a person, listed and revoked.

use std::collections::BTreeMap;

use audit::{Audit, AuditError, Event};
use policies::approval::Allowed;
use policies::{HoldId, OperatorId};

use super::find::among;
use super::refused::Refused;
use super::rows::PassRow;
use crate::clock;

/// The passes that can be used, the oldest first.
#[must_use]
pub fn list(audit: &Audit) -> Vec<PassRow> {
    audit.passes(clock::now()).iter().map(PassRow::of).collect()
}

/// Ends a pass: no further call runs by it. A call that it approved before may still run.
///
/// # Errors
/// [`Refused`] if there is no such pass, or it cannot be recorded.
pub async fn revoke(audit: &Audit, by: &OperatorId, given: &str) -> Result<PassRow, Refused> {
    let passes = audit.passes(clock::now());
    let hold = among(passes.iter().map(policies::Pass::hold), given, || unknown(given))?;
    let pass = passes.iter().find(|pass| *pass.hold() == hold).ok_or_else(|| unknown(given))?;
    let event = Event::PassRevoked { hold, by: Some(by.clone()) };
    match audit.note(event, clock::now()).await {
        Ok(_) => Ok(PassRow::of(pass)),
        Err(AuditError::Unknown) => Err(unknown(given)),
        Err(error) => Err(error.into()),
    }
}

fn unknown(given: &str) -> Refused {
    Refused::Unknown {
        what: "pass",
        name: given.to_owned(),
        next: "`portcullis passes list` shows those that can be used",
    }
}

impl PassRow {
    fn of(pass: &policies::Pass) -> Self {
        let shown = |allowed: &Allowed| match allowed {
            Allowed::Same(_) => "the same".to_owned(),
            Allowed::Like(pattern) => format!("like {pattern}"),
            Allowed::Any => "anything".to_owned(),
        };
        let arguments: BTreeMap<String, String> =
            pass.arguments().iter().map(|(name, allowed)| (name.clone(), shown(allowed))).collect();
        let id: &HoldId = pass.hold();
        Self {
            id: id.clone(),
            agent: pass.agent().clone(),
            server: pass.server().clone(),
            tool: pass.tool().to_owned(),
            method: pass.method().as_str().to_owned(),
            risk: pass.risk(),
            arguments,
            by: pass.by().clone(),
            reason: pass.reason().map(str::to_owned),
            times: pass.times(),
            used: pass.used(),
            made: pass.made(),
            expires: pass.expires(),
        }
    }
}
