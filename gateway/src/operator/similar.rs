//! Past holds of the same tool, and how they were answered: what whoever answers the next one wants to know.

use jiff::Timestamp;
use jsonrpsee::core::RegisterMethodError;
use policies::approval::{Hold, HoldState};
use policies::{AgentId, CallId, HoldId};
use serde::{Deserialize, Serialize};

use super::Operators;
use super::card::approver;
use super::find::find;
use super::method::{Asked, Module, method};
use super::people::Needs;
use super::trail::{read, unread};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    id: String,
}

/// Past holds like one that waits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Similar {
    /// Of those that were looked at: how many people approved.
    pub approved: usize,
    /// How many they denied.
    pub denied: usize,
    /// How many nobody answered in time, or were withdrawn.
    pub lapsed: usize,
    /// The newest.
    pub latest: Vec<Past>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Past {
    /// The hold.
    pub id: HoldId,
    /// The call that opened it.
    pub call: CallId,
    /// Who wanted to call.
    pub agent: AgentId,
    /// Whether the same agent asked.
    pub same_agent: bool,
    /// `approved`, `denied`, `expired`, `cancelled` or `consumed`.
    pub state: String,
    /// Who answered.
    pub by: Vec<String>,
    /// Why it was denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was opened.
    pub opened: Timestamp,
}

/// Holds that are looked at, of whatever tool.
const LOOKED_AT: usize = 400;

/// Holds that are shown one by one.
const SHOWN: usize = 5;

pub(super) fn register(to: &mut Module) -> Result<(), RegisterMethodError> {
    method(to, "holds_similar", Needs::Read, |all, _, asked: Which| async move { similar(&all, &asked.id).await })
}

async fn similar(all: &Operators, given: &str) -> Asked<Similar> {
    let id = find(&all.holds.list(), given)?;
    read(&all.audit, move |log| {
        let Some(hold) = log.hold(&id).map_err(unread)? else { return Ok(Similar::default()) };
        let holds = log.holds(LOOKED_AT).map_err(unread)?;
        Ok(gathered(&hold, holds.iter().filter(|past| *past.id() != id && alike(past, &hold))))
    })
    .await
}

fn alike(past: &Hold, hold: &Hold) -> bool {
    past.server() == hold.server() && past.tool() == hold.tool() && past.method() == hold.method()
}

fn gathered<'a>(hold: &Hold, past: impl Iterator<Item = &'a Hold>) -> Similar {
    let mut similar = Similar::default();
    for past in past {
        match past.state() {
            HoldState::Pending => continue,
            HoldState::Approved | HoldState::Consumed { .. } => similar.approved += 1,
            HoldState::Denied { .. } => similar.denied += 1,
            HoldState::Expired | HoldState::Cancelled => similar.lapsed += 1,
        }
        if similar.latest.len() < SHOWN {
            similar.latest.push(Past::of(past, hold));
        }
    }
    similar
}

impl Past {
    fn of(past: &Hold, hold: &Hold) -> Self {
        let approvals = past.approvals().iter().map(approver);
        let (denied, reason) = past.state().denied().unzip();
        Self {
            id: past.id().clone(),
            call: past.call().clone(),
            agent: past.agent().clone(),
            same_agent: past.agent() == hold.agent(),
            state: past.state().as_str().to_owned(),
            by: denied.map_or_else(|| approvals.collect(), |by| vec![by.to_string()]),
            reason: reason.map(str::to_owned),
            opened: past.opened(),
        }
    }
}
